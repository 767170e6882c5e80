"""A MovieLens folder becomes the catalogue and the base of every training, or nothing at all."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Operator
from conftest import MOVIES, checkerboard
from sqlalchemy import text

from catalogue.movie import Filters
from jobs.changes import catalogue_source
from jobs.ingest import init_movie_table, load_base_ratings, update_catalogue
from movielens.reader import DatasetError, fingerprint
from recommender import Recommender
from settings import Settings
from storage import base_ratings, runs
from storage.database import Database
from storage.movies import find


def movies(database: Database) -> list[tuple[object, ...]]:
    with database.statement() as db:
        return [tuple(row) for row in db.execute(text("SELECT * FROM movies ORDER BY id"))]


def test_the_catalogue_holds_every_movie_with_what_its_ratings_say(database: Database, settings: Settings) -> None:
    init_movie_table(database, settings)
    board = checkerboard()
    of_first = board.rating[board.movie == 1]
    first, *_, last = movies(database)
    assert len(movies(database)) == MOVIES
    assert first[:6] == (1, "Movie 1", "Drama", 1901, len(of_first), of_first.sum())
    assert first[6] == (of_first >= 4).sum()
    assert last[:4] == (MOVIES, f"Movie {MOVIES}", "Comedy", 1900 + MOVIES)


def test_the_base_is_kept_and_read_once(database: Database, settings: Settings) -> None:
    init_movie_table(database, settings)
    base = load_base_ratings(database, settings)
    assert len(base) == len(checkerboard())
    nowhere = replace(settings, dataset="/nowhere")
    assert len(load_base_ratings(database, nowhere)) == len(base)


def test_a_lost_base_is_read_from_the_dataset_again(database: Database, settings: Settings) -> None:
    init_movie_table(database, settings)
    mark = catalogue_source(database).fingerprint
    shutil.rmtree(settings.state_dir / "ratings")
    assert len(load_base_ratings(database, settings)) == len(checkerboard())
    assert base_ratings.path(settings.state_dir, mark).exists()


def test_a_dataset_that_has_changed_is_refused_by_name(database: Database, settings: Settings, tmp_path: Path) -> None:
    init_movie_table(database, settings)
    shutil.rmtree(settings.state_dir / "ratings")
    other = tmp_path / "other"
    shutil.copytree(settings.dataset, other)
    with (other / "ratings.csv").open("a") as file:
        file.write("999,1,5.0,1600000000\n")
    with pytest.raises(DatasetError, match="filled from checkerboard"):
        load_base_ratings(database, replace(settings, dataset=str(other)))


def test_the_doctor_refuses_a_dataset_that_ingest_would_refuse(
    empty_url: str, settings: Settings, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(settings.dataset, other)
    (other / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "x,1,5.0,1\n" * 9)
    for dataset, level, told in ((settings.dataset, "ok", ""), (str(other), "fail", "9 of the 9 lines of ratings.csv")):
        done = Operator({"DATABASE_URL": empty_url, "MATINEE_DATASET": dataset}).run("doctor", "--json")
        (line,) = (line for line in json.loads(done.stdout) if line["what"] == "dataset")
        assert (line["level"], told in line["text"]) == (level, True)


def test_the_doctor_compares_the_dataset_before_the_tables_are_migrated(
    empty: Database, settings: Settings, tmp_path: Path
) -> None:
    empty.migrate("0001")
    with empty.statement() as db:
        db.execute(text("INSERT INTO movies VALUES (1, 'Movie', '', 1999, 0, 0, 0, 3)"))
        details = {"dataset": "checkerboard", "fingerprint": fingerprint(Path(settings.dataset)), "ratings": 9}
        statement = """INSERT INTO runs (kind, phase, outcome, finished_at, details)
            VALUES ('ingest', 'done', 'done', now(), :details)"""
        db.execute(text(statement), {"details": json.dumps(details)})
    other = shutil.copytree(settings.dataset, tmp_path / "other")
    (other / "ratings.csv").write_text((other / "ratings.csv").read_text() + "1,1,5.0,1\n")
    for dataset, level, told in (
        (settings.dataset, "ok", ""),
        (str(other), "fail", "training run use checkerboard. Set"),
    ):
        done = Operator({"DATABASE_URL": empty.url, "MATINEE_DATASET": dataset}).run("doctor", "--json")
        (line,) = (line for line in json.loads(done.stdout) if line["what"] == "dataset")
        assert (line["level"], told in line["text"]) == (level, True)


def test_a_full_catalogue_is_left_alone(database: Database, settings: Settings) -> None:
    init_movie_table(database, settings)
    before = movies(database)
    init_movie_table(database, replace(settings, dataset="/nowhere"))
    assert movies(database) == before


@pytest.mark.parametrize("fault", ["a missing column", "too many malformed lines"])
def test_a_bad_dataset_leaves_the_table_untouched(
    database: Database, settings: Settings, tmp_path: Path, fault: str
) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(settings.dataset, folder)
    ratings = folder / "ratings.csv"
    lines = ratings.read_text().splitlines(keepends=True)
    if fault == "a missing column":
        lines[0] = "userId,movieId,stars,timestamp\n"
    else:
        lines += ["1,2,many,1500000000\n"] * (len(lines) // 20)
    ratings.write_text("".join(lines))
    with pytest.raises(DatasetError, match="rating"):
        init_movie_table(database, replace(settings, dataset=str(folder)))
    assert movies(database) == []


def test_a_few_malformed_lines_are_skipped_and_reported(
    database: Database, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "nearly"
    shutil.copytree(settings.dataset, folder)
    with (folder / "ratings.csv").open("a") as file:
        file.write("1,2,many,1500000000\n")
    line = len((folder / "ratings.csv").read_text().splitlines())
    init_movie_table(database, replace(settings, dataset=str(folder)))
    assert f"ratings.csv, line {line}: " in caplog.text
    assert len(movies(database)) == MOVIES


def test_the_run_says_what_the_catalogue_was_filled_from(database: Database, settings: Settings) -> None:
    init_movie_table(database, settings)
    with database.statement() as db:
        found = runs.ingest_details(db)
    assert found is not None
    assert found["dataset"] == "checkerboard"
    assert found["films"] == MOVIES


@pytest.mark.parametrize("upgraded", [False, True], ids=["filled anew", "filled by an earlier version"])
def test_every_row_of_the_links_resolves(
    database: Database, settings: Settings, tmp_path: Path, upgraded: bool
) -> None:
    linked = tmp_path / "checkerboard"
    shutil.copytree(settings.dataset, linked)
    if upgraded:
        init_movie_table(database, settings)
        with database.statement() as db:
            db.execute(text("UPDATE movies SET tags = NULL"))
    reader = Recommender(database)
    assert not upgraded or len(reader.model.movies) == MOVIES  # before there were links
    links = "".join(f"{movie},{movie:07d},{movie + 100}\n" for movie in range(1, MOVIES + 1))
    (linked / "links.csv").write_text("movieId,imdbId,tmdbId\n" + links)
    (linked / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,Heist,1\n")
    if upgraded:
        told = Operator({"DATABASE_URL": database.url, "MATINEE_DATASET": settings.dataset}).run("doctor").stdout
        assert "the movies lack histograms, links and tags" in told
        update_catalogue(database, settings, linked)
    else:
        init_movie_table(database, replace(settings, dataset=str(linked)))
    table = reader.model.current_movies
    for movie in range(1, MOVIES + 1):
        for filters in (Filters(imdb_id=f"tt{movie:07d}"), Filters(tmdb_id=movie + 100)):
            assert table.movies[table.matching(filters)].tolist() == [movie]
    with database.statement() as db:
        assert find(db, 1).tags == ["heist"]
        assert find(db, 2).tags == []
