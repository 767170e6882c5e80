"""Run a standalone Spark cluster on loopback, of real processes that can be killed."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from processes import free_port, poll

from settings import ROOT

HOST = "127.0.0.1"
MEMORY = "512m"  # of an executor and of a whole worker
# settings of a service that trains on this cluster; by default an executor requests 1 GB
CONF = f"spark.driver.host={HOST} spark.driver.bindAddress={HOST} spark.executor.memory={MEMORY}"


class StandaloneCluster:
    """A master and its workers, each with one core. As a context manager it kills them all at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.master: Node | None = None
        self.workers: list[Node] = []

    @property
    def url(self) -> str:
        return f"spark://{HOST}:{self.port}"

    def start_master(self) -> None:
        """Start a master and wait until it listens. It has no state of a killed master."""
        self.master = Node(self.folder / "master", "master", "--port", str(self.port))
        poll(lambda: reachable(self.port), what="the master")

    def start_worker(self) -> "Node":
        folder = self.folder / f"worker-{len(self.workers)}"
        worker = Node(folder, "worker", self.url, "--cores", "1", "--memory", MEMORY)
        self.workers.append(worker)
        return worker

    def __enter__(self) -> "StandaloneCluster":
        return self

    def __exit__(self, *_: object) -> None:
        for node in (self.master, *self.workers):
            if node is not None:
                node.kill()


class Node:
    """A master, or a worker with its executors."""

    def __init__(self, folder: Path, kind: str, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "spark.spark_node", kind, "--host", HOST, "--webui-port", "0", *arguments]
        environ = {"MATINEE_STATE_DIR": str(folder), "SPARK_LOCAL_IP": HOST, "SPARK_DAEMON_MEMORY": "256m"}
        environ |= {"SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}  # it has little to do
        with (folder / "log").open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """Kill the node and its executors at once, like the loss of a machine."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def reachable(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False
