"""The quality report: every generation on the held-out users, and on the ratings that came after it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from ranking.ratings import Floats
from storage import generations, predictions
from storage.database import Database

SHOWN_GIVEN = 10  # how many ratings the held-out users have given, in columns with room for one number


@dataclass(frozen=True)
class OnlineQuality:
    """How well a generation predicted the ratings that came after it."""

    views: int
    rmse: float
    hit_rate: float
    median_rank: float


@dataclass(frozen=True)
class GenerationEntry:
    """A generation in the report.

    Attributes:
        held_out: for each number of ratings given, a measure as [value, low, high]; empty if no user was held out.
        online: None if no rating came while it was live.
    """

    id: int
    created: str
    verdict: str
    reason: str
    live: bool
    held_out: dict[int, dict[str, Any]]
    online: OnlineQuality | None

    def measure(self, name: str, given: int = SHOWN_GIVEN) -> tuple[float, float, float] | None:
        """Return value and 95 % interval of a measure on the held-out users."""
        found = self.held_out.get(given, {}).get(name)
        if not found or any(number is None for number in found):
            return None
        return found[0], found[1], found[2]


@dataclass(frozen=True)
class QualityReport:
    """Generations, oldest first, and new ratings beside their predictions.

    Attributes:
        calibration: (expected rating, rating) for each rating that was predicted, float32 [n, 2].
    """

    entries: list[GenerationEntry]
    calibration: Floats

    def __str__(self) -> str:
        head = (
            f"{'':>2}{'id':>5}  {'made':<16}  {'verdict':<8}  {'NDCG@10':>8} {'popular':>8} {'RMSE':>6} {'views':>7} "
        )
        return "\n".join([head + f"{'RMSE':>6} {'hit@10':>6} {'rank':>6}", *map(_line, self.entries), *self._notes()])

    def _notes(self) -> list[str]:
        return [
            f"NDCG@10, popularity and the first RMSE: held-out users after {SHOWN_GIVEN} ratings.",
            "views and what follows: each new rating compared with what the live generation predicted for it.",
        ]


def report(database: Database, limit: int) -> QualityReport:
    """Return the report on the newest generations."""
    with database.statement() as db:
        rows = generations.recent(db, limit)
        calibration = predictions.calibration_points(db)
    return QualityReport([_entry(row) for row in reversed(rows)], calibration)


def _entry(row: Row[Any]) -> GenerationEntry:
    given = row.details.get("held_out", {}).get("candidate", {}).get("given", {})
    return GenerationEntry(
        row.id,
        f"{row.created_at:%Y-%m-%d %H:%M}",
        row.verdict,
        row.reason,
        bool(row.live),
        {int(n): measures for n, measures in given.items()},
        OnlineQuality(**row.online) if row.online else None,
    )


def _line(entry: GenerationEntry) -> str:
    def shown(name: str) -> str:
        found = entry.measure(name)
        return f"{found[0]:.4f}" if found else "-"

    online = ["-"] * 4
    if entry.online:
        o = entry.online
        online = [f"{o.views:,}", f"{o.rmse:.3f}", f"{o.hit_rate:.3f}", f"{o.median_rank:,.0f}"]
    return (
        f"{'*' if entry.live else '':>2}{entry.id:>5}  {entry.created:<16}  {entry.verdict:<8}  {shown('NDCG@10'):>8} "
        f"{shown('popularity'):>8} {shown('RMSE'):>6} {online[0]:>7} {online[1]:>6} {online[2]:>6} {online[3]:>6}"
    )
