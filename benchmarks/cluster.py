"""A service that trains on a Spark cluster: a real master and two workers here, one killed in a fit, then all of them.

    python benchmarks/cluster.py [--dataset FOLDER-OR-NAME] [--out FILE]

Without a dataset it makes one, a checkerboard of two tastes. The exit status is 1 if a promise was broken.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.extend(
    str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests/support", "tests/faults")
)

from processes import SMALL, ServiceProcess, poll, service
from soak import checkerboard
from standalone_cluster import CONF, StandaloneCluster
from verdicts import Promise, table

from movielens.dataset import ensure_dataset
from settings import ROOT

MODEL = SMALL | {"MATINEE_RANKER_RANK": "16", "MATINEE_RANKER_ITERATIONS": "20", "MATINEE_NEIGHBOURS": "20"}
WAIT_SECONDS = 20.0  # for executors; a busy machine needs several to start one
SOON_SECONDS = 30.0  # in which a training has to find out that there is no cluster
LOST = "Lost executor"  # as Spark's driver writes it
TIMEOUT_SECONDS = 240.0


@dataclass(frozen=True)
class Training:
    """One ordered training: how it ended, and after how many seconds."""

    outcome: str
    error: str | None
    seconds: float


@dataclass
class Served:
    """What a reader of one list saw all the while."""

    lists: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0


def trial(folder: Path, work: Path) -> tuple[list[Promise], Served]:
    """Train on a cluster through everything that may befall it."""
    with StandaloneCluster(work / "cluster") as cluster:
        cluster.start_master()
        workers = [cluster.start_worker(), cluster.start_worker()]
        environ = environment(folder, cluster, work / "shared")
        with service(work / "state", model=MODEL, **environ) as running:
            running.wait_until_ready()
            with read_all_the_while(running) as served:
                found = [whole(running, work / "shared"), one_worker_less(running, workers[1])]
                cluster.start_worker()
                found.append(nobody_there(running, cluster))
                found.append(all_back(running, cluster))
            found.append(served_all_the_while(served))
            running.stop()
    return found, served


def environment(dataset: Path, cluster: StandaloneCluster, shared: Path) -> dict[str, str]:
    """The settings of a service that trains there when it is told to."""
    return {
        "MATINEE_DATASET": str(dataset),
        "MATINEE_RETRAIN_MINUTES": "0",
        "MATINEE_SPARK_MASTER": cluster.url,
        "MATINEE_SPARK_CONF": CONF,
        "MATINEE_SPARK_STORAGE": str(shared),
        "MATINEE_SPARK_WAIT_SECONDS": f"{WAIT_SECONDS:g}",
    }


def whole(running: ServiceProcess, shared: Path) -> Promise:
    training = trained(running)
    warm = trained(running)
    left = [file for file in shared.rglob("*") if file.suffix == ".parquet"]
    held = training.outcome == warm.outcome == "published" and "executors: 2" in running.told() and not left
    first = f"{training.outcome} in {training.seconds:.0f} s with the start of Spark"
    return Promise("two workers train", f"{first}, then {warm.outcome} in {warm.seconds:.0f} s", held)


def one_worker_less(running: ServiceProcess, worker: Any) -> Promise:
    training = trained(running, strike=worker.kill)
    found = f"killed in the fit of the ranker; {training.outcome} after {training.seconds:.0f} s"
    return Promise("a fit outlives a worker", found, training.outcome == "published")


def nobody_there(running: ServiceProcess, cluster: StandaloneCluster) -> Promise:
    before = running.told().count(LOST)
    for node in (cluster.master, *cluster.workers):
        if node is not None:
            node.kill()
    poll(lambda: running.told().count(LOST) > before, what="the driver's notice of it")
    training = trained(running)
    found = f"{training.outcome} after {training.seconds:.1f} s: {training.error}"
    named = "no Spark master answers" in str(training.error)
    return Promise("without a cluster a run fails by name", found, named and training.seconds < SOON_SECONDS)


def all_back(running: ServiceProcess, cluster: StandaloneCluster) -> Promise:
    cluster.start_master()
    cluster.start_worker()
    training = trained(running)
    found = f"{training.outcome} after {training.seconds:.0f} s on a new session"
    return Promise("the next run finds a cluster that has come back", found, training.outcome == "published")


def served_all_the_while(served: Served) -> Promise:
    found = f"{served.lists:,} lists, the slowest {1000 * served.slowest:.0f} ms; wrong: {served.wrong[:3] or 'none'}"
    return Promise("lists are served all the while", found, served.lists > 0 and not served.wrong)


def trained(running: ServiceProcess, strike: Any = None) -> Training:
    """Order a training and wait for its end; with `strike`, called once the ranker is being fitted."""
    began = time.monotonic()
    run = poll(lambda: ordered(running), what="an order that is taken")
    if strike is not None:
        poll(lambda: in_a_fit(now_of(running)), TIMEOUT_SECONDS, "a fit")
        strike()
    ended = poll(lambda: now if (now := now_of(running))["state"] != "running" else None, TIMEOUT_SECONDS, "its end")
    assert ended["run_id"] == run, ended
    return Training(ended["outcome"], ended["error"], time.monotonic() - began)


def ordered(running: ServiceProcess) -> int | None:
    """The id of a run that begins; None while the last one is not quite over."""
    answer = running.http.post("/api/v1/retrain")
    assert answer.status_code in (202, 409), answer.text
    return int(answer.json()["run_id"]) if answer.status_code == 202 else None


def in_a_fit(now: dict[str, Any]) -> bool:
    assert now["state"] == "running", now
    return bool(now["phase"] == "ranker" and now["progress"] > 0.05)


def now_of(running: ServiceProcess) -> dict[str, Any]:
    told: dict[str, Any] = running.get("/api/v1/retrain")
    return told


@contextmanager
def read_all_the_while(running: ServiceProcess) -> Iterator[Served]:
    """Read the list of somebody new ten times a second, in a thread, for as long as the block takes."""
    served, over = Served(), threading.Event()
    user = running.new_user(movie_2=5.0, movie_4=5.0, movie_1=1.0)

    def read() -> None:
        while not over.wait(0.1):
            began = time.monotonic()
            movies = running.recommended(user)
            served.slowest = max(served.slowest, time.monotonic() - began)
            served.lists += 1
            if len(set(movies)) != 10:
                served.wrong.append(f"a list of {len(movies)}")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield served
    finally:
        over.set()
        reader.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="", help="a folder or a name")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/cluster.json", help="the JSON to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="matinee-cluster-") as work:
        here = Path(work)
        here.chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        folder = ensure_dataset(given.dataset, here) if given.dataset else checkerboard(here / "checkerboard")
        found, served = trial(folder, here)
    written = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "dataset": Path(given.dataset).name or "a checkerboard",
        "promises": [asdict(promise) for promise in found],
        "served": asdict(served),
    }
    given.out.write_text(json.dumps(written, indent=1) + "\n")
    print(table(found))
    return 0 if all(promise.held for promise in found) else 1


if __name__ == "__main__":
    sys.exit(main())
