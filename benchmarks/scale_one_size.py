"""Measure one size of `scale.py` in this process: ingest, retrain and publish. Prints the result as JSON, last.

python benchmarks/scale_one_size.py FOLDER RATINGS [--users 100000]
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
from generate import Size
from resource_cost import measure_cost
from synthetic_users import SyntheticUsers, add_users, preference_captured

from embedded.postgres import EmbeddedPostgres
from engine import Engine
from jobs.ingest import init_movie_table
from jobs.training import Trainer
from recommender import Recommender
from settings import Settings, load
from storage import generations, runs
from storage.database import Database
from system.logs import log_to_stderr
from system.memory import give_back_large_blocks

CONNECTIONS = 4


def run(settings: Settings, size: Size, users: int) -> dict[str, Any]:
    """Ingest and retrain as the service does, and return the costs and the quality."""
    with EmbeddedPostgres(settings.state_dir) as url:
        database, engine = Database(url, CONNECTIONS), Engine(settings)
        database.migrate()
        with measure_cost() as ingest:
            init_movie_table(database, settings)
        our_users = SyntheticUsers.draw(size, users)
        add_users(database, our_users)
        trainer = Trainer(settings, database, engine, Recommender(database))
        with measure_cost() as retrain:
            trainer.retrain()
        engine.stop()
        captured = preference_captured(trainer.recommender, size, our_users)
        found = describe_generation(database) | {"preference captured": captured}
        database.close()
    sizes = {"ratings": size.ratings, "movies": size.movies, "users": size.users, "our users": users}
    cost = {"retrain s": retrain.seconds, "CPU s": retrain.cpu, "peak MB": retrain.megabytes, "peak": retrain.peak}
    return {**sizes, "ingest s": ingest.seconds, "ingest MB": ingest.megabytes, **cost, **found}


def describe_generation(database: Database) -> dict[str, Any]:
    """Return the phases of the newest run, the parameters of its generation, and its quality on held-out users."""
    with database.statement() as db:
        last = runs.newest(db, "train")[0]
        generation = generations.recent(db, 1)[0]
    if last.outcome != "published":
        raise SystemExit(f"the retrain ended as {last.outcome}: {last.error or last.details}")
    quality = generation.details["held_out"]["candidate"]["given"]["20"]
    return {
        "phases": last.details["seconds"], "parameters": generation.details["parameters"],
        "NDCG@10": quality["NDCG@10"][0], "popularity": quality["popularity"][0], "RMSE": quality["RMSE"][0],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a dataset of generate.py")
    parser.add_argument("ratings", type=int, help="how many ratings it has")
    parser.add_argument("--users", type=int, default=100_000, help="number of our users")
    args = parser.parse_args()
    give_back_large_blocks()
    with tempfile.TemporaryDirectory(prefix="matinee-scale-") as state:
        Path(state).chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        settings = replace(load(), state_dir=Path(state) / "state", dataset=str(args.folder), database_url="")
        log_to_stderr(settings.log_level, settings.log_format)
        print(json.dumps(run(settings, Size.like_movielens(args.ratings), args.users)))


if __name__ == "__main__":
    main()
