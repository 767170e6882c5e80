"""docs/api.md: its examples run as they are printed, and what it prints as answers has their shape."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import ServiceProcess, service

from settings import ROOT

GUIDE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
PRINTED = "localhost:5430"
MOVIES = """\
260,Star Wars: Episode IV - A New Hope (1977),Action|Adventure|Sci-Fi
318,"Shawshank Redemption, The (1994)",Crime|Drama
356,Forrest Gump (1994),Comedy|Drama|Romance|War
2571,"Matrix, The (1999)",Action|Sci-Fi|Thriller
4993,"Lord of the Rings: The Fellowship of the Ring, The (2001)",Adventure|Fantasy
5952,"Lord of the Rings: The Two Towers, The (2002)",Adventure|Fantasy
"""


@pytest.fixture(scope="module")
def running(scratch: Path, dataset: Path) -> Iterator[ServiceProcess]:
    """A service as it is just after its first start, with the movies that the guide speaks of."""
    movies = scratch / "movies-of-the-guide"
    shutil.copytree(dataset, movies)
    with (movies / "movies.csv").open("a") as file:
        file.write(MOVIES)
    with service(scratch / "guide", MATINEE_DATASET=str(movies), MATINEE_RETRAIN_MINUTES="0") as started:
        started.wait_until_ready()
        yield started


def commands() -> list[tuple[str, Any]]:
    """Every command of the guide, with the answer that is printed below it, None where there is none."""
    pairs = re.findall(r"^```sh\n(.*?)^```\n(?:```json\n(.*?)^```$)?", GUIDE, re.MULTILINE | re.DOTALL)
    return [(command, json.loads(answer) if answer else None) for command, answer in pairs]


def here(printed: str, running: ServiceProcess) -> str:
    return printed.replace(PRINTED, running.http.base_url.netloc.decode())


def assert_same_shape(printed: Any, answered: Any, where: str = "") -> None:
    if isinstance(printed, dict) and answered is not None:
        assert list(printed) == list(answered), where
        for name, part in printed.items():
            assert_same_shape(part, answered[name], f"{where}.{name}")
    elif isinstance(printed, list):
        assert isinstance(answered, list), where
        assert bool(printed) == bool(answered) or where.endswith((".because", ".recommendations", ".impressions")), (
            where
        )
        for one, other in zip(printed, answered, strict=False):
            assert_same_shape(one, other, f"{where}[]")
    elif printed is not None and answered is not None:
        assert type(printed) is type(answered), where


def test_the_lines_with_curl_do_what_is_printed(running: ServiceProcess) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    assert len(commands()) > 10
    for command, printed in commands():
        script = "curl() { command curl -sS -w '\\n%{http_code}' \"$@\"; }\n" + here(command, running)
        done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
        answered, _, status = done.stdout.rpartition("\n")
        if printed is None:
            assert (answered, status) == ("", "204"), command
        else:
            assert_same_shape(printed, json.loads(answered), command)
            assert int(status) in ([printed["status"]] if "status" in printed else (200, 201, 202)), command


def test_the_program_in_python_runs_as_printed(running: ServiceProcess) -> None:
    printed = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    program = here("\n".join(printed), running)
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a rating is a multiple of 0.5" in done.stdout
    assert re.search(r"^1 .+ [0-9.]+", done.stdout, re.MULTILINE)
