"""How good the answers have been: every generation on the held-out people and on the views that came after it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sqlalchemy import Row

from evaluation.baselines import explicit_als, half_step
from evaluation.held_out import evaluate_held_out, sample_users
from evaluation.held_out_result import GIVEN_N
from evaluation.splits import split_held_out
from jobs.ingest import load_base_ratings
from ranking.batch_lists import RankFunction
from ranking.factors import Factors
from ranking.rating_histories import Histories
from ranking.ratings import Floats, Ints, Ratings
from ranking.top_n import top_n
from settings import Settings
from storage import generations, predictions
from storage.database import Database

MOST_RATINGS = 2_000_000
SHOWN_GIVEN = 10  # how many ratings the held-out people had given in the columns that have room for one number


@dataclass(frozen=True)
class OnlineQuality:
    """What a generation foretold of the views that came after it."""

    views: int
    rmse: float
    hit_rate: float
    median_rank: float


@dataclass(frozen=True)
class GenerationEntry:
    """A generation in the report.

    Attributes:
        held_out: for each number of ratings given, a measure as [value, low, high]; empty if nobody was held out.
        online: None if no view came while it served.
    """

    id: int
    created: str
    verdict: str
    reason: str
    live: bool
    held_out: dict[int, dict[str, Any]]
    online: OnlineQuality | None

    def measure(self, name: str, given: int = SHOWN_GIVEN) -> tuple[float, float, float] | None:
        """Value and 95 % interval of a measure on the held-out people."""
        found = self.held_out.get(given, {}).get(name)
        if not found or any(number is None for number in found):
            return None
        return found[0], found[1], found[2]


@dataclass(frozen=True)
class QualityReport:
    """Generations, oldest first; views beside what was foretold of them; and the model that came before this one.

    Attributes:
        calibration: (expected rating, rating) for each view of `foretold`, float32 [n, 2].
        replaced: NDCG@10 of the model that came before, for each number of ratings given; None if nobody is held out.
    """

    entries: list[GenerationEntry]
    calibration: Floats
    replaced: dict[int, float] | None

    def __str__(self) -> str:
        head = (
            f"{'':>2}{'id':>5}  {'made':<16}  {'verdict':<8}  {'NDCG@10':>8} {'popular':>8} {'RMSE':>6} {'views':>7} "
        )
        return "\n".join([head + f"{'RMSE':>6} {'hit@10':>6} {'rank':>6}", *map(_line, self.entries), *self._notes()])

    def _notes(self) -> list[str]:
        return [
            f"NDCG@10, popularity and the first RMSE: of people held out from training who had given {SHOWN_GIVEN} ratings.",
            "views and what follows: each new view compared with what the live generation foretold of it.",
        ]


def report(database: Database, settings: Settings, limit: int) -> QualityReport:
    """Everything known of the newest generations."""
    with database.statement() as db:
        rows = generations.recent(db, limit)
        calibration = predictions.calibration_points(db)
        live = generations.live_id(db)
    entries = [_entry(row) for row in reversed(rows)]
    replaced = None
    if live is not None:
        with database.background_transaction() as db:
            replaced = previous_model_ndcg(generations.load(db, live), load_base_ratings(database, settings).ratings)
    return QualityReport(entries, calibration, replaced)


def previous_model_ndcg(factors: Factors, base: Ratings) -> dict[int, float] | None:
    """NDCG@10 of the model that came before, an explicit ALS ranked by predicted rating, on the held-out people.

    None where nobody is held out, and for a base too large to train that model again in a report.
    """
    train_ratings, held_out = split_held_out(base)
    if len(held_out) == 0 or len(train_ratings) > MOST_RATINGS:
        return None
    found = evaluate_held_out(factors, sample_users(held_out), factors.popular, by_predicted_rating(train_ratings))
    return {n: float(np.nanmean(found.ndcg[:, g])) for g, n in enumerate(GIVEN_N)}


def by_predicted_rating(train_ratings: Ratings) -> RankFunction:
    """A `RankFunction` that folds a user into an explicit ALS of rank 8 and lists the highest predictions."""
    movies, movie = np.unique(train_ratings.movie, return_inverse=True)
    users, user = np.unique(train_ratings.user, return_inverse=True)
    _, Q = explicit_als(user, movie, train_ratings.rating, (len(users), len(movies)), seed=1)

    def rank(_: Factors, people: Histories, n: int) -> tuple[Ints, Ints, Floats]:
        lists = [_highest(movies, Q, people, at, n) for at in range(len(people))]
        shown = np.concatenate([*lists, np.empty(0, np.int32)]).astype(np.int32)
        return np.repeat(people.user, [len(movies) for movies in lists]), shown, np.zeros(len(shown), np.float32)

    return rank


def _highest(movies: Ints, Q: Floats, people: Histories, at: int, n: int) -> Ints:
    told = slice(people.start[at], people.start[at + 1])
    rows = np.searchsorted(movies, people.movies[told])
    known = movies[np.minimum(rows, len(movies) - 1)] == people.movies[told]
    rows, rating = rows[known], people.rating[told][known]
    p = half_step(sparse.csr_matrix((rating, rows, [0, len(rows)]), (1, len(movies))), Q)[0]
    return movies[top_n((Q @ p).astype(np.float32), n, rows, np.ones(len(movies), bool))]


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
