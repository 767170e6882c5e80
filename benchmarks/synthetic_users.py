"""Our own users in a made-up world: their views straight into the tables, and how well their lists meet their taste."""

import io
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from generate import OURS, WRITING, Size, ratings_of
from preference_model import MovieTraits, UserTraits, draw_users
from sqlalchemy import text

from catalogue.recommendations import RecommendationList
from ranking.ratings import Floats, Ratings, Rows
from storage.bulk_copy import copy_in
from storage.database import Database

MIDDLE, SPREAD, MOST = 20, 0.8, 500  # views of each: the median, its log-deviation, and no more than
ASKED = 1000  # whose lists are looked at


class Recommends(Protocol):
    """What makes somebody's list, best first."""

    def recommend(self, user_id: int) -> RecommendationList: ...


@dataclass(frozen=True)
class SyntheticUsers:
    """UserTraits whose true taste is known, and their views; the first has the id 1."""

    people: UserTraits
    views: Ratings

    @classmethod
    def make(cls, size: Size, users: int) -> "SyntheticUsers":
        """So many people of the world of a set."""
        rng = size.random(OURS)
        people = draw_users(users, rng)
        counts = np.exp(rng.normal(np.log(MIDDLE), SPREAD, users)).astype(np.int64)
        return cls(people, ratings_of(size, people, np.clip(counts, 1, min(MOST, size.movies // 10)), rng))


def add_users(database: Database, ours: SyntheticUsers) -> None:
    """Put them and their views into empty tables, by COPY."""
    views = ours.views
    counts = np.bincount(views.user, minlength=len(ours.people.bias))
    version = np.arange(len(views)) - np.searchsorted(views.user, views.user) + 1
    columns = {"user": views.user + 1, "movie": views.movie, "rating": views.rating, "version": version}
    with database.background_transaction() as db:
        copy_in(db, "users (history_version)", _csv({"history_version": counts}))
        copy_in(db, "views (user_id, movie_id, rating, version)", _csv(columns))
        db.execute(text("ANALYZE users, views"))


def preference_captured(recommender: Recommends, size: Size, ours: SyntheticUsers) -> float:
    """How much of what could be known of people is in their lists: 0 as in the best known movies, 1 as in the truth.

    A list is worth the sum of P(watches and likes), by its person's true taste, over movies that they have not rated.
    """
    order = np.argsort(size.movie_ids)
    ids, worth = size.movie_ids[order], np.zeros(3)
    for user in range(min(ASKED, len(ours.people.bias))):
        shown = order[np.searchsorted(ids, [movie.movie.movie_id for movie in recommender.recommend(user + 1).items])]
        seen = order[np.searchsorted(ids, ours.views.movie[ours.views.user == user])]
        worth += _worth(size.world, ours.people.taste[user], shown, seen)
    listed, known, best = worth
    return round(float((listed - known) / (best - known)), 3)


def _worth(world: MovieTraits, taste: Floats, shown: Rows, seen: Rows) -> tuple[float, float, float]:
    """Of the list that was shown, of the best known movies that were not seen, and of the best for this taste."""
    preference, known = world.preference(taste), world.known.copy()
    preference[seen] = known[seen] = 0
    n = len(shown)
    best_known = np.argpartition(-known, n)[:n]
    return float(preference[shown].sum()), float(preference[best_known].sum()), float(-np.sort(-preference)[:n].sum())


def _csv(columns: dict[str, npt.NDArray[Any]]) -> io.BytesIO:
    out = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), out, WRITING)
    out.seek(0)
    return out
