"""Measurements that an operator asks for: a protocol on any dataset, or a stored generation on the held-out people."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine import Engine, Progress
from jobs import evaluate
from jobs.ingest import load_base
from jobs.pairs import read_pairs
from runtime.movielens import read_set
from runtime.progress import progress
from scoring.evaluation import Result, Row, mean
from scoring.holdout import judge, sample
from scoring.judgement import GIVEN, Judgement
from scoring.many import counted
from scoring.metrics import RELEVANT
from scoring.ratings import Ints, Ratings
from scoring.splits import judges_apart
from settings import ModelSettings, Settings
from storage import generations
from storage.database import Database
from storage.errors import NothingServedError

PROTOCOLS: dict[str, Callable[[Engine, Ratings, Ints, ModelSettings, int, Progress], Result]] = {
    "temporal": evaluate.temporal,
    "random": evaluate.random,
    "new-users": evaluate.new_users,
    "newcomers": evaluate.newcomers,
    "steadiness": evaluate.steadiness,
}


def run_protocol(engine: Engine, name: str, folder: Path, seeds: Sequence[int]) -> Result:
    """A protocol on the set in this folder, once for each seed; the mean of the runs."""
    ratings, films = read_set(folder)
    model = engine.settings.model_for(len(ratings))
    return _for_each(seeds, lambda seed: PROTOCOLS[name](engine, ratings, films, model, seed, lambda *_: None))


def run_implicit(engine: Engine, train: Path, test: Path, seeds: Sequence[int]) -> Result:
    """Recall@20 and NDCG@20 on two files of pairs, once for each seed; the mean of the runs."""
    learned, asked = read_pairs(train), read_pairs(test)
    return _for_each(
        seeds, lambda seed: evaluate.implicit(engine, learned, asked, engine.settings.model, seed, lambda *_: None)
    )


def measure_generation(database: Database, settings: Settings, generation_id: int | None) -> Result:
    """A stored generation on the people who are held out from every training, beside the live one if it is another.

    Each row is for one number of ratings given; "low" and "high" bound NDCG@10, and RMSE, with 95 %.
    Raises `UnknownGenerationError` and `NothingServedError`.
    """
    with database.statement() as db:
        live = generations.live_id(db)
    asked = generation_id or live
    if asked is None:
        raise NothingServedError("no generation is served yet; train first")
    learners, judges = judges_apart(load_base(database, settings).ratings)
    people = sample(judges)
    rows: dict[str, Row] = {}
    for one in dict.fromkeys(filter(None, (asked, live))):
        with database.unhurried() as db:
            factors = generations.load(db, one)
        found = judge(factors, people, counted(learners, factors.films, RELEVANT))
        rows |= {f"{one}: n = {n}": _with_intervals(found, g) for g, n in enumerate(GIVEN)}
    return Result("held-out", (), rows, {"generation": asked, "people": len(np.unique(people.user))})


def _with_intervals(found: Judgement, g: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, estimate in found.estimates(g).items():
        row[name] = estimate.value
        if name in ("NDCG@10", "gain", "RMSE"):
            row |= {f"{name} low": estimate.low, f"{name} high": estimate.high}
    return row | {"coverage@10": found.measures(g)["coverage@10"]}


def _for_each(seeds: Sequence[int], run: Callable[[int], Result]) -> Result:
    results = []
    with progress(len(seeds), "evaluating", unit="seed") as advance:
        for seed in seeds:
            results.append(run(seed))
            advance(1)
    return mean(results)
