"""What to store of a history: one rating or mark for each movie that was found, and the rows that were not."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from catalogue.movie_table import MovieTable
from histories.matching import MovieMatcher, RowMatch
from histories.reading import History
from histories.rows import HistoryRow

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class ImportPlan:
    """Rows by movie, those with a rating and those with a mark; rows without a movie, with what was found."""

    ratings: dict[int, HistoryRow] = field(default_factory=dict)
    marks: dict[int, HistoryRow] = field(default_factory=dict)
    unmatched: list[tuple[HistoryRow, RowMatch]] = field(default_factory=list)
    other: int = 0


def plan_import(history: History, movies: MovieTable) -> ImportPlan:
    """Return what to store. Of several rows of a movie the latest stays, and a rating rather than a mark."""
    plan, matcher = ImportPlan(), MovieMatcher(movies)
    for row in history.rows:
        match = matcher.match(row)
        if match.movie_id is None and not row.is_movie:
            plan.other += 1
        elif match.movie_id is None or row.fault:
            plan.unmatched.append((row, match._replace(reason=row.fault or match.reason)))
        elif row.rating is not None:
            _keep_latest(plan.ratings, match.movie_id, row)
        elif row.mark:
            _keep_latest(plan.marks, match.movie_id, row)
    for movie_id in plan.ratings:
        plan.marks.pop(movie_id, None)
    return plan


def _keep_latest(kept: dict[int, HistoryRow], movie_id: int, row: HistoryRow) -> None:
    before = kept.get(movie_id)
    if before is None or _order(row) >= _order(before):
        kept[movie_id] = row


def _order(row: HistoryRow) -> tuple[bool, datetime]:
    return row.mark != "later", row.at or LONG_AGO
