"""One user's list on a real database, with factors made by hand: complete, fresh, and kept while it is current."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from handmade_model import (
    EVEN,
    IDS,
    ODD,
    fill_catalogue,
    flip,
    new_user,
    publish,
    store_generation,
    store_list,
    two_tastes,
    view,
)
from sqlalchemy import Connection, text

from health import Health
from ranking.factors import FactorsError
from recommender import Recommender
from storage import generations, user_ratings
from storage.database import Database
from storage.errors import DatabaseUnavailableError, UnknownUserError

HISTORIES = {
    "no views": {},
    "one view": {EVEN[0]: 5.0},
    "three views": {EVEN[0]: 5.0, EVEN[1]: 4.5, ODD[0]: 0.5},
    "twenty views": {movie: 4.0 if movie in EVEN else 1.0 for movie in IDS[:20]},
    "dislikes only": {EVEN[0]: 0.5, EVEN[1]: 1.0},
}


def listed(recommender: Recommender, user: int) -> list[int]:
    return [item.movie.movie_id for item in recommender.recommend(user).items]


def tamper(database: Database, user: int, movie: int) -> None:
    """Put a movie first that nobody computed, so that a list which is read can be told from one that is made."""
    query = text("UPDATE recommendations SET movie_ids[1] = :movie WHERE user_id = :user")
    with database.statement() as db:
        assert db.execute(query, {"user": user, "movie": movie}).rowcount == 1


@pytest.mark.parametrize("trained", [False, True], ids=["popular", "trained"])
@pytest.mark.parametrize("ratings", HISTORIES.values(), ids=list(HISTORIES))
def test_everybody_gets_ten_movies_they_have_not_seen(
    recommender: Recommender, ratings: dict[int, float], trained: bool
) -> None:
    if trained:
        publish(recommender, two_tastes())
    user = new_user(recommender.database, ratings)
    for _ in range(2):  # made, then kept
        items = recommender.recommend(user).items
        movies = [item.movie.movie_id for item in items]
        assert len(movies) == len(set(movies)) == 10
        assert not set(movies) & set(ratings)
        assert all(0.5 <= item.expected_rating <= 5 for item in items)


@pytest.mark.parametrize(("loved", "hated"), [(EVEN, ODD), (ODD, EVEN)], ids=["even", "odd"])
def test_whoever_loves_one_kind_is_recommended_that_kind(live: Recommender, loved: list[int], hated: list[int]) -> None:
    user = new_user(live.database, dict.fromkeys(loved[:3], 5.0) | dict.fromkeys(hated[:3], 0.5))
    assert set(listed(live, user)) <= set(loved)


def test_before_the_first_training_the_most_liked_movies_come_first(recommender: Recommender) -> None:
    user = new_user(recommender.database, {IDS[0]: 5.0, IDS[3]: 1.0})
    assert listed(recommender, user) == [movie for movie in IDS if movie not in (IDS[0], IDS[3])][:10]


@pytest.mark.parametrize("trained", [False, True], ids=["popular", "trained"])
@pytest.mark.parametrize("left", [3, 0])
def test_who_has_seen_nearly_all_gets_the_rest(recommender: Recommender, left: int, trained: bool) -> None:
    if trained:
        publish(recommender, two_tastes())
    user = new_user(recommender.database, dict.fromkeys(IDS[left:], 4.0))
    for _ in range(2):
        assert sorted(listed(recommender, user)) == IDS[:left]


@pytest.mark.parametrize("trained", [False, True], ids=["popular", "trained"])
def test_nobody_gets_nothing(recommender: Recommender, trained: bool) -> None:
    if trained:
        publish(recommender, two_tastes())
    with pytest.raises(UnknownUserError, match="no user 7"):
        recommender.recommend(7)


def test_a_stored_list_is_used_while_it_is_current(live: Recommender) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0})
    before = listed(live, user)
    store_list(live, user)
    tamper(live.database, user, IDS[-1] if IDS[-1] not in before else IDS[-2])
    assert listed(live, user)[0] not in before
    assert listed(live, user)[1:] == before[1:]


@pytest.mark.parametrize("is_stored", [False, True], ids=["made", "stored"])
def test_a_list_that_was_shown_is_kept_while_it_is_current(live: Recommender, is_stored: bool) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0})
    if is_stored:
        store_list(live, user)
    live.recommend(user)
    again = live.recommend(user)
    assert again.made == "stored"
    assert live.recommend(user) is again
    view(live.database, user, EVEN[1], 5.0)
    assert live.recommend(user).made == "blended"


def test_no_list_is_kept_beyond_its_generation(live: Recommender) -> None:
    user = new_user(live.database)
    before = listed(live, user)
    publish(live, two_tastes(seed=1))
    assert live.recommend(user).made == "popular"
    assert listed(live, user) != before


def test_the_oldest_list_goes_where_there_is_no_room(recommender: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalogue.live_generation.MAX_CACHED_LISTS", 2)
    publish(recommender, two_tastes())
    users = [new_user(recommender.database) for _ in range(3)]
    for user in users:
        recommender.recommend(user)
    assert [recommender.recommend(user).made for user in users[::-1]] == ["stored", "stored", "popular"]
    recommender.forget(users[2])
    assert recommender.recommend(users[2]).made == "popular"


def take_back(database: Database, user: int, movie: int) -> None:
    with database.statement() as db:
        assert user_ratings.remove(db, user, movie)


@pytest.mark.parametrize(
    "change",
    [
        lambda database, user: view(database, user, ODD[0], 5.0),
        lambda database, user: view(database, user, EVEN[0], 0.5),
        lambda database, user: take_back(database, user, EVEN[0]),
    ],
    ids=["a view", "another rating", "a view taken back"],
)
@pytest.mark.parametrize("is_kept", [False, True], ids=["stored", "kept"])
def test_a_list_is_made_anew_after(live: Recommender, change: Callable[[Database, int], None], is_kept: bool) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0})
    store_list(live, user)
    tamper(live.database, user, EVEN[0])  # a movie that the old list could never hold
    if is_kept:
        assert EVEN[0] in listed(live, user)
    change(live.database, user)
    movies = listed(live, user)
    with live.database.statement() as db:
        seen = {row.movie_id for row in user_ratings.of_user(db, user)}
    assert not set(movies) & seen
    assert listed(live, user) == movies


def test_another_rating_of_the_same_movie_changes_the_list(live: Recommender) -> None:
    user = new_user(live.database, {EVEN[0]: 5.0})
    before = listed(live, user)
    view(live.database, user, EVEN[0], 0.5)
    assert listed(live, user) != before


def test_movies_are_read_once_the_catalogue_is_filled(database: Database) -> None:
    recommender = Recommender(database)
    user = new_user(database)
    recommender.model.refresh()
    assert recommender.recommend(user).items == ()
    fill_catalogue(database)
    assert len(recommender.recommend(user).items) == 10
    with database.statement() as db:
        db.execute(text("UPDATE movies SET title = 'Another'"))
    assert recommender.recommend(user).items[0].movie.title == "Movie 0"


def test_a_generation_of_a_part_of_the_catalogue_lists_that_part(recommender: Recommender) -> None:
    publish(recommender, two_tastes(movies=IDS[:30]))
    user = new_user(recommender.database, {IDS[0]: 5.0, IDS[35]: 5.0})
    assert set(listed(recommender, user)) <= set(EVEN[:15])


def test_a_generation_with_movies_that_there_are_not_is_refused(live: Recommender) -> None:
    assert live.model.live is not None
    serving = live.model.live.id
    with pytest.raises(FactorsError, match="movies that the catalogue lacks"):
        publish(live, two_tastes(movies=[*IDS, 10**6]))
    assert live.model.live.id == serving


def test_eight_readers_at_once_get_one_list(live: Recommender) -> None:
    users = [new_user(live.database, {EVEN[n]: 5.0}) for n in range(5)]
    with ThreadPoolExecutor(8) as pool:
        for user in users:
            start = threading.Barrier(8)
            lists = list(pool.map(lambda _, u=user, s=start: (s.wait(), listed(live, u))[1], range(8)))
            assert all(movies == lists[0] for movies in lists)


def test_a_flip_by_another_process_is_picked_up(live: Recommender) -> None:
    user = new_user(live.database)
    before = listed(live, user)
    newer = store_generation(live.database, two_tastes(seed=1))
    flip(live.database, newer)
    assert len(listed(live, user)) == 10  # between the flip and the refresh, too
    live.model.refresh()
    assert live.model.live is not None
    assert live.model.live.id == newer
    assert listed(live, user) != before


def test_a_list_made_from_an_older_generation_is_not_kept(live: Recommender) -> None:
    user = new_user(live.database)
    flip(live.database, store_generation(live.database, two_tastes(seed=1)))
    assert [live.recommend(user).made for _ in range(2)] == ["popular", "popular"]


def test_damaged_factors_are_refused_by_name_and_the_old_ones_serve_on(live: Recommender) -> None:
    assert live.model.live is not None
    user, old = new_user(live.database), live.model.live.id
    before = listed(live, user)
    damaged = store_generation(live.database, two_tastes(seed=1))
    with live.database.statement() as db:
        spoil = text(
            "UPDATE generations SET factors = set_byte(factors, 900, get_byte(factors, 900) # 1) WHERE id = :id"
        )
        db.execute(spoil, {"id": damaged})
    flip(live.database, damaged)
    with pytest.raises(FactorsError, match=f"generation {damaged} .*checksum"):
        live.model.refresh()
    assert live.model.live.id == old
    assert listed(live, user) == before
    flip(live.database, old)
    live.model.refresh()
    assert live.model.live.id == old


def test_a_generation_whose_activation_did_not_reach_the_database_does_not_serve(
    live: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.model.live is not None
    serving, other = live.model.live.id, store_generation(live.database, two_tastes(seed=1))

    def flip_and_lose(db: Connection, generation_id: int) -> None:
        flipped(db, generation_id)
        assert db.connection.dbapi_connection
        db.connection.dbapi_connection.close()

    flipped = generations.flip
    monkeypatch.setattr(generations, "flip", flip_and_lose)
    with pytest.raises(DatabaseUnavailableError):
        live.model.activate(other)
    assert live.model.live.id == serving
    with live.database.statement() as db:
        assert generations.live_id(db) == serving


def test_a_stand_in_is_loaded_though_postgresql_failed_when_it_was_first_wanted(
    live: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a start with a generation that cannot be read, an outage in between must not leave popular lists."""
    assert live.model.live is not None
    other, restarted = live.model.live.id, Recommender(live.database)
    damaged = store_generation(live.database, two_tastes(seed=1))
    with live.database.statement() as db:
        db.execute(text("UPDATE generations SET factors = '\\x00' WHERE id = :id"), {"id": damaged})
    flip(live.database, damaged)

    def fail(db: Connection, limit: int) -> list[int]:
        raise DatabaseUnavailableError("gone for a moment")

    with monkeypatch.context() as outage:
        outage.setattr(generations, "accepted_ids", fail)
        with pytest.raises(DatabaseUnavailableError):
            restarted.model.refresh()
    assert restarted.model.live is None
    with pytest.raises(FactorsError):
        restarted.model.refresh()
    assert restarted.model.live is not None
    assert restarted.model.live.id == other


@contextmanager
def flipping(recommender: Recommender, between: list[int]) -> Iterator[list[int]]:
    """Flips all the time between generations; yields the flips made so far."""
    flips: list[int] = []
    end = threading.Event()

    def run() -> None:
        while not end.is_set():
            flip(recommender.database, between[len(flips) % 2])
            recommender.model.refresh()
            flips.append(between[len(flips) % 2])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield flips
    finally:
        end.set()
        thread.join()


def watch(client: httpx.Client, views_each: int) -> None:
    """A user views what they are recommended, and is never recommended it again."""
    created = client.post("/users/create")
    assert created.status_code == 200, created.text
    path, seen = f"/users/{created.json()['user_id']}", []
    for n in range(views_each):
        answer = client.get(f"{path}/recommendations")
        assert answer.status_code == 200, answer.text
        movies = [dict(pairs)["movie_id"] for pairs in answer.json()]
        assert len(set(movies)) == 10
        assert not set(movies) & set(seen)
        seen.append(movies[n % 10])
        put = client.post(f"{path}/views/{seen[-1]}", json={"rating": 0.5 + n % 10 / 2})
        assert put.status_code == 201, put.text
    answer = client.get(f"{path}/views")
    assert [dict(pairs)["movie_id"] for pairs in answer.json()] == seen[::-1]


def test_twenty_users_read_their_writes_while_generations_change(
    live: Recommender, serve: Callable[[Recommender, Health], httpx.Client], ready: Health
) -> None:
    assert live.model.live is not None
    generations_ = [live.model.live.id, store_generation(live.database, two_tastes(seed=1))]
    client = serve(live, ready)
    with flipping(live, generations_) as flips, ThreadPoolExecutor(20) as pool:
        for user in [pool.submit(watch, client, 12) for _ in range(20)]:
            user.result()
        assert len(flips) > 10
    with live.database.statement() as db:
        assert generations.live_id(db) in generations_
