"""Queue a training run and ask when the next one comes, in any process that serves: both are rows in PostgreSQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jobs.phases import PHASE_SHARES
from storage import runs
from storage.database import TRAINING_LOCK, Database


@dataclass(frozen=True)
class TrainingOrders:
    """What the web application may ask of the trainer."""

    database: Database

    @property
    def phases(self) -> Mapping[str, float]:
        """The phases of a training in order, each with its share of the whole."""
        return PHASE_SHARES

    @property
    def next_at(self) -> datetime | None:
        """When the next training comes by itself; None if none does. Raise `DatabaseUnavailableError`."""
        with self.database.statement() as db:
            return runs.announced(db)

    def order(self) -> int | None:
        """Queue a training, though nothing may have changed, and return its run's id.

        Return None if one is queued or under way in any process. Raise `DatabaseUnavailableError`.
        """
        with self.database.transaction() as db:
            return runs.queue(db, "train", TRAINING_LOCK)
