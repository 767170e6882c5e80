"""A consistent copy of all users and ratings, for training and for making every list."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from sqlalchemy import Connection

from ranking.rating_histories import Histories
from ranking.ratings import Ints, Mask, Ratings
from storage import movies
from storage.bulk_copy import copy_out

_USERS = "SELECT id, history_version, foretold_version, train::int FROM users ORDER BY id"
_VIEWS = """
    SELECT user_id, movie_id, rating, floor(extract(epoch FROM rated_at))::bigint, version, again::int
    FROM views ORDER BY user_id, version, movie_id
"""
# The ratings of a range of users, and the movies that their lists must not have.
_USER_RANGE = "SELECT id FROM users WHERE id > {after} ORDER BY id LIMIT {most}"
_VIEWS_OF = """
    SELECT user_id, movie_id, rating, floor(extract(epoch FROM rated_at))::bigint
    FROM views WHERE user_id BETWEEN {first} AND {last} ORDER BY user_id, movie_id
"""
_MARKS_OF = (
    "SELECT user_id, movie_id FROM marks WHERE user_id BETWEEN {first} AND {last} AND mark <> 'later' ORDER BY user_id"
)
_USER_TYPES = {"id": pa.int32(), "version": pa.int64(), "evaluated": pa.int64(), "train": pa.int8()}
_VIEW_TYPES = {
    "user": pa.int32(),
    "movie": pa.int32(),
    "rating": pa.float32(),
    "at": pa.int64(),
    "version": pa.int64(),
    "again": pa.int8(),
}
Versions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Snapshot:
    """Every user and every rating at one moment.

    Attributes:
        users: ids, ascending, int32 [u].
        versions: history_version of each user [u].
        evaluated_versions: the version up to which each user's ratings have been in an online evaluation [u].
        views: the ratings by user and, within one user, oldest change first [n].
        view_versions: the history_version that each rating made [n].
        again: 1 if the user had rated the movie before, else 0 [n].
        train: whether a training learns from each user, bool [u].
        catalogue_version: of the movies at that moment; withdrawn: those that no list may have, ids ascending.
    """

    users: Ints
    versions: Versions
    evaluated_versions: Versions
    views: Ratings
    view_versions: Versions
    again: npt.NDArray[np.int8]
    train: Mask
    catalogue_version: int = 0
    withdrawn: Ints = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def learned(self) -> Ratings:
        """Return the ratings that a training learns from."""
        return self.views.take(self.train[np.searchsorted(self.users, self.views.user)])

    @property
    def histories(self) -> Histories:
        """Return the ratings arranged by user; users without ratings are included."""
        start = np.searchsorted(self.views.user, np.append(self.users, np.iinfo(np.int32).max))
        return Histories(self.users, start.astype(np.int64), self.views.movie, self.views.rating, self.views.at)


def take(db: Connection) -> Snapshot:
    """Read users and ratings as of one moment; `db` must be a `Database.snapshot`."""
    users = _copied(db, _USERS, _USER_TYPES)
    views = _copied(db, _VIEWS, _VIEW_TYPES)
    return Snapshot(
        users["id"].to_numpy(),
        users["version"].to_numpy(),
        users["evaluated"].to_numpy(),
        Ratings(*(views[name].to_numpy() for name in ("user", "movie", "rating", "at"))),
        views["version"].to_numpy(),
        views["again"].to_numpy(),
        users["train"].to_numpy() == 1,
        movies.version(db),
        movies.withdrawn(db),
    )


class HiddenMovies(NamedTuple):
    """Movies that users have marked as seen or hidden, user by user and movie by movie."""

    user: Ints
    movie: Ints


def user_ranges(db: Connection, most: int) -> Iterator[tuple[Histories, HiddenMovies]]:
    """Yield the histories of all users, `most` at a time by ascending id; `db` must be a `Database.snapshot`."""
    last = 0
    while True:
        users = _copied(db, _USER_RANGE.format(after=last, most=most), {"id": pa.int32()})["id"].to_numpy()
        if not len(users):
            return
        ends = {"first": int(users[0]), "last": (last := int(users[-1]))}
        types = {name: _VIEW_TYPES[name] for name in ("user", "movie", "rating", "at")}
        user, *columns = (column.to_numpy() for column in _copied(db, _VIEWS_OF.format(**ends), types))
        start = np.searchsorted(user, np.append(users, np.iinfo(np.int32).max))
        hidden = _copied(db, _MARKS_OF.format(**ends), {"user": pa.int32(), "movie": pa.int32()})
        yield Histories(users, start, *columns), HiddenMovies(*(column.to_numpy() for column in hidden))


def _copied(db: Connection, query: str, types: dict[str, pa.DataType]) -> pa.Table:
    """Return the rows of a query as an Arrow table of these types."""
    with tempfile.TemporaryFile() as file:
        copy_out(db, query, file)
        if file.tell() == 0:
            return pa.schema(types.items()).empty_table()
        file.seek(0)
        return pa.csv.read_csv(
            file,
            pa.csv.ReadOptions(column_names=list(types)),
            convert_options=pa.csv.ConvertOptions(column_types=types),
        )
