"""Export the lists of all users, or the movies' vectors, of the live generation to a Parquet file."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from catalogue.live_generation import LiveGeneration
from ranking.batch_lists import ListColumns, concatenate_lists, rank_locally
from ranking.rankings import ranking_for
from ranking.rating_histories import Histories
from ranking.ratings import Ints
from recommender import Recommender
from storage import movies, snapshot, users
from storage.database import Database
from storage.errors import NoLiveGenerationError
from storage.snapshot import HiddenMovies
from system.disk import atomic_write
from system.progress import progress

USERS_AT_ONCE = 10_000  # bounds the memory; smaller batches would repeat the work that users share
LIST_TYPES = {"user_id": pa.int32(), "rank": pa.int32(), "movie_id": pa.int32(), "expected_rating": pa.float32()}


def export_lists(database: Database, file: Path, n: int) -> int:
    """Write the n best movies of every user from one snapshot, in batches of users; return the number of users.

    Raises `NoLiveGenerationError` and `FactorsError`.
    """
    model = Recommender(database).model
    model.refresh()
    with database.snapshot() as db, atomic_write(file) as part:
        model.follow(movies.version(db))
        live, total = _required(model.live), users.count(db)
        schema = pa.schema(LIST_TYPES.items(), {"generation": str(live.id)})
        with pq.ParquetWriter(part, schema) as out, progress(total, f"writing {file.name}", unit="user") as advance:
            for histories, hidden in snapshot.user_ranges(db, USERS_AT_ONCE):
                user, movie, expected = lists_of(live, histories, hidden, n)
                rank = (np.arange(len(user)) - np.searchsorted(user, user) + 1).astype(np.int32)
                out.write_table(pa.table([user, rank, movie, expected], schema=schema))
                advance(len(histories))
    return total


def lists_of(live: LiveGeneration, histories: Histories, hidden: HiddenMovies, n: int) -> ListColumns:
    """Return the n best movies of each user, without withdrawn movies and those that the user marked hidden or seen."""
    user, movie, expected = rank_locally(live.factors, histories, n, live.movies.listed)
    # few marks are of listed movies, so only the lists with such a movie are computed again, one at a time
    marked = np.isin(_pairs(user, movie), _pairs(hidden.user, hidden.movie))
    again = np.unique(user[marked])
    kept = ~np.isin(user, again)
    recomputed = [_list_of(live, histories, hidden, i, n) for i in np.searchsorted(histories.user, again).tolist()]
    user, movie, expected = concatenate_lists([(user[kept], movie[kept], expected[kept]), *recomputed])
    order = np.argsort(user, kind="stable")
    return user[order], movie[order], expected[order]


def export_embeddings(database: Database, file: Path) -> int:
    """Write the movie vectors that the live generation ranks by; return their number.

    Raises `NoLiveGenerationError` and `FactorsError`.
    """
    model = Recommender(database).model
    model.refresh()
    live = _required(model.live)
    kept = ~live.movies.withdrawn
    V = live.factors.V_ranked[kept]
    count, dimensions = V.shape
    vector = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * dimensions, V.ravel())
    columns = {
        "movie_id": live.factors.movies[kept],
        "title": pa.array(live.movies.title[kept], pa.string()),
        "vector": vector,
        "rating_count": live.factors.rating_count[kept],
    }
    facts = {"generation": str(live.id), "dimensions": str(dimensions), "similarity": "inner product"}
    with atomic_write(file) as part:
        pq.write_table(pa.table(columns, metadata=facts), part)
    return int(count)


def _list_of(live: LiveGeneration, histories: Histories, hidden: HiddenMovies, i: int, n: int) -> ListColumns:
    user, history = histories.user[i], slice(*histories.start[i : i + 2])
    among = ~live.movies.withdrawn
    among[live.factors.rows(hidden.movie[hidden.user == user])[0]] = False
    ranking = ranking_for(live.ranker, histories.movies[history], histories.rating[history], histories.at[history])
    best = ranking.best(n, among)
    return np.full(len(best), user), live.factors.movies[best], ranking.expected(best)


def _pairs(user: Ints, movie: Ints) -> npt.NDArray[np.int64]:
    """Return a unique number for each pair of ids."""
    pairs: npt.NDArray[np.int64] = user.astype(np.int64) << 32 | movie
    return pairs


def _required(live: LiveGeneration | None) -> LiveGeneration:
    if live is None:
        raise NoLiveGenerationError("There is no live generation to export: train first (`matinee retrain --wait`).")
    return live
