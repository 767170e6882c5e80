"""A real Chromium for tests of the page: how to find it, what users do, and which errors must never occur."""

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
from playwright.sync_api import Browser, Locator, Page, Position, expect, sync_playwright
from processes import poll

from health import Health
from recommender import Recommender
from storage.database import Database

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "no Chromium found: install it (Debian: apt-get install chromium), or set CHROMIUM to its path; "
    f"looked for {', '.join(NAMES)} on the path"
)
TIMEOUT_MS = 20_000  # ms; machines that run tests are busy
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of \d{3}|net::ERR_")


def chromium() -> str | None:
    """Return the path of a Chromium: that of CHROMIUM, else the first on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser without a window. Root has no sandbox, and containers have little shared memory."""
    with sync_playwright() as playwright:
        flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        yield browser
        browser.close()


class BrowserSession:
    """The pages of one test; `faults` are errors of a page or its console, and requests to another host."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.faults: list[str] = []
        self.asked: list[str] = []  # the address of every request

    def open(self, url: str, **options: Any) -> Page:
        """Open a page at this address in a new browser context with these options of Playwright."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        return self.tab(context.new_page(), url)

    def tab(self, page: Page, url: str) -> Page:
        """Open this address in a new page and record its faults."""
        host = url.split("/")[2]
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda message: self._record_message(message.type, message.text))
        page.on("request", lambda request: self._record_request(request.url, host))
        page.goto(url)
        return page

    def close(self) -> None:
        for context in self._browser.contexts:
            context.close()

    def _record_message(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not REFUSED.search(
            text
        ):  # the browser's own message about an answer such as 503
            self.faults.append(f"{kind}: {text}")

    def _record_request(self, url: str, host: str) -> None:
        self.asked.append(url)
        if url.split("/")[2] != host:
            self.faults.append(f"another host: {url}")


def give(ticket: Locator, stars: float, touch: bool = False) -> None:
    """Click the half star in a movie's ticket that means so many stars."""
    slider = ticket.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    place = Position(x=box["width"] * (stars - 0.25) / 5, y=box["height"] / 2)
    if touch:
        slider.tap(position=place)
    else:
        slider.click(position=place)


def titles(where: Locator) -> list[str]:
    """Return the titles in a list."""
    return where.locator("h3").all_inner_texts()


def accessibility_violations(page: Page) -> list[str]:
    """Return the accessibility violations that axe finds in the page as it is now."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


# fixtures and elements of the page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with launched() as browser:
        yield browser


@pytest.fixture
def visits(browser: Browser) -> Iterator[BrowserSession]:
    """A session whose pages must have no fault when the test ends."""
    visits = BrowserSession(browser)
    yield visits
    visits.close()
    assert visits.faults == []


@pytest.fixture
def untrained(database: Database) -> Recommender:
    """A recommender with forty movies and no generation."""
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
    """Wait until the first five movies of the list have this parity."""
    poll(lambda: {int(title.split()[1]) % 2 for title in titles(next_movies(page))[:5]} == {parity}, what="the taste")


def search(page: Page, typed: str) -> Locator:
    """Search, and return the ticket of the first result."""
    page.get_by_role("searchbox", name="Find a movie").fill(typed)
    expect(page.get_by_role("heading", name=f"Found for “{typed}”")).to_be_visible()
    return movies_to_rate(page).first
