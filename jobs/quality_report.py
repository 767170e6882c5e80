"""The quality report: every generation on the held-out users, and on the ratings that came after it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from ranking.ratings import Floats
from storage import generations, predictions
from storage.database import Database

SHOWN_GIVEN = 10  # how many ratings the held-out users have given, in columns with room for one number
LINE = "{:>2}{:>5}  {:<16}  {:<8}  {:>8} {:>8} {:>6} {:>7} {:>6} {:>6} {:>6}"
ONLINE = "{views:,} {rmse:.3f} {hit_rate:.3f} {median_rank:,.0f}"
NOTES = (
    f"NDCG@10, popularity and the first RMSE: held-out users after {SHOWN_GIVEN} ratings.",
    "views and what follows: each new rating compared with what the live generation predicted for it.",
)


@dataclass(frozen=True)
class GenerationEntry:
    """A generation in the report.

    Attributes:
        held_out: for each number of ratings given, a measure as [value, low, high]; empty if no user was held out.
        online: how well it predicted the ratings that came while it was live (views, rmse, hit_rate, median_rank);
            None if none came.
    """

    id: int
    created: str
    verdict: str
    reason: str
    live: bool
    held_out: dict[int, dict[str, Any]]
    online: dict[str, Any] | None

    def measure(self, name: str, given: int = SHOWN_GIVEN) -> tuple[float, float, float] | None:
        """Return value and 95 % interval of a measure on the held-out users."""
        found = self.held_out.get(given, {}).get(name)
        if isinstance(found, float):  # coverage, which is not a mean over users
            return found, found, found
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
        head = LINE.format("", "id", "made", "verdict", "NDCG@10", "popular", "RMSE", "views", "RMSE", "hit@10", "rank")
        return "\n".join([head, *map(_line, self.entries), *NOTES])


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
        row.online,
    )


def _line(entry: GenerationEntry) -> str:
    def shown(name: str) -> str:
        found = entry.measure(name)
        return f"{found[0]:.4f}" if found else "-"

    online = ONLINE.format_map(entry.online) if entry.online else "- - - -"
    mark, held_out = "*" if entry.live else "", map(shown, ("NDCG@10", "popularity", "RMSE"))
    return LINE.format(mark, entry.id, entry.created, entry.verdict, *held_out, *online.split())
