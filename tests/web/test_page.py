"""The page in a real Chromium: what people do there, however they do it."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from browser import (
    MISSING,
    BrowserSession,
    accessibility_violations,
    chromium,
    expect_taste,
    give,
    movies_to_rate,
    next_movies,
    search,
    strategy,
    titles,
)
from generation_records import judged, record
from handmade_model import IDS, new_user, publish, two_tastes, with_genres
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import text

from health import Health
from recommender import Recommender

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason=MISSING),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


def test_a_new_person_comes_from_nothing_to_a_list_that_reacts(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    expect(page.get_by_role("heading", name="Movies worth rating first")).to_be_visible()
    expect(next_movies(page)).to_have_count(10)
    expect(strategy(page)).to_contain_text("Popular with everyone. Rate a movie to make this list yours.")
    expect(next_movies(page).first).to_contain_text("average")
    expect(movies_to_rate(page).first.get_by_role("slider")).to_be_visible()
    assert not set(titles(next_movies(page))) & set(titles(movies_to_rate(page)))
    headline = page.get_by_role("heading", level=1)
    assert headline.bounding_box()["height"] > 20
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    give(search(page, "movie 3"), 4.5)
    expect(page.get_by_role("button", name="Person 1")).to_be_visible()
    expect(next_movies(page).first).to_contain_text("for you")
    assert headline.bounding_box()["height"] == 1  # for screen readers alone
    expect(strategy(page)).to_contain_text("From your 1 rating, and what people like")
    expect(strategy(page)).to_contain_text("Because you liked Movie 3.")  # once, since it is the reason for all
    expect(next_movies(page).first).not_to_contain_text("Because")
    expect(page.locator("#announcer")).to_contain_text("The list has changed. First is Movie")
    expect_taste(page, 1)
    give(search(page, "movie 4"), 5)
    expect(page.get_by_role("button", name="Your ratings (2)")).to_be_visible()
    give(movies_to_rate(page).first, 5)  # the same again takes it back
    expect(page.get_by_role("slider", name="Rate Movie 4", exact=True)).to_have_value("0")
    expect(strategy(page)).to_contain_text("From your 1 rating")
    page.reload()
    expect(page.get_by_role("button", name="Your ratings (1)")).to_be_visible()
    page.get_by_role("button", name="Your ratings (1)").click()
    expect(movies_to_rate(page)).to_have_count(1)
    expect(page.get_by_role("slider", name="Rate Movie 3", exact=True)).to_have_value("4.5")
    expect_taste(page, 1)


@pytest.mark.parametrize("way", ["mouse", "touch"])
def test_every_half_star_can_be_given_with(way: str, page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url, has_touch=way == "touch")
    slider = movies_to_rate(page).first.get_by_role("slider")
    for stars in (0.5, 2.5, 5):
        give(movies_to_rate(page).first, stars, touch=way == "touch")
        expect(page.locator("#toast")).to_contain_text(f": {stars} star")
        expect(slider).to_have_attribute("aria-valuetext", f"{stars} stars")
    expect(page.get_by_role("button", name="Your ratings (1)")).to_be_visible()


def test_a_rating_is_undone_with_the_button_or_the_keyboard(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    give(movies_to_rate(page).nth(1), 5)
    give(movies_to_rate(page).nth(1), 2)
    expect(page.locator("#toast")).to_contain_text(": 2 stars")
    page.get_by_role("button", name="Undo").click()
    slider = movies_to_rate(page).nth(1).get_by_role("slider")
    expect(slider).to_have_value("5")
    give(movies_to_rate(page).nth(1), 1)
    expect(page.locator("#toast")).to_contain_text("1 star")
    page.keyboard.press("Control+z")
    expect(slider).to_have_value("5")
    expect(page.locator("#toast")).to_contain_text("Undone.")
    expect_taste(page, 1)


def test_a_movie_of_the_list_is_hidden_rated_and_opened(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    give(movies_to_rate(page).nth(2), 5)
    expect(strategy(page)).to_contain_text("From your")
    first, second, third = titles(next_movies(page))[:3]
    page.get_by_role("button", name=f"Hide {first}", exact=True).click()
    expect(next_movies(page).first).to_contain_text(second)
    expect(next_movies(page)).to_have_count(10)
    expect(page.get_by_role("button", name=f"Hide {second}", exact=True)).to_be_focused()
    page.keyboard.press("Control+z")
    expect(next_movies(page).first).to_contain_text(first)
    give(next_movies(page).first, 4)
    expect(next_movies(page).first).to_contain_text(second)
    expect(next_movies(page).filter(has_text=re.compile("▲ 1")).first).to_be_visible()
    with page.expect_response("**/api/v1/events") as event:
        next_movies(page).nth(1).get_by_role("link", name=third, exact=True).click()
    assert event.value.status == 202
    expect(page.get_by_role("heading", level=1, name=third)).to_be_visible()
    page.go_back()
    expect(next_movies(page).first).to_contain_text(second)


def test_the_list_is_narrowed_by_genre_and_years(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    page.get_by_label("Genre", exact=True).select_option("Action")
    expect(next_movies(page)).to_have_count(10)
    expect_taste(page, 0)
    page.get_by_label("From year").fill("1980")
    page.get_by_label("To year").fill("1984")
    page.get_by_label("To year").press("Enter")
    expect(next_movies(page)).to_have_count(3)
    assert set(titles(next_movies(page))) == {"Movie 30", "Movie 32", "Movie 34"}
    page.get_by_label("From year").fill("1990")
    page.get_by_label("From year").press("Enter")
    assert (
        page.get_by_label("From year").evaluate("field => field.validationMessage")
        == "The first year is after the last."
    )
    expect(next_movies(page)).to_have_count(3)
    page.get_by_label("To year").fill("1995")
    page.get_by_label("To year").press("Enter")
    expect(page.locator("#next")).to_contain_text("No movies match.")
    page.get_by_role("button", name="All movies").click()
    expect(next_movies(page)).to_have_count(10)
    page.get_by_role("button", name="Show more").click()
    expect(next_movies(page)).to_have_count(20)


def test_the_address_keeps_what_is_shown(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    page.get_by_role("button", name="Show more").click()
    expect(next_movies(page)).to_have_count(20)
    page.get_by_label("Genre", exact=True).select_option("Action")
    expect(next_movies(page)).to_have_count(10)
    page.get_by_label("From year").fill("1960")
    page.get_by_label("From year").press("Enter")
    found = titles(search(page, "movie 33").locator("xpath=.."))
    drawn = movies_to_rate(page).first.locator(".poster").inner_html()
    page.reload()
    expect(page.get_by_role("heading", name="Found for “movie 33”")).to_be_visible()
    expect(movies_to_rate(page).first).to_contain_text("Movie 33")
    assert movies_to_rate(page).first.locator(".poster").inner_html() == drawn  # the same each time
    expect(page.get_by_label("Genre", exact=True)).to_have_value("Action")
    shared = visits.open(page.url)
    expect(shared.get_by_label("From year")).to_have_value("1960")
    expect(movies_to_rate(shared).first).to_contain_text(found[0])
    movies_to_rate(page).first.get_by_role("link").click()
    page.get_by_role("link", name="Back to movies").click()
    expect(page.get_by_role("searchbox")).to_have_value("movie 33")
    page.go_back()
    page.go_back()
    page.go_back()  # the years
    expect(page.get_by_label("From year")).to_have_value("")
    expect(page.get_by_label("Genre", exact=True)).to_have_value("Action")
    page.go_back()  # the genre
    expect(page.get_by_label("Genre", exact=True)).to_have_value("")
    expect(next_movies(page)).to_have_count(20)
    page.goto(f"{page_url}#/?shown=-7&more=x&from=1990&to=1980")
    expect(page.locator("#next")).to_contain_text("The first year is after the last.")
    page.goto(f"{page_url}#/night?with=|0")
    expect(page.get_by_role("region", name="Watch together")).to_contain_text("Add two people")
    page.goto(f"{page_url}#/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("There is no page at this address.")


def test_the_keyboard_alone_is_enough(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    table = b"Title,Year,Rating\nMovie 1,1951,4.5\nMovie 3,1980,2\n"
    ratings = {"name": "ratings.csv", "mimeType": "text/csv", "buffer": table}
    page.on("filechooser", lambda chooser: chooser.set_files(ratings))
    expect(next_movies(page)).to_have_count(10)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the movies")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to what to watch next")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("movie 7")
    expect(page.locator("#announcer")).to_have_text(re.compile(r"\d+ movies? found"))
    reach(page, page.get_by_role("slider", name="Rate Movie 7", exact=True))
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_contain_text("Movie 7: 4.5 stars")
    expect(strategy(page)).to_contain_text("Because you liked Movie 7")
    reach(page, next_movies(page).first.get_by_role("slider"))
    page.keyboard.press("4")
    page.keyboard.press("Tab")  # leaving it is enough
    expect(strategy(page)).to_contain_text("From your 2 ratings")
    page.keyboard.press("Control+z")
    expect(strategy(page)).to_contain_text("From your 1 rating")
    first, second = titles(next_movies(page))[:2]
    reach(page, page.get_by_role("button", name=f"Hide {first}", exact=True))
    page.keyboard.press("Enter")
    expect(next_movies(page).first).to_contain_text(second)
    page.keyboard.press("Control+z")
    expect(next_movies(page).first).to_contain_text(first)
    reach(page, page.get_by_role("button", name=f"Watch {first} later"))
    page.keyboard.press("Space")
    expect(next_movies(page).first).to_contain_text(second)
    reach(page, page.get_by_role("slider", name="Variety"), "Shift+Tab")
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile("variety=1"))
    reach(page, page.get_by_role("link", name="Movie night"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Movie night")).to_be_visible()
    reach(page, page.get_by_role("button", name="Add a guest"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    reach(page, page.get_by_role("button", name="Person 1", exact=True), "Shift+Tab")
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("link", name="Person 1: name, taste and data"))
    page.keyboard.press("Enter")
    reach(page, page.get_by_label("Choose a file"))
    page.keyboard.press("Enter")
    candidate = page.get_by_role("button", name="Movie 3 (1953)")
    expect(candidate).to_be_visible()
    reach(page, candidate)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Bring your ratings")).to_contain_text("✓ Movie 3")
    reach(page, page.get_by_role("link", name="Engine room"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Engine room")).to_be_visible()
    expect(page.locator("#main")).to_be_focused()


def reach(page: Page, control: Locator, key: str = "Tab") -> None:
    """Press the key until the control has the focus, which can be seen there."""
    for _ in range(80):
        if control.evaluate("each => each === document.activeElement"):
            assert control.evaluate("each => getComputedStyle(each.closest('.stars') ?? each).outlineStyle") == "solid"
            return
        page.keyboard.press(key)
    raise AssertionError(f"{control} cannot be reached")


def test_one_person_after_the_other_uses_a_device(
    page_url: str, trained_by_hand: Recommender, visits: BrowserSession
) -> None:
    page = visits.open(page_url)
    give(movies_to_rate(page).first, 5)
    page.get_by_role("button", name="Person 1").click()
    page.get_by_role("button", name="New person").click()
    expect(page.get_by_role("button", name="Person 2")).to_be_visible()
    expect(strategy(page)).to_contain_text("Popular with everyone")
    other = new_user(trained_by_hand.database, {25903: 5.0, 25909: 4.0})
    page.get_by_role("button", name="Person 2").click()
    page.get_by_label("Open another person by number").fill("99")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("99")
    page.get_by_label("Open another person by number").fill(str(other))
    page.get_by_role("button", name="Open").click()
    expect(strategy(page)).to_contain_text("From your 2 ratings")
    page.get_by_role("button", name=f"Person {other}").click()
    page.get_by_role("dialog").get_by_role("button", name="Person 1").click()
    expect(strategy(page)).to_contain_text("From your 1 rating")
    expect_taste(page, 0)


def test_two_tabs_are_one_device(page_url: str, visits: BrowserSession) -> None:
    left = visits.open(page_url)
    right = visits.tab(left.context.new_page(), page_url)
    expect(next_movies(right)).to_have_count(10)
    give(movies_to_rate(left).nth(1), 5)
    expect(right.get_by_role("button", name="Person 1")).to_be_visible()
    expect(strategy(right)).to_contain_text("From your 1 rating")
    give(movies_to_rate(right).first, 1)
    expect(strategy(left)).to_contain_text("From your 2 ratings")
    expect(movies_to_rate(left).first.get_by_role("slider")).to_have_value("1")
    assert titles(next_movies(left)) == titles(next_movies(right))


def test_a_movie_is_shown_with_its_ratings_those_like_it_and_what_to_expect(
    page_url: str, trained_by_hand: Recommender, visits: BrowserSession
) -> None:
    page = visits.open(page_url)
    give(movies_to_rate(page).first, 5)
    expect(page.get_by_role("button", name="Person 1")).to_be_visible()
    page.goto(f"{page_url}#/movie/25912")
    expect(page).to_have_title("Movie 4 \N{EN DASH} Matinee")
    expect(page.locator(".movie-head")).to_contain_text(
        re.compile(r"1954\s· The 1950s · Action.*\d\.\d\s*for you", re.DOTALL)
    )
    expect(page.get_by_role("region", name="People who liked this also liked").get_by_role("listitem")).to_have_count(8)
    people = page.get_by_role("region", name="How people rated it")
    expect(people).to_contain_text("3.50 from 100 ratings")
    give(page.locator(".movie-head"), 2.5)
    expect(people).to_contain_text("3.49 from 101 ratings")
    expect(page.locator(".movie-head")).to_contain_text("You gave it 2.5 stars.")
    with trained_by_hand.database.statement() as db:
        db.execute(text("UPDATE movies SET rating_count = 4, rating_sum = 14, like_count = 4 WHERE id = 25915"))
    page.goto(f"{page_url}#/movie/25915")
    expect(page.get_by_role("region", name="also liked")).to_contain_text("Too few people have liked it")
    page.goto(f"{page_url}#/movie/1")
    expect(page.get_by_role("alert")).to_contain_text("Not in the catalogue")


def test_a_narrow_screen_shows_all_of_it_and_how_the_list_changes(
    page_url: str, trained_by_hand: Recommender, visits: BrowserSession
) -> None:
    record(trained_by_hand.database, {"held_out": {"candidate": {"given": {"10": judged(0.3)}}}})
    page = visits.open(page_url, viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    jump = page.locator("#peek").get_by_role("button")
    expect(jump).to_contain_text("Watch next")
    popular = jump.inner_text()
    give(movies_to_rate(page).nth(1), 5, touch=True)
    expect(jump).not_to_have_text(popular)
    jump.tap()
    expect(next_movies(page).first).to_be_in_viewport()
    expect(jump).to_be_hidden()
    for view, shown in {"#/": "#next h3", "#/movie/25912": ".movie h3", "#/engine": ".plot circle"}.items():
        page.goto(page_url + view)
        expect(page.locator(shown).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, view


def test_a_person_has_a_name_a_taste_and_their_own_data(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(f"{page_url}#/you")
    expect(page.locator("main")).to_contain_text("You are a guest")
    page.goto(page_url)
    give(search(page, "movie 3"), 4.5)
    page.get_by_role("button", name="Person 1").click()
    page.get_by_role("link", name="Person 1: name, taste and data").click()
    page.get_by_label("Name, on this device only").fill("Ann")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ann")
    expect(page.get_by_role("region", name="Name and number")).to_contain_text("Your number is 1.")
    average = "1 rating, 4.5 stars on average; everybody's average is 3.5."
    expect(page.get_by_role("region", name="Taste")).to_contain_text(average)
    assert accessibility_violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert json.loads(Path(download.value.path()).read_text())["ratings"][0]["rating"] == 4.5
    page.get_by_role("button", name="Delete everything").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Guest")).to_be_visible()
    assert httpx.get(f"{page_url}api/v1/users/1").status_code == 404


def test_movies_are_marked_and_marks_removed(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(page_url)
    give(movies_to_rate(page).nth(2), 5)
    expect(strategy(page)).to_contain_text("From your")
    first, second, third, *_ = titles(next_movies(page))
    page.get_by_role("button", name=f"Mark {first} as seen").click()
    expect(next_movies(page).first).to_contain_text(second)
    page.get_by_role("button", name=f"Watch {second} later").click()
    expect(next_movies(page).first).to_contain_text(third)
    watchlist = page.get_by_role("region", name="Your watchlist")
    page.locator(".shelves").scroll_into_view_if_needed()
    expect(watchlist.get_by_role("listitem")).to_have_count(1)
    watchlist.get_by_role("link", name=second, exact=True).click()
    pressed = page.get_by_role("button", name=f"Watch {second} later")
    expect(pressed).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name=f"Hide {second}").press("Enter")
    expect(pressed).to_have_attribute("aria-pressed", "false")
    page.goto(f"{page_url}#/you")
    marks = page.get_by_role("region", name="Marked movies")
    expect(marks).to_contain_text(re.compile(f"Seen, not rated.*{first}.*Hidden.*{second}"))
    marks.get_by_role("button", name=f"Remove the mark of {first}").click()
    expect(marks).not_to_contain_text(first)
    assert accessibility_violations(page) == []
    held = httpx.get(f"{page_url}api/v1/users/1/marks").json()["items"]
    assert [(one["movie"]["title"], one["mark"]) for one in held] == [(second, "hidden")]


def test_what_an_older_page_hid_on_the_device_becomes_a_mark(page_url: str, visits: BrowserSession) -> None:
    httpx.post(f"{page_url}api/v1/users")
    page = visits.open(f"{page_url}#/engine")
    page.evaluate(f"localStorage['matinee-person'] = '1'; localStorage['matinee-hidden-1'] = '[{IDS[0]}, 999]'")
    page.goto(page_url)
    page.reload()
    expect(page.get_by_role("link", name="1 hidden")).to_be_visible()
    assert page.evaluate("localStorage['matinee-hidden-1']") == "[]"
    visits.faults.clear()  # movie 999 is not there


def test_a_history_is_brought_and_what_was_not_found_is_chosen(page_url: str, visits: BrowserSession) -> None:
    page = visits.open(f"{page_url}#/you")
    table = "Title,Year,Rating\nMovie 1,1951,4.5\nMovie 2,1952,3\nMovie 3,1980,2\n"
    bring = page.get_by_role("region", name="Bring your ratings")
    bring.get_by_label("Choose a file").set_input_files(
        {"name": "ratings.csv", "mimeType": "text/csv", "buffer": table.encode()}
    )
    result = page.get_by_role("region", name="Bring your ratings")
    expect(result).to_contain_text("2 ratings added, 1 row not found.")
    expect(result).to_contain_text("Movie 3 (1980)")
    assert accessibility_violations(page) == []
    result.get_by_role("button", name="Movie 3 (1953)").click()
    expect(result).to_contain_text("✓ Movie 3")
    rated = httpx.get(f"{page_url}api/v1/users/1/ratings").json()["items"]
    assert {one["movie"]["title"]: one["rating"] for one in rated} == {"Movie 1": 4.5, "Movie 2": 3, "Movie 3": 2}
    page.get_by_role("region", name="Bring your ratings").get_by_label("Choose a file").set_input_files(
        {"name": "page.html", "mimeType": "text/html", "buffer": b"<html><body>Sign in</body></html>"}
    )
    expect(page.get_by_role("alert")).to_contain_text("The file:")
    visits.faults.clear()  # the service refuses that file


def test_with_tokens_ones_own_link_opens_what_is_ones_own(
    live: Recommender, ready: Health, serve: Callable[..., httpx.Client], visits: BrowserSession
) -> None:
    address = f"{serve(live, ready, user_tokens=1).base_url}/"
    page = visits.open(address)
    give(movies_to_rate(page).nth(2), 5)
    expect(strategy(page)).to_contain_text("From your")
    page.get_by_role("button", name="Person 1").click()
    page.get_by_role("link", name="Person 1: name, taste and data").click()
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.get_by_role("button", name="Copy your own link").click()
    expect(page.locator("#toast")).to_contain_text("Your link is copied")
    link = page.evaluate("window.copied")
    other = visits.open(link)
    expect(other.get_by_role("region", name="Taste")).to_contain_text("1 rating")
    assert other.url == f"{address}#/you"
    other.evaluate(f"sessionStorage['matinee-guests'] = '{{\"Ann\": [[{IDS[1]}, 5]]}}'")
    together = other.get_by_role("region", name="Watch together")
    other.goto(f"{address}#/night?with=1|Ann")
    expect(together.get_by_role("listitem").first).to_contain_text("Person 1")
    second = httpx.post(f"{address}api/v1/users").json()
    other.goto(f"{address}#/night?with=1|{second['user_id']}")
    expect(together).to_contain_text("has a token: add them by their own link")
    other.goto(f"{address}#/night?with=1")
    other.get_by_role("button", name="Add by number or link").click()
    other.get_by_label("number, or their own link").fill(f"{address}#/me/{second['user_id']}/{second['token']}")
    other.get_by_role("button", name="Add", exact=True).click()
    expect(together.get_by_role("listitem").first).to_contain_text("Person 2 ★")
    assert httpx.get(f"{address}api/v1/users/1").status_code == 401


def test_a_movie_night_has_one_list_for_people_and_guests(
    page_url: str, trained_by_hand: Recommender, visits: BrowserSession
) -> None:
    new_user(trained_by_hand.database, {25903: 5.0})
    page = visits.open(f"{page_url}#/night", reduced_motion="reduce")
    together = page.get_by_role("region", name="Watch together")
    expect(together).to_contain_text("Add two people")
    for typed in ("99", "1", f"{page_url}#/night?with=1"):
        page.get_by_role("button", name="Add by number or link").click()
        page.get_by_label("number, or their own link").fill(typed)
        page.get_by_role("button", name="Add", exact=True).click()
        if typed != "1":
            expect(page.get_by_role("alert")).to_contain_text("no person 99" if typed == "99" else "there already")
            page.get_by_role("button", name="Close").click()
    expect(together).to_contain_text("Add one more person")
    page.get_by_role("button", name="Add a guest").click()
    page.get_by_label("Name", exact=True).fill("Bob")
    for at in range(5):
        give(page.get_by_role("dialog").get_by_role("listitem").nth(at), 4)
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Add the guest").click()
    expect(together.get_by_role("listitem").first).to_contain_text(
        re.compile(r"Person 1 ★\s\d\.\dBob ★\s\d\.\d, because of Movie")
    )
    page.get_by_label("Something for each").check()
    expect(together.locator("[aria-busy]")).to_have_count(0)
    assert accessibility_violations(page) == []
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.get_by_role("button", name="Copy a link").click()
    expect(page.locator("#toast")).to_contain_text("The link is copied")
    listed = titles(together.get_by_role("listitem"))
    shared = visits.open(page.evaluate("window.copied"), viewport={"width": 320, "height": 640})
    expect(shared.locator("#night h3")).to_have_count(10)
    assert titles(shared.locator("#night")) == listed
    expect(shared.locator("#night")).to_contain_text("Bob ★")
    expect(shared.locator("#night")).not_to_contain_text("because")
    assert shared.evaluate("document.documentElement.scrollWidth") == 320
    assert accessibility_violations(shared) == []
    page.reload()  # the tab keeps what Bob rated; the address does not have it
    expect(together.get_by_role("listitem").first).to_contain_text("Bob ★")
    elsewhere = visits.open(page.url)
    expect(elsewhere.get_by_role("region", name="Watch together")).to_contain_text("What Bob rated stays in the tab")
    page.get_by_role("button", name="Remove Bob").click()
    expect(together).to_contain_text("Add one more person")


def test_shelves_have_more_of_what_is_liked_and_no_movie_twice(
    page_url: str, trained_by_hand: Recommender, visits: BrowserSession
) -> None:
    publish(trained_by_hand, with_genres(two_tastes()))
    page = visits.open(page_url, reduced_motion="reduce")
    give(search(page, "movie 3"), 4.5)
    give(search(page, "movie 5"), 2)
    expect(strategy(page)).to_contain_text("From your 2 ratings")
    page.locator(".foot").scroll_into_view_if_needed()
    liked = page.get_by_role("region", name="Because you liked Movie 3")
    expect(liked.get_by_role("link").first).to_be_visible()
    expect(page.get_by_role("region", name="Comedy, which you like")).to_be_visible()
    httpx.put(f"{page_url}api/v1/movies/7", json={"title": "Fresh", "year": 2024, "genres": ["Comedy"]})
    page.reload()
    page.locator(".foot").scroll_into_view_if_needed()
    expect(page.get_by_role("region", name="New here")).to_contain_text("Fresh")
    page.goto(f"{page_url}#/movie/7")
    expect(page.locator(".movie-head")).to_contain_text("New here")
    page.goto(f"{page_url}#/movie/{IDS[3]}")
    expect(page.locator(".movie-head")).not_to_contain_text("New here")
    page.goto(page_url)
    everywhere = page.locator("#next h3, .rate h3, .shelf h3").all_inner_texts()
    assert sorted(everywhere) == sorted(set(everywhere))
    assert accessibility_violations(page) == []
    page.get_by_label("Variety").focus()
    page.get_by_label("Variety").press("End")
    expect(page).to_have_url(re.compile("variety=1"))
    page.reload()
    expect(page.get_by_label("Variety")).to_have_value("1")
    page.get_by_role("button", name="All movies").click()
    expect(page.get_by_label("Variety")).to_have_value("0")


SLOW_4G = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 94_000}  # ms, bytes/s
SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((each) => (window.shifted += each.value)))
        .observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize(
    ("view", "rated"), [("", False), ("", True), ("#/movie/25912", True), ("#/engine", True)], ids=str
)
def test_nothing_moves_while_it_loads(
    view: str, rated: bool, page_url: str, trained_by_hand: Recommender, browser: Browser
) -> None:
    record(trained_by_hand.database, {"held_out": {"candidate": {"given": {"10": judged(0.3)}}}})
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.add_init_script(SHIFTS)
    user = new_user(trained_by_hand.database, {25903: 5.0})
    if rated:
        context.add_init_script(f"localStorage.setItem('matinee-person', '{user}')")
    page = context.new_page()
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW_4G)
    page.goto(page_url + view)
    expect(page.locator("#main h2").first).to_be_visible()
    expect(page.locator("#main").get_by_text(re.compile("ratings?\\b|everyone|NDCG")).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shifted") < 0.05
    context.close()


def test_a_long_title_does_not_widen_the_page(
    untrained: Recommender, serve: Callable[..., httpx.Client], ready: Health, visits: BrowserSession
) -> None:
    with untrained.database.transaction() as db:
        db.execute(text("UPDATE movies SET title = repeat('W', 10000), genres = repeat('G', 999) WHERE id = 25900"))
    publish(untrained, two_tastes())
    page = visits.open(f"{serve(untrained, ready).base_url}/", viewport={"width": 320, "height": 640})
    expect(movies_to_rate(page).filter(has_text="WWWW").first).to_be_visible()
    for view in ("#/", "#/movie/25900", "#/movie/25912"):
        page.goto(page.url.partition("#")[0] + view)
        expect(page.locator("h3").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 320, view
    header = page.locator(".top")
    assert header.locator("#theme").bounding_box()["y"] < header.locator("nav").bounding_box()["y"]
