"""What a soak has to show, and whether it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from footprint import Footprint
from mixed_load import Tally

WINDOW_SECONDS = 60.0  # one retrain from its beginning to the next
MOST_GROWTH = 0.05
FEW = 3  # connections or threads that come and go


@dataclass(frozen=True)
class Soaked:
    """A soak that is over.

    Attributes:
        looks: at the service, in the order of time.
        generations: each that was served, with the moment from which it was.
        tally: of all clients.
        lists: how many stored lists were found whole in the end.
    """

    looks: Sequence[Footprint]
    generations: dict[int, float]
    tally: Tally
    lists: int


@dataclass(frozen=True)
class Promise:
    """Something that was promised, what was found, and whether that is it."""

    promised: str
    found: str
    held: bool


def promises(soaked: Soaked) -> list[Promise]:
    """The verdict on each promise."""
    tally = soaked.tally
    failed, wrong = dict(tally.failed) or "none", tally.wrong[:3] or "none"
    return [
        Promise(
            "no 5xx, no broken connection", f"{tally.answers.total():,} answers; failed: {failed}", not tally.failed
        ),
        Promise(
            "no torn, stale or short list", f"{soaked.lists:,} stored lists whole; wrong: {wrong}", not tally.wrong
        ),
        Promise("a retrain each minute", f"{len(soaked.generations)} generations", len(soaked.generations) > 1),
        _flat(soaked, "server", "memory of the Python server flat", " MB", most=MOST_GROWTH),
        _flat(soaked, "descriptors", "file descriptors flat", "", least=FEW),
        _flat(soaked, "threads", "threads flat", "", least=FEW),
    ]


def beside(soaked: Soaked) -> list[str]:
    """What was measured and not promised."""
    lines = []
    for name, what in (("java", "Spark's JVM"), ("workers", "Spark's Python workers"), ("postgres", "PostgreSQL")):
        before, after = growth(soaked, name)
        lines.append(f"{what}: {before:.0f} MB after the first retrain, {after:.0f} MB at the end")
    cuts = quantiles(soaked.tally.seconds, n=100)
    lines.append(f"answers: p50 {1000 * cuts[49]:.1f} ms, p99 {1000 * cuts[98]:.1f} ms")
    return lines


def growth(soaked: Soaked, name: str) -> tuple[float, float]:
    """The median of a measure in the minute after the first retrain, and in the last.

    The first is the one that replaces a generation: the training before it has none to compare itself with.
    """
    looks, retrained = soaked.looks, sorted(soaked.generations.values())[:2][-1]
    early = [getattr(look, name) for look in looks if retrained <= look.at <= retrained + WINDOW_SECONDS]
    late = [getattr(look, name) for look in looks if look.at >= looks[-1].at - WINDOW_SECONDS]
    return median(early), median(late)


def _flat(soaked: Soaked, name: str, promised: str, unit: str, most: float = MOST_GROWTH, least: float = 0) -> Promise:
    before, after = growth(soaked, name)
    found = f"{before:.0f}{unit} after the first retrain, {after:.0f}{unit} at the end ({after / before - 1:+.1%})"
    return Promise(promised, found, after - before <= max(least, most * before))


def table(found: Sequence[Promise]) -> str:
    """The verdicts as Markdown."""
    lines = ["| promised | found | held |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {p.promised} | {p.found} | {'yes' if p.held else '**no**'} |" for p in found)])
