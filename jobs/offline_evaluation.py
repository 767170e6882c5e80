"""Run an evaluation protocol on any dataset, or evaluate a stored generation on the held-out users."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine import Engine
from evaluation.held_out import EvaluationSetting, evaluate_held_out, sample_users
from evaluation.held_out_result import GIVEN_N, HeldOutResult
from evaluation.protocol_result import ProtocolResult, Row, mean
from evaluation.splits import split_held_out
from jobs import cold_start_protocols, protocols
from jobs.ingest import load_base_ratings
from movielens.line_report import DatasetError
from movielens.reader import read_dataset, read_movies
from ranking.ratings import Ints, Ratings
from settings import ModelSettings, Settings
from storage import generations
from storage.database import Database
from storage.errors import NoLiveGenerationError
from system.progress import progress

LIKED = 5.0  # the rating for each pair of user and item
INT32 = 2**31

PROTOCOLS: dict[str, Callable[[Engine, Ratings, Ints, ModelSettings, int], ProtocolResult]] = {
    "temporal": protocols.temporal,
    "random": protocols.random,
    "new-users": cold_start_protocols.new_users,
    "newcomers": cold_start_protocols.newcomers,
    "calendar": protocols.calendar,
    "strong": protocols.strong,
    "steadiness": cold_start_protocols.steadiness,
}


def run_protocol(engine: Engine, name: str, folder: Path, seeds: Sequence[int]) -> ProtocolResult:
    """Run a protocol on the dataset in a folder, once for each seed, and return the mean."""
    ratings, movies = read_dataset(folder)
    model = engine.settings.model_for(len(ratings))
    if name == "cold":
        catalogue = sorted(read_movies(folder)[0], key=lambda movie: movie.movie_id)
        return _for_each(seeds, lambda seed: cold_start_protocols.cold(engine, ratings, catalogue, model, seed))
    return _for_each(seeds, lambda seed: PROTOCOLS[name](engine, ratings, movies, model, seed))


def run_implicit(engine: Engine, train: Path, test: Path, seeds: Sequence[int]) -> ProtocolResult:
    """Run `implicit` on two files of pairs, once for each seed, and return the mean."""
    train_pairs, test_pairs = read_pairs(train), read_pairs(test)
    model = engine.settings.model_for(len(train_pairs))
    return _for_each(seeds, lambda seed: protocols.implicit(engine, train_pairs, test_pairs, model, seed))


def measure_generation(database: Database, settings: Settings, generation_id: int | None) -> ProtocolResult:
    """Evaluate a stored generation on the held-out users, beside the live one if they differ.

    Each row is for a number of given ratings; "low" and "high" are the 95 % bounds of NDCG@10 and RMSE.
    Raises `UnknownGenerationError` and `NoLiveGenerationError`.
    """
    with database.statement() as db:
        live = generations.live_id(db)
    requested = generation_id or live
    if requested is None:
        raise NoLiveGenerationError("no generation is served yet; train first")
    train_ratings, held_out = split_held_out(load_base_ratings(database, settings))
    users = sample_users(held_out)
    rows: dict[str, Row] = {}
    for evaluated_id in dict.fromkeys(filter(None, (requested, live))):
        with database.background_transaction() as db:
            factors = generations.load(db, evaluated_id)
        result = evaluate_held_out(EvaluationSetting(factors, train_ratings), users)
        rows |= {f"{evaluated_id}: n = {n}": _with_intervals(result, g) for g, n in enumerate(GIVEN_N)}
    return ProtocolResult("held-out", (), rows, {"generation": requested, "people": len(np.unique(users.user))})


def _with_intervals(result: HeldOutResult, g: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, estimate in result.estimates(g).items():
        row[name] = estimate.value
        if name in ("NDCG@10", "gain", "gain over recent", "RMSE"):
            row |= {f"{name} low": estimate.low, f"{name} high": estimate.high}
    return row | {"coverage@10": result.measures(g)["coverage@10"]}


def _for_each(seeds: Sequence[int], run: Callable[[int], ProtocolResult]) -> ProtocolResult:
    results = []
    with progress(len(seeds), "evaluating", unit="seed") as advance:
        for seed in seeds:
            results.append(run(seed))
            advance(1)
    return mean(results)


def read_pairs(path: Path) -> Ratings:
    """Return the distinct pairs of user and item of a file as ratings of 5 without times.

    If the first line has a comma or a tab, the first two columns are read; otherwise each line is a user followed by
    their items. Raises `DatasetError`, which names the first unusable line.
    """
    lines = path.read_text("utf-8-sig").splitlines()
    separator = next((mark for mark in (",", "\t") if lines and mark in lines[0]), None)
    pairs: list[tuple[int, int]] = []
    for number, line in enumerate(lines, start=1):
        fields = line.split(separator)[: 2 if separator else None]
        if _whole(fields) and not (separator and len(fields) == 1):
            pairs += [(int(fields[0]), int(item)) for item in fields[1:]]
        elif line.strip() and not (separator and number == 1):  # a first line with columns may be a header
            raise DatasetError(
                f"{path.name}, line {number} is not ids, whole numbers from 0 to {INT32 - 1}: {line[:80]!r}"
            )
    if not pairs:
        raise DatasetError(f"{path} holds no pairs. Give lines of `user item item ...` or two columns of ids.")
    user, item = np.unique(np.array(pairs, np.int32), axis=0).T
    n = len(user)
    return Ratings(user.copy(), item.copy(), np.full(n, LIKED, np.float32), np.zeros(n, np.int64))


def _whole(fields: list[str]) -> bool:
    return all(field.strip().isascii() and field.strip().isdecimal() and int(field) < INT32 for field in fields)
