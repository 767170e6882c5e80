"""What is in the files of containers and of systemd and can be wrong unseen; ops/try_image.py runs the image itself."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from processes import free_port

import settings
from health import Health
from recommender import Recommender
from settings import ROOT
from system.health_check import why_not_ready

SETTINGS = {name for name, _, _ in settings.setting_rows()}


@pytest.mark.parametrize("file", ["Dockerfile", "docker-compose.yml"])
def test_every_setting_in_it_is_one_of_matinees(file: str) -> None:
    named = set(re.findall(r"MATINEE_[A-Z_]+", (ROOT / file).read_text()))
    assert named
    assert named <= SETTINGS


def test_the_image_takes_in_every_module_that_runs_and_nothing_else() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"migrations"}
    assert folders - {"tests"} <= let_in
    assert not let_in & {".env", "var", ".git", ".venv", "tests", "benchmarks"}
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_a_service_that_is_ready_passes_its_health_check(
    live: Recommender, ready: Health, serve: Callable[..., httpx.Client]
) -> None:
    assert why_not_ready(serve(live, ready).base_url.port or 0) is None


def test_one_that_is_not_fails_it_and_says_why(live: Recommender, serve: Callable[..., httpx.Client]) -> None:
    assert "not ready" in str(why_not_ready(serve(live, Health()).base_url.port or 0))


def test_where_nothing_listens_the_health_check_says_so() -> None:
    assert "nothing answers" in str(why_not_ready(free_port()))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze on the path")
def test_systemd_takes_the_service_file(tmp_path: Path) -> None:
    unit = (ROOT / "ops/systemd/matinee.service").read_text()
    assert set(re.findall(r"MATINEE_[A-Z_]+", unit)) <= SETTINGS
    here = tmp_path / "matinee.service"
    here.write_text(unit.replace("/opt/matinee/.venv/bin/python", "/bin/sh").replace("/opt/matinee", str(tmp_path)))
    checked = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
