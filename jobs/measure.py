"""Measurements that an operator asks for: a protocol on any dataset, or a stored generation on the held-out people."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine import Engine, Progress
from jobs import evaluate
from jobs.ingest import load_base
from jobs.pairs import read_pairs
from runtime.movielens import read_movies, read_ratings
from runtime.progress import progress
from scoring.evaluation import Result, mean
from scoring.holdout import judge, sample
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


def read_folder(folder: Path) -> tuple[Ratings, Ints]:
    """The ratings of a MovieLens folder and its film ids, ascending. Raises `DatasetError`."""
    films = np.array(sorted(movie.movie_id for movie in read_movies(folder)[0]), np.int32)
    return read_ratings(folder, films.tolist())[0], films


def run_protocol(engine: Engine, name: str, folder: Path, seeds: Sequence[int]) -> Result:
    """A protocol on the set in this folder, once for each seed; the mean of the runs."""
    ratings, films = read_folder(folder)
    return _for_each(
        seeds, lambda seed: PROTOCOLS[name](engine, ratings, films, engine.settings.model, seed, lambda *_: None)
    )


def run_implicit(engine: Engine, train: Path, test: Path, seeds: Sequence[int]) -> Result:
    """Recall@20 and NDCG@20 on two files of pairs, once for each seed; the mean of the runs."""
    learned, asked = read_pairs(train), read_pairs(test)
    return _for_each(
        seeds, lambda seed: evaluate.implicit(engine, learned, asked, engine.settings.model, seed, lambda *_: None)
    )


def measure_generation(database: Database, settings: Settings, generation_id: int | None) -> Result:
    """A stored generation, or the live one, on the people who are held out from every training.

    Raises `UnknownGenerationError` and `NothingServedError`.
    """
    with database.statement() as db:
        wanted = generation_id or generations.live_id(db)
    if wanted is None:
        raise NothingServedError("no generation is served yet; train first")
    with database.transaction() as db:
        factors = generations.load(db, wanted)
    _, judges = judges_apart(load_base(database, settings).ratings)
    found = judge(factors, sample(judges), factors.rating_count.astype(np.float32))
    facts = {"generation": wanted, "people": len(found.users)}
    return Result("held-out", (factors.model.seed,), evaluate.by_given(found), facts)


def _for_each(seeds: Sequence[int], run: Callable[[int], Result]) -> Result:
    results = []
    with progress(len(seeds), "evaluating", unit="seed") as advance:
        for seed in seeds:
            results.append(run(seed))
            advance(1)
    return mean(results)
