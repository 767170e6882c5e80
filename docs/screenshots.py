"""Take the screenshots of README.md from a running, trained service: `python docs/screenshots.py [URL]`.

It creates a user there who rates a few movies. The screenshots are in docs/images.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

IMAGES = Path(__file__).with_name("images")
LIKED = {"Matrix, The": 5, "Pulp Fiction": 4.5, "Spirited Away": 5, "Amelie": 4, "Blade Runner": 4.5, "Titanic": 2}
WIDE = {"viewport": {"width": 1280, "height": 900}}
NARROW = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:5430/"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        user = new_user(browser, url)
        take(browser, url, user, "watch", WIDE, "light")
        take(browser, f"{url}#/movie/1199", user, "movie", WIDE, "dark")
        take(browser, f"{url}#/engine", user, "engine", WIDE, "light")
        take(browser, url, user, "narrow", NARROW, "dark")
        browser.close()


def new_user(browser: Browser, url: str) -> int:
    """Create a user who has rated a few movies; return the id."""
    page = browser.new_page()
    page.goto(url)
    for title, stars in LIKED.items():
        page.get_by_label("Find a movie").fill(title)
        expect(page.locator(".rate .head h2")).to_contain_text(title)
        slider = page.locator(".rate").get_by_role("slider").first
        slider.focus()
        for _ in range(int(stars * 2)):
            slider.press("ArrowRight")
        slider.press("Enter")
        expect(page.locator("#toast")).to_contain_text("star")
    expect(page.locator(".how")).to_contain_text(f"From your {len(LIKED)} ratings")
    return int(page.evaluate("localStorage.getItem('matinee-person')"))


def take(browser: Browser, url: str, user: int, name: str, device: dict[str, Any], theme: Any) -> None:
    """Save a screenshot of what this user sees on a device."""
    context = browser.new_context(color_scheme=theme, reduced_motion="reduce", **device)
    context.add_init_script(f"localStorage.setItem('matinee-person', '{user}')")
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    settle(page)
    page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=72, full_page=name in ("movie", "engine"))
    context.close()


def settle(page: Page) -> None:
    """Wait until the view has its movies or generations."""
    expect(page.locator(".ticket, .generations").first).to_be_visible()
    expect(page.locator("#next[aria-busy]")).to_have_count(0)


if __name__ == "__main__":
    main()
