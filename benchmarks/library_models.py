"""Train models of the libraries `implicit` and LensKit on the same likes. ImportError if a library is missing.

Training may use all cores. One thread computes a list, as in Matinee.
"""

from typing import Any

import numpy as np
from compare_interface import FOLDED_IN, LIST_LENGTH, TRAINED, Split, Trained, recommend_by_scores

from ranking.ratings import Floats


def implicit_als(split: Split, seed: int) -> Trained:
    """Train the ALS of `implicit` with its default settings."""
    return _implicit(split, seed)


def implicit_als_tuned(split: Split, seed: int) -> Trained:
    """Train it with the best settings of a search on the test split, which favours it."""
    return _implicit(split, seed, factors=64, regularization=10.0, alpha=1.2)


def lenskit_als(split: Split, seed: int) -> Trained:
    """Train LensKit's implicit ALS with its default settings."""
    from lenskit.als import ImplicitMFScorer  # type: ignore[import-not-found]

    return _lenskit(split, seed, ImplicitMFScorer())


def lenskit_als_tuned(split: Split, seed: int) -> Trained:
    """Train it with settings from the same kind of search. Its `weight` raises a like above 1."""
    from lenskit.als import ImplicitMFScorer

    return _lenskit(split, seed, ImplicitMFScorer(embedding_size=64, weight=0.2, regularization=10.0))


def lenskit_knn(split: Split, seed: int) -> Trained:
    """Train LensKit's item-kNN on likes with its default settings."""
    from lenskit.knn import ItemKNNScorer  # type: ignore[import-not-found]

    split.refuse_many_movies()
    return _lenskit(split, seed, ItemKNNScorer(feedback="implicit"))


def _implicit(split: Split, seed: int, **settings: Any) -> Trained:
    from implicit.als import AlternatingLeastSquares  # type: ignore[import-not-found]

    model = AlternatingLeastSquares(random_state=seed, use_gpu=False, **settings)
    model.fit(split.likes, show_progress=False)
    model.num_threads = 1
    rows, likes = np.arange(len(split.users)), split.likes

    def list_one(row: int, fold_in: bool) -> Any:
        return model.recommend(row, split.likes_of_each[row], N=LIST_LENGTH, recalculate_user=fold_in)

    def list_all(fold_in: bool) -> Any:
        return model.recommend(rows, likes, N=LIST_LENGTH, recalculate_user=fold_in)

    return Trained(
        recommend_by_scores(split, lambda row: np.asarray(model.item_factors @ model.user_factors[row], np.float32)),
        {TRAINED: lambda row: list_one(row, fold_in=False), FOLDED_IN: lambda row: list_one(row, fold_in=True)},
        {TRAINED: lambda: list_all(fold_in=False), FOLDED_IN: lambda: list_all(fold_in=True)},
    )


def _lenskit(split: Split, seed: int, scorer: Any) -> Trained:
    """Train a pipeline as in LensKit's guide, which looks up a user's history and folds it in."""
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
        recommend_by_scores(split, scores),
        {FOLDED_IN: lambda row: lenskit.recommend(pipeline, users[row], LIST_LENGTH)},
        {FOLDED_IN: lambda: lenskit.batch.recommend(pipeline, users, LIST_LENGTH, n_jobs=1)},
    )
