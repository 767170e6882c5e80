"""Exploration: some places of a list go to movies with few ratings, so that these get the ratings to be ranked by.

Thompson sampling: a movie is chosen as often as it is the best, by all that is known of the user and of the movie.
Chapelle and Li, "An Empirical Evaluation of Thompson Sampling" (NIPS 2011).
"""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np

from ranking.content import HALF_TRUSTED
from ranking.fold_in import map_covariance
from ranking.ranker import Ranker
from ranking.rankings import PersonalRanking, Ranking
from ranking.ratings import Mask, Rows
from ranking.score import target_noise
from ranking.top_n import top_n


def explore(
    listed: Callable[[int], Rows], drawn: Callable[[int, np.random.Generator], Rows], share: float, n: int, seed: str
) -> tuple[Rows, Mask]:
    """Return the first n movies of a list with each place explored with the probability `share`, and which are.

    The same seed gives the same list in every process, and a longer list begins with the shorter one.

    Args:
        listed: returns so many movies of the list as it would be; drawn: so many movies to explore, best first.
    """
    rng = generator_for(seed)
    movies = drawn(2 * n, rng)  # of which n may be in the list anyway
    places = rng.random(n) < share
    return mixed(listed(n + int(places.sum())), movies, places)


def drawn_movies(ranker: Ranker, ranking: Ranking, among: Mask | None, n: int, rng: np.random.Generator) -> Rows:
    """Return the rows of n movies with few ratings that the user has not rated, those with the best scores in one draw.

    One draw serves a whole list: one for each place would cost as much again for each.

    Args:
        among: which movies may be listed, bool [f] by row; None for all. The others' order does not depend on it.
    """
    f, few = ranker.factors, ranker.row_at[ranker.known :]
    mean = ranking.folded_in().x[0, 0] if isinstance(ranking, PersonalRanking) else f.m
    noise = target_noise(np.array([len(ranking.seen)]), f.model)[0]
    covariance = map_covariance(f.V[ranking.seen], ranker.prior, noise)
    x = rng.multivariate_normal(mean, covariance, method="eigh", check_valid="ignore").astype(np.float32)
    # x.(v + e) with e from N(0, 5/(n + 5) R): what content, and n ratings, leave open of a movie's factors
    variance = (x @ f.R @ x if len(f.R) else 0) * HALF_TRUSTED / (f.rating_count[few] + HALF_TRUSTED)
    score = f.V_ranked @ x
    score[few] += np.sqrt(variance) * rng.standard_normal(len(few))
    allowed = ~f.well_known if among is None else among & ~f.well_known
    return top_n(score, n, ranking.seen, allowed, allowed)


def generator_for(seed: str) -> np.random.Generator:
    """Return random numbers that are the same in every process."""
    return np.random.default_rng(int.from_bytes(blake2b(seed.encode(), digest_size=16).digest()))


def mixed(listed: Rows, drawn: Rows, explored: Mask) -> tuple[Rows, Mask]:
    """Return a list of `drawn` movies in the places that are `explored`, and of those `listed` in the others.

    Both keep their order, and no movie comes twice; where one kind ends, the other goes on. The mask says which of
    the places of the list have a drawn movie.
    """
    kinds = iter(listed.tolist()), iter(drawn.tolist())
    chosen: dict[int, bool] = {}
    for wanted in explored.tolist():
        for kind in (wanted, not wanted):
            movie = next((movie for movie in kinds[kind] if movie not in chosen), None)
            if movie is not None:
                chosen[movie] = kind
                break
    return np.array([*chosen], np.intp), np.array([*chosen.values()], bool)
