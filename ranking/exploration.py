"""Exploration: give some places of a list to movies with few ratings, so that these movies get ratings.

Thompson sampling: a movie is chosen with its posterior probability to be the best one.
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
    """Return the first n movies of a list whose places are explored with probability `share`, and a mask of these.

    The same seed gives the same list in every process; the list for a smaller n is a prefix of that for a larger n.

    Args:
        listed: returns the first n movies of the list without exploration; drawn: n movies to explore, best first.
    """
    rng = generator_for(seed)
    movies = drawn(2 * n, rng)  # up to n of them may be in the list already
    places = rng.random(n) < share
    return mixed(listed(n + int(places.sum())), movies, places)


def drawn_movies(ranker: Ranker, ranking: Ranking, among: Mask | None, n: int, rng: np.random.Generator) -> Rows:
    """Return the rows of the n unrated movies with few ratings that have the highest scores in one posterior sample.

    One sample serves a whole list, because a sample for each place would multiply the cost.

    Args:
        among: which movies may be listed, bool [f] by row; None for all. It does not change the order of the movies.
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
    """Return a random generator that yields the same numbers in every process."""
    return np.random.default_rng(int.from_bytes(blake2b(seed.encode(), digest_size=16).digest()))


def mixed(listed: Rows, drawn: Rows, explored: Mask) -> tuple[Rows, Mask]:
    """Return a list with `drawn` movies in the `explored` places and `listed` movies in the others, and a mask.

    Both keep their order, and no movie occurs twice. When one kind runs out, the other fills the remaining places. The
    mask is true for places with a drawn movie.
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
