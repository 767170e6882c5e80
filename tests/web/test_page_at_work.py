"""The page in a real Chromium: how it is made, what goes wrong, and what operators do there."""

import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from browser import (
    MISSING,
    BrowserSession,
    accessibility_violations,
    chromium,
    give,
    movies_to_rate,
    next_movies,
    search,
    strategy,
)
from conftest import MOVIES, USERS, checkerboard, write_dataset
from disposable_postgres import disposable_postgres
from generation_records import judged, record
from handmade_model import IDS, fill_catalogue, flip, new_user, publish, store_generation, two_tastes
from playwright.sync_api import Locator, expect
from processes import poll, service

from app import create_app
from health import Health
from jobs.experiments import update_results
from jobs.refresh import refresh
from ranking.experiment import Experiment
from ranking.ratings import Ratings
from recommender import Recommender
from settings import ROOT, Settings
from storage.database import Database
from storage.experiments import run, start
from system.process_metrics import EachSecond
from web.v1.generation_routes import DATA_EXAMPLE

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason=MISSING),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
MOST_BYTES = 90_000
TRANSFERRED = """
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .reduce((sum, each) => sum + each.transferSize, 0)
"""
REQUESTED = """
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter((each) => each.transferSize > 0).length
"""
API_KEY, ADMIN_KEY = "a-key-for-the-page", "the-key-of-operators"
Serve = Callable[..., httpx.Client]


# how it is made


def test_it_is_small_and_asks_nobody_else(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    expect(next_movies(page)).to_have_count(10)
    page.wait_for_load_state("networkidle")
    page.goto(f"{page_url}#/engine")
    expect(page.get_by_role("region", name="Parts")).to_contain_text("ready")
    assert 20_000 < page.evaluate(TRANSFERRED) < MOST_BYTES  # with all headers and answers of the API
    files = [file for file in (ROOT / "web/static").rglob("*") if file.is_file()]
    asked = {address.split("/", 5)[-1] for address in visits.asked if "/static/v-" in address}
    assert {str(file.relative_to(ROOT / "web/static")) for file in files} - asked <= {"index.html"}
    page.goto(page_url)
    page.reload()  # the second visit
    expect(next_movies(page)).to_have_count(10)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(REQUESTED) <= 8


def test_only_what_is_ours_may_run_in_it(page_url: str) -> None:
    answer = httpx.get(page_url)
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?! type=\"module\" src=)|<style| style=| on\w+=", answer.text)
    found = re.search(r"static/v-\w+/js/main.js", answer.text)
    assert found
    assert httpx.get(page_url + found[0]).headers["cache-control"] == "public, max-age=31536000, immutable"
    old = httpx.get(f"{page_url}static/v-of-before/js/main.js")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache, max-age=0")
    script = f"{page_url}static/js/main.js"
    kept = httpx.get(script, headers={"If-None-Match": httpx.get(script).headers["etag"]})
    assert kept.status_code == 304
    plain, small = (httpx.get(script, headers={"Accept-Encoding": name}) for name in ("identity", "gzip"))
    assert (plain.headers.get("content-encoding"), small.headers["content-encoding"]) == (None, "gzip")
    assert plain.content == small.content
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert httpx.get(f"{page_url}static/%2e%2e/pages.py").status_code == 404


def test_the_engine_room_shows_what_people_got_and_did(
    page_url: str, trained_by_hand: Recommender, ready: Health, visits: BrowserSession
) -> None:
    page = visits.open(f"{page_url}#/engine", reduced_motion="reduce")
    exposures, experiments, changes = (
        page.get_by_role("region", name=name)
        for name in ("What people did with their lists", "Experiments", "Catalogue changes")
    )
    expect(exposures).to_contain_text("No list was shown to anyone")
    expect(experiments).to_contain_text("There has been no experiment.")
    expect(changes).to_contain_text("No movie has been added, changed or withdrawn")
    app = create_app(trained_by_hand, ready, Settings())
    client = app.test_client()
    with trained_by_hand.database.transaction() as db:
        start(db, Experiment("fewer", ("today", "neighbour_weight=0.5"), share=100, interleave=True, salt="s"))
        run(db, "fewer", ["neighbour_weight=0.5: not worse"])
    trained_by_hand.model.refresh_experiment()
    for _ in range(32):
        user = new_user(trained_by_hand.database, {IDS[3]: 5.0})
        first = dict(client.get(f"/users/{user}/recommendations").json[0])["movie_id"]  # type: ignore[index]
        app.extensions["impressions"].store()
        client.put(f"/api/v1/users/{user}/ratings/{first}", json={"rating": 5})
    client.delete(f"/api/v1/movies/{IDS[0]}")
    update_results(trained_by_hand.database)
    page.reload()
    expect(exposures.locator(".dot.liked")).to_have_count(1 + 10)  # of one generation and ten places
    exposures.get_by_text("As a table").click()
    expect(exposures.get_by_role("row", name="Place 1 ", exact=False).first).to_contain_text(
        re.compile("Place 1.*32.*32")
    )
    expect(experiments).to_contain_text("fewer100 % of the users, both arms in each list. Started just now, running.")
    expect(experiments.locator(".zero, .dot")).to_have_count(2)
    expect(changes).to_contain_text("Movie 0 (1950)withdrawn just now")
    assert accessibility_violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(theme: Any, page_url: str, trained_by_hand: Recommender, visits: BrowserSession) -> None:
    for n in (0.25, 0.3):
        record(trained_by_hand.database, {"held_out": {"candidate": {"given": {"10": judged(n)}}}}, "rejected")
    page = visits.open(page_url, color_scheme=theme, reduced_motion="reduce")
    expect(next_movies(page)).to_have_count(10)
    assert accessibility_violations(page) == []
    give(search(page, "movie 3"), 4.5)
    expect(strategy(page)).to_contain_text("Because you liked Movie 3.")
    page.get_by_text("How this list is made").click()
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Person 1").click()
    assert accessibility_violations(page) == []
    page.goto(f"{page_url}#/movie/25912")
    expect(page.get_by_role("heading", name="How people rated it")).to_be_visible()
    assert accessibility_violations(page) == []
    page.goto(f"{page_url}#/engine")
    expect(page.locator(".plot circle").first).to_be_visible()
    page.get_by_text("As a table").click()
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Serve this").first.click()
    assert accessibility_violations(page) == []
    page.goto(f"{page_url}#/movie/1")
    expect(page.get_by_role("alert")).to_be_visible()
    assert accessibility_violations(page) == []


def test_the_theme_is_chosen_and_kept(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light


def test_whoever_wants_no_motion_gets_none(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url, reduced_motion="reduce")
    expect(next_movies(page)).to_have_count(10)
    page.evaluate("addEventListener('animationstart', () => (window.moved = true))")
    give(movies_to_rate(page).nth(1), 5)
    expect(strategy(page)).to_contain_text("From your")
    assert page.evaluate("document.getAnimations().length") == 0
    assert not page.evaluate("window.moved")


def test_what_the_device_remembers_may_be_broken(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    page.evaluate("for (const name of ['person', 'people', 'theme']) localStorage.setItem(`matinee-${name}`, '{')")
    page.reload()
    expect(next_movies(page)).to_have_count(10)
    page.evaluate("localStorage.setItem('matinee-person', '99')")  # somebody who has been erased
    page.reload()
    expect(page.locator("#toast")).to_contain_text("Person 99 is no longer there.")
    expect(next_movies(page)).to_have_count(10)


# what goes wrong


def test_whoever_is_erased_meanwhile_is_a_guest_again(
    page_url: str, trained_by_hand: Recommender, visits: BrowserSession
) -> None:
    page = visits.open(page_url)
    give(movies_to_rate(page).first, 5)
    expect(strategy(page)).to_contain_text("From your")
    assert httpx.delete(f"{page_url}api/v1/users/1").status_code == 204
    give(movies_to_rate(page).nth(1), 4)
    expect(page.get_by_role("button", name="Guest")).to_be_visible()
    give(movies_to_rate(page).nth(1), 4)
    expect(page.get_by_role("button", name="Person 2")).to_be_visible()
    expect(strategy(page)).to_contain_text("From your 1 rating")


def test_before_the_first_training_it_says_so_and_changes_when_it_is_there(
    untrained: Recommender, serve: Serve, ready: Health, visits: BrowserSession
) -> None:
    url = f"{serve(untrained, ready).base_url}/"
    page = visits.open(url)
    expect(strategy(page)).to_contain_text("Popular with everyone, until the first training run is done")
    page.goto(f"{url}#/engine")
    expect(page.get_by_role("region", name="Serving now")).to_contain_text("No generation yet")
    expect(page.get_by_role("region", name="Training")).to_contain_text("No training run yet.")
    page.goto(f"{url}#/movie/25912")
    alike = page.get_by_role("region", name="People who liked this also liked")
    expect(alike).to_contain_text("with the first training run")
    page.goto(f"{url}#/engine")
    publish(untrained, two_tastes())
    expect(page.get_by_role("region", name="Serving now")).to_contain_text("No. 1")
    page.goto(url)
    give(movies_to_rate(page).first, 5)
    expect(strategy(page)).to_contain_text("generation 1")


def test_without_its_database_it_says_so_and_goes_on_when_that_is_back(
    scratch: Path, serve: Serve, ready: Health, visits: BrowserSession
) -> None:
    with disposable_postgres(scratch / "page") as postgres:
        database = Database(postgres.url, 6)
        fill_catalogue(database)
        recommender = Recommender(database)
        publish(recommender, two_tastes())
        looks = EachSecond(partial(refresh, recommender, ready))  # as in every process that serves
        looks.start()
        url = f"{serve(recommender, ready).base_url}/"
        page, other = visits.open(url), visits.open(f"{url}#/engine")
        give(movies_to_rate(page).first, 5)
        expect(strategy(page)).to_contain_text("From your")
        postgres.end(signal.SIGINT)
        give(movies_to_rate(page).nth(1), 4)
        expect(page.locator("#toast")).to_contain_text("Movie 1 could not be rated: The database cannot be reached")
        expect(movies_to_rate(page).nth(1).get_by_role("slider")).to_have_value("0")
        page.goto(f"{url}#/movie/25912")
        expect(page.locator("#connection")).to_contain_text("Trying again")
        expect(other.get_by_role("region", name="Parts")).to_contain_text(re.compile("database.*failed", re.DOTALL))
        expect(other.locator("#connection")).to_contain_text("The database cannot be reached")
        postgres.start_again()
        expect(page.get_by_role("heading", level=1, name="Movie 4")).to_be_visible()
        expect(page.locator("#toast")).to_contain_text("The service is back.")
        expect(other.locator("#connection")).to_be_empty()
        expect(other.get_by_role("region", name="Parts")).not_to_contain_text("failed")
        page.go_back()
        give(movies_to_rate(page).nth(1), 4)
        expect(strategy(page)).to_contain_text("From your 2 ratings")
        looks.stop()
        database.close()


def test_keys_are_asked_for_where_they_are_needed(
    trained_by_hand: Recommender, serve: Serve, ready: Health, visits: BrowserSession
) -> None:
    publish(trained_by_hand, two_tastes(1))
    url = f"{serve(trained_by_hand, ready, api_key=API_KEY, admin_key=ADMIN_KEY).base_url}/"
    page = visits.open(url)
    dialog = page.get_by_role("dialog", name="key is needed")
    expect(dialog).to_contain_text("This Matinee needs a key.")
    offer(dialog, "not-the-right-key")
    expect(dialog).to_contain_text("That key was not accepted.")
    page.keyboard.press("Escape")
    expect(page.locator("main, #toast").filter(has_text="This needs a key.").first).to_be_visible()
    page.reload()
    offer(dialog, API_KEY)
    expect(next_movies(page)).to_have_count(10)
    give(movies_to_rate(page).first, 5)
    expect(strategy(page)).to_contain_text("From your 1 rating")
    page.goto(f"{url}#/engine")
    page.get_by_role("button", name="Serve this").click()
    page.get_by_role("button", name="Serve it").click()
    expect(dialog).to_contain_text("needed to serve generation 1")
    page.keyboard.press("Escape")
    expect(page.locator("#toast")).to_contain_text("Only an operator may do this")
    page.get_by_role("button", name="Serve this").click()
    page.get_by_role("button", name="Serve it").click()
    offer(dialog, ADMIN_KEY)
    expect(page.get_by_role("region", name="Serving now")).to_contain_text("No. 1")
    page.reload()  # the tab keeps it
    expect(page.get_by_role("region", name="Serving now")).to_contain_text("No. 1")


def test_where_no_key_would_help_none_is_asked_for(
    trained_by_hand: Recommender, serve: Serve, ready: Health, visits: BrowserSession
) -> None:
    publish(trained_by_hand, two_tastes(1))
    client = serve(trained_by_hand, ready, host="0.0.0.0", api_key=API_KEY)  # noqa: S104 - what it says, not where it listens
    url = f"{client.base_url}/"
    page = visits.open(f"{url}#/engine")
    offer(page.get_by_role("dialog"), API_KEY)
    page.get_by_role("button", name="Serve this").click()
    page.get_by_role("button", name="Serve it").click()
    expect(page.locator("#toast")).to_contain_text("no admin key is set")
    expect(page.get_by_role("dialog")).to_have_count(0)


def offer(dialog: Locator, key: str) -> None:
    dialog.get_by_label("Key").fill(key)
    dialog.get_by_role("button", name="Use this key").click()


# the engine room of a real process


@pytest.fixture
def crowded(scratch: Path) -> Path:
    """The checkerboard with ten times the people, so that some of them can be held out to judge by."""
    board = checkerboard()
    user = np.concatenate([board.user + n * USERS for n in range(10)]).astype(np.int32)
    rest = (np.tile(column, 10) for column in (board.movie, board.rating, board.at))
    return write_dataset(scratch / "crowded", Ratings(user, *rest), MOVIES)


def test_an_operator_trains_watches_it_and_rolls_back(
    scratch: Path, crowded: Path, empty_url: str, visits: BrowserSession
) -> None:
    settings = {"MATINEE_DATASET": str(crowded), "MATINEE_RETRAIN_MINUTES": "0", "DATABASE_URL": empty_url}
    with service(scratch / "engine-room", **settings) as running:
        running.wait_until_ready()
        serve_all_alike(empty_url)
        page = visits.open(f"{running.http.base_url}/#/engine")
        training, serving = (page.get_by_role("region", name=name) for name in ("Training", "Serving now"))
        expect(serving).to_contain_text("No. 1")
        expect(page.get_by_role("region", name="Parts")).to_contain_text("MATINEE_RETRAIN_MINUTES is 0")
        running.wait_for_trainer("off")
        page.get_by_role("button", name="Retrain now").click()
        expect(page.get_by_role("button", name="Training …")).to_be_disabled()
        expect(training.get_by_text("Starting Spark")).to_be_visible()
        expect(training.get_by_role("progressbar", name="ranker")).to_be_visible()
        expect(training.get_by_role("progressbar")).to_have_count(8)
        expect(serving).to_contain_text("No. 2", timeout=90_000)
        expect(page.locator("#announcer")).to_have_text("The generations have changed.")
        expect(page.locator(".plot circle")).to_have_count(2)  # both measures of the one that was judged
        expect(serving).to_contain_text(f"Movies{MOVIES}")
        assert set(running.http.get("/api/v1/generations/2").json()["data"]) == set(DATA_EXAMPLE)
        expect(training).to_contain_text("Last training published just now.")
        expect(page.get_by_role("button", name="Retrain now")).to_be_enabled()
        page.get_by_role("button", name="Serve this generation, 1").click()
        page.get_by_role("button", name="Keep the current one").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        poll(lambda: running.part("generation")["id"] == 2, what="generation 2 in the process")
        page.get_by_role("button", name="Serve this generation, 1").click()
        expect(page.get_by_role("dialog")).to_contain_text("Later training runs are stored but do not replace it")
        page.get_by_role("button", name="Serve it").click()
        expect(serving).to_contain_text("No. 1")
        assert running.part("generation")["id"] == 1


def serve_all_alike(url: str) -> None:
    """A generation to whom all movies are one, so that any training is better."""
    database = Database(url, threads=1)
    movies = two_tastes(movies=[*range(1, MOVIES + 1)])
    flip(database, store_generation(database, replace(movies, V=np.ones_like(movies.V))))
    database.close()
