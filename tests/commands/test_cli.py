"""What operators do by hand: every command of cli.py, what it prints, and how it ends when it cannot be done."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import synthetic_ratings
from command_line import Operator
from conftest import scratch_database
from processes import TIMEOUT_SECONDS, poll

import engine as engine_module
import settings as settings_module
from engine import Engine
from ranking.factors import Factors
from ranking.ratings import Ratings
from settings import ROOT, Settings
from storage import generations, schema
from storage.database import Database


@pytest.fixture(scope="module")
def folder(scratch: Path) -> Path:
    """300 people with planted tastes as a MovieLens folder: enough for some to be held out."""
    folder = scratch / "tastes"
    folder.mkdir()
    movies = "".join(f"{movie},Movie {movie} (1999),Drama\n" for movie in synthetic_ratings.CATALOGUE)
    (folder / "movies.csv").write_text("movieId,title,genres\n" + movies)
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + lines(synthetic_ratings.tastes()))
    return folder


def lines(ratings: Ratings) -> str:
    rows = zip(ratings.user, ratings.movie, ratings.rating, ratings.at, strict=True)
    return "".join(f"{user},{movie},{rating:.1f},{at}\n" for user, movie, rating, at in rows)


@pytest.fixture(scope="module")
def url(database_url: str) -> Iterator[str]:
    yield from scratch_database(database_url)


@pytest.fixture(scope="module")
def operator(engine: Engine, url: str, folder: Path, scratch: Path) -> Iterator[Operator]:
    """An operator whose commands are lent the Spark of the tests."""

    def lend(settings: Settings) -> Engine:
        patch.setattr(engine, "settings", settings)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "Engine", lend)
        patch.setattr(engine, "stop", lambda: None)
        state_dir = str(scratch / "operated")
        yield Operator({"DATABASE_URL": url, "MATINEE_DATASET": str(folder), "MATINEE_STATE_DIR": state_dir})


@pytest.fixture(scope="module")
def served(operator: Operator) -> Operator:
    """An operator of a service that has trained twice."""
    assert operator.says("migrate") == f"the tables are of revision {schema.head()}\n"
    assert operator.says("ingest") == f"the catalogue holds the {len(synthetic_ratings.CATALOGUE)} movies of tastes\n"
    assert operator.says("train") == "published\n"
    assert judged(operator.run("train", MATINEE_RANKER_ITERATIONS="4"))
    return operator


def judged(done: "subprocess.CompletedProcess[str]") -> bool:
    """Return whether a training got as far as the gate, which may find either."""
    return (done.returncode, done.stdout) in ((0, "published\n"), (3, "rejected\n"))


def model_of(url: str, generation: int) -> settings_module.ModelSettings:
    database = Database(url, threads=1)
    with database.transaction() as db:
        model = generations.load(db, generation).model
    database.close()
    return model


def test_the_trainings_are_listed_newest_first_with_the_one_that_is_served(served: Operator) -> None:
    newest, first = served.says("generations").splitlines()
    assert [newest[1:].split()[0], first[1:].split()[0]] == ["2", "1"]
    assert (newest + first).count("*") == 1
    assert len(served.says("generations", "--limit", "1").splitlines()) == 1


def test_a_dataset_that_differs_is_said_and_not_trained_on(served: Operator, dataset: Path) -> None:
    other = {"MATINEE_DATASET": str(dataset)}
    told = f"MATINEE_DATASET names a different dataset ({dataset}); the catalogue and every training run use tastes."
    assert told in served.refused("ingest", **other)
    assert told in served.run("status", **other).stdout
    assert "MATINEE_DATASET names" not in served.run("status").stdout
    assert "(ml-1m); the catalogue and every training run use" in served.refused("ingest", MATINEE_DATASET="ml-1m")


def test_what_is_known_already_is_not_trained_again(served: Operator) -> None:
    assert served.says("train", MATINEE_RANKER_ITERATIONS="4") == "unchanged\n"


def test_a_generation_is_activated_back_and_forward_and_held_until_it_is_released(served: Operator) -> None:
    for generation in ("1", "2"):
        told = served.says("activate", generation)
        assert told == f"generation {generation} is live and held: `matinee activate --release` ends that\n"
        (live,) = [line for line in served.says("generations").splitlines() if line.startswith("*")]
        assert live[1:].split()[0] == generation
        assert "  held; " in live
    assert "held: no training replaces it" in served.run("status").stdout
    assert served.says("activate", "--release") == "generation 2 stays live until the next accepted training\n"
    assert served.says("activate", "--release") == "no generation was held\n"
    assert "  held; " not in served.says("generations")
    assert served.run("activate").returncode == served.run("activate", "1", "--release").returncode == 2


def test_an_unknown_generation_is_told_in_one_line(served: Operator) -> None:
    before = served.says("generations")
    assert served.refused("activate", "99").startswith("matinee: Generation 99 does not exist")
    assert served.refused("evaluate", "--generation", "99").startswith("matinee: Generation 99 does not exist")
    assert served.says("generations") == before


def test_a_generation_is_measured_on_held_out_people(served: Operator, tmp_path: Path) -> None:
    shown = served.says("evaluate", "--generation", "1", "--out", str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["protocol"] == "held-out"
    assert found["facts"]["generation"] == 1
    assert found["facts"]["people"] > 0
    assert found["rows"]
    assert all(label in shown for label in found["rows"])


def test_a_setting_is_judged_before_it_is_shown_to_users(served: Operator) -> None:
    wanted = "experiment", "start", "ab", "--arm", "today", "--arm"
    assert "noise=100: " in served.refused(*wanted, "noise=100")
    shown = served.says(*wanted, "min_ratings=24")
    assert shown.startswith("min_ratings=24: not worse than the live generation")
    served.says("experiment", "stop", "ab")


def test_a_protocol_is_run_on_any_folder(operator: Operator, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    given = ("--protocol", "temporal", "--dataset", str(folder), "--out", str(out))
    assert operator.says("evaluate", *given).startswith("temporal")
    found = json.loads(out.read_text())
    assert found["seeds"] == [1]
    assert all(np.isfinite(value) for row in found["rows"].values() for value in row.values() if value is not None)


def test_the_implicit_protocol_takes_files_of_pairs_and_runs_once_for_each_seed(
    operator: Operator, tmp_path: Path
) -> None:
    liked = synthetic_ratings.tastes()
    liked = liked.take(np.flatnonzero(liked.rating >= 4))
    asked = np.arange(len(liked)) % 5 == 0
    files = []
    for name, part in (("train", liked.take(~asked)), ("test", liked.take(asked))):
        file = tmp_path / f"{name}.csv"
        file.write_text("user,item\n" + "".join(f"{u},{f}\n" for u, f in zip(part.user, part.movie, strict=True)))
        files += [f"--{name}-pairs", str(file)]
    assert operator.says("evaluate", "--protocol", "implicit", "--seeds", "1,2", *files).startswith(
        "implicit, seeds 1, 2"
    )
    incomplete = operator.run("evaluate", "--protocol", "implicit", *files[:2])
    assert incomplete.returncode == 2
    assert "needs --train-pairs and --test-pairs" in incomplete.stderr


@pytest.mark.faults
def test_what_a_search_that_ctrl_c_ended_has_found_is_trained_with(
    served: Operator, url: str, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found.env"
    with served.begun("cli.py", "tune", "--trials", "1000", "--dataset", str(folder), "--out", str(out)) as search:
        poll(lambda: out.exists() or search.poll() is not None, what="the first settings")
        search.send_signal(signal.SIGINT)
        shown, told = search.communicate(timeout=2 * TIMEOUT_SECONDS)  # the trial under way, then two trainings
    assert search.returncode == 0, told
    assert f"the settings found are in {out}" in shown
    assert "today's" in shown
    assert judged(served.run("--params", str(out), "train", MATINEE_RATER_ITERATIONS="2"))
    newest = int(served.says("generations", "--limit", "1")[1:].split()[0])
    assert model_of(url, newest) == settings_module.load({}, out).model


def test_the_report_is_printed_and_drawn(served: Operator, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    shown = served.says("report", "--html", str(page))
    assert shown == served.says("report")
    assert "NDCG@10" in shown
    drawn = page.read_text()
    assert drawn.startswith("<!doctype html>")
    assert drawn.count("<svg") == 6
    assert "ratings given" in drawn


def test_a_generation_trained_from_files_alone_is_brought_in(
    served: Operator, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "elsewhere"
    monkeypatch.setattr(sys, "argv", ["engine.py", "--ratings", str(folder), "--out", str(out)])
    for name, value in (served.environ | {"MATINEE_SEED": "7"}).items():
        monkeypatch.setenv(name, value)
    engine_module.main()
    assert Factors.from_bytes(out.read_bytes()).model.seed == 7
    assert judged(served.run("load", str(out)))


def test_a_file_that_is_no_generation_is_refused_in_one_line(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 100)
    assert operator.refused("load", str(tmp_path / "garbage")).startswith("matinee: ")


def test_a_command_outlives_the_shell_that_started_it(operator: Operator, tmp_path: Path) -> None:
    pipe, told = tmp_path / "pipe", tmp_path / "told"
    os.mkfifo(pipe)
    script = f"'{sys.executable}' cli.py load '{pipe}' 2> '{told}' & read line"
    shell = subprocess.Popen(["bash", "-c", script], cwd=ROOT, env=operator.environ, stdin=subprocess.PIPE)
    with pipe.open("wb") as file:  # once the command reads from the other end
        shell.communicate()
        file.write(b"garbage")
    poll(lambda: "matinee: " in told.read_text(), what="the end of the command")


@pytest.mark.parametrize("option", [("evaluate", "--out"), ("tune", "--out"), ("report", "--html")])
def test_a_result_that_could_not_be_written_is_refused_before_it_is_made(
    option: tuple[str, str], operator: Operator, tmp_path: Path
) -> None:
    done = operator.run(*option, str(tmp_path / "nowhere" / "file"), DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert done.returncode == 2
    assert f"there is no folder {tmp_path}/nowhere" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(operator: Operator, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "does not allow it" in operator.run("tune", "--out", str(tmp_path / "file")).stderr


@pytest.mark.parametrize("seeds", ["a", "1,,2", "-1", "1.5"])
def test_seeds_are_whole_numbers(seeds: str, operator: Operator) -> None:
    done = operator.run("evaluate", "--protocol", "temporal", "--seeds", seeds)
    assert done.returncode == 2
    assert "'--seeds'" in done.stderr


def test_a_bad_setting_is_one_line(operator: Operator) -> None:
    done = operator.run("generations", DATABASE_URL="not a url")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("matinee: DATABASE_URL: give a URL like postgresql://")


def test_a_database_that_is_away_is_one_line(operator: Operator) -> None:
    assert "matinee: " in operator.refused("generations", DATABASE_URL="postgresql://127.0.0.1:1/none")


def test_ratings_without_a_like_are_told_in_one_line(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Heat (1995),Drama\n2,Ran (1985),Drama\n")
    ratings = "".join(f"{user},{movie},1.0,{user}\n" for user in range(1, 40) for movie in (1, 2))
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + ratings)
    told = operator.refused("evaluate", "--protocol", "random", "--dataset", str(tmp_path))
    assert "nothing to learn from" in told


@pytest.mark.parametrize(
    ("ratings", "out", "environ", "told"),
    [
        (".", "nowhere/file", {}, "there is no folder"),
        (".", "file", {}, "holds no whole MovieLens set"),
        (".", "file", {"MATINEE_SEED": "x"}, "MATINEE_SEED"),
    ],
)
def test_training_from_files_tells_in_one_line_what_is_wrong(
    ratings: str, out: str, environ: dict[str, str], told: str, operator: Operator, tmp_path: Path
) -> None:
    given = ("--ratings", str(tmp_path / ratings), "--out", str(tmp_path / out))
    with operator.begun("engine.py", *given, **environ) as process:
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 1
    assert err.startswith("matinee: ")
    assert told in err
    assert err.count("\n") == 1
