"""Finding parameters: a search over the ranker's and the fold-in's settings on ratings that no training sees."""

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

TEST_SHARE = 0.2  # of each user's ratings: the last are the test, the last before them choose
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
    """Ratings to train on, and what their users rated 4 or more in the slice that follows."""

    train: Ratings
    users: Ints
    relevant: list[Ints]

    def quality(self, factors: Factors, engine: Engine) -> dict[str, float]:
        """The measures of the lists that these factors give the users of the slice."""
        lists = build_lists(factors, ratings_by_user(self.train, self.users), LONGEST, engine.lists)
        return list_quality(lists, self.relevant, factors.movies, factors.rating_count)


def validation_and_test(ratings: Ratings) -> tuple[EvaluationSplit, EvaluationSplit]:
    """The slice to choose by, and the later one that the choice is reported on."""
    ordered = sort_by_user_and_time(ratings)
    last = latest_mask(ordered, TEST_SHARE)
    known, test = ordered.take(~last), ordered.take(last)
    chooses = latest_mask(known, TEST_SHARE)
    return (
        EvaluationSplit(known.take(~chooses), *relevant_movies(known.take(chooses))),
        EvaluationSplit(known, *relevant_movies(test)),
    )


@dataclass(frozen=True)
class ParameterSearch:
    """A search around today's settings; the best so far stand in the file `out` after every trial."""

    engine: Engine
    movies: Ints
    today: ModelSettings
    out: Path
    validation: EvaluationSplit
    bases: dict[float, Factors] = field(default_factory=dict)

    def run(self, trials: int, seed: int) -> ModelSettings:
        """Try so many settings, today's first; Ctrl-C ends it after the trial under way, a second one at once."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.enqueue_trial({name: getattr(self.today, name) for name in (*CHOICES, *RANGES)})
        self.engine.start()  # pyspark puts a handler of its own in place, which ours has to follow

        def stop(*_: object) -> None:  # an exception in the middle of Spark's work may get lost there
            log.info("ending after the trial under way; Ctrl-C again ends at once")
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
        if model.like_threshold not in self.bases:  # what no other setting touches: neighbours, popularity, the rater
            base = replace(self.today, like_threshold=model.like_threshold)
            self.bases[model.like_threshold] = self.engine.train(self.validation.train, self.movies, base)
        V, m, C = self.engine.fit_ranker(self.validation.train, self.movies, model)
        factors = replace(self.bases[model.like_threshold], V=V, m=m, C=C, model=model)
        return self.validation.quality(factors, self.engine)["NDCG@10"]


def tune(
    engine: Engine, ratings: Ratings, movies: Ints, today: ModelSettings, out: Path, trials: int, seed: int
) -> ProtocolResult:
    """Search, write the best settings to `out`, and compare them with today's on ratings that chose nothing."""
    validation, test = validation_and_test(ratings)
    if not len(validation.users):
        raise DatasetError("No user rated a movie 4 or more among the ratings to choose by: give a larger dataset.")
    found = ParameterSearch(engine, movies, today, out, validation).run(trials, seed)
    rows: dict[str, Row] = {}
    for name, model in (("today's", today), ("found", found)):
        rows[name] = test.quality(engine.train(test.train, movies, model), engine)
    return ProtocolResult("tune", (seed,), rows, {"users judged": len(test.users)})


def suggested(trial: optuna.Trial, today: ModelSettings) -> dict[str, float]:
    """Return settings to try; what is set today is always within the ranges."""
    found: dict[str, float] = {}
    for name, values in CHOICES.items():
        found[name] = trial.suggest_categorical(name, sorted({*values, getattr(today, name)}))
    for name, (low, high) in RANGES.items():
        now = getattr(today, name)
        found[name] = trial.suggest_float(name, min(low, now or low), max(high, now), log=low > 0)
    return found
