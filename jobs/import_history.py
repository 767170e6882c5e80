"""Import what one user has watched elsewhere from a file of another service."""

from pathlib import Path
from typing import NamedTuple

from histories.files import LARGEST_FILE
from histories.matching import ImportPlan, plan_import
from histories.reading import History, read_history
from histories.rows import HistoryFileError
from storage import history_import, movies
from storage.database import Database
from storage.user_ratings import WriteCounts


class HistoryImport(NamedTuple):
    """What a file says, what is stored of it, and the counts of ratings and marks."""

    history: History
    plan: ImportPlan
    ratings: WriteCounts
    marks: WriteCounts

    def __str__(self) -> str:
        rated, marked = (
            f"{name} created: {counts.created:,}, replaced: {counts.replaced:,}, unchanged: {counts.unchanged:,}"
            for name, counts in (("ratings", self.ratings), ("marks", self.marks))
        )
        ends = f"series and games: {self.plan.other:,}; rows without a movie: {len(self.plan.unmatched):,}"
        lines = [f"{self.history.format}: {rated}; {marked}; ratings rounded: {self.history.rounded:,}; {ends}"]
        for row, match in self.plan.unmatched:
            lines.append(f"line {row.line}: {row.title[:80]} ({row.year or 'no year'}): {match.reason}")
        return "\n".join(lines)


def import_history(
    database: Database, file: Path, user_id: int, scale: int | None, unrated: str | None, overwrite: bool, dry_run: bool
) -> HistoryImport:
    """Store what a file says for a user, all or nothing. Repeating it changes nothing.

    Raises `HistoryFileError` and `UnknownUserError`.
    """
    with file.open("rb") as opened:
        data = opened.read(LARGEST_FILE + 1)
    try:
        history = read_history(data, scale, unrated)
    except HistoryFileError as error:
        raise HistoryFileError(f"{file}: {error}") from error
    with database.background_transaction() as db:
        plan = plan_import(history, movies.table(db))
        counts = history_import.store(db, user_id, plan.ratings, plan.marks, overwrite, dry_run)
    return HistoryImport(history, plan, *counts)
