"""Return a user's list: the cached or stored one if it is current, else one by fold-in, else popular movies.

A stored rating always affects the user's next list, because a list is current only if its history version equals the
one in PostgreSQL.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from catalogue.group_context import GroupContext
from catalogue.live_generation import Arm, LiveGeneration
from catalogue.recommendations import ListRequest, RecommendationList, RecommendedMovie
from catalogue.user_context import UserContext
from live_model import LiveModel
from ranking.groups import PopularGroupRanking, group_ranking
from ranking.rankings import ListSource, PopularRanking, Ranking, ranking_for
from ranking.rating_histories import Histories
from ranking.ratings import Ints
from storage import recommendations
from storage.database import Database
from storage.recommendations import NO_LIST, RatingHistory, StoredList

NO_ARM = Arm()
CACHE_MISS = NO_LIST, RecommendationList((), "stored")


class Recommender:
    """Compute lists. Thread-safe, also while a new generation replaces the live one."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.model = LiveModel(database)
        self._caching = threading.Lock()

    def recommend(self, user_id: int) -> RecommendationList:
        """Return the ten best movies that the user has not rated, best first; fewer only if fewer are left.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        live = self.model.generation_for(user_id)
        state, kept = CACHE_MISS if live is None else live.list_cache.get(user_id, CACHE_MISS)
        with self.database.statement() as db:
            now, found = recommendations.read(db, user_id, state)
        if found is None:
            return kept
        self.model.follow(now.catalogue_version)
        live = self.model.generation_for(user_id)  # now at that catalogue version
        if isinstance(found, StoredList) and (live is None or live.takes_stored(now.generation_id)):
            listed = kept = self._as_list(*found, "stored", now.generation_id, live)
        else:
            if isinstance(found, StoredList):  # it was computed by the live generation for a user of another arm
                with self.database.statement() as db:
                    _, found = recommendations.history(db, user_id)
            listed = self._compute_list(found, live, user_id)
            kept = replace(listed, made="stored")
            now = now._replace(version=found.version)
        # another process may have made a newer generation live, which did not compute this list
        if live is not None and live.is_current(now.generation_id):
            with self._caching:
                live.list_cache[user_id] = now, kept
        return listed

    def forget(self, user_id: int) -> None:
        """Drop the cached list of a user who is deleted or has rated: the next read asks for the history at once."""
        for served in (self.model.live, *(self.model.experiment.arms.values() if self.model.experiment else ())):
            if served is not None:
                with self._caching:
                    served.list_cache.pop(user_id, None)

    def viewer(self, user_id: int, rated_since: int | None = None) -> UserContext:
        """Return the context of a user with all ratings, or with those of this unix second or later.

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            catalogue_version, history = recommendations.history(db, user_id)
        self.model.follow(catalogue_version)
        if rated_since is not None:
            history = history.since(rated_since)
        return self._viewer(history, self.model.generation_for(user_id), user_id)

    def unknown(self, movie_ids: Iterable[int]) -> set[int]:
        """Return the ids of these movies that the catalogue lacks."""
        missing = np.array(list(movie_ids), np.int32)
        missing = missing[~self.model.movies.rows(missing)[1]]
        if len(missing):  # movies are never deleted, so only these need the newest catalogue
            missing = missing[~self.model.current_movies.rows(missing)[1]]
        return set(missing.tolist())

    def anonymous(self, ratings: Mapping[int, float]) -> UserContext:
        """Return the context of a guest with these ratings by movie id."""
        return self._viewer(_guest_history(ratings), self.model.live)

    def group(self, members: Sequence[int | Mapping[int, float]]) -> GroupContext:
        """Return the context of a group of users (given by id) and guests (given by their ratings by movie id).

        Raises `UnknownUserError` and `DatabaseUnavailableError`.
        """
        with self.database.statement() as db:
            read = [recommendations.history(db, m) if isinstance(m, int) else (0, _guest_history(m)) for m in members]
        self.model.follow(max(catalogue_version for catalogue_version, _ in read))
        per_member = [history for _, history in read]
        start = np.cumsum([0, *(len(history.movies) for history in per_member)])
        columns = (np.concatenate([history[at] for history in per_member]) for at in range(1, 4))
        histories, live = Histories(np.arange(len(per_member), dtype=np.int32), start, *columns), self.model.live
        seen = np.diff(start).tolist()
        marked = tuple(np.concatenate([history.marked for history in per_member]).tolist())
        if live is None:
            popular = self._popular(histories.movies)
            return GroupContext(None, self.model.movies, PopularGroupRanking(popular, len(per_member)), seen, marked)
        return GroupContext(live, live.movies, group_ranking(live.ranker, histories), seen, marked)

    def _viewer(self, history: RatingHistory, live: LiveGeneration | None, user_id: int | None = None) -> UserContext:
        every = self.model.movies
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
        """Return the ranking that serves before the first training run, without the movies in `seen`."""
        every = self.model.movies
        likes = every.like_count.astype(np.float32)
        return PopularRanking(likes, every.expected_rating, np.ones(len(every), bool), every.rows(seen)[0])

    def _compute_list(self, history: RatingHistory, live: LiveGeneration | None, user_id: int) -> RecommendationList:
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
        items = tuple(map(RecommendedMovie, map(self.model.movies.by_id, movie_ids), expected))
        arm = live.arm if live is not None else NO_ARM
        return RecommendationList(items, made, generation_id, arm.experiment, arm.name)


def _guest_history(ratings: Mapping[int, float]) -> RatingHistory:
    movie_ids = np.array(sorted(ratings), np.int32)
    rating = np.array([ratings[movie] for movie in movie_ids.tolist()], np.float32)
    return RatingHistory(0, movie_ids, rating, np.zeros(len(movie_ids), np.int64))  # without times
