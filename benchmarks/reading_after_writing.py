"""The first list after a rating, folded in at once, beside a list that is stored, on catalogues of two sizes."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from figures import Figures, middle, ratio
from processes import ServiceProcess
from stage import Stage, keep_lists, list_of, port_of, running, stage
from wire_load import Kept, send

SIZES = 10_000, 87_000
MOST_OF_STORED = 2.5  # on the smaller catalogue
MOST_MS = 15.0  # on the larger
ROUND = 40  # pairs of one repeat


def measure(quick: bool) -> Figures:
    """Milliseconds of one client: rate and read, then read what is stored, again and again."""
    figures: Figures = {}
    for movies in (1000,) if quick else SIZES:
        with stage(movies, readers=100, collectors=10, each=40 if quick else 160) as on, running(on) as process:
            for ratings, users in ((20, on.readers[:50]), (200, on.collectors)):
                figures |= _measured(on, process, users, ratings, repeats=2 if quick else 9)
    return figures


def _measured(on: Stage, process: ServiceProcess, users: list[int], ratings: int, repeats: int) -> Figures:
    others = on.readers[50:]
    keep_lists(process, [*users, *others])
    with Kept(port_of(process)) as wire:
        rounds = [_round(wire, users, others, number) for number in range(repeats + 1)][1:]
    after = [middle(pairs.folded, "ms").value for pairs in rounds]
    stored = [middle(pairs.stored, "ms").value for pairs in rounds]
    what = f"{ratings} ratings, {on.movies:,} movies"
    large = on.movies == SIZES[1]
    return {
        f"p50 after a write, {what}": middle(after, "ms", "less", MOST_MS if large else None),
        f"p50 of a stored list, {what}": middle(stored, "ms", "less"),
        f"after a write of stored, {what}": ratio(after, stored, "less", None if large else MOST_OF_STORED),
    }


@dataclass(frozen=True)
class Round:
    """Milliseconds of each read after a write, and of as many of a stored list."""

    folded: list[float]
    stored: list[float]


def _round(wire: Kept, users: list[int], others: list[int], number: int) -> Round:
    found = Round([], [])
    movie = 1 + number
    pairs: Iterator[tuple[int, int]] = zip(itertools.cycle(users), itertools.cycle(others), strict=False)
    for turn, (user, other) in enumerate(itertools.islice(pairs, ROUND)):
        rating = 0.5 + (turn + number) % 10 / 2
        wire.ask(send("POST", f"/users/{user}/views/{movie}", f'{{"rating": {rating}}}'))
        found.folded.append(wire.ask(list_of(user)) * 1000)
        found.stored.append(wire.ask(list_of(other)) * 1000)
    return found
