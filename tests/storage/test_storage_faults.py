"""Full disks, flipped bytes, and a dataset that is changed under our feet: refused by name, and what was serves on."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from disposable_postgres import DisposablePostgres, disposable_postgres, fill_up, small_disk
from handmade_model import IDS, fill_catalogue, flip, new_user, publish, store_generation, two_tastes, view
from sqlalchemy import text

from health import Health
from jobs import ingest
from jobs.changes import catalogue_source
from jobs.ingest import init_movie_table, load_base_ratings
from jobs.refresh import refresh
from movielens.line_report import DatasetError
from ranking.factors import FactorsError
from recommender import Recommender
from settings import Settings
from storage import base_ratings, generations
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from system.disk import FullDiskError

ACCEPTED = generations.GenerationRecord(None, "accepted", "made by hand", "made by hand", {})


def one(database: Database, query: str) -> object:
    with database.statement() as db:
        return db.execute(text(query)).scalar_one()


def test_a_disk_without_room_for_the_ratings_is_named_and_the_table_stays_empty(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "8k") as disk:
        with pytest.raises(FullDiskError, match=f"The disk of {disk} is full"):
            init_movie_table(database, replace(settings, state_dir=disk))
        assert [path for path in disk.rglob("*") if path.is_file()] == []
    assert one(database, "SELECT count(*) FROM movies") == 0


def test_a_full_disk_under_postgres_refuses_what_is_new_and_serves_what_is_there(scratch: Path) -> None:
    with small_disk(scratch / "disk", "160m") as disk, disposable_postgres(disk) as postgres:
        database = Database(postgres.url, threads=2)
        fill_catalogue(database)
        user, recommender = new_user(database, {IDS[0]: 5.0}), Recommender(database)
        live = publish(recommender, two_tastes())
        listed = recommender.recommend(user).items
        ballast = fill_up(disk)
        large = SimpleNamespace(to_bytes=lambda: os.urandom(20_000_000))

        def add() -> int:
            with database.background_transaction() as db:
                return generations.add(db, large, ACCEPTED)  # type: ignore[arg-type]

        with pytest.raises(DatabaseUnavailableError, match="No space left"):
            add()
        assert recommender.recommend(user).items == listed
        assert one(database, "SELECT count(*) FROM generations") == 1
        ballast.unlink()
        assert add() > live
        view(database, user, IDS[1], 2.0)
        database.close()


def damage(database: Database, generation: int) -> None:
    with database.statement() as db:
        db.execute(
            text("UPDATE generations SET factors = set_byte(factors, 700, get_byte(factors, 700) # 16) WHERE id = :id"),
            {"id": generation},
        )


def test_a_start_with_a_damaged_generation_serves_the_newest_other_that_can_be_read(
    database: Database, ready: Health, serve: Callable[..., httpx.Client]
) -> None:
    fill_catalogue(database)
    user = new_user(database, {IDS[0]: 5.0})
    good, worse, worst = (store_generation(database, two_tastes(seed)) for seed in range(3))
    flip(database, worst)
    for generation in (worse, worst):
        damage(database, generation)
    started = Recommender(database)
    client = serve(started, ready)
    for _ in range(2):  # it is not asked for again, nor forgotten
        refresh(started, ready)
        part = client.get("/health/ready").json()["parts"]["generation"]
        assert (part["state"], part["id"]) == ("failed", good)
        assert f"generation {worst} do not match their checksum; generation {good} is served" in part["reason"]
    assert len(client.get(f"/users/{user}/recommendations").json()) == 10
    newest = publish(started, two_tastes(4))
    refresh(started, ready)
    assert (started.model.live.id, ready["generation"].state) == (newest, "ready")


def test_a_start_with_nothing_that_can_be_read_serves_popular_movies(database: Database, ready: Health) -> None:
    fill_catalogue(database)
    user = new_user(database)
    generation = store_generation(database, two_tastes())
    flip(database, generation)
    damage(database, generation)
    started = Recommender(database)
    refresh(started, ready)
    assert started.model.live is None
    assert "popular movies are served" in ready["generation"].reason
    assert [item.movie.movie_id for item in started.recommend(user).items] == IDS[:10]


@pytest.fixture
def postgres(scratch: Path) -> Iterator[DisposablePostgres]:
    with disposable_postgres(scratch / "damaged") as hurt:
        yield hurt


def test_a_damaged_page_on_the_disk_is_a_damaged_generation(postgres: DisposablePostgres) -> None:
    database = Database(postgres.url, threads=2)
    fill_catalogue(database)
    good, bad = (store_generation(database, two_tastes(seed)) for seed in range(2))
    flip(database, bad)
    with database.statement() as db:  # so large that it lies elsewhere, and not compressed into one page
        db.execute(text("ALTER TABLE generations ALTER factors SET STORAGE EXTERNAL"))
        db.execute(text("UPDATE generations SET factors = factors WHERE id = :id"), {"id": bad})
        where = "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'generations'"
        file = Path(str(postgres.ask("SHOW data_directory")), str(postgres.ask(where)))
    postgres.ask("CHECKPOINT")
    postgres.end(signal.SIGINT)
    with file.open("r+b") as pages:
        pages.seek(-2000, os.SEEK_END)  # in the last page, where the newest rows begin
        pages.write(b"\xff" * 500)
    postgres.start_again()
    started = Recommender(database)
    with pytest.raises(FactorsError, match=f"the stored factors of generation {bad} cannot be read"):
        started.model.refresh()
    assert started.model.live.id == good
    database.close()


def test_a_damaged_base_is_read_from_the_dataset_again(database: Database, settings: Settings) -> None:
    init_movie_table(database, settings)
    base = load_base_ratings(database, settings)
    file = base_ratings.path(settings.state_dir, catalogue_source(database).fingerprint)
    whole = file.read_bytes()
    for place in range(8, len(whole), len(whole) // 20):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        again = load_base_ratings(database, settings)
        assert all((getattr(again, name) == getattr(base, name)).all() for name in base_ratings.COLUMNS)
    file.write_bytes(whole[:1000])
    assert len(load_base_ratings(database, settings)) == len(base)
    assert base_ratings.load(file) is not None


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_a_dataset_that_is_changed_in_place_is_not_learned_from(
    name: str, database: Database, settings: Settings, tmp_path: Path
) -> None:
    folder = shutil.copytree(settings.dataset, tmp_path / "changing")
    own = replace(settings, dataset=str(folder))
    init_movie_table(database, own)
    base, mark = load_base_ratings(database, own), catalogue_source(database).fingerprint
    lines = (folder / name).read_text().splitlines(keepends=True)
    (folder / name).write_text("".join(lines[:-1]))
    assert len(load_base_ratings(database, own)) == len(base)  # what was read at first is kept
    base_ratings.path(own.state_dir, mark).unlink()
    with pytest.raises(DatasetError, match=f"filled from changing .{mark}., but {folder} is"):
        load_base_ratings(database, own)


def test_a_dataset_that_is_changed_while_it_is_read_is_refused(
    database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(settings.dataset, tmp_path / "changing")
    read_movies = ingest.read_movies

    def read_and_change(folder: Path) -> object:
        found = read_movies(folder)
        with (folder / "ratings.csv").open("a") as file:
            file.write("60,1,0.5,1600000000\n")
        return found

    monkeypatch.setattr(ingest, "read_movies", read_and_change)
    with pytest.raises(DatasetError, match=f"{folder} changed while it was read"):
        init_movie_table(database, replace(settings, dataset=str(folder)))
    assert one(database, "SELECT count(*) FROM movies") == 0
