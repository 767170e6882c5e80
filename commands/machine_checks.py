"""The checks of `doctor` on the machine and the settings; each finding says what to do."""

import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from commands.context import Context, nearest_existing
from commands.service_health import service_address, service_health
from embedded.postgres_files import missing_account
from settings import ROOT, Settings
from spark.java import JavaError, java_home, open_files_problem
from system.listening_port import bind_error
from system.setting_values import heap_bytes

Level = Literal["ok", "warn", "fail"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
OUTSIDE_HEAP = 1 << 30  # the service itself, PostgreSQL, and what a JVM takes beside its heap
LITTLE_DISK, SCARCE_DISK = 1 << 29, 5 << 30
GIB = 1 << 30


@dataclass(frozen=True)
class Finding:
    """A line of `doctor`: a level, what was checked, and what to do if it is not well."""

    level: Level
    what: str
    text: str


def python(context: Context) -> Iterator[Finding]:
    """Name the interpreter, and check that it has the packages that requirements.in pins."""
    yield Finding("ok", "python", f"{platform.python_version()} ({sys.executable})")
    wrong = list(_wrong_packages(ROOT / "requirements.in"))
    if wrong:
        yield Finding("fail", "packages", f"{', '.join(wrong)}: run ./start_server.sh, which installs what is pinned")
    else:
        yield Finding("ok", "packages", "all are installed as requirements.in pins them")


def _wrong_packages(pins: Path) -> Iterator[str]:
    for name, wanted in PIN.findall(pins.read_text()):
        try:
            there = version(name)
        except PackageNotFoundError:
            yield f"{name} is missing"
            continue
        if there != wanted:
            yield f"{name} is {there} and not {wanted}"


def java(context: Context) -> Iterator[Finding]:
    """Check that there is a Java for Spark."""
    try:
        yield Finding("ok", "java", str(java_home(context.settings.state_dir, os.environ)))
    except (JavaError, OSError) as error:
        yield Finding("fail", "java", str(error))
    if problem := open_files_problem():
        yield Finding("fail", "java", problem)


def memory(context: Context) -> Iterator[Finding]:
    """Check that a training's heap fits into the free memory."""
    wanted = heap_bytes(context.settings.spark_driver_memory) + OUTSIDE_HEAP
    free = available()
    message = f"{free / GIB:.1f} GiB are free; a training may want {wanted / GIB:.1f}"
    if free < wanted:
        yield Finding("warn", "memory", f"{message}: end other programs, or lower MATINEE_SPARK_DRIVER_MEMORY")
    else:
        yield Finding("ok", "memory", message)


def available() -> int:
    """Return the bytes of memory that a new process may have: the machine's, or fewer in a container with a limit."""
    free = int(psutil.virtual_memory().available)
    limit, used = (Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory.current"))
    try:
        return min(free, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):  # none, or the word max
        return free


def disk(context: Context) -> Iterator[Finding]:
    """Check that the state folder can be written to, and its free space."""
    folder = context.settings.state_dir
    there = nearest_existing(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("fail", "disk", f"{there} may not be written to: set MATINEE_STATE_DIR to a folder of your own")
        return
    free = shutil.disk_usage(there).free
    message = f"{free / GIB:.1f} GiB are free for {folder}"
    if free < LITTLE_DISK:
        yield Finding("fail", "disk", f"{message}: make room, or set MATINEE_STATE_DIR to a folder on another disk")
    elif free < SCARCE_DISK:
        yield Finding("warn", "disk", f"{message}: enough to run, little for large datasets; make room soon")
    else:
        yield Finding("ok", "disk", message)


def account(context: Context) -> Iterator[Finding]:
    """Check that PostgreSQL can run as our account, and that Java can load libraries from the state folder."""
    settings = context.settings
    if not context.has_postgres and (problem := missing_account()):
        yield Finding("fail", "account", problem)
    there = nearest_existing(settings.state_dir)
    if os.statvfs(there).f_flag & os.ST_NOEXEC:
        advice = "mount it without noexec, or set MATINEE_STATE_DIR to another folder"
        yield Finding("fail", "account", f"nothing can be run from {there}, and Java and PostgreSQL have to: {advice}")


def port(context: Context) -> Iterator[Finding]:
    """Check that the service answers on its port, or that the port is free."""
    settings = context.settings
    health = service_health(settings)
    if health is not None:
        parts = [f"{name}: {part['reason']}" for name, part in health["parts"].items() if part["state"] == "failed"]
        ready = health["status"] == "ready"
        message = f"Matinee answers at {service_address(settings)} and is {health['status']}"
        level: Level = "fail" if not ready else "warn" if parts else "ok"
        yield Finding(level, "service", "; ".join([message, *parts]))
    elif (taken := bind_error(settings.host, settings.port)) is not None:
        advice = "stop what listens there, or set MATINEE_HOST and MATINEE_PORT to a free address"
        yield Finding("fail", "port", f"{settings.host}:{settings.port} cannot be used ({taken}): {advice}")
    else:
        yield Finding("ok", "port", f"{settings.host}:{settings.port} is free; the service is not running")


def exposure(context: Context) -> Iterator[Finding]:
    """Check who can reach the service, and whether they need a key."""
    settings = context.settings
    if settings.loopback:
        yield Finding("ok", "exposure", f"{settings.host} can be reached from this machine only")
    elif settings.api_key:
        yield Finding("ok", "exposure", f"{settings.host} can be reached from other machines, with a key")
    elif settings.allow_open:
        yield Finding("warn", "exposure", "everyone on the network may use it: set MATINEE_API_KEY to change that")
    else:
        advice = "set MATINEE_API_KEY, or MATINEE_HOST=127.0.0.1"
        yield Finding("fail", "exposure", f"{settings.host} can be reached from other machines without a key: {advice}")
    yield from _keys(settings)


def _keys(settings: Settings) -> Iterator[Finding]:
    if settings.api_key and settings.api_key == settings.admin_key:
        yield Finding("warn", "keys", "every caller is an operator: give MATINEE_ADMIN_KEY a key of its own")
    elif not settings.loopback and not settings.admin_key:
        yield Finding("warn", "keys", "the admin routes are closed: set MATINEE_ADMIN_KEY")
    dotenv = ROOT / ".env"
    if (settings.api_key or settings.admin_key) and dotenv.exists() and dotenv.stat().st_mode & stat.S_IROTH:
        yield Finding("warn", "keys", f"everyone on this machine can read {dotenv}: chmod 600, if the keys are in it")


def spark(context: Context) -> Iterator[Finding]:
    """Check that a Spark master on another machine can be reached."""
    master = context.settings.spark_master
    try:
        from spark.cluster import EngineError, require_reachable_master
    except ImportError as error:
        yield Finding("fail", "spark", f"pyspark cannot be used ({error}): run ./start_server.sh")
        return
    try:
        require_reachable_master(master)
        yield Finding("ok", "spark", f"trainings run on {master}")
    except EngineError as error:
        yield Finding("fail", "spark", str(error))
