"""The soak detects a leak, a wrong list and a failing service."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import httpx
import pytest
from footprint import Footprint
from mixed_load import LoadPlan, Tally, run_mixed_load
from verdicts import SoakResult, promises

from catalogue.recommendations import RecommendationList
from health import Health
from jobs.ingest import init_movie_table
from recommender import Recommender
from settings import Settings
from storage.database import Database
from storage.errors import DatabaseUnavailableError

Serve = Callable[..., httpx.Client]
HEALTHY = Footprint(at=0.0, server=200.0, java=700.0, workers=100.0, postgres=60.0, descriptors=40, threads=25)


def soak_result(**at_the_end: float) -> SoakResult:
    """Return ten minutes without failures, in which these measures grow linearly to their values at the end."""
    tally = Tally(Counter({"list": 1000}), seconds=[0.01] * 1000)
    samples = []
    for second in range(0, 600, 2):
        grown = {k: getattr(HEALTHY, k) + (v - getattr(HEALTHY, k)) * second / 600 for k, v in at_the_end.items()}
        samples.append(replace(HEALTHY, at=float(second), **grown))
    return SoakResult(samples, {1: 30.0, 2: 90.0}, tally, lists=10)


def broken_promises(result: SoakResult) -> list[str]:
    return [promise.promised for promise in promises(result) if not promise.kept]


def test_a_soak_without_failures_keeps_every_promise() -> None:
    assert broken_promises(soak_result()) == []
    assert broken_promises(soak_result(server=206.0, descriptors=42, threads=26, java=900.0)) == []


@pytest.mark.parametrize(
    ("grown", "promise"),
    [({"server": 215.0}, "memory"), ({"descriptors": 50}, "descriptors"), ({"threads": 30}, "threads")],
)
def test_a_leak_breaks_its_promise(grown: dict[str, float], promise: str) -> None:
    assert [promise in broken for broken in broken_promises(soak_result(**grown))] == [True]


def test_a_failure_a_wrong_answer_and_a_missing_retrain_each_break_a_promise() -> None:
    well = soak_result()
    failed = replace(well.tally, failed=Counter({"list: 503": 1}))
    wrong = replace(well.tally, wrong=["list: user 1 got []"])
    for bad in (replace(well, tally=failed), replace(well, tally=wrong), replace(well, generations={1: 30.0})):
        assert len(broken_promises(bad)) == 1


@pytest.fixture
def plan(database: Database, settings: Settings, serve: Serve, ready: Health) -> Callable[[Recommender], LoadPlan]:
    """A function that plans a second of load on the dataset of the tests."""
    init_movie_table(database, settings)

    def make(recommender: Recommender) -> LoadPlan:
        port = serve(recommender, ready).base_url.port
        assert port
        return LoadPlan(port, range(1, 41), most_rated=20, clients=4, rate=200, seconds=1.0, v1=True, seed=1)

    return make


def test_the_load_gets_correct_answers_of_every_kind(
    plan: Callable[[Recommender], LoadPlan], database: Database
) -> None:
    tally = run_mixed_load(plan(Recommender(database)))
    assert (tally.failed, tally.wrong) == (Counter(), [])
    assert tally.answers.keys() >= {"rate", "list", "views", "v1 rate", "v1 list", "v1 browse"}


def test_the_load_detects_wrong_lists_and_failures(
    plan: Callable[[Recommender], LoadPlan], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend = Recommender.recommend

    def short_list_or_outage(self: Recommender, user: int) -> RecommendationList:
        return RecommendationList(recommend(self, user).items[:9], "stored") if user % 2 else _database_outage()

    monkeypatch.setattr(Recommender, "recommend", short_list_or_outage)
    tally = run_mixed_load(plan(Recommender(database)))
    assert set(tally.failed) == {"list: 503"}
    assert any("got [" in wrong for wrong in tally.wrong)


def _database_outage() -> NoReturn:
    raise DatabaseUnavailableError("outage")
