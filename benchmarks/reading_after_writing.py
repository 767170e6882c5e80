"""Measure the first list after a rating, which the request computes, and a stored list, on two sizes of catalogue."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from http_load import KeepAliveConnection, send
from measurements import Measurements, median_of, median_ratio
from prepared_service import PreparedState, cache_lists, list_request, port_of, prepared_state, running
from processes import ServiceProcess

SIZES = 10_000, 87_000
GOAL_RATIO = 2.5  # relative to a stored list, on the smaller catalogue
GOAL_MS = 15.0  # on the larger catalogue
PAIRS = 40  # pairs of reads in a repeat


def measure(quick: bool) -> Measurements:
    """Return the milliseconds of one client that repeatedly rates, reads, and reads a stored list."""
    found: Measurements = {}
    for movies in (1000,) if quick else SIZES:
        with (
            prepared_state(movies, light_users=100, heavy_users=10, ratings_each=40 if quick else 160) as prepared,
            running(prepared) as process,
        ):
            for ratings, users in ((20, prepared.light_users[:50]), (200, prepared.heavy_users)):
                found |= _measure_users(prepared, process, users, ratings, repeats=2 if quick else 9)
    return found


def _measure_users(
    prepared: PreparedState, process: ServiceProcess, users: list[int], ratings: int, repeats: int
) -> Measurements:
    others = prepared.light_users[50:]
    cache_lists(process, [*users, *others])
    with KeepAliveConnection(port_of(process)) as connection:
        rounds = [_measure_round(connection, users, others, number) for number in range(repeats + 1)][1:]
    after = [median_of(pairs.after_rating, "ms").value for pairs in rounds]
    stored = [median_of(pairs.stored, "ms").value for pairs in rounds]
    what = f"{ratings} ratings, {prepared.movies:,} movies"
    large = prepared.movies == SIZES[1]
    return {
        f"p50 of the first list after a rating, {what}": median_of(after, "ms", "less", GOAL_MS if large else None),
        f"p50 of a stored list, {what}": median_of(stored, "ms", "less"),
        f"after a rating / stored list, {what}": median_ratio(after, stored, "less", None if large else GOAL_RATIO),
    }


@dataclass(frozen=True)
class Round:
    """The milliseconds of each read after a rating, and of as many reads of a stored list."""

    after_rating: list[float]
    stored: list[float]


def _measure_round(connection: KeepAliveConnection, users: list[int], others: list[int], number: int) -> Round:
    found = Round([], [])
    movie = 1 + number
    pairs: Iterator[tuple[int, int]] = zip(itertools.cycle(users), itertools.cycle(others), strict=False)
    for turn, (user, other) in enumerate(itertools.islice(pairs, PAIRS)):
        rating = 0.5 + (turn + number) % 10 / 2
        connection.request(send("POST", f"/users/{user}/views/{movie}", f'{{"rating": {rating}}}'))
        found.after_rating.append(connection.request(list_request(user)) * 1000)
        found.stored.append(connection.request(list_request(other)) * 1000)
    return found
