"""Evaluations for an operator: a protocol on any dataset, or a stored generation on the held-out users."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine import Engine
from evaluation.held_out import evaluate_held_out, sample_users
from evaluation.held_out_result import GIVEN_N, HeldOutResult
from evaluation.protocol_result import ProtocolResult, Row, mean
from evaluation.splits import split_held_out
from jobs import new_user_protocols, protocols
from jobs.cold_protocol import cold
from jobs.ingest import load_base_ratings
from jobs.pairs import read_pairs
from movielens.reader import read_dataset, read_movies
from ranking.ratings import Ints, Ratings
from settings import ModelSettings, Settings
from storage import generations
from storage.database import Database
from storage.errors import NoLiveGenerationError
from system.progress import progress

PROTOCOLS: dict[str, Callable[[Engine, Ratings, Ints, ModelSettings, int], ProtocolResult]] = {
    "temporal": protocols.temporal,
    "random": protocols.random,
    "new-users": new_user_protocols.new_users,
    "newcomers": new_user_protocols.newcomers,
    "calendar": protocols.calendar,
    "strong": protocols.strong,
    "steadiness": new_user_protocols.steadiness,
}


def run_protocol(engine: Engine, name: str, folder: Path, seeds: Sequence[int]) -> ProtocolResult:
    """Run a protocol on the dataset in this folder, once for each seed, and return the mean."""
    ratings, movies = read_dataset(folder)
    model = engine.settings.model_for(len(ratings))
    if name == "cold":
        catalogue = sorted(read_movies(folder)[0], key=lambda movie: movie.movie_id)
        return _for_each(seeds, lambda seed: cold(engine, ratings, catalogue, model, seed))
    return _for_each(seeds, lambda seed: PROTOCOLS[name](engine, ratings, movies, model, seed))


def run_implicit(engine: Engine, train: Path, test: Path, seeds: Sequence[int]) -> ProtocolResult:
    """Run `implicit` on two files of pairs, once for each seed, and return the mean."""
    learned, asked = read_pairs(train), read_pairs(test)
    model = engine.settings.model_for(len(learned))
    return _for_each(seeds, lambda seed: protocols.implicit(engine, learned, asked, model, seed))


def measure_generation(database: Database, settings: Settings, generation_id: int | None) -> ProtocolResult:
    """Evaluate a stored generation on the held-out users, beside the live one if it is another.

    Each row is for one number of ratings given; "low" and "high" bound NDCG@10, and RMSE, with 95 %.
    Raises `UnknownGenerationError` and `NoLiveGenerationError`.
    """
    with database.statement() as db:
        live = generations.live_id(db)
    asked = generation_id or live
    if asked is None:
        raise NoLiveGenerationError("no generation is served yet; train first")
    train_ratings, held_out = split_held_out(load_base_ratings(database, settings).ratings)
    users = sample_users(held_out)
    rows: dict[str, Row] = {}
    for one in dict.fromkeys(filter(None, (asked, live))):
        with database.background_transaction() as db:
            factors = generations.load(db, one)
        found = evaluate_held_out(factors, train_ratings, users)
        rows |= {f"{one}: n = {n}": _with_intervals(found, g) for g, n in enumerate(GIVEN_N)}
    return ProtocolResult("held-out", (), rows, {"generation": asked, "people": len(np.unique(users.user))})


def _with_intervals(found: HeldOutResult, g: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, estimate in found.estimates(g).items():
        row[name] = estimate.value
        if name in ("NDCG@10", "gain", "gain over recent", "RMSE"):
            row |= {f"{name} low": estimate.low, f"{name} high": estimate.high}
    return row | {"coverage@10": found.measures(g)["coverage@10"]}


def _for_each(seeds: Sequence[int], run: Callable[[int], ProtocolResult]) -> ProtocolResult:
    results = []
    with progress(len(seeds), "evaluating", unit="seed") as advance:
        for seed in seeds:
            results.append(run(seed))
            advance(1)
    return mean(results)
