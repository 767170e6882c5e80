"""A real Chromium for tests of the page: where it is, what people do with it, and what must never happen in it."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from handmade_model import fill_catalogue, publish, two_tastes
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from processes import poll

from health import Health
from recommender import Recommender
from storage.database import Database

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "there is no Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to the path of one; "
    f"looked for {', '.join(NAMES)} on the path"
)
TIMEOUT_MS = 20_000  # ms; machines that run tests are busy
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of \d{3}|net::ERR_")


def chromium() -> str | None:
    """The path of a Chromium: that of CHROMIUM, else the first on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window. Root has no sandbox, and containers have little shared memory."""
    with sync_playwright() as playwright:
        flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        yield browser
        browser.close()


class BrowserSession:
    """Pages of one test; `faults` are errors of the page or its console, and whatever was asked of another host."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.faults: list[str] = []
        self.asked: list[str] = []  # the address of every request

    def open(self, url: str, **options: Any) -> Page:
        """A page of a device of its own, at this address. The device has these options of Playwright's."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        return self.tab(context.new_page(), url)

    def tab(self, page: Page, url: str) -> Page:
        """A page that has just been made, watched, at this address."""
        host = url.split("/")[2]
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda message: self._heed(message.type, message.text))
        page.on("request", lambda request: self._look_where(request.url, host))
        page.goto(url)
        return page

    def close(self) -> None:
        for context in self._browser.contexts:
            context.close()

    def _heed(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not REFUSED.search(text):  # the browser's own word on an answer such as 503
            self.faults.append(f"{kind}: {text}")

    def _look_where(self, url: str, host: str) -> None:
        self.asked.append(url)
        if url.split("/")[2] != host:
            self.faults.append(f"another host: {url}")


def give(ticket: Locator, stars: float, touch: bool = False) -> None:
    """Press the half star in the ticket of a movie that stands for so many stars."""
    slider = ticket.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    place = {"x": box["width"] * (stars - 0.25) / 5, "y": box["height"] / 2}
    if touch:
        slider.tap(position=place)
    else:
        slider.click(position=place)


def titles(where: Locator) -> list[str]:
    """The movies of a list."""
    return where.locator("h3").all_inner_texts()


def accessibility_violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is now."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


# the page, and what it shows


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with launched() as browser:
        yield browser


@pytest.fixture
def visits(browser: Browser) -> Iterator[BrowserSession]:
    """Pages of which none may have had an error, or have asked another host, when the test ends."""
    visits = BrowserSession(browser)
    yield visits
    visits.close()
    assert visits.faults == []


@pytest.fixture
def untrained(database: Database) -> Recommender:
    """Forty movies; whoever likes those of one parity likes the others of it."""
    fill_catalogue(database)
    return Recommender(database)


@pytest.fixture
def trained_by_hand(untrained: Recommender) -> Recommender:
    publish(untrained, two_tastes())
    return untrained


@pytest.fixture
def page_url(trained_by_hand: Recommender, serve: Callable[..., httpx.Client], ready: Health) -> str:
    return f"{serve(trained_by_hand, ready).base_url}/"


def next_movies(page: Page) -> Locator:
    return page.get_by_role("region", name="Watch next").get_by_role("listitem")


def movies_to_rate(page: Page) -> Locator:
    return page.locator("section.rate").get_by_role("listitem")


def strategy(page: Page) -> Locator:
    return page.locator(".how")


def expect_taste(page: Page, parity: int) -> None:
    """The first five of the list are, or come to be, of one of the two tastes."""
    poll(lambda: {int(title.split()[1]) % 2 for title in titles(next_movies(page))[:5]} == {parity}, what="the taste")


def search(page: Page, typed: str) -> Locator:
    """The ticket of the first movie that is found."""
    page.get_by_role("searchbox", name="Find a movie").fill(typed)
    expect(page.get_by_role("heading", name=f"Found for “{typed}”")).to_be_visible()
    return movies_to_rate(page).first
