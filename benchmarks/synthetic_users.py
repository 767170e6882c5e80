"""Store users with known preferences and their ratings, and measure how well their lists match the preferences."""

import io
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from generate import CSV_OPTIONS, OUR_USERS, Size, draw_user_ratings
from preference_model import MovieTraits, UserTraits, draw_users
from sqlalchemy import text

from catalogue.recommendations import RecommendationList
from ranking.ratings import Floats, Ratings, Rows
from storage.bulk_copy import copy_in
from storage.database import Database

MEDIAN, SPREAD, MOST = 20, 0.8, 500  # ratings of a user: median, log-deviation and maximum
MOST_LISTS = 1000  # limit of evaluated lists


class Recommends(Protocol):
    """An object that returns a user's list, best first."""

    def recommend(self, user_id: int) -> RecommendationList: ...


@dataclass(frozen=True)
class SyntheticUsers:
    """Users with known traits, and their ratings; the first user has the id 1 in the database and 0 here."""

    traits: UserTraits
    ratings: Ratings

    @classmethod
    def draw(cls, size: Size, count: int) -> "SyntheticUsers":
        """Draw users who rate the movies of a dataset of this size."""
        rng = size.random(OUR_USERS)
        traits = draw_users(count, rng)
        counts = np.exp(rng.normal(np.log(MEDIAN), SPREAD, count)).astype(np.int64)
        return cls(traits, draw_user_ratings(size, traits, np.clip(counts, 1, min(MOST, size.movies // 10)), rng))


def add_users(database: Database, users: SyntheticUsers) -> None:
    """Store the users and their ratings in empty tables by COPY."""
    ratings = users.ratings
    counts = np.bincount(ratings.user, minlength=len(users.traits.bias))
    version = np.arange(len(ratings)) - np.searchsorted(ratings.user, ratings.user) + 1
    columns = {"user": ratings.user + 1, "movie": ratings.movie, "rating": ratings.rating, "version": version}
    with database.background_transaction() as db:
        copy_in(db, "users (history_version)", _csv({"history_version": counts}))
        copy_in(db, "views (user_id, movie_id, rating, version)", _csv(columns))
        db.execute(text("ANALYZE users, views"))


def preference_captured(recommender: Recommends, size: Size, users: SyntheticUsers) -> float:
    """Return the share of the users' preferences that their lists capture.

    The value of a list is the sum of P(watches and likes) over its movies, by the user's true taste. The result is 0
    for lists of the most popular movies that the user has not rated, and 1 for the lists with the greatest value.
    """
    order = np.argsort(size.movie_ids)
    ids, values = size.movie_ids[order], np.zeros(3)
    for user in range(min(MOST_LISTS, len(users.traits.bias))):
        listed = [item.movie.movie_id for item in recommender.recommend(user + 1).items]
        listed_rows = order[np.searchsorted(ids, listed)]
        rated_rows = order[np.searchsorted(ids, users.ratings.movie[users.ratings.user == user])]
        values += _list_values(size.movie_traits, users.traits.taste[user], listed_rows, rated_rows)
    listed_value, popular, best = values
    return round(float((listed_value - popular) / (best - popular)), 3)


def _list_values(movies: MovieTraits, taste: Floats, listed: Rows, rated: Rows) -> tuple[float, float, float]:
    """Return the value of the list, of the most popular unrated movies, and of the best list for this taste."""
    preference, popularity = movies.preference(taste), movies.popularity.copy()
    preference[rated] = popularity[rated] = 0
    n = len(listed)
    popular = np.argpartition(-popularity, n)[:n]
    return float(preference[listed].sum()), float(preference[popular].sum()), float(-np.sort(-preference)[:n].sum())


def _csv(columns: dict[str, npt.NDArray[Any]]) -> io.BytesIO:
    out = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), out, CSV_OPTIONS)
    out.seek(0)
    return out
