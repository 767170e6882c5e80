"""Finding parameters: a search over the ranker's and the fold-in's settings on ratings that no training sees."""

import logging
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

import optuna

from engine import Engine
from evaluation.protocol_result import LONGEST, ProtocolResult, Row, list_quality
from evaluation.splits import latest_mask, sort_by_user_and_time
from jobs.protocols import relevant_movies
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


@dataclass
class ParameterSearch:
    """A search under way; `best` is what has been found so far, and stands in the file `out` after every trial."""

    engine: Engine
    movies: Ints
    today: ModelSettings
    out: Path
    validation: EvaluationSplit
    best: ModelSettings
    best_score: float = -1.0
    bases: dict[float, Factors] = field(default_factory=dict)

    def run(self, trials: int, seed: int) -> None:
        """Try so many settings, today's first; Ctrl-C ends it after the trial under way, a second one at once."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.enqueue_trial({name: getattr(self.today, name) for name in (*CHOICES, *RANGES)})
        self.engine.start()  # pyspark puts a handler of its own in place, which ours has to follow

        def stop(*_: object) -> None:  # an exception in the middle of Spark's work may get lost there
            log.info("ending after the trial under way; Ctrl-C again ends at once")
            signal.signal(signal.SIGINT, signal.default_int_handler)
            study.stop()

        before = signal.signal(signal.SIGINT, stop)
        try:
            with progress(trials, "searching", unit="trial") as advance:
                study.optimize(self._try, trials, callbacks=[lambda *_: advance(1)])  # type: ignore[list-item]
        finally:
            signal.signal(signal.SIGINT, before)
        write_atomically(self.out, dump(self.best).encode())

    def _try(self, trial: optuna.Trial) -> float:
        params = suggested(trial, self.today)
        model = replace(self.today, **params)  # type: ignore[arg-type]
        V, m, C = self.engine.fit_ranker(self.validation.train, self.movies, model)
        factors = replace(self._base(model.like_threshold), V=V, m=m, C=C, model=model)
        score = self.validation.quality(factors, self.engine)["NDCG@10"]
        if score > self.best_score:
            self.best, self.best_score = model, score
            write_atomically(self.out, dump(model).encode())
            log.info("NDCG@10 %.4f with %s", score, params)
        return score

    def _base(self, like_threshold: float) -> Factors:
        """What no other setting of the search touches: neighbours, popularity and the rater."""
        if like_threshold not in self.bases:
            model = replace(self.today, like_threshold=like_threshold)
            self.bases[like_threshold] = self.engine.train(self.validation.train, self.movies, model)
        return self.bases[like_threshold]


def tune(
    engine: Engine, ratings: Ratings, movies: Ints, today: ModelSettings, out: Path, trials: int, seed: int
) -> ProtocolResult:
    """Search, write the best settings to `out`, and compare them with today's on ratings that chose nothing."""
    validation, test = validation_and_test(ratings)
    search = ParameterSearch(engine, movies, today, out, validation, today)
    search.run(trials, seed)
    rows: dict[str, Row] = {}
    for name, model in (("today's", today), ("found", search.best)):
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
