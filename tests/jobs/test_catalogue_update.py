"""Another edition of the dataset is taken in beside what is served: whole, or not at all."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Operator
from conftest import MOVIES, checkerboard
from handmade_model import new_user
from processes import poll
from sqlalchemy import text

from catalogue.movie import Filters
from health import Health
from jobs.changes import DatasetWatch, catalogue_source, dataset_difference
from jobs.ingest import compare_catalogue, init_movie_table, load_base_ratings, update_catalogue
from movielens.line_report import DatasetError
from recommender import Recommender
from settings import Settings
from storage import dataset_update, movie_changes, movies
from storage.database import TRAINING_LOCK, Database
from storage.movie_changes import FIRST_OWN_ID, MovieChange, MovieDescription

GONE, RENAMED, NEW = 3, 1, MOVIES + 5


@pytest.fixture
def newer(settings: Settings, tmp_path: Path) -> Path:
    """An edition without one movie, with a new one, another title, ids elsewhere, and other ratings."""
    folder = tmp_path / "newer"
    shutil.copytree(settings.dataset, folder)
    lines = (folder / "movies.csv").read_text().splitlines()
    kept = [line for line in lines if not line.startswith((f"{GONE},", f"{RENAMED},"))]
    kept += [f'{RENAMED},"Quagga, The (1901)",Drama', f"{NEW},Okapi (2024),Zoology"]
    (folder / "movies.csv").write_text("\n".join(kept) + "\n")
    ratings = [line for line in (folder / "ratings.csv").read_text().splitlines() if line.split(",")[1] != str(GONE)]
    (folder / "ratings.csv").write_text("\n".join([*ratings, f"1,{NEW},4.5,1600000000"]) + "\n")
    (folder / "links.csv").write_text(f"movieId,imdbId,tmdbId\n{NEW},0000007,7\n")
    (folder / "tags.csv").write_text(f'userId,movieId,tag,timestamp\n1,{NEW},"a ""b"", {{c}} \\",1\n')
    return folder


@pytest.fixture
def filled(database: Database, settings: Settings) -> Database:
    init_movie_table(database, settings)
    return database


def rows(database: Database) -> list[dict[str, Any]]:
    with database.statement() as db:
        found = db.execute(text("SELECT * FROM movies ORDER BY id")).mappings()
        return [{name: value for name, value in row.items() if name not in ("changed", "added_at")} for row in found]


def test_what_differs_is_told_and_nothing_is_changed(filled: Database, newer: Path) -> None:
    before = rows(filled)
    found = compare_catalogue(filled, newer)
    assert (found.difference.added, found.difference.changed, found.difference.missing) == ([NEW], [RENAMED], [GONE])
    assert found.counts["ratings_before"] == len(checkerboard())
    assert rows(filled) == before


def test_movies_and_base_ratings_become_those_of_the_newer_set_and_back(
    filled: Database, settings: Settings, newer: Path
) -> None:
    before, serving = rows(filled), Recommender(filled)
    user = new_user(filled, {GONE: 5.0})
    with filled.transaction() as db:
        ((own, _),) = movie_changes.put(db, [MovieChange(None, MovieDescription("Own", "Drama"))])
    assert own == FIRST_OWN_ID
    assert len(serving.model.movies) == MOVIES + 1

    found = update_catalogue(filled, settings, newer, withdraw_missing=True)
    base = load_base_ratings(filled, settings)
    assert len(base) == found.ratings == (checkerboard().movie != GONE).sum() + 1
    assert dataset_difference(filled, replace(settings, dataset=str(newer))) is None
    assert "`matinee catalogue update`" in str(dataset_difference(filled, settings))
    table = serving.model.current_movies
    listed = table.movies[table.matching(Filters())].tolist()
    assert listed == [movie for movie in range(1, MOVIES + 1) if movie != GONE] + [NEW, own]
    assert table.movies[table.search("quagga")[0]].tolist() == [RENAMED]
    with filled.statement() as db:
        shown, gone = movies.find(db, NEW), movies.find(db, GONE)
        assert db.execute(text("SELECT movie_id FROM views WHERE user_id = :user"), {"user": user}).scalar_one() == GONE
    assert (shown.imdb_id, shown.tags, shown.rating_count, shown.rating_mean) == (
        "tt0000007",
        ['a "b", {c} \\'],
        1,
        4.5,
    )
    assert (gone.rating_count, gone.rating_mean) == (1, 5.0)  # that of our user alone

    update_catalogue(filled, settings, Path(settings.dataset), withdraw_missing=True, restore=True)
    after = [row for row in rows(filled) if row["id"] <= MOVIES]
    assert after == before
    assert len(load_base_ratings(filled, settings)) == catalogue_source(filled).ratings
    assert serving.model.current_movies.listed is not None  # the movie of the newer set alone is withdrawn
    assert [*serving.model.current_movies.movies[serving.model.current_movies.withdrawn]] == [NEW]


def test_an_update_is_refused_while_a_training_run_holds_the_lock(
    filled: Database, settings: Settings, newer: Path
) -> None:
    with filled.try_lock(TRAINING_LOCK) as mine:
        assert mine
        other = Database(filled.url, 2)
        with pytest.raises(DatasetError, match="A training run is in progress"):
            update_catalogue(other, settings, newer)
        other.close()


def test_an_update_that_is_cut_off_leaves_everything_as_it_was(
    filled: Database, settings: Settings, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, source = rows(filled), catalogue_source(filled)

    def cut_off(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jobs.ingest.record_ingest", cut_off)
    with pytest.raises(KeyboardInterrupt):
        update_catalogue(filled, settings, newer)
    assert (rows(filled), catalogue_source(filled)) == (before, source)
    with filled.try_lock(TRAINING_LOCK) as free:
        assert free


def test_a_set_without_links_leaves_ids_and_tags_as_they_are(filled: Database, settings: Settings, newer: Path) -> None:
    with filled.statement() as db:
        db.execute(text("UPDATE movies SET imdb_id = 'tt0000001', tags = ARRAY['kept'] WHERE id = 1"))
    assert compare_catalogue(filled, Path(settings.dataset)).difference == dataset_update.CatalogueDifference(
        [], [], [], []
    )
    (newer / "links.csv").unlink()
    told = Operator({"DATABASE_URL": filled.url}).says("catalogue", "diff", str(newer))
    assert told.endswith(f"in newer\n{newer} has no links.csv: movies keep their links, new ones have none\n")


def test_a_dataset_that_differs_is_in_the_health_until_it_is_taken_in(
    filled: Database, settings: Settings, newer: Path, ready: Health
) -> None:
    watch = DatasetWatch(filled, replace(settings, dataset=str(newer)), ready)
    watch.check()
    poll(lambda: "names a different dataset" in (ready["catalogue"].reason or ""), what="the difference")
    assert ready["catalogue"].state == "ready"
    update_catalogue(filled, settings, newer)
    watch.check()
    poll(lambda: ready["catalogue"].reason is None, what="the end of the difference")
