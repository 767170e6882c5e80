"""What the libraries `implicit` and LensKit make of the same likes. ImportError where they are missing.

Their training may use all cores; a list is made by one thread, as one of ours is.
"""

from typing import Any

import numpy as np
from compare_interface import KNOWN, LIST_LENGTH, TOLD, Split, Trained, best_by

from ranking.ratings import Floats


def implicit_als(split: Split, seed: int) -> Trained:
    """The ALS of `implicit` with its own default settings."""
    return _implicit(split, seed)


def implicit_als_tuned(split: Split, seed: int) -> Trained:
    """The same with the best settings of a search on the very ratings it is judged by, which is in its favour."""
    return _implicit(split, seed, factors=64, regularization=10.0, alpha=1.2)


def lenskit_als(split: Split, seed: int) -> Trained:
    """LensKit's implicit ALS with its own default settings."""
    from lenskit.als import ImplicitMFScorer  # type: ignore[import-not-found]

    return _lenskit(split, seed, ImplicitMFScorer())


def lenskit_als_tuned(split: Split, seed: int) -> Trained:
    """The same with settings found as for `implicit`; its weight is what makes a like count for more than 1."""
    from lenskit.als import ImplicitMFScorer

    return _lenskit(split, seed, ImplicitMFScorer(embedding_size=64, weight=0.2, regularization=10.0))


def lenskit_knn(split: Split, seed: int) -> Trained:
    """LensKit's item-kNN on likes with its own default settings."""
    from lenskit.knn import ItemKNNScorer  # type: ignore[import-not-found]

    split.refuse_many_movies()
    return _lenskit(split, seed, ItemKNNScorer(feedback="implicit"))


def _implicit(split: Split, seed: int, **settings: Any) -> Trained:
    from implicit.als import AlternatingLeastSquares  # type: ignore[import-not-found]

    model = AlternatingLeastSquares(random_state=seed, use_gpu=False, **settings)
    model.fit(split.likes, show_progress=False)
    model.num_threads = 1
    people, likes = np.arange(len(split.users)), split.likes

    def one(row: int, told: bool) -> Any:
        return model.recommend(row, split.likes_of_each[row], N=LIST_LENGTH, recalculate_user=told)

    def every(told: bool) -> Any:
        return model.recommend(people, likes, N=LIST_LENGTH, recalculate_user=told)

    return Trained(
        best_by(split, lambda row: np.asarray(model.item_factors @ model.user_factors[row], np.float32)),
        {KNOWN: lambda row: one(row, told=False), TOLD: lambda row: one(row, told=True)},
        {KNOWN: lambda: every(told=False), TOLD: lambda: every(told=True)},
    )


def _lenskit(split: Split, seed: int, scorer: Any) -> Trained:
    """A pipeline as LensKit's guide makes it, which folds in the history of a user whom it looks up."""
    import lenskit.batch  # type: ignore[import-not-found]
    import pandas as pd
    from lenskit.data import ItemList, RecQuery, from_interactions_df  # type: ignore[import-not-found]
    from lenskit.training import TrainingOptions  # type: ignore[import-not-found]

    user, movie = split.likes.nonzero()
    table = pd.DataFrame({"user_id": split.users[user], "item_id": split.movies[movie]})
    pipeline = lenskit.topn_pipeline(scorer, n=LIST_LENGTH)
    pipeline.train(from_interactions_df(table), TrainingOptions(rng=seed))
    catalogue, users = ItemList(item_ids=split.movies), split.users.tolist()
    trained = pipeline.node("scorer").component

    def scores(row: int) -> Floats:
        liked = split.movies[split.likes_of_each[row].indices]
        query = RecQuery(user_id=users[row], history_items=ItemList(item_ids=liked))
        scored: Floats = np.nan_to_num(trained(query, catalogue).scores(), nan=-np.inf).astype(np.float32)
        return scored

    return Trained(
        best_by(split, scores),
        {TOLD: lambda row: lenskit.recommend(pipeline, users[row], LIST_LENGTH)},
        {TOLD: lambda: lenskit.batch.recommend(pipeline, users, LIST_LENGTH, n_jobs=1)},
    )
