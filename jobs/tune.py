"""Tune the hyperparameters of the ranker and the fold-in on a validation split."""

import logging
import signal
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import optuna

from engine import Engine
from evaluation.protocol_result import LONGEST, ProtocolResult, Row, list_quality
from evaluation.splits import latest_mask, sort_by_user_and_time
from jobs.protocols import relevant_movies
from movielens.line_report import DatasetError
from ranking.batch_lists import build_lists, ratings_by_user
from ranking.factors import Factors
from ranking.ratings import Ints, Ratings
from settings import ModelSettings, dump
from system.disk import write_atomically
from system.progress import progress

log = logging.getLogger(__name__)

TEST_SHARE = 0.2  # of each user's ratings: the latest are the test split, the latest before them the validation split
CHOICES = {"ranker_rank": (16, 32, 64, 96, 128), "like_threshold": (3.0, 3.5, 4.0)}
RANGES = {
    "ranker_reg": (0.005, 1.0),
    "ranker_alpha": (0.02, 20.0),
    "noise": (0.01, 1.0),
    "plain_weight": (0.0, 1.0),
    "neighbour_weight": (0.0, 2.5),
}


@dataclass(frozen=True)
class EvaluationSplit:
    """Training ratings, and the movies that their users rated 4 or more in the following split."""

    train: Ratings
    users: Ints
    relevant: list[Ints]

    def quality(self, factors: Factors, engine: Engine) -> dict[str, float]:
        """Return the measures of the lists by these factors for the users of the split."""
        lists = build_lists(factors, ratings_by_user(self.train, self.users), LONGEST, engine.lists)
        return list_quality(lists, self.relevant, factors.movies, factors.rating_count)


def validation_and_test(ratings: Ratings) -> tuple[EvaluationSplit, EvaluationSplit]:
    """Return the validation split, and the later test split."""
    ordered = sort_by_user_and_time(ratings)
    last = latest_mask(ordered, TEST_SHARE)
    known, test = ordered.take(~last), ordered.take(last)
    validation = latest_mask(known, TEST_SHARE)
    return (
        EvaluationSplit(known.take(~validation), *relevant_movies(known.take(validation))),
        EvaluationSplit(known, *relevant_movies(test)),
    )


@dataclass(frozen=True)
class ParameterSearch:
    """A search around today's settings; the file `out` has the best settings so far after every trial."""

    engine: Engine
    movies: Ints
    today: ModelSettings
    out: Path
    validation: EvaluationSplit
    bases: dict[float, Factors] = field(default_factory=dict)

    def run(self, trials: int, seed: int) -> ModelSettings:
        """Return the best settings of `trials`, beginning with today's. Ctrl-C ends after this trial, twice at once."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.enqueue_trial({name: getattr(self.today, name) for name in (*CHOICES, *RANGES)})
        self.engine.start()  # pyspark installs its own signal handler, so install ours later

        def stop(*_: object) -> None:  # Spark may swallow an exception
            log.info("the search ends after this trial; Ctrl-C again ends it at once")
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with suppress(RuntimeError):  # before the first trial, or after the last
                study.stop()

        before = signal.signal(signal.SIGINT, stop)
        try:
            with progress(trials, "searching", unit="trial") as advance:
                study.optimize(self._try, trials, callbacks=[self._keep_best, lambda *_: advance(1)])  # type: ignore[list-item]
        finally:
            signal.signal(signal.SIGINT, before)
        return replace(self.today, **study.best_params)

    def _keep_best(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if study.best_trial.number == trial.number:
            write_atomically(self.out, dump(replace(self.today, **trial.params)).encode())
            log.info("NDCG@10 %.4f with %s", trial.value, trial.params)

    def _try(self, trial: optuna.Trial) -> float:
        model = replace(self.today, **suggested(trial, self.today))  # type: ignore[arg-type]
        if model.like_threshold not in self.bases:  # other settings change only the ranker
            base = replace(self.today, like_threshold=model.like_threshold)
            self.bases[model.like_threshold] = self.engine.train(self.validation.train, self.movies, base)
        V, m, C = self.engine.fit_ranker(self.validation.train, self.movies, model)
        factors = replace(self.bases[model.like_threshold], V=V, m=m, C=C, model=model)
        return self.validation.quality(factors, self.engine)["NDCG@10"]


def tune(
    engine: Engine, ratings: Ratings, movies: Ints, today: ModelSettings, out: Path, trials: int, seed: int
) -> ProtocolResult:
    """Search, write the best settings to `out`, and compare them with today's on the test split."""
    validation, test = validation_and_test(ratings)
    if not len(validation.users):
        raise DatasetError("No user rated a movie 4 or more in the validation split: give a larger dataset.")
    found = ParameterSearch(engine, movies, today, out, validation).run(trials, seed)
    rows: dict[str, Row] = {}
    for name, model in (("today's", today), ("found", found)):
        rows[name] = test.quality(engine.train(test.train, movies, model), engine)
    return ProtocolResult("tune", (seed,), rows, {"users judged": len(test.users)})


def suggested(trial: optuna.Trial, today: ModelSettings) -> dict[str, float]:
    """Return settings to try; the ranges always include today's settings."""
    chosen: dict[str, float] = {}
    for name, values in CHOICES.items():
        chosen[name] = trial.suggest_categorical(name, sorted({*values, getattr(today, name)}))
    for name, (low, high) in RANGES.items():
        now = getattr(today, name)
        chosen[name] = trial.suggest_float(name, min(low, now or low), max(high, now), log=low > 0)
    return chosen
