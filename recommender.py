"""One user's list: kept or stored if that is current, else folded in at once, else the popular films.

`Recommender` holds the live factors of this process. What a user was told is recorded is always in their next
list, because a list counts only while it carries the version of the history that PostgreSQL holds now.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection

from scoring.factors import Factors, FactorsError
from scoring.film_table import FilmTable
from scoring.rankings import Made, Personal, Popular, Ranking
from storage import generations, movies, recommendations
from storage.database import Database
from storage.errors import DatabaseUnavailableError, UnknownGenerationError
from storage.recommendations import History, Ready
from viewer import NOTHING_KEPT, Listed, Live, Recommended, Viewer, Wanted

log = logging.getLogger(__name__)

MOST_STAND_INS = 5


class Recommender:
    """Answers with lists; safe to use from many threads while a newer generation is put in place."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.live: Live | None = None
        self._films: FilmTable | None = None
        self._loading = threading.Lock()
        self._unreadable: tuple[int, str] | None = None

    @property
    def films(self) -> FilmTable:
        """All films; they are read once, as soon as the catalogue has been filled. `refresh` does it beforehand."""
        if self._films is None:
            with self.database.statement() as db:
                return self._read_films(db)
        return self._films

    def use(self, generation_id: int, factors: Factors) -> None:
        """Serve this generation from now on; requests under way finish with the one they began with.

        Raises `FactorsError` if it lists films that there are not, and `DatabaseUnavailableError`.
        """
        films = self._films_of(generation_id, factors)
        with self.database.statement() as db:
            trained_at = generations.trained_at(db, generation_id)
        factors.warm_up()
        self.live = Live(generation_id, factors, films, trained_at, datetime.now(UTC))
        log.info("generation %d is served: %d films", generation_id, len(factors.films))

    def refresh(self) -> None:
        """Load the generation that PostgreSQL calls live, if it is not the one in memory.

        Raises:
            DatabaseUnavailableError, FactorsError: the one in memory goes on serving; after a start, when there is
                none, the newest of the others that can be read does.
        """
        with self._loading:
            if self._films is None:
                with self.database.unhurried() as db:
                    self._read_films(db)
            with self.database.statement() as db:
                wanted = generations.live_id(db)
            if wanted is None or (self.live is not None and self.live.id == wanted):
                return
            if self._unreadable is not None and self._unreadable[0] == wanted:
                raise FactorsError(self._unreadable[1])  # it is some megabytes, and does not mend by itself
            try:
                self._load(wanted)
            except FactorsError as error:
                self._unreadable = wanted, str(error)
                self._stand_in()
                raise

    def activate(self, generation_id: int) -> None:
        """Make a stored generation the live one, for every process, and serve it here at once.

        Raises:
            UnknownGenerationError, FactorsError: it is not kept or cannot be served; nothing was changed.
        """
        with self._loading:
            with self.database.unhurried() as db:
                factors = generations.load(db, generation_id)
                self._films_of(generation_id, factors)
                generations.flip(db, generation_id)
            with suppress(DatabaseUnavailableError):  # it is live; the refresh that comes each second makes up for it
                self.use(generation_id, factors)

    def _films_of(self, generation_id: int, factors: Factors) -> FilmTable:
        films = self.films.take(factors.films)
        if len(films) < len(factors.films):
            raise FactorsError(f"generation {generation_id} lists films that the catalogue does not have")
        return films

    def _read_films(self, db: Connection) -> FilmTable:
        found = movies.table(db)
        self._films = found if len(found) else None
        return found

    def _load(self, generation_id: int) -> None:
        with self.database.unhurried() as db:
            factors = generations.load(db, generation_id)
        self.use(generation_id, factors)

    def _stand_in(self) -> None:
        """Have some generation in memory rather than none."""
        with self.database.statement() as db:
            others = generations.kept(db, MOST_STAND_INS)
        for other in others:
            if self.live is None:
                with suppress(FactorsError, UnknownGenerationError):
                    self._load(other)

    def recommend(self, user_id: int) -> Listed:
        """The ten films to watch next, best first; fewer only when the user has seen nearly all there are.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        live = self.live
        state, kept = NOTHING_KEPT if live is None else live.lists.of(user_id)
        with self.database.statement() as db:
            now, found = recommendations.read(db, user_id, state)
        if found is None:
            return kept
        if isinstance(found, Ready):
            listed = kept = self._described(*found, "stored")
        else:
            listed = self._made(found, live)
            kept = replace(listed, made="stored")
        # another process may have flipped to a newer generation a moment ago, whose lists these are not
        if live is not None and live.id == now.generation_id:
            live.lists.keep(user_id, now, kept)
        return listed

    def forget(self, user_id: int) -> None:
        """Keep nothing in memory of a user who has been removed."""
        if self.live is not None:
            self.live.lists.forget(user_id)

    def viewer(self, user_id: int) -> Viewer:
        """A user with all ratings that have been confirmed. Raises `UnknownUserError`, `DatabaseUnavailableError`."""
        with self.database.statement() as db:
            history = recommendations.history(db, user_id)
        return self._viewer(history, self.live)

    def unknown(self, movie_ids: Iterable[int]) -> set[int]:
        """Which of these films there are not."""
        asked = np.array(list(movie_ids), np.int32)
        _, known = self.films.rows(asked)
        return set(asked[~known].tolist())

    def guest(self, ratings: Mapping[int, float]) -> Viewer:
        """Someone who is not stored and has given these ratings, by film."""
        films = np.array(sorted(ratings), np.int32)
        rating = np.array([ratings[film] for film in films.tolist()], np.float32)
        return self._viewer(History(0, films, rating), self.live)

    def _viewer(self, history: History, live: Live | None) -> Viewer:
        every = self.films
        films = every if live is None else live.films
        ranking: Ranking = (
            Popular(every, history.films) if live is None else Personal(live.factors, history.films, history.rating)
        )
        return Viewer(live, every, films, ranking, history.version, len(history.films))

    def _made(self, history: History, live: Live | None) -> Listed:
        viewer = self._viewer(history, live)
        rows = viewer.rows(Wanted())
        films, expected = viewer.films.films[rows], viewer.ranking.expected(rows)
        return self._described(films.tolist(), expected.tolist(), viewer.ranking.strategy)

    def _described(self, films: list[int], expected: list[float], made: Made) -> Listed:
        return Listed(tuple(map(Recommended, map(self.films.of_id, films), expected)), made)
