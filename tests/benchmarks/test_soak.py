"""The soak sees what it looks for: a leak, a list that is wrong, a service that fails."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import httpx
import pytest
from footprint import Footprint
from mixed_load import LoadPlan, Tally, put_under_load
from verdicts import Soaked, promises

from catalogue.recommendations import RecommendationList
from health import Health
from jobs.ingest import init_movie_table
from recommender import Recommender
from settings import Settings
from storage.database import Database
from storage.errors import DatabaseUnavailableError

Serve = Callable[..., httpx.Client]
WELL = Footprint(at=0.0, server=200.0, java=700.0, workers=100.0, postgres=60.0, descriptors=40, threads=25)


def soaked(**at_the_end: float) -> Soaked:
    """A soak of ten minutes that went well, but that a footprint grew steadily to what it is at the end."""
    tally = Tally(Counter({"list": 1000}), seconds=[0.01] * 1000)
    looks = []
    for second in range(0, 600, 2):
        grown = {k: getattr(WELL, k) + (v - getattr(WELL, k)) * second / 600 for k, v in at_the_end.items()}
        looks.append(replace(WELL, at=float(second), **grown))
    return Soaked(looks, {1: 30.0, 2: 90.0}, tally, lists=10)


def broken(found: Soaked) -> list[str]:
    return [promise.promised for promise in promises(found) if not promise.held]


def test_a_soak_that_went_well_is_told_to_have() -> None:
    assert broken(soaked()) == []
    assert broken(soaked(server=206.0, descriptors=42, threads=26, java=900.0)) == []


@pytest.mark.parametrize(
    ("grown", "told"),
    [({"server": 215.0}, "memory"), ({"descriptors": 50}, "descriptors"), ({"threads": 30}, "threads")],
)
def test_a_leak_is_told(grown: dict[str, float], told: str) -> None:
    assert [told in promise for promise in broken(soaked(**grown))] == [True]


def test_a_failure_a_wrong_answer_and_a_training_that_stands_still_are_told() -> None:
    well = soaked()
    failed = replace(well.tally, failed=Counter({"list: 503": 1}))
    wrong = replace(well.tally, wrong=["list: user 1 got []"])
    for bad in (replace(well, tally=failed), replace(well, tally=wrong), replace(well, generations={1: 30.0})):
        assert len(broken(bad)) == 1


@pytest.fixture
def plan(database: Database, settings: Settings, serve: Serve, ready: Health) -> Callable[[Recommender], LoadPlan]:
    """A second of load on the checkerboard."""
    init_movie_table(database, settings)

    def make(recommender: Recommender) -> LoadPlan:
        port = serve(recommender, ready).base_url.port
        assert port
        return LoadPlan(port, range(1, 41), most_rated=20, clients=4, rate=200, seconds=1.0, v1=True, seed=1)

    return make


def test_the_load_gets_right_answers_of_every_kind(plan: Callable[[Recommender], LoadPlan], database: Database) -> None:
    tally = put_under_load(plan(Recommender(database)))
    assert (tally.failed, tally.wrong) == (Counter(), [])
    assert tally.answers.keys() >= {"rate", "list", "views", "v1 rate", "v1 list", "v1 browse"}


def test_the_load_notices_wrong_lists_and_failures(
    plan: Callable[[Recommender], LoadPlan], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend = Recommender.recommend

    def short_or_away(self: Recommender, user: int) -> RecommendationList:
        return RecommendationList(recommend(self, user).items[:9], "stored") if user % 2 else _away()

    monkeypatch.setattr(Recommender, "recommend", short_or_away)
    tally = put_under_load(plan(Recommender(database)))
    assert set(tally.failed) == {"list: 503"}
    assert any("got [" in wrong for wrong in tally.wrong)


def _away() -> NoReturn:
    raise DatabaseUnavailableError("away")
