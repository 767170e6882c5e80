"""Soak: minutes of mixed load on a real server that retrains every minute, then a verdict on each promise.

    python benchmarks/soak.py [--minutes 10] [--dataset FOLDER-OR-NAME] [--clients 16] [--rate 150] [--out FILE]

Without a dataset it makes one, a checkerboard of two tastes. The exit status is 1 if a promise was broken.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.extend(
    str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests/support", "tests/faults")
)

from database_invariants import check_lists, database_of
from footprint import Footprint, look_at
from mixed_load import LoadPlan, Tally, put_under_load
from processes import ServiceProcess, service
from verdicts import Promise, Soaked, beside, promises, table

from movielens.dataset import ensure_dataset
from movielens.reader import read_movies
from settings import ROOT

PROCESSES = 2  # of the load
POLL_SECONDS, TELL_SECONDS = 2.0, 15.0
MOVIES, USERS = 600, 300  # of the checkerboard


def soak(folder: Path, state_dir: Path, given: argparse.Namespace) -> Soaked:
    """Put a server under load for so many minutes and look at it meanwhile."""
    with service(state_dir, model={"MATINEE_DATASET": str(folder), "MATINEE_RETRAIN_MINUTES": "1"}) as running:
        running.wait_until_ready()
        with under_load(plan_for(running, folder, given)) as loads:
            looks, generations = watched(running, loads)
        tally = Tally()
        for load in loads:
            tally.add(load.result())
        with database_of(state_dir) as db:
            lists = check_lists(db)
        running.stop()
    return Soaked(looks, generations, tally, lists)


def plan_for(running: ServiceProcess, folder: Path, given: argparse.Namespace) -> LoadPlan:
    """What each process of the load is to do."""
    movies = [movie.movie_id for movie in read_movies(folder)[0]]
    return LoadPlan(
        port=running.http.base_url.port or 80,
        movies=movies,
        most_rated=min(200, len(movies) - 20),  # so that there are always ten to recommend
        clients=given.clients // PROCESSES,
        rate=given.rate / PROCESSES,
        seconds=60 * given.minutes,
        v1=running.http.get("/api/v1/genres").status_code == 200,
        seed=0,
    )


@contextmanager
def under_load(plan: LoadPlan) -> Iterator[list["Future[Tally]"]]:
    """The load, in processes of its own."""
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        yield [pool.submit(put_under_load, replace(plan, seed=seed)) for seed in range(PROCESSES)]


def watched(running: ServiceProcess, loads: list["Future[Tally]"]) -> tuple[list[Footprint], dict[int, float]]:
    """Footprints for as long as the load lasts, and each generation with the moment from which it was served."""
    looks: list[Footprint] = []
    generations: dict[int, float] = {}
    told = began = time.monotonic()
    while not all(load.done() for load in loads):
        looks.append(look_at(running.process.pid))
        live = running.part("generation")["id"]
        if live is not None:
            generations.setdefault(live, looks[-1].at)
        if looks[-1].at - told > TELL_SECONDS:
            told = looks[-1].at
            print(f"{(told - began) / 60:5.1f} min  generation {live}: {looks[-1]}", flush=True)
        time.sleep(POLL_SECONDS)
    return looks, generations


def checkerboard(folder: Path) -> Path:
    """A MovieLens folder of people who love the movies of their own parity and hate the others."""
    folder.mkdir()
    movies = [f"{movie},Movie {movie} ({1950 + movie % 70}),Drama\n" for movie in range(1, MOVIES + 1)]
    ratings = [
        f"{user},{movie},{5.0 if user % 2 == movie % 2 else 1.0},{1_500_000_000 + movie}\n"
        for user in range(1, USERS + 1)
        for movie in range(1 + user % 7, MOVIES + 1, 7)
    ]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(movies))
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(ratings))
    return folder


def record(soaked: Soaked, found: list[Promise], given: argparse.Namespace) -> str:
    """The soak as JSON: the machine, the verdicts, and every look."""
    began = soaked.looks[0].at
    return json.dumps(
        {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "given": {
                "minutes": given.minutes,
                "dataset": Path(given.dataset).name or "a checkerboard",
                "clients": given.clients,
                "rate": given.rate,
            },
            "promises": [asdict(promise) for promise in found],
            "beside": beside(soaked),
            "answers": dict(soaked.tally.answers),
            "generations": {number: round(at - began, 1) for number, at in soaked.generations.items()},
            "looks": [
                [round(value, 1) for value in asdict(replace(look, at=look.at - began)).values()]
                for look in soaked.looks
            ],
            "looks_are": list(asdict(soaked.looks[0])),
        },
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--dataset", default=os.environ.get("MATINEE_DATASET", ""), help="a folder or a name")
    parser.add_argument("--clients", type=int, default=16, help="how many clients at once (default 16)")
    parser.add_argument("--rate", type=float, default=150.0, help="requests a second of all clients (default 150)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/soak.json", help="the JSON to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="matinee-soak-") as work:
        Path(work).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        here = Path(work)
        folder = (
            ensure_dataset(given.dataset, here, fallback=False)
            if given.dataset
            else checkerboard(here / "checkerboard")
        )
        soaked = soak(folder, here / "state", given)
    found = promises(soaked)
    given.out.write_text(record(soaked, found, given) + "\n")
    print("\n".join([table(found), "", *beside(soaked)]))
    return 0 if all(promise.held for promise in found) else 1


if __name__ == "__main__":
    sys.exit(main())
