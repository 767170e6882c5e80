"""Finding parameters: a search over the ranker's and the fold-in's settings on ratings that no training sees."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna

from engine import Engine
from jobs.evaluate import relevant_films
from runtime.progress import progress
from scoring.evaluation import LONGEST, Result, Row, list_quality
from scoring.factors import Factors
from scoring.many import lists_of, of_each
from scoring.ratings import Ints, Ratings
from scoring.splits import in_order, latest
from settings import ModelSettings, dump

log = logging.getLogger(__name__)

SLICE = 0.2  # of each user's ratings: the last are the test, the last before them choose


@dataclass(frozen=True)
class Slice:
    """Ratings to train on, and what their users rated 4 or more in the slice that follows."""

    train: Ratings
    users: Ints
    relevant: list[Ints]

    def quality(self, factors: Factors, engine: Engine) -> dict[str, float]:
        """The measures of the lists that these factors give the users of the slice."""
        lists = lists_of(factors, of_each(self.train, self.users), LONGEST, engine.lists)
        return list_quality(lists, self.relevant, factors.films, factors.rating_count)


def slices(ratings: Ratings) -> tuple[Slice, Slice]:
    """The slice to choose by, and the later one that the choice is reported on."""
    ordered = in_order(ratings)
    last = latest(ordered, SLICE)
    known, test = ordered.take(~last), ordered.take(last)
    chooses = latest(known, SLICE)
    return (
        Slice(known.take(~chooses), *relevant_films(known.take(chooses))),
        Slice(known, *relevant_films(test)),
    )


@dataclass
class Search:
    """A search under way; `best` is always what has been found so far, and on disk."""

    engine: Engine
    films: Ints
    today: ModelSettings
    out: Path
    chooser: Slice
    base: Factors
    best: ModelSettings = field(init=False)
    best_score: float = -1.0

    def __post_init__(self) -> None:
        self.best = self.today

    def run(self, trials: int, seed: int) -> None:
        """Try so many settings, today's first; Ctrl-C ends it early with what it has."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.enqueue_trial({name: getattr(self.today, name) for name in SPACE})
        with progress(trials, "searching", unit="trial") as advance, suppress(KeyboardInterrupt):
            for _ in range(trials):
                study.optimize(self._try, n_trials=1)
                advance(1)

    def _try(self, trial: optuna.Trial) -> float:
        model = replace(self.today, **{name: choose(trial, name) for name, choose in SPACE.items()})
        V, m, C = self.engine.fit_ranker(self.chooser.train, self.films, model, lambda *_: None)
        factors = replace(self.base, V=V, m=m, C=C, model=model)
        score = self.chooser.quality(factors, self.engine)["NDCG@10"]
        if score > self.best_score:
            self.best, self.best_score = model, score
            write(self.out, model)
            log.info("NDCG@10 %.4f with %s", score, {name: getattr(model, name) for name in SPACE})
        return score


def tune(
    engine: Engine, ratings: Ratings, films: Ints, today: ModelSettings, out: Path, trials: int, seed: int
) -> Result:
    """Search, write the best settings to `out`, and compare them with today's on ratings that chose nothing."""
    chooser, test = slices(ratings)
    # the rater does not rank and the neighbours have their own settings: they are fitted once for all trials
    base = engine.train(chooser.train, films, today, lambda *_: None)
    search = Search(engine, films, today, out, chooser, base)
    search.run(trials, seed)
    rows: dict[str, Row] = {}
    for name, model in (("today's", today), ("found", search.best)):
        factors = engine.train(test.train, films, model, lambda *_: None)
        rows[name] = test.quality(factors, engine)
    return Result("tune", (seed,), rows, {"users judged": len(test.users)})


def write(out: Path, model: ModelSettings) -> None:
    """Put the settings in place whole, so that a reader never sees a half."""
    part = out.with_name(f"{out.name}.part")
    part.write_text(dump(model))
    os.replace(part, out)


SPACE: dict[str, Callable[[optuna.Trial, str], Any]] = {
    "ranker_rank": lambda trial, name: trial.suggest_categorical(name, [16, 32, 64, 96, 128]),
    "ranker_reg": lambda trial, name: trial.suggest_float(name, 0.005, 1.0, log=True),
    "ranker_alpha": lambda trial, name: trial.suggest_float(name, 0.02, 20.0, log=True),
    "like_threshold": lambda trial, name: trial.suggest_categorical(name, [3.0, 3.5, 4.0]),
    "noise": lambda trial, name: trial.suggest_float(name, 0.01, 1.0, log=True),
    "plain_weight": lambda trial, name: trial.suggest_float(name, 0.0, 1.0),
    "neighbour_weight": lambda trial, name: trial.suggest_float(name, 0.0, 1.5),
}
