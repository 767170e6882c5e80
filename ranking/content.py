"""Predict the factors of movies without ratings from their content features: V^ = [M 1] B.

A row of M is 1 in the columns of the movie's features, such as its genres. Shapes: f movies, c features, k dimensions.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from ranking.factors import Factors
from ranking.ratings import Floats, Ints, Rows

RIDGE = 10.0
FEWEST_MOVIES = 3  # a feature of fewer movies has no column
MOST_FEATURES = 4000  # the most frequent features are kept; solving for 4,000 takes a second or two
HALF_TRUSTED = 5  # number of likes at which a movie has half of the full weight in the regression

Features = Sequence[Sequence[str]]
"""The distinct features of each movie."""


def with_content(factors: Factors, features: Features, likes: Floats) -> Factors:
    """Return factors with B, which predicts V from the features [f] of the movies, and R, the covariance of its errors.

    Args:
        likes: the number of likes of each movie [f].
    """
    count = Counter(name for movie in features for name in movie)
    frequent = sorted((-movies, name) for name, movies in count.items() if movies >= FEWEST_MOVIES)[:MOST_FEATURES]
    names = np.array(sorted(name for _, name in frequent), np.str_)
    M, trust = _matrix(names, features), likes / (likes + HALF_TRUSTED)
    # B = (M'TM + 10 I)^-1 M'TV, T being l/(l + 5) for a movie with l likes
    MT = M.T.multiply(trust).tocsr()
    A = (MT @ M).toarray()
    A[np.diag_indices(len(A))] += RIDGE
    B = linalg.solve(A, MT @ factors.V, assume_a="pos", overwrite_a=True, check_finite=False)
    # R = (V - MB)'T(V - MB) / tr T; on other movies of ml-latest-small than those B was fitted to, it is a fifth larger
    E = factors.V - M @ B
    R = (E.T * trust) @ E / max(trust.sum(), 1)
    fitted = replace(factors, features=names, B=B.astype(np.float32), R=R.astype(np.float32))
    new = unrated(factors)
    nothing = replace(fitted, content=np.zeros((len(new), len(B.T)), np.float32))
    return with_predicted(nothing, np.arange(len(new)), [features[row] for row in new])


def unrated(factors: Factors) -> Rows:
    """Return the rows of the movies without ratings."""
    return np.flatnonzero(factors.rating_count == 0)


def with_predicted(factors: Factors, which: Rows, features: Features) -> Factors:
    """Return factors with predicted V for `which` of the movies without ratings; `features` are theirs."""
    content = factors.content.copy()
    content[which] = content_vectors(factors, features)
    return replace(factors, content=content)


def content_vectors(factors: Factors, features: Features) -> Floats:
    """Return V^ for movies with these features, [len(features), k]."""
    return _matrix(factors.features, features) @ factors.B


def _matrix(names: npt.NDArray[np.str_], features: Features) -> sparse.csr_matrix:
    """Return [M 1], float32 [len(features), c + 1]; features without a column are left out."""
    column = {name: at for at, name in enumerate(names.tolist())}
    rows = [[column[name] for name in movie if name in column] + [len(column)] for movie in features]
    start = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((at for row in rows for at in row), np.int32, start[-1])
    return sparse.csr_matrix((np.ones(len(columns), np.float32), columns, start), (len(rows), len(column) + 1))


def with_movies(factors: Factors, movies: Ints) -> Factors:
    """Return factors with a row for each of `movies`, which are ascending and include all movies of the factors.

    A new movie has no ratings, no neighbours, and the popularity of a movie without likes. Call `with_predicted` next
    for the new movies.
    """
    f, row = len(movies), np.searchsorted(movies, factors.movies)
    # new movies usually have the highest ids; then columns are copied whole and W stays the same
    last = bool(row[-1] == len(row) - 1)
    at = slice(len(row)) if last else row

    def spread(values: npt.NDArray[Any], otherwise: float = 0) -> npt.NDArray[Any]:
        found = np.full((f, *values.shape[1:]), otherwise, values.dtype)
        found[at] = values
        return found

    per_movie, count = spread(np.diff(factors.w_start)), spread(factors.rating_count)
    content = np.zeros((int((count == 0).sum()), factors.V.shape[1]), np.float32)
    content[np.searchsorted(np.flatnonzero(count == 0), row[unrated(factors)])] = factors.content
    return replace(
        factors, movies=movies, V=spread(factors.V), Q=spread(factors.Q), movie_bias=spread(factors.movie_bias),
        rating_count=count, rating_mean=spread(factors.rating_mean),
        popular=spread(factors.popular, float(factors.popular.min())),
        w_start=np.concatenate([[0], np.cumsum(per_movie)]),
        w_movie=factors.w_movie if last else row[factors.w_movie].astype(np.int32), content=content,
    )  # fmt: skip
