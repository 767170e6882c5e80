"""Count used and rejected lines of a dataset's file; the errors for unusable lines and datasets."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from settings import OperatorError

MAX_SHOWN = 10
MAX_REJECTED_SHARE = 0.01
DUPLICATE_RATING = "an older rating of the same movie by the same user"


class DatasetError(OperatorError):
    """A dataset cannot be downloaded or used; the message says why and what to do."""


class LineError(ValueError):
    """A line cannot be used; the message is the reason, and in a dataset it is equal for all lines with this reason."""


@dataclass
class LineReport:
    """The numbers of lines read, kept and rejected (by reason), and the first ten rejected lines as (line, reason).

    Empty lines are not counted. Line numbers start at 1 and include the header.
    """

    file: str
    read: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: list[tuple[int, str]] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        return self.reasons.total()

    def reject(self, reason: str, lines: Iterable[int]) -> None:
        """Count these lines as rejected for a reason."""
        numbers = sorted(lines)
        if numbers:
            self.reasons[reason] += len(numbers)
            self.first = sorted(self.first + [(number, reason) for number in numbers[:MAX_SHOWN]])[:MAX_SHOWN]

    def raise_if_malformed(self) -> None:
        """Raise `DatasetError` if more than 1 % of the lines are malformed; duplicate ratings are not malformed."""
        malformed = self.rejected - self.reasons[DUPLICATE_RATING]
        if malformed > MAX_REJECTED_SHARE * self.read:
            raise DatasetError(
                f"{malformed:,} of the {self.read:,} lines of {self.file} cannot be used, more than 1 %. "
                f"{'; '.join(self.lines()[1:])}. Is it a whole file of an unchanged MovieLens dataset?"
            )

    def lines(self) -> list[str]:
        """Return the report as log lines: the totals, each reason with its count, the first rejected lines."""
        totals = f"{self.file}: {self.read:,} lines read, {self.kept:,} kept, {self.rejected:,} rejected"
        counts = [f"{count:,} times: {reason}" for reason, count in self.reasons.most_common()]
        return [totals, *counts, *(f"{self.file}, line {line}: {reason}" for line, reason in self.first)]

    def __str__(self) -> str:
        return "\n".join(self.lines())
