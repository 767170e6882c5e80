"""The score that ranks movies for one user, and the rating that is shown beside it."""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ranking import fold_in
from ranking.factors import Factors
from ranking.ratings import HIGHEST, LOWEST, Floats, Ints
from ranking.unlocked_property import once
from settings import ModelSettings

LIKE_HALF = 3.0  # a rating from here up to a like is half of one
HALF_WEIGHT_AT = 50  # ratings at which the plain and the neighbour part have half of their full weight
POPULARITY_FADES_AT = 25  # ratings at which popularity has half of its full weight
NEUTRAL_RATING = 2.5  # the rating that says nothing about a movie's neighbours
USER_DAMPING = 10.0
RATER_NOISE = 0.3
FACTOR_SHARE = 0.75  # of p.q: the factors were fitted to the very ratings that p is solved from
NEIGHBOUR_SHARE = 0.4  # of g, above what it comes to for a movie rated as usual: .3, reached after some 20 ratings
USUAL_NEIGHBOUR, USUAL_AT = 0.3, 20
FLAT = 1e-5  # of the mean square: a variance below this is rounding
Doubles = npt.NDArray[np.float64]
Number = TypeVar("Number", float, Doubles)


@dataclass(frozen=True)
class IndexedHistory:
    """One user's ratings of the movies that the factors know: `rows` [n] into them, and `rating` float32 [n]."""

    rows: npt.NDArray[np.intp]
    rating: Floats

    def __len__(self) -> int:
        return len(self.rows)


def index_history(factors: Factors, movies: Ints, rating: Floats) -> IndexedHistory:
    """The part of a user's ratings that these factors can use; movies of another catalogue are passed over."""
    rows, known = factors.rows(movies)
    return IndexedHistory(rows, rating[known])


class NeighbourTerms(NamedTuple):
    """The terms of a neighbour score, one rating's after another's: rating i of the history adds `term_count[i]` of them.

    Each adds `value` [t] to the movie at row `movie` [t].
    """

    term_count: npt.NDArray[np.int64]
    movie: Ints
    value: Floats

    @property
    def rating_index(self) -> npt.NDArray[np.intp]:
        """The rating of the history that each is of [t]."""
        return np.repeat(np.arange(len(self.term_count)), self.term_count)


class Standardization(NamedTuple):
    """A part of the score, standardized and weighted, is `scale` times the part less `shift`."""

    scale: np.float32
    shift: np.float32


class UserModel:
    """One history as the factors see it: each part is solved once, for score, shown rating and reasons alike.

    Attributes:
        w, b, c: the weights of the score.
        V_s: the ranker's factors of the rated movies [n, k]; y: their targets [n].
        likes: which of the ratings are likes, bool [n].
    """

    def __init__(self, factors: Factors, h: IndexedHistory) -> None:
        self.factors, self.history = factors, h
        self.w, self.b, self.c = weights(len(h), factors.model)
        self.V_s, self.y = factors.V[h.rows], targets(h.rating, factors.model)
        self.likes = h.rating >= factors.model.like_threshold

    @once
    def x_m(self) -> Floats:
        """The MAP vector [k]."""
        f = self.factors
        return fold_in.posterior(self.V_s, self.y, f.m, f.C, f.C_inverse, f.model.noise)

    @once
    def x_p(self) -> Floats:
        """The plain vector [k]."""
        model = self.factors.model
        return fold_in.als_step(self.V_s[self.likes], self.factors.VtV, model.ranker_alpha, model.ranker_reg)

    @once
    def neighbour_terms(self) -> NeighbourTerms:
        """What each rating says of its movie's neighbours: the terms of g."""
        f, h = self.factors, self.history
        start = f.w_start[h.rows]
        count = f.w_start[h.rows + 1] - start
        at = np.repeat(start - np.cumsum(count) + count, count)  # the rows of W, one after the other
        at += np.arange(len(at))
        value = np.repeat(h.rating - np.float32(NEUTRAL_RATING), count) * f.w.take(at)
        return NeighbourTerms(count, f.w_movie.take(at), value)

    @once
    def g(self) -> Floats:
        """The neighbour score of each movie, g = sum over the history of (r - 2.5) W[movie, :], float32 [f]."""
        g = np.zeros(len(self.factors.movies), np.float32)
        np.add.at(g, self.neighbour_terms.movie, self.neighbour_terms.value)
        return g

    @once
    def standardizations(self) -> tuple[Standardization, Standardization, Standardization]:
        """What makes (1 - w) z(V x_m), w z(V x_p) and b z(g) of V x_m, V x_p and g."""
        return (
            standardization(1 - self.w, *spread_along(self.x_m, self.factors, self.V_s)),
            standardization(self.w, *spread_along(self.x_p, self.factors, self.V_s)),
            standardization(self.b, *spread(self.g, self.history.rows)),
        )

    @once
    def score(self) -> Floats:
        """How much this user may like each movie, float32 [f]; only the order means anything.

        score = (1 - w) z(V x_m) + w z(V x_p) + b z(g) + c popularity
        with w and b growing from 0 and c falling from 1 as the number n of ratings grows; z has mean 0 and standard
        deviation 1 over the movies that the user has not rated.
        """
        if len(self.history) == 0:
            return self.factors.popular
        m, p, g = self.standardizations
        # z only scales and shifts, so V, by far the largest, need be read no more than once
        total: Floats = self.factors.V @ (m.scale * self.x_m + p.scale * self.x_p)
        total += g.scale * self.g
        total += np.float32(self.c) * self.factors.popular
        total -= m.shift + p.shift + g.shift
        return total


def standardization(weight: float, mean: float, deviation: float) -> Standardization:
    """The standard by which `weight * (s - mean) / deviation` is got from s; nothing where s is flat."""
    scale = np.float32(weight / deviation)
    return Standardization(scale, scale * np.float32(mean))


def spread(s: Floats, seen: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Mean and standard deviation of s over the movies not in `seen`; the deviation is infinite where s is flat."""
    s_seen = s[seen].astype(np.float64)
    total, square = s.sum(dtype=np.float64) - s_seen.sum(), float(s @ s) - float(s_seen @ s_seen)
    return _spread(len(s) - len(seen), total, square)


def spread_along(x: Floats, factors: Factors, V_s: Floats) -> tuple[float, float]:
    """The same of s = V x, without computing s, for a user who has seen the movies V_s."""
    s_seen = (V_s @ x).astype(np.float64)
    total, square = factors.V_sum @ x - s_seen.sum(), float(x @ factors.VtV @ x) - float(s_seen @ s_seen)
    return _spread(len(factors.V) - len(V_s), total, square)


def deviations(n: npt.NDArray[np.intp], total: Doubles, square: Doubles) -> Doubles:
    """The standard deviations [b] that `spread` finds, of many users' scores from counts, sums and sums of squares."""
    count = np.maximum(n, 1)
    mean, of_squares = total / count, square / count
    variance = of_squares - mean * mean
    return np.sqrt(np.where((n > 0) & (variance > FLAT * of_squares), variance, np.inf))


def _spread(n: int, total: float, square: float) -> tuple[float, float]:
    if n <= 0 or square <= 0:
        return 0.0, np.inf
    mean, of_squares = total / n, square / n
    variance = of_squares - mean * mean
    return mean, float(np.sqrt(variance)) if variance > FLAT * of_squares else np.inf


def targets(rating: Floats, model: ModelSettings) -> Floats:
    """y: 1 for a like, a half for a rating of 3 or more that is none, else 0."""
    return np.where(rating >= model.like_threshold, 1.0, np.where(rating >= LIKE_HALF, 0.5, 0.0)).astype(np.float32)


def weights(n: Number, model: ModelSettings) -> tuple[Number, Number, Number]:
    """w, b and c of the score for a user with n ratings, or for each of many."""
    grown = n / (n + HALF_WEIGHT_AT)
    return model.plain_weight * grown, model.neighbour_weight * grown, POPULARITY_FADES_AT / (n + POPULARITY_FADES_AT)


def expected_rating(user_model: UserModel, rows: npt.NDArray[np.intp]) -> Floats:
    """The rating this user would give the movies at `rows`, float32 [len(rows)] within 0.5 to 5.

    mu + b_u + b_i + .75 p.q + .4 (g - .3 n / (n + 20)) with b_u = sum(r - mu - b_i) / (n + 10) and p the most
    probable vector given the residuals; honest to show, and no good to rank by.
    """
    factors, h, n = user_model.factors, user_model.history, len(user_model.history)
    likely = factors.mu + factors.movie_bias[rows]
    if n:
        residual = h.rating - factors.mu - factors.movie_bias[h.rows]
        user_bias = residual.sum() / (n + USER_DAMPING)
        p = rater_vector(factors.Q[h.rows], residual - user_bias, factors.C_r)
        likely += user_bias + FACTOR_SHARE * (factors.Q[rows] @ p)
        if len(factors.w):
            likely += NEIGHBOUR_SHARE * (user_model.g[rows] - USUAL_NEIGHBOUR * n / (n + USUAL_AT))
    return np.asarray(np.clip(likely, LOWEST, HIGHEST), np.float32)


def rater_vector(Q_s: Floats, residual: Floats, C_r: Floats) -> Floats:
    """p = C_r Q_s' (Q_s C_r Q_s' + .3 I)^-1 residual, in whichever of its two forms is the smaller system."""
    n, h = Q_s.shape
    QC = Q_s @ C_r
    if n <= h:
        return QC.T @ np.linalg.solve(QC @ Q_s.T + RATER_NOISE * np.eye(n, dtype=np.float32), residual)
    # the push-through identity: C_r Q_s' (Q_s C_r Q_s' + s I)^-1 = (C_r Q_s'Q_s + s I)^-1 C_r Q_s'
    return np.linalg.solve(QC.T @ Q_s + RATER_NOISE * np.eye(h, dtype=np.float32), QC.T @ residual)
