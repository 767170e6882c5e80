"""Put a real server that retrains every minute under mixed load, and check each promise.

    python benchmarks/soak.py [--minutes 10 | --retrains 15] [--processes 1] [--dataset FOLDER-OR-NAME] [--clients 16]
                              [--rate 150] [--out FILE]

Without a dataset it generates a checkerboard of two tastes. The exit status is 1 if a promise is broken.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

sys.path.extend(
    str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests/support", "tests/faults")
)

from database_invariants import check_lists, database_of
from footprint import Footprint, measure_footprint
from mixed_load import LoadPlan, Tally, run_mixed_load
from movielens_folder import write_folder
from processes import ServiceProcess, service
from run_history import time_and_machine
from sqlalchemy import Connection, func, select
from verdicts import Promise, Sizes, SoakResult, observations, promises, size_table, table

from models import Base
from movielens.dataset import ensure_dataset
from movielens.reader import read_movies
from settings import ROOT

LOAD_PROCESSES = 2
SAMPLE_SECONDS, PRINT_SECONDS = 2.0, 15.0
MOVIES, USERS = 600, 300  # of the checkerboard


def soak(folder: Path, state_dir: Path, given: argparse.Namespace) -> SoakResult:
    """Put a server under load, sample it meanwhile, and return the observations."""
    own = {"MATINEE_RETRAIN_MINUTES": "1", "MATINEE_PROCESSES": str(given.processes)}
    with service(state_dir, model=own, MATINEE_DATASET=str(folder)) as running:
        running.wait_until_ready()
        with start_load(plan_load(running, folder, given)) as loads, database_of(state_dir) as db:
            samples, generations, sizes = sample_service(running, loads, db)
        tally = Tally()
        for load in loads:
            tally.add(load.result())
        with database_of(state_dir) as db:
            lists = check_lists(db)
        running.stop()
    return SoakResult(samples, generations, tally, lists, sizes)


def plan_load(running: ServiceProcess, folder: Path, given: argparse.Namespace) -> LoadPlan:
    """Return the load plan of one process."""
    movies = [movie.movie_id for movie in read_movies(folder)[0]]
    return LoadPlan(
        port=running.http.base_url.port or 80,
        movies=movies,
        most_rated=min(200, len(movies) - 20),  # leaves at least ten to recommend
        clients=given.clients // LOAD_PROCESSES,
        rate=given.rate / LOAD_PROCESSES,
        seconds=60 * given.minutes,
        v1=running.http.get("/api/v1/genres").status_code == 200,
        seed=0,
    )


@contextmanager
def start_load(plan: LoadPlan) -> Iterator[list["Future[Tally]"]]:
    """Run the load in separate processes, and yield their futures."""
    with ProcessPoolExecutor(LOAD_PROCESSES, multiprocessing.get_context("spawn")) as pool:
        yield [pool.submit(run_mixed_load, replace(plan, seed=seed)) for seed in range(LOAD_PROCESSES)]


def sample_service(
    running: ServiceProcess, loads: list["Future[Tally]"], db: Connection
) -> tuple[list[Footprint], dict[int, float], list[Sizes]]:
    """Return footprints during the load, the time at which each generation went live, and the sizes at these times."""
    samples: list[Footprint] = []
    generations: dict[int, float] = {}
    sizes: list[Sizes] = []
    printed = began = time.monotonic()
    while not all(load.done() for load in loads):
        samples.append(measure_footprint(running.process.pid))
        live = running.part("generation")["id"]
        if live is not None and live not in generations:
            generations[live] = samples[-1].at
            sizes.append(measure_sizes(running.state_dir, db))
            print(f"generation {live}: {samples[-1]}; {sizes[-1]}", flush=True)
        if samples[-1].at - printed > PRINT_SECONDS:
            printed = samples[-1].at
            print(f"{(printed - began) / 60:5.1f} min  generation {live}: {samples[-1]}", flush=True)
        time.sleep(SAMPLE_SECONDS)
    return samples, generations, sizes


def measure_sizes(state_dir: Path, db: Connection) -> Sizes:
    """Return the megabytes of each folder of the state directory, and the rows of each table."""
    folders: dict[str, float] = defaultdict(float)
    for path in state_dir.rglob("*"):
        with suppress(OSError):  # a temporary file was deleted meanwhile
            if path.is_file():
                folders[path.relative_to(state_dir).parts[0]] += path.stat().st_size / 2**20
    tables = Base.metadata.sorted_tables
    return Sizes(
        time.monotonic(),
        dict(folders),
        {table.name: int(db.execute(select(func.count()).select_from(table)).scalar_one()) for table in tables},
    )


def checkerboard(folder: Path) -> Path:
    """Write a MovieLens folder in which users rate movies of their id's parity high and others low."""
    movies = [f"{movie},Movie {movie} ({1950 + movie % 70}),Drama\n" for movie in range(1, MOVIES + 1)]
    ratings = [
        f"{user},{movie},{5.0 if user % 2 == movie % 2 else 1.0},{1_500_000_000 + movie}\n"
        for user in range(1, USERS + 1)
        for movie in range(1 + user % 7, MOVIES + 1, 7)
    ]
    return write_folder(folder, movies, ratings)


def to_json(result: SoakResult, found: list[Promise], given: argparse.Namespace) -> str:
    """Return the soak as JSON: the machine, the verdicts and every sample."""
    began = result.samples[0].at
    return json.dumps(
        {
            **time_and_machine(),
            "arguments": {
                "minutes": given.minutes,
                "processes": given.processes,
                "dataset": Path(given.dataset).name or "a checkerboard",
                "clients": given.clients,
                "rate": given.rate,
            },
            "promises": [asdict(promise) for promise in found],
            "observations": observations(result),
            "answers": dict(result.tally.answers),
            "generations": {number: round(at - began, 1) for number, at in result.generations.items()},
            "sizes": [asdict(replace(one, at=round(one.at - began, 1))) for one in result.sizes],
            "samples": [
                [round(value, 1) for value in asdict(replace(one, at=one.at - began)).values()]
                for one in result.samples
            ],
            "columns": list(asdict(result.samples[0])),
        },
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="duration (default 10)")
    parser.add_argument("--retrains", type=int, help="duration as a number of retrains, one a minute")
    parser.add_argument("--processes", type=int, default=1, help="processes that answer requests (default 1)")
    parser.add_argument(
        "--dataset", default=os.environ.get("MATINEE_DATASET", ""), help="a MovieLens folder or the name of a dataset"
    )
    parser.add_argument("--clients", type=int, default=16, help="concurrent clients (default 16)")
    parser.add_argument(
        "--rate", type=float, default=150.0, help="requests a second of all clients together (default 150)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/soak.json", help="JSON file to write")
    args = parser.parse_args()
    if args.retrains:
        args.minutes = args.retrains + 1.0  # the first generation comes within the first minute
    with tempfile.TemporaryDirectory(prefix="matinee-soak-") as work:
        Path(work).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        here = Path(work)
        folder = (
            ensure_dataset(args.dataset, here, fallback=False) if args.dataset else checkerboard(here / "checkerboard")
        )
        result = soak(folder, here / "state", args)
    found = promises(result)
    args.out.write_text(to_json(result, found, args) + "\n")
    print("\n".join([table(found), "", *observations(result), "", *size_table(result)]))
    return 0 if all(promise.kept for promise in found) else 1


if __name__ == "__main__":
    sys.exit(main())
