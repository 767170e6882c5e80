"""What every model of `compare.py` is given, and what it is when it has been trained."""

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
MOST_MOVIES = 12_000  # that models are asked to compare all with all: a matrix of them in double precision is 1.2 GB
KNOWN, TOLD = "known", "told"
"""Two ways to a list: for a user who was trained on, with what the training left of them; and from a history alone."""
Rows = npt.NDArray[np.intp]
Scores = Callable[[int], Floats]
"""The scores of all movies for the user in this row."""


class LeftOutError(Exception):
    """Why a model is not measured here."""


@dataclass(frozen=True)
class Split:
    """The ratings to train on, user by user, and the catalogue; users and movies have rows, in the order of their ids.

    Attributes:
        movies: the ids of the whole catalogue, ascending [f].
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
        """Their ids [u]."""
        return np.unique(self.train.user)

    @cached_property
    def start(self) -> npt.NDArray[np.int64]:
        """The ratings of the user in row i are [start[i], start[i + 1])."""
        return np.searchsorted(self.train.user, np.append(self.users, self.users[-1] + 1))

    @cached_property
    def user(self) -> Rows:
        """The row of each rating's user."""
        return np.searchsorted(self.users, self.train.user)

    @cached_property
    def movie(self) -> Rows:
        """The row of each rating's movie."""
        return np.searchsorted(self.movies, self.train.movie)

    @cached_property
    def likes(self) -> sparse.csr_matrix:
        """1 where a user likes a movie [u, f]."""
        liked = self.train.rating >= LIKE
        return self.matrix(np.ones(liked.sum(), np.float32), liked)

    @cached_property
    def likes_of_each(self) -> list[sparse.csr_matrix]:
        """The rows of `likes`, each a matrix [1, f]: what a library is asked with for one user."""
        return list(self.likes)

    def refuse_many_movies(self) -> None:
        """Raise `LeftOutError` where a matrix of movies by movies would be too large, and take too long."""
        if len(self.movies) > MOST_MOVIES:
            raise LeftOutError(f"it compares all movies with all, and these are {len(self.movies):,}")

    def matrix(self, values: Floats, among: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
        """One value for each rating that is `among` those wanted, users by movies."""
        return sparse.csr_matrix((values, (self.user[among], self.movie[among])), (len(self.users), len(self.movies)))

    def history(self, row: int) -> slice:
        """Where in `train` a user's ratings are."""
        return slice(*self.start[row : row + 2])


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        listed: the n best movies for the user in a row, their ids, best first: none that they rated.
        one: ways to ten movies for the user in a row; by KNOWN or TOLD.
        every: ways to ten movies for every user at once; by KNOWN or TOLD.
    """

    listed: Callable[[int, int], Ints]
    one: Mapping[str, Callable[[int], object]]
    every: Mapping[str, Callable[[], object]] = field(default_factory=dict)


Train = Callable[[Split, int], Trained]
"""Trains on a split with a seed. Raises `LeftOutError` or `ImportError` where that cannot be."""


def best_by(split: Split, scores: Scores) -> Callable[[int, int], Ints]:
    """`Trained.listed` by the scores of all movies, the same for every model: ties go to the lower id."""
    every = np.ones(len(split.movies), bool)

    def listed(row: int, n: int) -> Ints:
        return split.movies[top_n(scores(row), n, split.movie[split.history(row)], every)]

    return listed
