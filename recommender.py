"""One user's list: stored if it is current, else folded in at once, else the popular films.

`Recommender` holds the live factors of this process. What a user was told is recorded is always in their next
list, because a stored list counts only while it carries the version of the history that PostgreSQL holds now.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from scoring.factors import Factors
from scoring.lists import ranked
from storage import generations, movies, recommendations
from storage.database import Database

log = logging.getLogger(__name__)

LISTED = 10


@dataclass(frozen=True)
class Recommended:
    """A film of a list with the rating its reader may be expected to give, 0.5 to 5."""

    movie: Row[Any]
    expected_rating: float


@dataclass(frozen=True)
class Live:
    """A generation in memory, ready to serve."""

    id: int
    factors: Factors
    since: datetime


class Recommender:
    """Answers with lists; safe to use from many threads while a newer generation is put in place."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.live: Live | None = None
        self._loading = threading.Lock()

    def use(self, generation_id: int, factors: Factors) -> None:
        """Serve this generation from now on; requests under way finish with the one they began with."""
        factors.warm_up()
        self.live = Live(generation_id, factors, datetime.now(UTC))
        log.info("generation %d is served: %d films", generation_id, len(factors.films))

    def refresh(self) -> None:
        """Load the generation that PostgreSQL calls live, if it is not the one in memory.

        Raises:
            DatabaseUnavailableError, FactorsError: the one in memory goes on serving.
        """
        with self._loading:
            with self.database.statement() as db:
                wanted = generations.live_id(db)
            if wanted is None or (self.live is not None and self.live.id == wanted):
                return
            with self.database.transaction() as db:
                factors = generations.load(db, wanted)
            self.use(wanted, factors)

    def recommend(self, user_id: int) -> list[Recommended]:
        """The ten films to watch next, best first; fewer only when the user has seen nearly all there are.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            stored = recommendations.read(db, user_id)
            if stored.movies:
                return [Recommended(row, row.expected_rating) for row in stored.movies]
            live = self.live
            if live is None:
                return [Recommended(row, row.expected_rating) for row in movies.popular(db, user_id, LISTED)]
            # folded in with the generation in memory even if another process has flipped to a newer one a moment ago
            best = ranked(live.factors, stored.films, stored.rating, LISTED)
            described = movies.in_order(db, best.films.tolist())
            if live.id == stored.generation_id:
                recommendations.store(db, user_id, live.id, stored.history_version, best)
        return [Recommended(row, float(rating)) for row, rating in zip(described, best.expected, strict=True)]
