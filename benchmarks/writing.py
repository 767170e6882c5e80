"""Measure ratings written over HTTP, and by the same server that answers after a bare INSERT."""

import json
import time
from dataclasses import replace

import psycopg2
from http_load import KeepAliveConnection, Load, LoadResult, run_load, send
from measurements import Measurements, median_of, median_ratio
from prepared_service import PreparedState, baseline_server, port_of, prepared_state, running, warm_up
from processes import ServiceProcess
from psycopg2.extras import execute_values
from sqlalchemy import make_url

from embedded.postgres import EmbeddedPostgres

CONNECTIONS = 16
GOAL = 0.70
BATCH = 1000
MOVIE_STEP = 5  # between the movies of consecutive requests
INSERT_MANY = """
    INSERT INTO views (user_id, movie_id, rating, version) VALUES %s
    ON CONFLICT (user_id, movie_id) DO UPDATE SET rating = excluded.rating, version = excluded.version
"""
DROP_INDEX = "DROP INDEX ix_views_movie_id"
CREATE_INDEX = "CREATE INDEX ix_views_movie_id ON views (movie_id) INCLUDE (rating)"


def measure(quick: bool) -> Measurements:
    """Return ratings a second with one rating a request, with 1,000 a request, and without the index on movie_id."""
    seconds, repeats = (0.4, 1) if quick else (3.0, 5)
    movies = 2000 if quick else 10_000
    with (
        prepared_state(movies, light_users=200, ratings_each=40 if quick else 160) as prepared,
        running(prepared) as process,
        EmbeddedPostgres(prepared.state_dir) as url,
    ):
        load = Load(port_of(process), rating_requests(prepared), CONNECTIONS, seconds)
        warm_up(process, list(load.requests))
        with baseline_server("postgres-insert", port_of(process), load.requests[0], url) as port:
            pairs = [(run_load(load), run_load(replace(load, port=port)).per_second()) for _ in range(repeats)]
        libpq = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        batches = _measure_batches(process, libpq, prepared.light_users, repeats * 3)
        return _single(pairs) | batches | _measure_index(libpq, load, repeats)


def rating_requests(prepared: PreparedState) -> list[bytes]:
    """Return ten rating requests for each user, each for another movie."""
    users = prepared.light_users
    return [
        _rating_request(users[n % len(users)], 1 + n * MOVIE_STEP % prepared.movies, 0.5 + n % 10 / 2)
        for n in range(10 * len(users))
    ]


def _rating_request(user: int, movie: int, rating: float) -> bytes:
    return send("POST", f"/users/{user}/views/{movie}", f'{{"rating": {rating}}}')


def _single(pairs: list[tuple[LoadResult, float]]) -> Measurements:
    rates = [result.per_second() for result, _ in pairs], [bare for _, bare in pairs]
    return {
        "ratings over HTTP": median_of(rates[0], "/s", "more"),
        "the same server after a bare INSERT": median_of(rates[1], "/s"),
        "ratings over HTTP / the same server after a bare INSERT": median_ratio(*rates, "more", GOAL),
        **{f"p{p} over HTTP": median_of([result.ms(p) for result, _ in pairs], "ms", "less") for p in (50, 95, 99)},
    }


def _measure_batches(process: ServiceProcess, url: str, users: list[int], repeats: int) -> Measurements:
    ours, theirs = [], []
    with KeepAliveConnection(port_of(process)) as connection, psycopg2.connect(url) as db:
        for turn in range(repeats + 1):
            rating = 0.5 + turn % 10 / 2
            user, other = users[turn % 100], users[100 + turn % 100]
            ratings = [{"movie_id": movie, "rating": rating} for movie in range(1, BATCH + 1)]
            body = json.dumps({"ratings": ratings})
            ours.append(BATCH / connection.request(send("POST", f"/api/v1/users/{user}/ratings", body)))
            theirs.append(BATCH / _insert_batch(db, other, rating, turn))
    db.close()
    return {
        f"ratings over HTTP, {BATCH:,} a request": median_of(ours[1:], "/s", "more"),
        f"bare INSERT of {BATCH:,} rows": median_of(theirs[1:], "/s"),
        f"{BATCH:,} a request / bare INSERT of {BATCH:,} rows": median_ratio(ours[1:], theirs[1:], "more"),
    }


def _insert_batch(db: "psycopg2.extensions.connection", user: int, rating: float, turn: int) -> float:
    rows = [(user, movie, rating, turn) for movie in range(1, BATCH + 1)]
    began = time.perf_counter()
    with db.cursor() as cursor:
        execute_values(cursor, INSERT_MANY, rows, page_size=BATCH)
    db.commit()
    return time.perf_counter() - began


def _measure_index(url: str, load: Load, repeats: int) -> Measurements:
    """Measure the cost of the index on movie_id, which counts a movie's ratings, for a write."""
    rates: tuple[list[float], list[float]] = [], []
    with psycopg2.connect(url) as db, db.cursor() as cursor:
        for _ in range(repeats):
            for statement, found in ((DROP_INDEX, rates[1]), (CREATE_INDEX, rates[0])):
                cursor.execute(statement)
                db.commit()
                found.append(run_load(load).per_second())
    db.close()
    return {"with the index on movie_id / without it": median_ratio(*rates, "more")}
