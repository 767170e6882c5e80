"""The commands that add, import and withdraw movies."""

import json
from pathlib import Path

from command_line import Operator
from handmade_model import IDS

from recommender import Recommender
from storage import movie_changes
from storage.movie_changes import FIRST_OWN_ID, MovieChange, MovieDescription


def operator(recommender: Recommender, tmp_path: Path) -> Operator:
    url = recommender.database.url
    return Operator({"DATABASE_URL": url, "MATINEE_STATE_DIR": str(tmp_path)})


def test_movies_are_added_imported_and_withdrawn(recommender: Recommender, tmp_path: Path) -> None:
    run, file = operator(recommender, tmp_path), tmp_path / "new.csv"
    told = run.says("movies", "add", "Okapi, The", "--year", "2024", "--genre", "Zoology", "--imdb-id", "7", "--json")
    assert json.loads(told) == {"movie_id": FIRST_OWN_ID, "created": True}
    file.write_text(f'movieId,title,genres,imdbId\n{IDS[0]},"Quagga (1883)",Drama,\n,"Zebra (2000)",Drama|War,8\n')
    for created in (1, 0):
        assert json.loads(run.says("movies", "import", str(file), "--json")) == {
            "created": created,
            "replaced": 2 - created,
        }
        with recommender.database.transaction() as db:  # what is edited stays so when the file is imported again
            edited = MovieDescription("Zebra, The", "Drama", imdb_id="tt0000008")
            movie_changes.put(db, [MovieChange(FIRST_OWN_ID + 1, edited)])
    assert run.says("movies", "withdraw", str(IDS[1]), str(IDS[2])).strip() == "movies withdrawn: 2"
    table = recommender.model.current_movies
    assert [table.movie(row).title for row in table.search("okapi")[0]] == ["Okapi, The"]
    assert [table.movie(row).year for row in table.search("quagga")[0]] == [1883]
    assert [table.movie(row).title for row in table.search("zebra")[0]] == ["Zebra, The"]
    assert table.movies[table.withdrawn].tolist() == IDS[1:3]


def test_a_file_with_a_bad_line_is_not_imported(recommender: Recommender, tmp_path: Path) -> None:
    run, file = operator(recommender, tmp_path), tmp_path / "bad.csv"
    file.write_text("movieId,title,genres,tmdbId\n7,Okapi,Drama,1\n8,Zebra,Drama,x\n8,,Drama,\n")
    done = run.run("movies", "import", str(file))
    assert done.returncode == 1
    assert "bad.csv, line 3: an id that is not a whole number" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert run.run("movies", "withdraw", "5").stderr.strip() == "matinee: There is no movie 5."
    assert len(recommender.model.current_movies) == len(IDS)
