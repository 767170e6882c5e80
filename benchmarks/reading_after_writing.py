"""The first list after a rating, folded in at once, beside a list that is stored, on catalogues of two sizes."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from http_load import KeepAliveConnection, send
from measurements import Measurements, median_of, median_ratio
from prepared_service import PreparedState, keep_lists, list_of, port_of, prepared_state, running
from processes import ServiceProcess

SIZES = 10_000, 87_000
MOST_OF_STORED = 2.5  # on the smaller catalogue
MOST_MS = 15.0  # on the larger
ROUND = 40  # pairs of one repeat


def measure(quick: bool) -> Measurements:
    """Milliseconds of one client: rate and read, then read what is stored, again and again."""
    figures: Measurements = {}
    for movies in (1000,) if quick else SIZES:
        with (
            prepared_state(movies, readers=100, collectors=10, each=40 if quick else 160) as prepared,
            running(prepared) as process,
        ):
            for ratings, users in ((20, prepared.readers[:50]), (200, prepared.collectors)):
                figures |= _measured(prepared, process, users, ratings, repeats=2 if quick else 9)
    return figures


def _measured(
    prepared: PreparedState, process: ServiceProcess, users: list[int], ratings: int, repeats: int
) -> Measurements:
    others = prepared.readers[50:]
    keep_lists(process, [*users, *others])
    with KeepAliveConnection(port_of(process)) as wire:
        rounds = [_round(wire, users, others, number) for number in range(repeats + 1)][1:]
    after = [median_of(pairs.folded, "ms").value for pairs in rounds]
    stored = [median_of(pairs.stored, "ms").value for pairs in rounds]
    what = f"{ratings} ratings, {prepared.movies:,} movies"
    large = prepared.movies == SIZES[1]
    return {
        f"p50 after a write, {what}": median_of(after, "ms", "less", MOST_MS if large else None),
        f"p50 of a stored list, {what}": median_of(stored, "ms", "less"),
        f"after a write of stored, {what}": median_ratio(after, stored, "less", None if large else MOST_OF_STORED),
    }


@dataclass(frozen=True)
class Round:
    """Milliseconds of each read after a write, and of as many of a stored list."""

    folded: list[float]
    stored: list[float]


def _round(wire: KeepAliveConnection, users: list[int], others: list[int], number: int) -> Round:
    found = Round([], [])
    movie = 1 + number
    pairs: Iterator[tuple[int, int]] = zip(itertools.cycle(users), itertools.cycle(others), strict=False)
    for turn, (user, other) in enumerate(itertools.islice(pairs, ROUND)):
        rating = 0.5 + (turn + number) % 10 / 2
        wire.ask(send("POST", f"/users/{user}/views/{movie}", f'{{"rating": {rating}}}'))
        found.folded.append(wire.ask(list_of(user)) * 1000)
        found.stored.append(wire.ask(list_of(other)) * 1000)
    return found
