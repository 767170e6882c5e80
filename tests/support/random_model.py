"""Random factors and histories, small enough for slow twins."""

from dataclasses import replace

import numpy as np
from single_user import SingleUser

from ranking.factors import Factors
from ranking.rating_histories import Histories

F, K, H = 120, 6, 4


def random_factors(seed: int = 0, **changed: object) -> Factors:
    """Random factors; every third movie has few ratings."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    entries = [np.sort(rng.choice(F, 5, replace=False)).astype(np.int32) for _ in range(F)]
    factors = Factors(
        movies=np.arange(10, 10 + 2 * F, 2, dtype=np.int32),
        V=normal(F, K),
        m=normal(K),
        C=np.cov(normal(50, K).T).astype(np.float32),
        Q=normal(F, H),
        C_r=np.cov(normal(50, H).T).astype(np.float32),
        mu=3.5,
        movie_bias=normal(F) * np.float32(0.3),
        rating_count=np.where(np.arange(F) % 3, 40, 2).astype(np.int32),
        rating_mean=np.full(F, 3.5, np.float32),
        popular=rng.normal(size=F).astype(np.float32),
        w_start=np.arange(0, 5 * F + 1, 5, dtype=np.int64),
        w_movie=np.concatenate(entries),
        w=normal(5 * F),
        facts={"views": 3},
    )
    return replace(factors, **changed)  # type: ignore[arg-type]


def histories_of(factors: Factors, lengths: list[int], seed: int = 1) -> Histories:
    """Users with so many ratings each, from all over the scale."""
    rng = np.random.default_rng(seed)
    movies = [rng.choice(factors.movies, n, replace=False) for n in lengths]
    rating = rng.integers(1, 11, sum(lengths)) / 2
    start = np.cumsum([0, *lengths]).astype(np.int64)
    user = 7 + 2 * np.arange(len(lengths), dtype=np.int32)
    at = rng.integers(0, 30, sum(lengths))  # many at the same second
    return Histories(user, start, np.concatenate(movies).astype(np.int32), rating.astype(np.float32), at)


def twin_of(factors: Factors, histories: Histories, i: int) -> SingleUser:
    """Return the slow twin of the i-th user."""
    mine = slice(*histories.start[i : i + 2])
    rows = np.searchsorted(factors.movies, histories.movies[mine])
    return SingleUser(factors, rows, histories.rating[mine], histories.at[mine])
