"""Estimate user and movie biases: the deviations of their ratings from the mean rating."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Ints, Ratings

USER_DAMPING = 5.0
MOVIE_DAMPING = 2.5
SWEEPS = 10
BLOCK = 1_000_000  # ratings added in one call, during which numpy holds the GIL

Index = npt.NDArray[np.integer]


def damped_biases(
    user: Index, movie: Index, rating: Floats, users: int, movies: int
) -> tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mean and the damped biases, computed alternately: (mu, b_u [users], b_i [movies]).

    Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems" (2009), the first-order part.
    """
    mu = float(rating.mean(dtype=np.float64)) if len(rating) else 0.0
    user_count, movie_count = _sums(user, None, users), _sums(movie, None, movies)
    b_u, b_i = np.zeros(users), np.zeros(movies)
    for _ in range(SWEEPS):
        # b_i = sum(r - mu - b_u) / (n_i + 2.5), then b_u = sum(r - mu - b_i) / (n_u + 5)
        b_i = _sums(movie, (rating, mu, b_u, user), movies) / (movie_count + MOVIE_DAMPING)
        b_u = _sums(user, (rating, mu, b_i, movie), users) / (user_count + USER_DAMPING)
    return mu, b_u, b_i


def residuals(ratings: Ratings, rows: Index, movies: int) -> tuple[Floats, float, npt.NDArray[np.float64]]:
    """Return the residual of each rating, float32 [n], with mu and b_i [movies]; `rows` [n] are the ratings' movies.

    Works in blocks, because a float64 column of 32 million ratings takes 256 MB.
    """
    user, users = numbered(ratings.user)
    mu, b_u, b_i = damped_biases(user, rows, ratings.rating, users, movies)
    left = np.empty(len(ratings), np.float32)
    for cut in _blocks(len(ratings)):
        left[cut] = ratings.rating[cut] - mu - b_u[user[cut]] - b_i[rows[cut]]
    return left, mu, b_i


def numbered(ids: Ints) -> tuple[Ints, int]:
    """Return the rank of each id among the distinct ids, ascending, int32 [n], and the number of distinct ids.

    Ratings are grouped by user, so there are far fewer changes of id to sort than ratings.
    """
    first = np.flatnonzero(np.diff(ids, prepend=-1))
    different, place = np.unique(ids[first], return_inverse=True)
    return np.repeat(place.astype(np.int32), np.diff(first, append=len(ids))), len(different)


def _sums(
    key: Index, residual: tuple[Floats, float, npt.NDArray[np.float64], Index] | None, size: int
) -> npt.NDArray[np.float64]:
    total = np.zeros(size)
    for cut in _blocks(len(key)):
        if residual is None:
            weight = None
        else:
            rating, mu, bias, other = residual
            weight = rating[cut] - mu - bias[other[cut]]
        total += np.bincount(key[cut], weight, minlength=size)
    return total


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))
