"""Check the promises of a soak, and return the verdict on each."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from footprint import Footprint
from mixed_load import Tally

WINDOW_SECONDS = 60.0  # from the start of one retrain to the next
MOST_GROWTH = 0.05
TOLERANCE = 3  # normal variation of the number of connections or threads


@dataclass(frozen=True)
class Sizes:
    """The stored data when a generation goes live: megabytes of each folder of the state, and rows of each table."""

    at: float
    folders: Mapping[str, float]
    rows: Mapping[str, int]

    def __str__(self) -> str:
        folders = ", ".join(f"{name} {size:.0f} MB" for name, size in self.folders.items())
        return f"{folders}; " + ", ".join(f"{count} {name}" for name, count in self.rows.items() if count)


@dataclass(frozen=True)
class SoakResult:
    """The observations of a finished soak.

    Attributes:
        samples: footprints of the service, in order of time.
        generations: each served generation, with the time at which it went live.
        tally: the tally of all clients.
        lists: the number of complete stored lists at the end.
        sizes: the stored data when each generation went live.
    """

    samples: Sequence[Footprint]
    generations: dict[int, float]
    tally: Tally
    lists: int
    sizes: Sequence[Sizes] = field(default_factory=list)


@dataclass(frozen=True)
class Promise:
    """A promise, the observation, and whether the promise was kept."""

    promised: str
    found: str
    kept: bool


def promises(soak: SoakResult) -> list[Promise]:
    """Return the verdict on each promise."""
    tally = soak.tally
    failed, wrong = dict(tally.failed) or "none", tally.wrong[:3] or "none"
    return [
        Promise(
            "no 5xx, no broken connection", f"{tally.answers.total():,} answers; failed: {failed}", not tally.failed
        ),
        Promise(
            "no incomplete, stale or short list",
            f"{soak.lists:,} stored lists complete; wrong: {wrong}",
            not tally.wrong,
        ),
        Promise("a retrain each minute", f"{len(soak.generations)} generations", len(soak.generations) > 1),
        _stable(soak, "server", "memory of the Python server is stable", " MB", most=MOST_GROWTH),
        _stable(soak, "descriptors", "file descriptors are stable", "", least=TOLERANCE),
        _stable(soak, "threads", "threads are stable", "", least=TOLERANCE),
    ]


def observations(soak: SoakResult) -> list[str]:
    """Return the measurements without a promise as text."""
    lines = []
    for name, what in (("java", "Spark's JVM"), ("workers", "Spark's Python workers"), ("postgres", "PostgreSQL")):
        before, after = growth(soak, name)
        lines.append(f"{what}: {before:.0f} MB after the first retrain, {after:.0f} MB at the end")
    cuts = quantiles(soak.tally.seconds, n=100)
    lines.append(f"answers: p50 {1000 * cuts[49]:.1f} ms, p99 {1000 * cuts[98]:.1f} ms")
    return lines


def growth(soak: SoakResult, name: str) -> tuple[float, float]:
    """Return the median of a measure in the minute after the first retrain, and in the last minute.

    The first retrain is the first training run that replaces a generation.
    """
    samples, retrained = soak.samples, sorted(soak.generations.values())[:2][-1]
    early = [getattr(one, name) for one in samples if retrained <= one.at <= retrained + WINDOW_SECONDS]
    late = [getattr(one, name) for one in samples if one.at >= samples[-1].at - WINDOW_SECONDS]
    return median(early), median(late)


def _stable(
    soak: SoakResult, name: str, promised: str, unit: str, most: float = MOST_GROWTH, least: float = 0
) -> Promise:
    before, after = growth(soak, name)
    found = f"{before:.0f}{unit} after the first retrain, {after:.0f}{unit} at the end ({after / before - 1:+.1%})"
    return Promise(promised, found, after - before <= max(least, most * before))


def table(found: Sequence[Promise]) -> str:
    """Return the verdicts as a Markdown table."""
    lines = ["| promised | found | kept |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {p.promised} | {p.found} | {'yes' if p.kept else '**no**'} |" for p in found)])


def size_table(soak: SoakResult) -> list[str]:
    """Return a Markdown table with a row for each generation: megabytes, descriptors, threads, disk and rows."""
    processes = ("server", "others", "trainer", "java", "workers", "postgres")
    counts = ("descriptors", "threads", "trainer_descriptors", "trainer_threads")
    folders = sorted({name for one in soak.sizes for name in one.folders})
    tables = [name for name in soak.sizes[0].rows if any(one.rows[name] for one in soak.sizes)] if soak.sizes else []
    lines = ["| " + " | ".join((*processes, *counts, *folders, *tables)) + " |"]
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    times = [one.at for one in soak.samples]
    for one in soak.sizes:
        sample = soak.samples[max(0, bisect_left(times, one.at) - 1)]
        found = [getattr(sample, name) for name in (*processes, *counts)]
        found += [one.folders.get(name, 0.0) for name in folders] + [one.rows[name] for name in tables]
        lines.append("| " + " | ".join(f"{value:,.0f}" for value in found) + " |")
    return lines
