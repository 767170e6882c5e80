"""Start real processes of the service as an operator does, and check that they are gone afterwards."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx

from settings import ROOT

T = TypeVar("T")
TIMEOUT_SECONDS = 90.0  # a cold Spark on a busy machine
GONE_SECONDS = (
    60.0  # after a kill: a JVM that is just starting notices it only when it is up, which takes long on a busy machine
)
SMALL = {
    "MATINEE_RANKER_RANK": "8",
    "MATINEE_RANKER_ITERATIONS": "3",
    "MATINEE_RATER_RANK": "4",
    "MATINEE_RATER_ITERATIONS": "3",
    "MATINEE_NEIGHBOURS": "0",
    "MATINEE_SPARK_MASTER": "local[2]",
    "MATINEE_SPARK_DRIVER_MEMORY": "512m",
    "OPENBLAS_NUM_THREADS": "1",
}
INHERITED_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "JAVA_HOME",
    "SPARK_CONF_DIR",
)  # from the environment of the test run


def poll(look: Callable[[], T | None], seconds: float = TIMEOUT_SECONDS, what: str = "what was waited for") -> T:
    """Return the first true result of `look`; raise AssertionError if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processes_of(folder: Path) -> list[str]:
    """Return pid and command line of every process that was started with, or runs in, a state directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            ended = (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not ended and (str(folder).encode() in shown or (process / "cwd").readlink().is_relative_to(folder)):
                found.append(f"{process.name} {(process / 'cmdline').read_bytes()[:200]!r}")
        except OSError:  # the process has ended, or belongs to another user
            continue
    return found


def all_gone(folder: Path, seconds: float = 5.0) -> bool:
    """Return whether no process of a state directory is left; multiprocessing's helpers end just after the service."""
    deadline = time.monotonic() + seconds
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return processes_of(folder) == []


class ServiceProcess:
    """A service in a process of its own; `log` is the file of its standard error."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.began = time.monotonic()
        self.log = log
        self.state_dir = Path(environ["MATINEE_STATE_DIR"])
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=_deliver_signals,
            )  # fmt: skip
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{environ['MATINEE_PORT']}", timeout=10)

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ready(self) -> bool:
        return self._status("/health/ready") == 200

    def lives(self) -> bool:
        return self._status("/health/live") is not None

    def _status(self, path: str) -> int | None:
        assert self.process.poll() is None, (
            f"it ended with status {self.process.returncode}:\n{self.log_text()[-5000:]}"
        )
        try:
            return self.http.get(path).status_code
        except httpx.TransportError:
            return None

    def part(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/health/live")["parts"][name]
        return found

    def wait_until_ready(self) -> float:
        """Wait until the service can recommend, and return the seconds since its start."""
        poll(self.ready, what="an answer")
        return time.monotonic() - self.began

    def wait_for_trainer(self, state: str = "ready") -> None:
        poll(lambda: self.part("trainer")["state"] == state, what=f"a trainer that is {state}")

    def new_user(self, **ratings: float) -> int:
        """Create a user with these ratings, given as movie_2=5.0, and return the id."""
        user = int(self.http.post("/users/create").json()["user_id"])
        for movie, rating in ratings.items():
            self.rate(user, int(movie.removeprefix("movie_")), rating)
        return user

    def rate(self, user: int, movie: int, rating: float) -> None:
        answer = self.http.post(f"/users/{user}/views/{movie}", json={"rating": rating})
        assert answer.status_code in (200, 201), answer.text

    def recommended(self, user: int) -> list[int]:
        return [dict(pairs)["movie_id"] for pairs in self.get(f"/users/{user}/recommendations")]

    def viewed(self, user: int) -> list[int]:
        return [dict(pairs)["movie_id"] for pairs in self.get(f"/users/{user}/views")]

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, assert a clean exit, and return the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(with_signal)
        assert self.process.wait(TIMEOUT_SECONDS) == 0, self.log_text()
        return time.monotonic() - began

    def kill(self) -> float:
        """Kill only this process, and return the seconds until all processes that it started have ended."""
        began = time.monotonic()
        self.process.kill()
        self.process.wait()
        self.wait_until_gone()
        return time.monotonic() - began

    def wait_until_gone(self) -> None:
        """Assert that all processes that the ended process started end as well."""
        deadline = time.monotonic() + GONE_SECONDS
        while left := processes_of(self.state_dir):
            assert time.monotonic() < deadline, f"still running after {GONE_SECONDS} s: {left}"
            time.sleep(0.05)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        """Kill all processes that are left, whatever the result of the test."""
        self.http.close()
        for pid in [int(shown.split()[0]) for shown in processes_of(self.state_dir)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def _deliver_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):  # a test run in the background may ignore them
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def service(
    state_dir: Path, command: list[str] | None = None, model: Mapping[str, str] = SMALL, **environ: str
) -> Iterator[ServiceProcess]:
    """Run `python server.py`, or another command, on a free port with this state directory and a small model."""
    of_tests = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    own = {"MATINEE_STATE_DIR": str(state_dir), "MATINEE_PORT": str(free_port())}
    log = state_dir.with_suffix(".log")
    running = ServiceProcess(command or [sys.executable, "server.py"], of_tests | dict(model) | own | environ, log)
    try:
        yield running
    finally:
        running.end()
