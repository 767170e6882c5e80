"""Train on a Spark cluster of a real master and two workers; kill one worker during a fit, later the whole cluster.

    python benchmarks/cluster.py [--dataset FOLDER-OR-NAME] [--out FILE]

Without a dataset it generates a checkerboard of two tastes. The exit status is 1 if a promise is broken.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.extend(
    str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests/support", "tests/faults")
)

from processes import SMALL, ServiceProcess, poll, service
from run_history import time_and_machine
from soak import checkerboard
from standalone_cluster import CONF, StandaloneCluster
from verdicts import Promise, table

from movielens.dataset import ensure_dataset
from settings import ROOT

MODEL = SMALL | {"MATINEE_RANKER_RANK": "16", "MATINEE_RANKER_ITERATIONS": "20", "MATINEE_NEIGHBOURS": "20"}
WAIT_SECONDS = 20.0  # wait for executors; a busy machine takes several seconds to start one
FAIL_FAST_SECONDS = 30.0  # time limit for a training run to report that there is no cluster
LOST_EXECUTOR = "Lost executor"  # in the log of Spark's driver
TIMEOUT_SECONDS = 240.0


@dataclass(frozen=True)
class RequestedTraining:
    """The outcome of a requested training run, and its duration in seconds."""

    outcome: str
    error: str | None
    seconds: float


@dataclass
class ReaderResult:
    """The answers to a client that read one list ten times a second."""

    lists: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0


def run_scenario(folder: Path, work: Path) -> tuple[list[Promise], ReaderResult]:
    """Train on a cluster, with one worker less, without a cluster, and on a restored cluster."""
    with StandaloneCluster(work / "cluster") as cluster:
        cluster.start_master()
        workers = [cluster.start_worker(), cluster.start_worker()]
        environ = settings_for(folder, cluster, work / "shared")
        with service(work / "state", model=MODEL | environ) as running:
            running.wait_until_ready()
            with background_reader(running) as reader:
                found = [train_on_two_workers(running, work / "shared"), lose_a_worker(running, workers[1])]
                cluster.start_worker()
                found.append(train_without_cluster(running, cluster))
                found.append(train_on_restored_cluster(running, cluster))
            found.append(lists_were_served(reader))
            running.stop()
    return found, reader


def settings_for(dataset: Path, cluster: StandaloneCluster, shared: Path) -> dict[str, str]:
    """Return the settings of a service that trains on the cluster and only on request."""
    return {
        "MATINEE_DATASET": str(dataset),
        "MATINEE_RETRAIN_MINUTES": "0",
        "MATINEE_SPARK_MASTER": cluster.url,
        "MATINEE_SPARK_CONF": CONF,
        "MATINEE_SPARK_STORAGE": str(shared),
        "MATINEE_SPARK_WAIT_SECONDS": f"{WAIT_SECONDS:g}",
    }


def train_on_two_workers(running: ServiceProcess, shared: Path) -> Promise:
    training = train(running)
    warm = train(running)
    left = [file for file in shared.rglob("*") if file.suffix == ".parquet"]
    kept = training.outcome == warm.outcome == "published" and "executors: 2" in running.log_text() and not left
    first = f"{training.outcome} in {training.seconds:.0f} s including the start of Spark"
    return Promise("two workers train", f"{first}, then {warm.outcome} in {warm.seconds:.0f} s", kept)


def lose_a_worker(running: ServiceProcess, worker: Any) -> Promise:
    training = train(running, during_fit=worker.kill)
    found = f"killed in the fit of the ranker; {training.outcome} after {training.seconds:.0f} s"
    return Promise("a fit survives the loss of a worker", found, training.outcome == "published")


def train_without_cluster(running: ServiceProcess, cluster: StandaloneCluster) -> Promise:
    before = running.log_text().count(LOST_EXECUTOR)
    for node in (cluster.master, *cluster.workers):
        if node is not None:
            node.kill()
    poll(lambda: running.log_text().count(LOST_EXECUTOR) > before, what="the driver's message")
    training = train(running)
    found = f"{training.outcome} after {training.seconds:.1f} s: {training.error}"
    explained = "no Spark master answers" in str(training.error)
    return Promise(
        "without a cluster a run fails and says why", found, explained and training.seconds < FAIL_FAST_SECONDS
    )


def train_on_restored_cluster(running: ServiceProcess, cluster: StandaloneCluster) -> Promise:
    cluster.start_master()
    cluster.start_worker()
    training = train(running)
    found = f"{training.outcome} after {training.seconds:.0f} s on a new session"
    return Promise("the next run uses a cluster that has come back", found, training.outcome == "published")


def lists_were_served(reader: ReaderResult) -> Promise:
    found = f"{reader.lists:,} lists, the slowest {1000 * reader.slowest:.0f} ms; wrong: {reader.wrong[:3] or 'none'}"
    return Promise("lists are served throughout", found, reader.lists > 0 and not reader.wrong)


def train(running: ServiceProcess, during_fit: Any = None) -> RequestedTraining:
    """Request a training run and wait for its end. Call `during_fit` while the ranker is being fitted."""
    began = time.monotonic()
    run = poll(lambda: request_training(running), what="an accepted request")
    if during_fit is not None:
        poll(lambda: is_fitting(training_state(running)), TIMEOUT_SECONDS, "a fit")
        during_fit()
    ended = poll(lambda: ended_state(running), TIMEOUT_SECONDS, "the end of the training")
    assert ended["run_id"] == run, ended
    return RequestedTraining(ended["outcome"], ended["error"], time.monotonic() - began)


def request_training(running: ServiceProcess) -> int | None:
    """Return the id of a run that begins; None while the last run is still ending."""
    answer = running.http.post("/api/v1/retrain")
    assert answer.status_code in (202, 409), answer.text
    return int(answer.json()["run_id"]) if answer.status_code == 202 else None


def is_fitting(state: dict[str, Any]) -> bool:
    assert state["state"] == "running", state
    return bool(state["phase"] == "ranker" and state["progress"] > 0.05)


def ended_state(running: ServiceProcess) -> dict[str, Any] | None:
    state = training_state(running)
    return state if state["state"] != "running" else None


def training_state(running: ServiceProcess) -> dict[str, Any]:
    state: dict[str, Any] = running.get("/api/v1/retrain")
    return state


@contextmanager
def background_reader(running: ServiceProcess) -> Iterator[ReaderResult]:
    """Read the list of a new user ten times a second, in a thread, while the block runs."""
    result, over = ReaderResult(), threading.Event()
    user = running.new_user(movie_2=5.0, movie_4=5.0, movie_1=1.0)

    def read() -> None:
        while not over.wait(0.1):
            began = time.monotonic()
            movies = running.recommended(user)
            result.slowest = max(result.slowest, time.monotonic() - began)
            result.lists += 1
            if len(set(movies)) != 10:
                result.wrong.append(f"a list of {len(movies)}")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield result
    finally:
        over.set()
        reader.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="", help="a MovieLens folder or the name of a dataset")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/cluster.json", help="JSON file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="matinee-cluster-") as work:
        here = Path(work)
        here.chmod(0o755)  # an unprivileged PostgreSQL has to enter it
        folder = ensure_dataset(args.dataset, here) if args.dataset else checkerboard(here / "checkerboard")
        found, reader = run_scenario(folder, here)
    written = {
        **time_and_machine(),
        "dataset": Path(args.dataset).name or "a checkerboard",
        "promises": [asdict(promise) for promise in found],
        "reader": asdict(reader),
    }
    args.out.write_text(json.dumps(written, indent=1) + "\n")
    print(table(found))
    return 0 if all(promise.kept for promise in found) else 1


if __name__ == "__main__":
    sys.exit(main())
