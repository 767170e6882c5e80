"""Lists by random filters, of stored users and guests, against the whole ranking filtered one movie at a time."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np
from handmade_model import fill_movies, new_user, publish
from random_model import F, random_factors
from sqlalchemy import text

from catalogue.movie import NO_GENRES, Filters
from catalogue.recommendations import ListRequest
from histories.rows import HistoryRow
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from recommender import Recommender
from storage import history_import, user_ratings
from storage.database import Database

QUERIES = 1000
GENRES = ("Action", "Comedy", "Drama", "Film-Noir")
FACTORS = random_factors()
IDS = FACTORS.movies.tolist()
UNKNOWN = 7  # the id of no movie
START, DAY = 1_600_000_000, 86_400

Movie = dict[str, Any]
Ratings = dict[int, tuple[float, int]]
"""By movie, the rating and its unix second."""


def random_catalogue(database: Database, random: Random) -> dict[int, Movie]:
    """Store a movie for each row of the factors, some withdrawn and some of unknown year; return them by id."""
    known: dict[int, Movie] = {}
    for movie in IDS:
        year = random.choice([None, *range(1990, 2000)])
        genres, added = random.sample(GENRES, random.randint(0, 3)), START + DAY * random.randrange(10)
        gone = random.random() < 0.1
        known[movie] = {
            "genres": set(genres),
            "year": year,
            "count": random.randrange(60),
            "added": added,
            "gone": gone,
        }
    rows = [
        (
            movie,
            f"Movie {movie}",
            "|".join(sorted(of["genres"])) or NO_GENRES,
            of["year"],
            of["count"],
            3.0 * of["count"],
            0,
            3.0,
        )
        for movie, of in known.items()
    ]
    changed = [{"id": movie, "added": of["added"], "gone": of["gone"]} for movie, of in known.items()]
    with database.transaction() as db:
        fill_movies(db, rows)
        dated = "UPDATE movies SET added_at = to_timestamp(:added), withdrawn_at = CASE WHEN :gone THEN now() END"
        db.execute(text(f"{dated} WHERE id = :id"), changed)
    return known


class SlowUser:
    """What a list must be, by the whole ranking and plain conditions."""

    def __init__(self, ratings: Ratings, marked: dict[int, str]) -> None:
        self.ratings, self.marked = ratings, marked

    def listed(self, known: dict[int, Movie], wanted: ListRequest, since: int | None) -> list[int]:
        """Return the wanted movies, best first."""
        count = sorted(movie for movie, (_, at) in self.ratings.items() if since is None or at >= since)
        rating, at = np.array([self.ratings[movie] for movie in count], np.float64).reshape(-1, 2).T
        ranking = ranking_for(
            Ranker(FACTORS), np.array(count, np.int32), rating.astype(np.float32), at.astype(np.int64)
        )
        whole = FACTORS.movies[ranking.best(F, None, wanted.known_first)].tolist()
        passing = [movie for movie in whole if movie not in self.ratings and self._passes(movie, known[movie], wanted)]
        return passing[wanted.offset : wanted.offset + wanted.limit]

    def _passes(self, movie: int, of: Movie, wanted: ListRequest) -> bool:
        asked, mark = wanted.filters, self.marked.get(movie)
        every, some, none = (
            {name.title() for name in names} for names in (asked.genres, asked.any_genre, asked.not_genre)
        )
        first, last = asked.year_from, asked.year_to
        return (
            not of["gone"]
            and mark not in ("seen", "hidden")
            and (wanted.later == "with" or (mark == "later") == (wanted.later == "only"))
            and movie not in asked.exclude
            and (asked.movie_ids is None or movie in asked.movie_ids)
            and every <= of["genres"]
            and (not some or bool(some & of["genres"]))
            and not none & of["genres"]
            and (first is None or (of["year"] is not None and of["year"] >= first))
            and (last is None or (of["year"] is not None and of["year"] <= last))
            and (asked.added_since is None or of["added"] >= asked.added_since)
            and of["count"] >= asked.min_ratings
        )


def random_ratings(random: Random, number: int) -> Ratings:
    return {
        movie: (random.randint(1, 10) / 2, START + DAY * random.randrange(5)) for movie in random.sample(IDS, number)
    }


def stored_user(database: Database, random: Random, ratings: Ratings) -> tuple[int, SlowUser]:
    """Store a user with these ratings and ten marks of each kind on other movies."""
    user, others = new_user(database), [movie for movie in IDS if movie not in ratings]
    marked = dict(zip(random.sample(others, 30), ["seen", "hidden", "later"] * 10, strict=True))
    brought = {
        movie: HistoryRow(1, "", rating=rating, at=datetime.fromtimestamp(at, UTC))
        for movie, (rating, at) in ratings.items()
    }
    with database.transaction() as db:
        history_import.store(db, user, brought, {})
        for movie, mark in marked.items():
            user_ratings.put_mark(db, user, movie, mark)  # type: ignore[arg-type]
    return user, SlowUser(ratings, marked)


def random_request(random: Random, stored: bool) -> ListRequest:
    """Return a request with a few of all filters."""

    def names(most: int, share: float) -> tuple[str, ...]:
        asked = random.sample(GENRES, random.randint(1, most)) if random.random() < share else []
        return tuple(random.choice([name, name.lower(), name.upper()]) for name in asked)

    def sometimes(value: Any, otherwise: Any = None) -> Any:
        return value if random.random() < 0.3 else otherwise

    filters = Filters(
        genres=names(2, 0.15),
        any_genre=names(3, 0.3),
        not_genre=names(2, 0.3),
        year_from=sometimes(random.randint(1989, 1996)),
        year_to=sometimes(random.randint(1994, 2001)),
        min_ratings=sometimes(random.randrange(60), 0),
        added_since=sometimes(START + DAY * random.randrange(10)),
        movie_ids=sometimes((UNKNOWN, *random.sample(IDS, random.choice([0, 30, 100])))),
        exclude=sometimes((UNKNOWN, *random.sample(IDS, random.choice([1, 40]))), ()),
    )
    later = random.choice(["with", "with", "without", "only"]) if stored else "with"
    offset = random.choice([0, 0, 3])
    return ListRequest(random.choice([1, 10, F]), offset, filters, known_first=random.random() < 0.5, later=later)  # type: ignore[arg-type]


def test_a_thousand_random_queries_equal_brute_force(database: Database) -> None:
    random = Random(19)  # noqa: S311 - no secret
    known = random_catalogue(database, random)
    recommender = Recommender(database)
    publish(recommender, FACTORS)
    stored = [stored_user(database, random, random_ratings(random, n)) for n in (0, 1, 12, 40)]
    filled = 0
    for _ in range(QUERIES):
        user, slow = random.choice([(None, SlowUser(random_ratings(random, random.choice([0, 1, 9])), {})), *stored])
        wanted, since = random_request(random, user is not None), None
        if user is None:
            slow.ratings = {movie: (rating, 0) for movie, (rating, _) in slow.ratings.items()}  # nobody says when
            context = recommender.anonymous({movie: rating for movie, (rating, _) in slow.ratings.items()})
        else:
            since = random.choice([None, START + DAY * random.randrange(6)])
            context = recommender.viewer(user, since)
        found = context.movies.movies[context.rows(wanted)].tolist()
        assert found == slow.listed(known, wanted, since), (user, since, wanted)
        filled += bool(found)
    assert filled > QUERIES / 3  # the others ask for what no movie has
