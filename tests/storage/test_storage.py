"""What is durable: exact under concurrency, refused by the database where it is wrong, and seen as of one moment."""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from handmade_model import IDS, fill_catalogue, fill_movies, flip, new_user, store_generation, two_tastes, view
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from catalogue.movie import UnknownMovieError
from storage import base_ratings, generations, movies, recommendations, runs, snapshot, user_ratings, users
from storage.database import TRAINING_LOCK, Database
from storage.errors import (
    DatabaseRefusedError,
    DatabaseUnavailableError,
    UnknownGenerationError,
    UnknownUserError,
)


@pytest.fixture
def filled(database: Database) -> Database:
    """A catalogue of forty movies, and nobody yet."""
    fill_catalogue(database)
    return database


def one(database: Database, query: str, **values: Any) -> Any:
    with database.statement() as db:
        return db.execute(text(query), values).scalar_one()


def history(database: Database, user: int) -> list[tuple[int, float]]:
    with database.statement() as db:
        return [(row.movie_id, row.rating) for row in user_ratings.of_user(db, user)]


def test_views_are_newest_first_even_within_one_tick_of_the_clock(filled: Database) -> None:
    user = new_user(filled)
    with filled.transaction() as db:
        for movie in IDS[:20]:
            user_ratings.put(db, user, movie, 3.0)
        db.execute(text("UPDATE views SET rated_at = now()"))
    assert [movie for movie, _ in history(filled, user)] == IDS[:20][::-1]
    view(filled, user, IDS[4], 1.0)
    assert history(filled, user)[0] == (IDS[4], 1.0)
    assert len(history(filled, user)) == 20


def test_writers_of_one_user_and_movie_leave_one_row_and_lose_no_version(filled: Database) -> None:
    user = new_user(filled)

    def write(n: int) -> bool:
        with filled.statement() as db:
            return user_ratings.put(db, user, IDS[0], 0.5 + n % 10 / 2)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(write, range(80)))
    assert sum(created) == 1
    assert len(history(filled, user)) == 1
    assert one(filled, "SELECT history_version FROM users") == 80
    assert one(filled, "SELECT version FROM views") == 80


def test_writers_of_one_user_and_many_movies_each_make_a_version(filled: Database) -> None:
    user = new_user(filled)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda movie: view(filled, user, movie, 4.0), IDS))
    assert one(filled, "SELECT array_agg(version ORDER BY version) FROM views") == list(range(1, len(IDS) + 1))


def test_giving_and_taking_back_at_once_never_block_each_other_for_good(filled: Database) -> None:
    user = new_user(filled)
    changes: list[int] = []

    def put() -> None:
        for _ in range(150):
            view(filled, user, IDS[0], 4.0)
            changes.append(1)

    def remove() -> None:
        for _ in range(150):
            with filled.statement() as db:
                changes.append(user_ratings.remove(db, user, IDS[0]))

    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(work) for work in (put, remove, put, remove)]:
            work.result()
    # more, where two take back the same view at once: a list too many is made anew, which does no harm
    assert one(filled, "SELECT history_version FROM users") >= sum(changes)


def test_a_view_taken_back_is_gone_and_counts_as_a_change(filled: Database) -> None:
    user = new_user(filled, {IDS[0]: 4.0})
    with filled.statement() as db:
        assert user_ratings.remove(db, user, IDS[0])
        assert not user_ratings.remove(db, user, IDS[0])
    assert history(filled, user) == []
    assert one(filled, "SELECT history_version FROM users") == 2


@pytest.mark.parametrize(("who", "what", "error"), [(9, 0, UnknownUserError), (1, 1, UnknownMovieError)])
def test_a_view_of_someone_or_something_unknown_changes_nothing(
    filled: Database, who: int, what: int, error: type[Exception]
) -> None:
    new_user(filled, {IDS[0]: 4.0})
    movie = IDS[0] if what == 0 else 1
    with filled.statement() as db, pytest.raises(error):
        user_ratings.put(db, who, movie, 2.0)
    assert history(filled, 1) == [(IDS[0], 4.0)]
    assert one(filled, "SELECT history_version FROM users") == 1


def test_a_user_who_is_removed_leaves_nothing_and_their_id_is_never_given_again(filled: Database) -> None:
    user = new_user(filled, {IDS[0]: 4.0})
    generation = store_generation(filled, two_tastes())
    flip(filled, generation)
    with filled.transaction() as db:
        recommendations.store_lists(db, generation, *lists_of([user], 1))
    with filled.statement() as db:
        assert recommendations.read(db, user) == ((1, generation, 0), (IDS[:2], [4.5, 4.25]))
        users.delete(db, user)
        with pytest.raises(UnknownUserError):
            users.delete(db, user)
        with pytest.raises(UnknownUserError):
            user_ratings.of_user(db, user)
    assert one(filled, "SELECT (SELECT count(*) FROM views) + (SELECT count(*) FROM recommendations)") == 0
    assert new_user(filled) == user + 1


def lists_of(people: list[int], version: int) -> tuple[Any, ...]:
    """Two movies for each of these users, in the columns that `publish` takes."""
    n = len(people)
    return (
        np.repeat(np.array(people, np.int32), 2),
        np.full(2 * n, version, np.int64),
        np.tile(np.array(IDS[:2], np.int32), n),
        np.tile(np.array([4.5, 4.25], np.float32), n),
    )


def test_publishing_passes_over_users_who_have_left_meanwhile(filled: Database) -> None:
    people = [new_user(filled) for _ in range(4)]
    generation = store_generation(filled, two_tastes())
    with filled.statement() as db:
        users.delete(db, people[0])
        users.delete(db, people[2])
    with filled.transaction() as db:
        assert recommendations.store_lists(db, generation, *lists_of(people, 0)) == 2
        generations.flip(db, generation)
    with filled.statement() as db:
        for user in (people[1], people[3]):
            assert recommendations.read(db, user) == ((0, generation, 0), (IDS[:2], [4.5, 4.25]))


def test_publishing_for_nobody_stores_nothing(filled: Database) -> None:
    generation = store_generation(filled, two_tastes())
    with filled.transaction() as db:
        assert recommendations.store_lists(db, generation, *lists_of([], 0)) == 0


def test_a_published_list_that_a_newer_view_has_overtaken_is_not_read(filled: Database) -> None:
    user = new_user(filled)
    generation = store_generation(filled, two_tastes())
    view(filled, user, IDS[0], 4.0)
    with filled.transaction() as db:
        recommendations.store_lists(db, generation, *lists_of([user], 0))
        generations.flip(db, generation)
    with filled.statement() as db:
        state, found = recommendations.read(db, user)
    assert state == (1, generation, 0)
    assert isinstance(found, recommendations.RatingHistory)
    assert (found.movies.tolist(), found.rating.tolist()) == ([IDS[0]], [4.0])


def test_lists_of_generations_that_are_not_live_are_pruned(filled: Database) -> None:
    user = new_user(filled)
    old, new = (store_generation(filled, two_tastes(seed)) for seed in (0, 1))
    for generation in (old, new):
        with filled.transaction() as db:
            recommendations.store_lists(db, generation, *lists_of([user], 0))
            generations.flip(db, generation)
    with filled.statement() as db:
        recommendations.prune(db)
    assert one(filled, "SELECT array_agg(DISTINCT generation_id) FROM recommendations") == [new]


def test_lists_of_a_generation_that_never_came_to_be_are_pruned(filled: Database) -> None:
    user = new_user(filled)
    live = store_generation(filled, two_tastes())
    with filled.transaction() as db:
        cut_off = generations.reserve(db)
        for generation in (live, cut_off):
            recommendations.store_lists(db, generation, *lists_of([user], 0))
        generations.flip(db, live)
    with filled.statement() as db:
        recommendations.prune(db)
    assert one(filled, "SELECT array_agg(generation_id) FROM recommendations") == [live]


def test_lists_are_read_when_their_generation_has_come_and_is_live(filled: Database) -> None:
    people = [new_user(filled) for _ in range(3)]
    with filled.transaction() as db:
        generation = generations.reserve(db)
    for piece in (people[:2], people[2:]):
        with filled.transaction() as db:
            recommendations.store_lists(db, generation, *lists_of(piece, 0))
    with filled.statement() as db:
        assert all(isinstance(recommendations.read(db, user)[1], recommendations.RatingHistory) for user in people)
    with filled.transaction() as db:
        record = generations.GenerationRecord(None, "accepted", "made by hand", "made by hand", {})
        assert generations.add(db, two_tastes(), record, generation) == generation
        generations.flip(db, generation)
    with filled.statement() as db:
        assert [recommendations.read(db, user)[1] for user in people] == [(IDS[:2], [4.5, 4.25])] * 3


def test_an_id_that_was_reserved_for_a_generation_is_given_to_no_other(filled: Database) -> None:
    with filled.statement() as db:
        db = db.execution_options(isolation_level="READ COMMITTED")
        with db.begin() as cut_off:
            reserved = generations.reserve(db)
            cut_off.rollback()
    assert store_generation(filled, two_tastes()) == reserved + 1


def test_lists_that_are_stored_again_stay_as_they_are_and_hinder_nothing(filled: Database) -> None:
    first, second = new_user(filled), new_user(filled)
    with filled.transaction() as db:
        assert recommendations.store_lists(db, 1, *lists_of([first], 0)) == 1
    with filled.transaction() as db:
        assert recommendations.store_lists(db, 1, *lists_of([first], 0)) == 0
        assert recommendations.store_lists(db, 1, *lists_of([second], 0)) == 1
    assert one(filled, "SELECT array_agg(user_id ORDER BY user_id) FROM recommendations") == [first, second]


BAD_ROWS = {
    "a rating off the steps": "INSERT INTO views (user_id, movie_id, rating, version) VALUES (1, {movie}, 4.25, 1)",
    "a rating above the scale": "INSERT INTO views (user_id, movie_id, rating, version) VALUES (1, {movie}, 5.5, 1)",
    "a rating of nothing": "INSERT INTO views (user_id, movie_id, rating, version) VALUES (1, {movie}, 'NaN', 1)",
    "a view of an unknown movie": "INSERT INTO views (user_id, movie_id, rating, version) VALUES (1, 1, 4, 1)",
    "a view of an unknown user": "INSERT INTO views (user_id, movie_id, rating, version) VALUES (7, {movie}, 4, 1)",
    "a list of no movies": "INSERT INTO recommendations VALUES (1, 1, 0, '{{}}', '{{}}')",
    "a movie without an expected rating": "INSERT INTO recommendations VALUES (1, 1, 0, '{{1,2}}', '{{4}}')",
    "an expected rating off the scale": "INSERT INTO recommendations VALUES (1, 1, 0, '{{1,2}}', '{{4,5.1}}')",
    "an expected rating below it": "INSERT INTO recommendations VALUES (1, 1, 0, '{{1,2}}', '{{4,0.4}}')",
    "two lists of one history": "INSERT INTO recommendations VALUES (1, 1, 0, '{{1}}', '{{4}}'), "
    "(1, 1, 0, '{{2}}', '{{4}}')",
    "a list of an unknown user": "INSERT INTO recommendations VALUES (7, 1, 0, '{{1}}', '{{4}}')",
    "a second live generation": "INSERT INTO live_generation (generation_id) VALUES (1)",
    "a live generation that is not the single one": "INSERT INTO live_generation (single, generation_id) "
    "VALUES (false, 1)",
    "a live generation that does not exist": "UPDATE live_generation SET generation_id = 9",
    "factors without a checksum": "UPDATE generations SET checksum = NULL",
    "an unknown verdict": "UPDATE generations SET verdict = 'perhaps'",
    "a run that ended at no time": "INSERT INTO runs (kind, phase, outcome) VALUES ('train', '', 'published')",
    "a run that ended without an outcome": "INSERT INTO runs (kind, phase, finished_at) VALUES ('train', '', now())",
    "a failure without a reason": "INSERT INTO runs (kind, phase, outcome, finished_at) "
    "VALUES ('train', '', 'failed', now())",
    "a run further than its end": "INSERT INTO runs (kind, phase, progress) VALUES ('train', '', 1.1)",
    "a run of an unknown kind": "INSERT INTO runs (kind, phase) VALUES ('nap', '')",
    "a second training under way": "INSERT INTO runs (kind, phase) VALUES ('train', ''), ('train', '')",
    "a movie without a title": "UPDATE movies SET title = ''",
    "more likes than ratings": "UPDATE movies SET like_count = rating_count + 1",
    "a version below none": "UPDATE users SET history_version = -1",
    "an id of the client's choice": "INSERT INTO users (id) VALUES (99)",
}


def test_the_database_refuses(filled: Database) -> None:
    new_user(filled)
    flip(filled, store_generation(filled, two_tastes()))
    identity_is_always_ours = "428C9"
    for bad, statement in BAD_ROWS.items():
        with pytest.raises(DBAPIError) as refused, filled.statement() as db:
            db.execute(text(statement.format(movie=IDS[0], other=IDS[1])))
        code = refused.value.orig.pgcode
        assert isinstance(refused.value, IntegrityError) or code == identity_is_always_ours, bad


def test_flipping_to_a_generation_that_is_not_kept_changes_nothing(filled: Database) -> None:
    kept, pruned = (store_generation(filled, two_tastes(seed)) for seed in (0, 1))
    flip(filled, kept)
    with filled.statement() as db:
        db.execute(text("UPDATE generations SET factors = NULL, checksum = NULL WHERE id = :id"), {"id": pruned})
        for gone in (pruned, 99):
            with pytest.raises(UnknownGenerationError, match=str(gone)):
                generations.flip(db, gone)
            with pytest.raises(UnknownGenerationError, match=str(gone)):
                generations.load(db, gone)
        assert generations.live_id(db) == kept


def test_a_generation_comes_back_as_it_was_stored(filled: Database) -> None:
    factors = two_tastes(seed=3)
    generation = store_generation(filled, factors)
    with filled.statement() as db:
        loaded = generations.load(db, generation)
    assert loaded.to_bytes() == factors.to_bytes()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Does something in another thread before the block and waits for its end."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    yield


def test_a_snapshot_sees_users_and_views_of_one_moment(filled: Database) -> None:
    first, second = new_user(filled, {IDS[0]: 4.0}), new_user(filled, {IDS[1]: 2.5})
    with filled.snapshot() as db:
        db.execute(text("SELECT 1 FROM users"))  # the moment
        with meanwhile(lambda: (view(filled, first, IDS[2], 5.0), new_user(filled, {IDS[0]: 1.0}))):  # type: ignore[arg-type, return-value]
            taken = snapshot.take(db)
        with pytest.raises(DBAPIError, match="read-only"):
            db.execute(text("DELETE FROM views"))
    assert taken.users.tolist() == [first, second]
    assert taken.versions.tolist() == [1, 1]
    assert taken.views.movie.tolist() == [IDS[0], IDS[1]]
    with filled.snapshot() as db:
        later = snapshot.take(db)
    assert (len(later.users), len(later.views)) == (3, 4)


def test_histories_hold_every_user_with_their_views_and_nobody_elses(filled: Database) -> None:
    people = [new_user(filled), new_user(filled, {IDS[1]: 2.5, IDS[0]: 4.0}), new_user(filled), new_user(filled)]
    with filled.snapshot() as db:
        taken = snapshot.take(db).histories
    assert taken.user.tolist() == people
    assert taken.start.tolist() == [0, 0, 2, 2, 2]
    assert dict(zip(taken.movies.tolist(), taken.rating.tolist(), strict=True)) == {IDS[0]: 4.0, IDS[1]: 2.5}


def test_a_snapshot_of_nobody_is_empty(filled: Database) -> None:
    with filled.snapshot() as db:
        taken = snapshot.take(db)
    assert (len(taken.users), len(taken.views), len(taken.histories)) == (0, 0, 0)


def test_the_fingerprint_changes_with_every_change_of_the_views_and_with_nothing_else(filled: Database) -> None:
    def mark() -> str:
        with filled.snapshot() as db:
            return users.fingerprint(db)

    user, other, marks = new_user(filled, {IDS[0]: 4.0}), new_user(filled, {IDS[0]: 4.0}), [mark()]
    new_user(filled)
    with filled.statement() as db:
        user_ratings.put_mark(db, user, IDS[2], "seen")
    assert mark() == marks[0]
    with filled.statement() as db:
        user_ratings.put(db, user, IDS[1], 3.0)
        marks.append(mark())
        user_ratings.put(db, user, IDS[1], 3.0)
        marks.append(mark())
        user_ratings.remove(db, user, IDS[1])
        assert mark() == marks[0]
        user_ratings.remove(db, user, IDS[0])
        marks.append(mark())
        users.delete(db, other)
        marks.append(mark())
    assert len(set(marks)) == len(marks)


def test_a_run_is_advanced_and_ended_once(filled: Database) -> None:
    with filled.statement() as db:
        run = runs.begin(db, "train")
        runs.advance(db, run, "ranker", 0.25)
        found = runs.newest(db, "train")[0]
        assert (found.phase, found.progress, found.outcome) == ("ranker", 0.25, None)
        assert runs.end(db, run, "published", {"seconds": 1})
        assert not runs.end(db, run, "failed", {}, "late")
        found = runs.newest(db, "train")[0]
        assert (found.outcome, found.progress, found.error, found.details) == ("published", 1, None, {"seconds": 1})


def test_a_run_left_open_by_a_dead_process_is_closed_by_the_next(filled: Database) -> None:
    with filled.statement() as db:
        dead, ingest, alive = runs.begin(db, "train"), runs.begin(db, "ingest"), runs.begin(db, "train")
        found = {row.id: (row.outcome, row.error) for kind in ("train", "ingest") for row in runs.newest(db, kind, 9)}
    assert found == {
        dead: ("failed", "cut off: its process ended, or it lost the database"),
        ingest: (None, None),
        alive: (None, None),
    }


def test_only_one_is_alone_and_the_place_is_free_afterwards(filled: Database) -> None:
    with filled.try_lock(TRAINING_LOCK) as first:
        with filled.try_lock(TRAINING_LOCK) as second:
            assert (first, second) == (True, False)
        with filled.try_lock(TRAINING_LOCK) as third:
            assert not third  # who was refused has not let the first one's place go
    with filled.try_lock(TRAINING_LOCK) as again:
        assert again


def test_a_place_that_cannot_be_given_back_is_freed_with_its_connection(filled: Database) -> None:
    refusing = "CREATE FUNCTION public.pg_advisory_unlock(int) RETURNS bool LANGUAGE sql AS 'SELECT 1 / ($1 - $1) = 0'"
    another = Database(filled.url, threads=1)
    with filled.statement() as db:
        db.execute(text(refusing))
    try:
        with filled.try_lock(TRAINING_LOCK) as mine:  # what was done under it is done, so this is no failure
            assert mine
        with filled.statement() as db:
            db.execute(text("DROP FUNCTION public.pg_advisory_unlock(int)"))
        with another.try_lock(TRAINING_LOCK) as free:
            assert free
    finally:
        with filled.statement() as db:
            db.execute(text("DROP FUNCTION IF EXISTS public.pg_advisory_unlock(int)"))
        another.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the name of the option is Linux's")
def test_a_network_that_drops_every_packet_is_noticed(database: Database) -> None:
    with database.statement() as db, socket.socket(fileno=os.dup(db.connection.fileno())) as wire:
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 2


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "nobody"}, {"database": "nothing"}])
def test_who_is_not_let_in_is_told_what_to_do(database: Database, wrong: dict[str, str]) -> None:
    refused = Database(make_url(database.url).set(**wrong).render_as_string(hide_password=False), threads=1)
    with pytest.raises(DatabaseRefusedError, match="Correct DATABASE_URL, or make its user and database"):
        refused.ping()
    refused.close()


def test_a_port_where_nobody_listens_is_worth_waiting_for(database: Database) -> None:
    with socket.socket() as unused:  # bound, so that nobody else can listen
        unused.bind(("127.0.0.1", 0))
        url = make_url(database.url).set(host="127.0.0.1", port=unused.getsockname()[1])
        away = Database(url.render_as_string(hide_password=False), threads=1)
        with pytest.raises(DatabaseUnavailableError) as told:
            away.ping()
    assert not isinstance(told.value, DatabaseRefusedError)


def test_a_statement_that_takes_too_long_is_the_database_being_away(filled: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="timeout"), filled.statement() as db:
        db.execute(text("SELECT pg_sleep(10)"))


def test_a_transaction_that_fails_leaves_nothing(filled: Database) -> None:
    user = new_user(filled)

    def two_views() -> None:
        with filled.transaction() as db:
            user_ratings.put(db, user, IDS[0], 4.0)
            user_ratings.put(db, user, 1, 4.0)

    with pytest.raises(UnknownMovieError):
        two_views()
    assert history(filled, user) == []


def test_a_session_ended_by_the_server_is_the_database_being_away_and_the_next_one_works(filled: Database) -> None:
    with pytest.raises(DatabaseUnavailableError), filled.statement() as db:
        db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    filled.ping()


def test_movies_come_by_their_ids(filled: Database) -> None:
    with filled.statement() as db:
        assert movies.ids(db).tolist() == movies.table(db).movies.tolist() == IDS


def test_only_one_process_fills_the_catalogue(database: Database) -> None:
    def fill(_: int) -> bool:
        with database.transaction() as db:
            movies.lock(db)
            if movies.is_filled(db):
                return False
            fill_movies(db, [(1, "Movie", "Drama", None, 0, 0.0, 0, 3.5)])
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(fill, range(4))) == 1


def test_base_ratings_come_back_as_they_were_kept(tmp_path: Any) -> None:
    from conftest import checkerboard

    file = base_ratings.path(tmp_path, "abc")
    base_ratings.save(file, checkerboard())
    for name in ("user", "movie", "rating", "at"):
        kept, given = getattr(base_ratings.load(file), name), getattr(checkerboard(), name)
        assert kept.dtype == given.dtype
        assert np.array_equal(kept, given)
    assert [path.name for path in file.parent.iterdir()] == ["abc.parquet"]
