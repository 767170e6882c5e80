"""Measure the time from navigation to the page's first list, in a real Chromium with an empty cache."""

from browser import chromium, launched
from measurements import Measurements, median_of
from playwright.sync_api import Browser
from prepared_service import port_of, prepared_state, running

GOAL = 0.5  # seconds
# the page's clock starts at the navigation; a clock outside the page would add the polling interval
LOOK = """
    (function look() {
        const item = document.querySelector("section:has(#next-head) li h3")
        item ? (window.firstList = performance.now()) : requestAnimationFrame(look)
    })()
"""


def measure(quick: bool) -> Measurements:
    """Return the seconds for a new user and for a user with 20 ratings; empty without Chromium."""
    if chromium() is None:
        return {}
    with (
        prepared_state(1000 if quick else 10_000, light_users=1, heavy_users=1) as prepared,
        running(prepared) as process,
        launched() as browser,
    ):
        url, people = f"http://127.0.0.1:{port_of(process)}/", {"somebody new": None, "a user": prepared.light_users[0]}
        return {
            f"the page's first list for {name}": median_of(
                [_seconds(browser, url, user) for _ in range(3 if quick else 15)], "s", "less", GOAL
            )
            for name, user in people.items()
        }


def _seconds(browser: Browser, url: str, user: int | None) -> float:
    context = browser.new_context()
    context.add_init_script(LOOK if user is None else f"localStorage['matinee-person'] = {user}; {LOOK}")
    page = context.new_page()
    page.goto(url)
    milliseconds: float = page.evaluate(
        "new Promise(done => (function look() { window.firstList ? done(firstList) : setTimeout(look, 10) })())"
    )
    context.close()
    return milliseconds / 1000
