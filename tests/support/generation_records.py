"""Generations with invented quality measures, for pages and routes that show them."""

from typing import Any

from handmade_model import two_tastes

from storage import generations, runs
from storage.database import Database


def judged(value: float | None) -> dict[str, Any]:
    """Return the measures of a record, in the form of evaluation.held_out_result."""
    names = ("NDCG@10", "popularity", "gain", "Recall@10", "hit rate@10", "under 25 ratings", "RMSE", "RMSE of means")
    interval = [value, value - 0.1, value + 0.1] if value is not None else [None] * 3
    return {"users": 50.0, "coverage@10": 0.05} | dict.fromkeys(names, interval)


def record(database: Database, details: dict[str, Any], verdict: str = "accepted") -> int:
    """Store a generation with these details and the run that trained it, and return its id."""
    with database.transaction() as db:
        run = runs.begin(db, "train")
        kept = generations.GenerationRecord(run, verdict, "made by hand", "made by hand", details)
        generation = generations.add(db, two_tastes(), kept)
        runs.end(db, run, "published", {"generation": generation})
    return generation
