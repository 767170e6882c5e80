"""One user's list: cached or stored if that is current, else folded in at once, else the popular movies.

`Recommender` holds the live factors of this process. A recorded rating is always in the user's next list, because a
list counts only while it carries the version of the history that PostgreSQL holds now.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection

from catalogue.group_context import GroupContext
from catalogue.movie_table import MovieTable
from catalogue.recommendations import ListRequest, RecommendationList, RecommendedMovie
from catalogue.running_experiment import RunningExperiment
from catalogue.user_context import Arm, LiveGeneration, UserContext
from ranking.experiment import Experiment
from ranking.factors import Factors, FactorsError
from ranking.groups import PopularGroupRanking, group_ranking
from ranking.ranker import Ranker
from ranking.rankings import ListSource, PopularRanking, Ranking, ranking_for
from ranking.rating_histories import Histories
from ranking.ratings import Ints
from storage import experiments, generations, movies, recommendations
from storage.database import Database
from storage.errors import DatabaseUnavailableError, UnknownGenerationError
from storage.recommendations import NO_LIST, RatingHistory, StoredList

log = logging.getLogger(__name__)

Connecting = AbstractContextManager[Connection]

MAX_FALLBACKS = 5
NO_ARM = Arm()
CACHE_MISS = NO_LIST, RecommendationList((), "stored")


class Recommender:
    """Makes lists; safe to use from many threads while a newer generation replaces the live one."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.live: LiveGeneration | None = None
        self._movies: MovieTable | None = None
        self._loading, self._caching, self._following = threading.Lock(), threading.Lock(), threading.Lock()
        self._unreadable: tuple[int, str] | None = None
        self.trial: RunningExperiment | None = None
        self._broken_trial: Experiment | None = None

    @property
    def movies(self) -> MovieTable:
        """All movies in memory; `refresh` reads them in advance."""
        if self._movies is None:
            with self.database.statement() as db:
                return self._read_movies(db)
        return self._movies

    @property
    def current_movies(self) -> MovieTable:
        """All movies as they are in PostgreSQL now, changes by other processes included."""
        with self.database.statement() as db:
            newer = movies.other_version(db, self.movies.version)
        return self.movies if newer is None else self._follow(newer)

    def _follow(self, version: int, connect: Callable[[], Connecting] | None = None) -> MovieTable:
        """Return the movies of this version of the catalogue, or of a later one; read those that have changed since."""
        if self.movies.version == version:
            return self.movies
        with self._following:
            known = self.movies
            if known.version < version:
                with (connect or self.database.statement)() as db:
                    changed = movies.table(db, known.version)
                known = known.updated(changed)
                if self.live is not None:  # before the table, whose version says that all of this is done
                    self.live = self.live.over(known)
                if self.trial is not None:
                    self.trial = self.trial.over(known)
                self._movies = known
            return known

    def use(self, generation_id: int, factors: Factors) -> None:
        """Serve this generation from now on; requests under way finish with the one they began with.

        Raises `FactorsError` if it lists movies that the catalogue lacks, and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            trained_at = generations.trained_at(db, generation_id)
        _ = factors.lengths  # so that the first request for similar movies does not wait for them
        ranker, _ = Ranker(factors), self.current_movies
        with self._following:
            table = self._movies_of(generation_id, factors)
            live = LiveGeneration(generation_id, ranker, table, trained_at, datetime.now(UTC))
            self.live = live.over(self.movies)
        log.info("generation %d is served: %d movies", generation_id, len(factors.movies))

    def refresh(self) -> None:
        """Load the generation that is live in PostgreSQL, if it is not the one in memory.

        Raises:
            DatabaseUnavailableError, FactorsError: the one in memory goes on serving; if there is none, after a start,
                the newest of the others that can be read does.
        """
        with self._loading:
            if self._movies is None:
                with self.database.background_transaction() as db:
                    self._read_movies(db)
            with self.database.statement() as db:
                wanted = generations.live_id(db)
                newer = movies.other_version(db, self._movies.version) if self._movies is not None else None
            if newer is not None:
                # a request might not have the time to read very many changes, and no later one would
                self._follow(newer, self.database.background_transaction).warm_up()
            if wanted is None or (self.live is not None and self.live.id == wanted):
                return
            if self._unreadable is not None and self._unreadable[0] == wanted:
                raise FactorsError(self._unreadable[1])  # megabytes need not be read again to fail again
            try:
                self._load(wanted)
            except FactorsError as error:
                self._load_fallback()  # if PostgreSQL fails in it, the next refresh does all of this again
                self._unreadable = wanted, str(error)
                raise

    def refresh_experiment(self) -> None:
        """Serve the experiment that runs, by PostgreSQL, to its users.

        Raises:
            DatabaseUnavailableError: what was served goes on.
            FactorsError, UnknownGenerationError: an arm cannot be served; everybody gets the live generation.
        """
        with self.database.statement() as db:
            experiment = experiments.running(db)
        live, trial = self.live, self.trial
        if experiment is None or live is None:
            self.trial = None
        elif trial is None or not trial.is_of(experiment, live):
            if self._broken_trial == experiment:
                return  # megabytes need not be read again to fail again
            try:
                made = RunningExperiment.of(experiment, live, self._stored)
            except (FactorsError, UnknownGenerationError):
                self.trial, self._broken_trial = None, experiment
                raise
            with self._following:
                self.trial = made.over(self.movies)
            log.info("experiment %s: arms %s", experiment.name, ", ".join(experiment.arms))

    def _stored(self, generation_id: int) -> LiveGeneration:
        with self.database.background_transaction() as db:
            factors, trained_at = generations.load(db, generation_id), generations.trained_at(db, generation_id)
        table = self._movies_of(generation_id, factors)
        return LiveGeneration(generation_id, Ranker(factors), table, trained_at, datetime.now(UTC))

    def _serves(self, user_id: int) -> LiveGeneration | None:
        """Return what a user's lists are made with: the live generation, or an arm of the experiment."""
        arm = self.trial.serves(user_id) if self.trial is not None else None
        return self.live if arm is None else arm

    def activate(self, generation_id: int) -> None:
        """Make a stored generation the live one, for every process, hold it, and serve it here at once.

        Raises:
            UnknownGenerationError, FactorsError: it is not kept or cannot be served; nothing was changed.
        """
        with self._loading:
            with self.database.background_transaction() as db:
                factors, _ = generations.load(db, generation_id), self.current_movies
                self._movies_of(generation_id, factors)
                generations.activate(db, generation_id)
            with suppress(DatabaseUnavailableError):  # it is live: the next refresh loads it
                self.use(generation_id, factors)

    def _movies_of(self, generation_id: int, factors: Factors) -> MovieTable:
        table = self.movies.take(factors.movies)
        if len(table) < len(factors.movies):
            raise FactorsError(f"generation {generation_id} lists movies that the catalogue does not have")
        return table

    def _read_movies(self, db: Connection) -> MovieTable:
        found = movies.table(db)
        self._movies = found if len(found) else None
        return found

    def _load(self, generation_id: int) -> None:
        with self.database.background_transaction() as db:
            factors = generations.load(db, generation_id)
        self.use(generation_id, factors)

    def _load_fallback(self) -> None:
        """Load the newest other generation that can be read, if none is in memory."""
        with self.database.statement() as db:
            others = generations.accepted_ids(db, MAX_FALLBACKS)
        for other in others:
            if self.live is None:
                with suppress(FactorsError, UnknownGenerationError):
                    self._load(other)

    def recommend(self, user_id: int) -> RecommendationList:
        """Return the ten movies to watch next, best first; fewer only when the user has rated nearly all movies.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        live = self._serves(user_id)
        state, kept = CACHE_MISS if live is None else live.lists.get(user_id, CACHE_MISS)
        with self.database.statement() as db:
            now, found = recommendations.read(db, user_id, state)
        if found is None:
            return kept
        self._follow(now.catalogue_version)
        live = self._serves(user_id)  # whose movies are of that version now
        if isinstance(found, StoredList) and (live is None or live.takes_stored(now.generation_id)):
            listed = kept = self._as_list(*found, "stored", now.generation_id, live)
        else:
            if isinstance(found, StoredList):  # of another arm
                with self.database.statement() as db:
                    _, found = recommendations.history(db, user_id)
            listed = self._made(found, live, user_id)
            kept = replace(listed, made="stored")
            now = now._replace(version=found.version)
        # another process may have just made a newer generation live; this list is not of that one
        if live is not None and live.is_current(now.generation_id):
            with self._caching:
                live.lists[user_id] = now, kept
        return listed

    def forget(self, user_id: int) -> None:
        """Drop the cached list of a user who has been removed."""
        for served in (self.live, *(self.trial.arms.values() if self.trial else ())):
            if served is not None:
                with self._caching:
                    served.lists.pop(user_id, None)

    def viewer(self, user_id: int, rated_since: int | None = None) -> UserContext:
        """Return a user with all confirmed ratings, or, for what to recommend, those of this unix second or later.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            catalogue_version, history = recommendations.history(db, user_id)
        self._follow(catalogue_version)
        if rated_since is not None:
            history = history.since(rated_since)
        return self._viewer(history, self._serves(user_id), user_id)

    def unknown(self, movie_ids: Iterable[int]) -> set[int]:
        """Return those of these movies that the catalogue lacks."""
        asked = np.array(list(movie_ids), np.int32)
        _, known = self.current_movies.rows(asked)
        return set(asked[~known].tolist())

    def anonymous(self, ratings: Mapping[int, float]) -> UserContext:
        """Return the context of a user who is not stored and gives these ratings, by movie."""
        return self._viewer(_guest_history(ratings), self.live)

    def group(self, members: Sequence[int | Mapping[int, float]]) -> GroupContext:
        """Return the context of a group of users, by id, and guests, by their ratings.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            read = [recommendations.history(db, m) if isinstance(m, int) else (0, _guest_history(m)) for m in members]
        self._follow(max(catalogue_version for catalogue_version, _ in read))
        found = [history for _, history in read]
        start = np.cumsum([0, *(len(history.movies) for history in found)])
        columns = (np.concatenate([history[at] for history in found]) for at in range(1, 4))
        histories, live = Histories(np.arange(len(found), dtype=np.int32), start, *columns), self.live
        seen = np.diff(start).tolist()
        marked = tuple(np.concatenate([history.marked for history in found]).tolist())
        if live is None:
            popular = self._popular(histories.movies)
            return GroupContext(None, self.movies, PopularGroupRanking(popular, len(found)), seen, marked)
        return GroupContext(live, live.movies, group_ranking(live.ranker, histories), seen, marked)

    def _viewer(self, history: RatingHistory, live: LiveGeneration | None, user_id: int | None = None) -> UserContext:
        every = self.movies
        listed = every if live is None else live.movies
        ranking: Ranking
        if live is None:
            ranking = self._popular(history.movies)
        else:
            ranking = ranking_for(live.ranker, history.movies, history.rating, history.at)
        seen = len(history.movies)
        context = UserContext(
            live, every, listed, ranking, history.version, seen, user_id, None, history.marked, history.later
        )
        versus = live.arm.versus if live else None
        return replace(context, versus=self._viewer(history, versus, user_id)) if versus else context

    def _popular(self, seen: Ints) -> PopularRanking:
        """Return what ranks before the first training, without the movies that were seen."""
        every = self.movies
        likes = every.like_count.astype(np.float32)
        return PopularRanking(likes, every.expected_rating, np.ones(len(every), bool), every.rows(seen)[0])

    def _made(self, history: RatingHistory, live: LiveGeneration | None, user_id: int) -> RecommendationList:
        viewer = self._viewer(history, live, user_id)
        if viewer.versus is not None:
            places = viewer.places(ListRequest())
            ids, ratings = [place.movie.movie_id for place in places], [place.expected_rating for place in places]
            listed = self._as_list(ids, ratings, viewer.ranking.strategy, live.id if live else None, live)
            return replace(listed, arm=None, teams=tuple(str(place.team) for place in places))
        rows = viewer.rows(ListRequest())
        movie_ids, expected = viewer.movies.movies[rows], viewer.ranking.expected(rows)
        return self._as_list(
            movie_ids.tolist(), expected.tolist(), viewer.ranking.strategy, live.id if live else None, live
        )

    def _as_list(
        self,
        movie_ids: list[int],
        expected: list[float],
        made: ListSource,
        generation_id: int | None,
        live: LiveGeneration | None,
    ) -> RecommendationList:
        items = tuple(map(RecommendedMovie, map(self.movies.by_id, movie_ids), expected))
        arm = live.arm if live is not None else NO_ARM
        return RecommendationList(items, made, generation_id, arm.experiment, arm.name)


def _guest_history(ratings: Mapping[int, float]) -> RatingHistory:
    movie_ids = np.array(sorted(ratings), np.int32)
    rating = np.array([ratings[movie] for movie in movie_ids.tolist()], np.float32)
    return RatingHistory(0, movie_ids, rating, np.zeros(len(movie_ids), np.int64))  # nobody says when
