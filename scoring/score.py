"""The score that ranks films for one user, and the rating that is shown beside it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring import fold_in
from scoring.factors import Factors
from scoring.ratings import Floats, Ints
from settings import ModelSettings

LIKE_HALF = 3.0  # a rating from here up to a like is half of one
HALF_WEIGHT_AT = 50  # ratings at which the plain and the neighbour part have half of their full weight
POPULARITY_FADES_AT = 25  # ratings at which popularity has half of its full weight
NEUTRAL = 2.5  # the rating that says nothing about a film's neighbours
USER_DAMPING = 10.0
RATER_NOISE = 0.3
FACTOR_SHARE = 0.75  # of p.q: the factors were fitted to the very ratings that p is solved from
NEIGHBOUR_SHARE = 0.4  # of g, above what it comes to for a film rated as usual: .3, reached after some 20 ratings
USUAL_NEIGHBOUR, USUAL_AT = 0.3, 20
LOWEST, HIGHEST = 0.5, 5.0
FLAT = 1e-9  # a deviation below this is rounding


@dataclass(frozen=True)
class History:
    """One user's ratings of the films that the factors know: `rows` [n] into them, and `rating` float32 [n]."""

    rows: npt.NDArray[np.intp]
    rating: Floats

    def __len__(self) -> int:
        return len(self.rows)


def history(factors: Factors, films: Ints, rating: Floats) -> History:
    """The part of a user's ratings that these factors can use; films of another catalogue are passed over."""
    rows, known = factors.rows(films)
    return History(rows, rating[known])


def standardized(s: Floats, seen: npt.NDArray[np.intp]) -> Floats:
    """z(s): s with mean 0 and standard deviation 1 over the films not in `seen`; zeros if s is flat there."""
    mean, deviation = spread(s, seen)
    return (s - np.float32(mean)) / np.float32(deviation)


def spread(s: Floats, seen: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Mean and standard deviation of s over the films not in `seen`; the deviation is infinite where s is flat."""
    n = max(len(s) - len(seen), 1)
    mean = (s.sum(dtype=np.float64) - s[seen].sum(dtype=np.float64)) / n
    centred = s - np.float32(mean)
    square = float(centred @ centred) - float(centred[seen] @ centred[seen])
    deviation = np.sqrt(max(square, 0.0) / n)
    return float(mean), float(deviation) if deviation > FLAT else np.inf


def neighbour_score(factors: Factors, h: History) -> Floats:
    """g = sum over the history of (r - 2.5) W[film, :], float32 [f]."""
    g = np.zeros(len(factors.films), np.float32)
    for row, rating in zip(h.rows, h.rating, strict=True):
        cut = slice(factors.w_start[row], factors.w_start[row + 1])
        g[factors.w_film[cut]] += (rating - NEUTRAL) * factors.w[cut]  # a film is once among another's neighbours
    return g


def score(factors: Factors, h: History) -> Floats:
    """How much a user with this history may like each film, float32 [f]; only the order means anything.

    score = (1 - w) z(V x_m) + w z(V x_p) + b z(g) + c popularity
    with w and b growing from 0 and c falling from 1 as the number n of ratings grows.
    """
    model, n = factors.model, len(h)
    if n == 0:
        return factors.popular
    V_s, likes, y = factors.V[h.rows], h.rating >= model.like_threshold, targets(h.rating, model)
    x_m = fold_in.posterior(V_s, y, factors.m, factors.C, factors.C_inverse, model.noise)
    x_p = fold_in.plain(V_s[likes], factors.VtV, model.ranker_alpha, model.ranker_reg)
    w, b, c = weights(n, model)
    total: Floats = (
        (1 - w) * standardized(factors.V @ x_m, h.rows)
        + w * standardized(factors.V @ x_p, h.rows)
        + b * standardized(neighbour_score(factors, h), h.rows)
        + c * factors.popular
    )
    return total


def targets(rating: Floats, model: ModelSettings) -> Floats:
    """y: 1 for a like, a half for a rating of 3 or more that is none, else 0."""
    return np.where(rating >= model.like_threshold, 1.0, np.where(rating >= LIKE_HALF, 0.5, 0.0)).astype(np.float32)


def weights(n: int, model: ModelSettings) -> tuple[float, float, float]:
    """w, b and c of the score for a user with n ratings."""
    grown = n / (n + HALF_WEIGHT_AT)
    return model.plain_weight * grown, model.neighbour_weight * grown, POPULARITY_FADES_AT / (n + POPULARITY_FADES_AT)


def expected_rating(factors: Factors, h: History, rows: npt.NDArray[np.intp]) -> Floats:
    """The rating a user with this history would give the films at `rows`, float32 [len(rows)] within 0.5 to 5.

    mu + b_u + b_i + .75 p.q + .4 (g - .3 n / (n + 20)) with b_u = sum(r - mu - b_i) / (n + 10) and p the most
    probable vector given the residuals; honest to show, and no good to rank by.
    """
    base = factors.mu + factors.film_bias[rows]
    n = len(h)
    if n == 0:
        return np.asarray(np.clip(base, LOWEST, HIGHEST), np.float32)
    residual = h.rating - factors.mu - factors.film_bias[h.rows]
    user_bias = residual.sum() / (n + USER_DAMPING)
    p = rater_vector(factors.Q[h.rows], residual - user_bias, factors.C_r)
    likely = base + user_bias + FACTOR_SHARE * (factors.Q[rows] @ p)
    if len(factors.w):
        likely += NEIGHBOUR_SHARE * (neighbour_score(factors, h)[rows] - USUAL_NEIGHBOUR * n / (n + USUAL_AT))
    return np.asarray(np.clip(likely, LOWEST, HIGHEST), np.float32)


def rater_vector(Q_s: Floats, residual: Floats, C_r: Floats) -> Floats:
    """p = C_r Q_s' (Q_s C_r Q_s' + .3 I)^-1 residual, in whichever of its two forms is the smaller system."""
    n, h = Q_s.shape
    QC = Q_s @ C_r
    if n <= h:
        return QC.T @ np.linalg.solve(QC @ Q_s.T + RATER_NOISE * np.eye(n, dtype=np.float32), residual)
    # the push-through identity: C_r Q_s' (Q_s C_r Q_s' + s I)^-1 = (C_r Q_s'Q_s + s I)^-1 C_r Q_s'
    return np.linalg.solve(QC.T @ Q_s + RATER_NOISE * np.eye(h, dtype=np.float32), QC.T @ residual)
