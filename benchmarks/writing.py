"""A view as it is written over HTTP, beside the bare INSERT with its commit through the same driver."""

import itertools
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from http_load import KeepAliveConnection, Load, LoadResult, send, under_load
from measurements import Measurements, median_of, median_ratio
from prepared_service import PreparedState, port_of, prepared_state, running, warm_up
from processes import ServiceProcess
from psycopg2.extras import execute_values
from sqlalchemy import make_url

from embedded.postgres import EmbeddedPostgres

CONNECTIONS = 16
GOAL = 0.70
BULK = 1000
SHIFT = 5  # from one writer's movies to the next one's
VIEW = """
    INSERT INTO views (user_id, movie_id, rating, version) VALUES (%s, %s, %s, %s)
    ON CONFLICT (user_id, movie_id) DO UPDATE SET rating = excluded.rating, version = excluded.version
"""
VIEWS = VIEW.replace("(%s, %s, %s, %s)", "%s")
DROP = "DROP INDEX ix_views_movie_id"
MAKE = "CREATE INDEX ix_views_movie_id ON views (movie_id) INCLUDE (rating)"


@dataclass(frozen=True)
class Bare:
    """What the driver alone is to write: views of these users, each of any of so many movies."""

    url: str
    users: list[int]
    movies: int
    seconds: float


def measure(quick: bool) -> Measurements:
    """Views a second in pairs, single and by the thousand; and single ones without the index on the movie."""
    seconds, repeats = (0.4, 1) if quick else (3.0, 5)
    movies = 2000 if quick else 10_000
    with (
        prepared_state(movies, readers=200, each=40 if quick else 160) as prepared,
        running(prepared) as process,
        _url(prepared) as url,
    ):
        bare = Bare(url, prepared.readers, movies, seconds)
        load = Load(port_of(process), views_of(prepared), CONNECTIONS, seconds)
        warm_up(process, list(load.requests))
        pairs = [(under_load(load), bare_rate(bare)) for _ in range(repeats)]
        return _single(pairs) | _bulk(process, bare, repeats * 3) | _index(url, load, repeats)


def views_of(prepared: PreparedState) -> list[bytes]:
    """One view of each of some users, of another movie each, as requests."""
    turns = range(10 * len(prepared.readers))
    return [
        _view(prepared.readers[n % len(prepared.readers)], 1 + n * SHIFT % prepared.movies, 0.5 + n % 10 / 2)
        for n in turns
    ]


def _view(user: int, movie: int, rating: float) -> bytes:
    return send("POST", f"/users/{user}/views/{movie}", f'{{"rating": {rating}}}')


def _single(pairs: list[tuple[LoadResult, float]]) -> Measurements:
    rates = [seen.per_second() for seen, _ in pairs], [bare for _, bare in pairs]
    return {
        "views over HTTP": median_of(rates[0], "/s", "more"),
        "bare INSERT": median_of(rates[1], "/s"),
        "views over HTTP of bare INSERT": median_ratio(*rates, "more", GOAL),
        **{f"p{p} over HTTP": median_of([seen.ms(p) for seen, _ in pairs], "ms", "less") for p in (50, 95, 99)},
    }


def bare_rate(bare: Bare) -> float:
    """Views a second by the driver alone, each with its commit, in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(insert_all_the_time, bare).result()


def insert_all_the_time(bare: Bare) -> float:
    """Write from as many threads as there are connections; to be run in a process of its own."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        done = sum(pool.map(lambda number: _insert(bare, number), range(CONNECTIONS)))
    return done / bare.seconds


def _insert(bare: Bare, number: int) -> int:
    with psycopg2.connect(bare.url) as db, db.cursor() as cursor:
        done, end = 0, time.monotonic() + bare.seconds
        for turn in itertools.count(number, CONNECTIONS):
            if time.monotonic() >= end:
                break
            user = bare.users[turn % len(bare.users)]
            cursor.execute(VIEW, (user, 1 + turn * SHIFT % bare.movies, 0.5 + turn % 10 / 2, turn))
            db.commit()
            done += 1
    db.close()
    return done


def _bulk(process: ServiceProcess, bare: Bare, repeats: int) -> Measurements:
    ours, theirs = [], []
    with KeepAliveConnection(port_of(process)) as wire, psycopg2.connect(bare.url) as db:
        for turn in range(repeats + 1):
            rating = 0.5 + turn % 10 / 2
            user, other = bare.users[turn % 100], bare.users[100 + turn % 100]
            ratings = [{"movie_id": movie, "rating": rating} for movie in range(1, BULK + 1)]
            body = json.dumps({"ratings": ratings})
            ours.append(BULK / wire.ask(send("POST", f"/api/v1/users/{user}/ratings", body)))
            theirs.append(BULK / _bulk_bare(db, other, rating, turn))
    db.close()
    return {
        f"views in bulks of {BULK:,}": median_of(ours[1:], "/s", "more"),
        f"bare INSERT of {BULK:,} at once": median_of(theirs[1:], "/s"),
        f"bulks of bare INSERT of {BULK:,}": median_ratio(ours[1:], theirs[1:], "more"),
    }


def _bulk_bare(db: "psycopg2.extensions.connection", user: int, rating: float, turn: int) -> float:
    rows = [(user, movie, rating, turn) for movie in range(1, BULK + 1)]
    began = time.perf_counter()
    with db.cursor() as cursor:
        execute_values(cursor, VIEWS, rows, page_size=BULK)
    db.commit()
    return time.perf_counter() - began


def _index(url: str, load: Load, repeats: int) -> Measurements:
    """What the index costs that tells how people rated one movie."""
    rates: tuple[list[float], list[float]] = [], []
    with psycopg2.connect(url) as db, db.cursor() as cursor:
        for _ in range(repeats):
            for change, found in ((DROP, rates[1]), (MAKE, rates[0])):
                cursor.execute(change)
                db.commit()
                found.append(under_load(load).per_second())
    db.close()
    return {"views with the index on the movie of those without": median_ratio(*rates, "more")}


@contextmanager
def _url(prepared: PreparedState) -> Iterator[str]:
    """Of the PostgreSQL that the service runs, as the driver takes it."""
    with EmbeddedPostgres(prepared.state_dir) as url:
        yield make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
