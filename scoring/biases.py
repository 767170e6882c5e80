"""How much a film is rated above the mean by everybody, and how much a user rates above it everywhere."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from scoring.ratings import Floats

USER_DAMPING = 5.0
FILM_DAMPING = 2.5
SWEEPS = 10
BLOCK = 1_000_000  # ratings added up in one call: numpy holds the interpreter's lock that long

Index = npt.NDArray[np.integer]


def damped_biases(
    user: Index, film: Index, rating: Floats, users: int, films: int
) -> tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Damped means of users and films, found by turns: (mu, b_u [users], b_i [films]).

    Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems" (2009), the first-order part.
    """
    mu = float(rating.mean(dtype=np.float64)) if len(rating) else 0.0
    user_count, film_count = _sums(user, None, users), _sums(film, None, films)
    b_u, b_i = np.zeros(users), np.zeros(films)
    for _ in range(SWEEPS):
        # b_i = sum(r - mu - b_u) / (n_i + 2.5), then b_u = sum(r - mu - b_i) / (n_u + 5)
        b_i = _sums(film, (rating, mu, b_u, user), films) / (film_count + FILM_DAMPING)
        b_u = _sums(user, (rating, mu, b_i, film), users) / (user_count + USER_DAMPING)
    return mu, b_u, b_i


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
