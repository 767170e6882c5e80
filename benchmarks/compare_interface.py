"""The interface of the models that `compare.py` compares: a split to train on, and a trained model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ranking.ratings import Floats, Ints, Ratings
from ranking.top_n import top_n

LIKE = 3.5
LIST_LENGTH = 10
MOST_MOVIES = 12_000  # limit for models with a movie-by-movie matrix, which then has 1.2 GB in double precision
TRAINED, FOLDED_IN = "trained", "folded in"
"""Two ways to compute a list: from the user's trained factors, or by fold-in of the user's history."""
Rows = npt.NDArray[np.intp]
Scores = Callable[[int], Floats]
"""A function that returns the scores of all movies [f] for the user at a row."""


class LeftOutError(Exception):
    """A model cannot be measured; the message says why."""


@dataclass(frozen=True)
class Split:
    """The training ratings, sorted by user, and the catalogue. Users and movies have rows in the order of their ids.

    Attributes:
        movies: ids of the whole catalogue, ascending [f].
    """

    train: Ratings
    movies: Ints

    def save(self, file: Path) -> None:
        ratings = {name: getattr(self.train, name) for name in ("user", "movie", "rating", "at")}
        np.savez(file, movies=self.movies, **ratings)

    @classmethod
    def load(cls, file: Path) -> "Split":
        with np.load(file) as saved:
            columns = {name: saved[name] for name in saved.files}
        movies = columns.pop("movies")
        return cls(Ratings(**columns), movies)

    @cached_property
    def users(self) -> Ints:
        """Return the ids of the users, ascending [u]."""
        return np.unique(self.train.user)

    @cached_property
    def start(self) -> npt.NDArray[np.int64]:
        """Return the start of each user's ratings; those of the user at row i are [start[i], start[i + 1])."""
        return np.searchsorted(self.train.user, np.append(self.users, self.users[-1] + 1))

    @cached_property
    def user(self) -> Rows:
        """Return the row of each rating's user."""
        return np.searchsorted(self.users, self.train.user)

    @cached_property
    def movie(self) -> Rows:
        """Return the row of each rating's movie."""
        return np.searchsorted(self.movies, self.train.movie)

    @cached_property
    def likes(self) -> sparse.csr_matrix:
        """Return a matrix [u, f] with 1 for each like."""
        liked = self.train.rating >= LIKE
        return self.matrix(np.ones(liked.sum(), np.float32), liked)

    @cached_property
    def likes_of_each(self) -> list[sparse.csr_matrix]:
        """Return the rows of `likes` as matrices [1, f], which a library takes to recommend to one user."""
        return list(self.likes)

    def refuse_many_movies(self) -> None:
        """Raise `LeftOutError` if a movie-by-movie matrix would be too large and too slow."""
        if len(self.movies) > MOST_MOVIES:
            raise LeftOutError(f"it needs a movie-by-movie matrix, and there are {len(self.movies):,} movies")

    def matrix(self, values: Floats, among: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
        """Return a matrix [u, f] with one value for each rating that the mask `among` selects."""
        return sparse.csr_matrix((values, (self.user[among], self.movie[among])), (len(self.users), len(self.movies)))

    def history(self, row: int) -> slice:
        """Return the slice of `train` that holds a user's ratings."""
        return slice(*self.start[row : row + 2])


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        recommend: returns the ids of the n best movies for the user at a row, best first, without rated movies.
        list_one: functions that list ten movies for the user at a row, by TRAINED or FOLDED_IN.
        list_all: functions that list ten movies for all users, by TRAINED or FOLDED_IN.
    """

    recommend: Callable[[int, int], Ints]
    list_one: Mapping[str, Callable[[int], object]]
    list_all: Mapping[str, Callable[[], object]] = field(default_factory=dict)


Train = Callable[[Split, int], Trained]
"""A function that trains on a split with a seed. Raises `LeftOutError` or `ImportError` if it cannot."""


def recommend_by_scores(split: Split, scores: Scores) -> Callable[[int, int], Ints]:
    """Return a `Trained.recommend` that ranks by scores; ties go to the lower id, as for every model."""
    allowed = np.ones(len(split.movies), bool)

    def recommend(row: int, n: int) -> Ints:
        return split.movies[top_n(scores(row), n, split.movie[split.history(row)], allowed)]

    return recommend
