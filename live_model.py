"""Keep the movies, the live generation and the running experiment in memory and up to date."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from sqlalchemy import Connection

from catalogue.live_generation import LiveGeneration
from catalogue.movie_table import MovieTable
from catalogue.running_experiment import RunningExperiment
from ranking.experiment import Experiment
from ranking.factors import Factors, FactorsError
from ranking.ranker import Ranker
from storage import experiments, generations, movies
from storage.database import Database
from storage.errors import DatabaseUnavailableError, UnknownGenerationError

log = logging.getLogger(__name__)

Connecting = AbstractContextManager[Connection]

MAX_FALLBACKS = 5


class LiveModel:
    """The movies and generations of this process. Thread-safe, also while a new generation replaces the live one."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.live: LiveGeneration | None = None
        self.experiment: RunningExperiment | None = None
        self._movies: MovieTable | None = None
        self._loading, self._following = threading.Lock(), threading.Lock()
        self._unreadable: tuple[int, str] | None = None
        self._failed_experiment: Experiment | None = None

    @property
    def movies(self) -> MovieTable:
        """Return all movies in memory; read them if `refresh` has not done so yet."""
        if self._movies is None:
            with self.database.statement() as db:
                return self._read_movies(db)
        return self._movies

    @property
    def current_movies(self) -> MovieTable:
        """Return all movies as they are in PostgreSQL now, with the changes of other processes."""
        with self.database.statement() as db:
            newer = movies.other_version(db, self.movies.version)
        return self.movies if newer is None else self.follow(newer)

    def follow(self, version: int, connect: Callable[[], Connecting] | None = None) -> MovieTable:
        """Return the movies at this catalogue version or a later one; read the movies that have changed since."""
        if self.movies.version == version:
            return self.movies
        with self._following:
            known = self.movies
            if known.version < version:
                with (connect or self.database.statement)() as db:
                    changed = movies.table(db, known.version)
                known = known.updated(changed)
                if self.live is not None:  # before `_movies`, whose version marks the update as complete
                    self.live = self.live.with_catalogue(known)
                if self.experiment is not None:
                    self.experiment = self.experiment.with_catalogue(known)
                self._movies = known
            return known

    def generation_for(self, user_id: int) -> LiveGeneration | None:
        """Return the generation that serves a user: the live one, or that of the user's experiment arm."""
        arm = self.experiment.generation_for(user_id) if self.experiment is not None else None
        return self.live if arm is None else arm

    def use(self, generation_id: int, factors: Factors) -> None:
        """Serve this generation from now on; requests under way finish with the previous one.

        Raises `FactorsError` if it has movies that the catalogue lacks, and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            trained_at = generations.trained_at(db, generation_id)
        _ = factors.lengths  # so that the first request for similar movies does not wait for them
        ranker, _ = Ranker(factors), self.current_movies
        with self._following:
            table = self._movies_of(generation_id, factors)
            live = LiveGeneration(generation_id, ranker, table, trained_at, datetime.now(UTC))
            self.live = live.with_catalogue(self.movies)
        log.info("generation %d is served: %d movies", generation_id, len(factors.movies))

    def refresh(self) -> None:
        """Load the generation that is live in PostgreSQL, unless it is in memory already.

        Raises:
            DatabaseUnavailableError, FactorsError: the generation in memory keeps serving; without one, after a start,
                the newest other readable generation does.
        """
        with self._loading:
            if self._movies is None:
                with self.database.background_transaction() as db:
                    self._read_movies(db)
            with self.database.statement() as db:
                wanted = generations.live_id(db)
                newer = movies.other_version(db, self._movies.version) if self._movies is not None else None
            if newer is not None:
                # reading very many changes may exceed the deadline of a request, and then of every later one
                self.follow(newer, self.database.background_transaction).warm_up()
            if wanted is None or (self.live is not None and self.live.id == wanted):
                return
            if self._unreadable is not None and self._unreadable[0] == wanted:
                raise FactorsError(self._unreadable[1])  # do not read megabytes again to fail again
            try:
                self._load(wanted)
            except FactorsError as error:
                self._load_fallback()  # if PostgreSQL fails here, the next refresh tries again
                self._unreadable = wanted, str(error)
                raise

    def refresh_experiment(self) -> None:
        """Serve the arms of the experiment that runs according to PostgreSQL.

        Raises:
            DatabaseUnavailableError: the arms in memory keep serving.
            FactorsError, UnknownGenerationError: an arm cannot be served; all users get the live generation.
        """
        with self.database.statement() as db:
            experiment = experiments.running(db)
        live, served = self.live, self.experiment
        if experiment is None or live is None:
            self.experiment = None
        elif served is None or not served.is_of(experiment, live):
            if self._failed_experiment == experiment:
                return  # do not read megabytes again to fail again
            try:
                loaded = RunningExperiment.of(experiment, live, self._load_arm)
            except (FactorsError, UnknownGenerationError):
                self.experiment, self._failed_experiment = None, experiment
                raise
            with self._following:
                self.experiment = loaded.with_catalogue(self.movies)
            log.info("experiment %s: arms %s", experiment.name, ", ".join(experiment.arms))

    def _load_arm(self, generation_id: int) -> LiveGeneration:
        with self.database.background_transaction() as db:
            factors, trained_at = generations.load(db, generation_id), generations.trained_at(db, generation_id)
        table = self._movies_of(generation_id, factors)
        return LiveGeneration(generation_id, Ranker(factors), table, trained_at, datetime.now(UTC))

    def activate(self, generation_id: int) -> int | None:
        """Make a stored generation live for every process, hold it, and serve it here at once.

        Return the id of the previous live generation.

        Raises:
            UnknownGenerationError, FactorsError: it is not stored or cannot be served; nothing was changed.
        """
        with self._loading:
            with self.database.background_transaction() as db:
                factors, _ = generations.load(db, generation_id), self.current_movies
                self._movies_of(generation_id, factors)
                before = generations.activate(db, generation_id)
            with suppress(DatabaseUnavailableError):  # it is live: the next refresh loads it
                self.use(generation_id, factors)
        return before

    def _movies_of(self, generation_id: int, factors: Factors) -> MovieTable:
        table = self.movies.take(factors.movies)
        if len(table) < len(factors.movies):
            raise FactorsError(f"generation {generation_id} has movies that the catalogue lacks")
        return table

    def _read_movies(self, db: Connection) -> MovieTable:
        table = movies.table(db)
        self._movies = table if len(table) else None
        return table

    def _load(self, generation_id: int) -> None:
        with self.database.background_transaction() as db:
            factors = generations.load(db, generation_id)
        self.use(generation_id, factors)

    def _load_fallback(self) -> None:
        """Load the newest readable generation other than the live one, if none is in memory."""
        with self.database.statement() as db:
            others = generations.accepted_ids(db, MAX_FALLBACKS)
        for other in others:
            if self.live is None:
                with suppress(FactorsError, UnknownGenerationError):
                    self._load(other)
