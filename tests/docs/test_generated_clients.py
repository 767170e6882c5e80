"""Generators of clients for TypeScript and Python understand docs/openapi.json, and the Python client works."""

import fcntl
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from handmade_model import EVEN

from health import Health
from recommender import Recommender
from settings import ROOT

DOCUMENT = ROOT / "docs/openapi.json"
# Each generator is installed once, outside of our lock: that of Python needs another version of typer than we do.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "matinee-tests")
TYPESCRIPT, PYTHON = "openapi-typescript@7.13.0", "openapi-python-client==0.29.1"


def installed(name: str, program: str, *commands: list[str]) -> Path:
    """Return a program in the folder of the cache that these commands make; skip the test if they cannot."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in commands if not (folder / "complete").exists() else ():
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"{name} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
        (folder / "complete").touch()
    return folder / program


@pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm on the path")
def test_types_of_typescript_are_generated_from_the_document(tmp_path: Path) -> None:
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", ".", TYPESCRIPT]
    generator = installed(TYPESCRIPT, "node_modules/.bin/openapi-typescript", install)
    words = [generator, str(DOCUMENT), "--output", "matinee.ts"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    types = (tmp_path / "matinee.ts").read_text()
    assert all(f'"{path}": {{' in types for path in json.loads(DOCUMENT.read_text())["paths"])


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """A function that imports a module of the generated package `matinee_client`."""
    venv = [sys.executable, "-m", "venv", "."]
    generator = installed(PYTHON, "bin/openapi-python-client", venv, ["bin/pip", "install", "--quiet", PYTHON])
    words = [generator, "generate", "--meta", "none", "--path", str(DOCUMENT), "--output-path", "matinee_client"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # it looks for ruff, to format what it writes
    done = subprocess.run(words, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout, done.stdout  # about a route that it leaves out
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: importlib.import_module(f"matinee_client{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "matinee_client"]:
        del sys.modules[name]


def test_the_generated_python_client_makes_a_whole_journey(
    live: Recommender, ready: Health, serve: Callable[..., httpx.Client], generated: Callable[[str], Any]
) -> None:
    key = "the-key-of-an-application"
    http = serve(live, ready, api_key=key)
    models = generated(".models")
    with generated("").AuthenticatedClient(base_url=str(http.base_url), token=key) as matinee:

        def call(operation: str, *path: Any, **given: Any) -> Any:
            return generated(f".api.{operation}").sync(*path, client=matinee, **given)

        user = call("users.create_user").user_id
        assert call("ratings.put_rating", user, EVEN[0], body=models.RatingUpdate(rating=5)).rating == 5
        listed = call("recommendations.list_recommendations", user, limit=3)
        assert listed.ratings_seen == 1
        assert [item.rank for item in listed.items] == [1, 2, 3]
        assert listed.items[0].because[0].movie_id == EVEN[0]
        assert {item.movie.movie_id for item in call("movies.list_similar_movies", EVEN[0]).items} <= {*EVEN}
        guest = models.GuestMember(ratings=[models.RatingInput(movie_id=EVEN[1], rating=4)])
        night = call("groups.recommend_to_group", body=models.Group(members=[user, guest], limit=2))
        assert [member.ratings_seen for member in night.members] == [1, 1]
        assert len(night.items[0].members) == 2
        refused = call("ratings.put_rating", user, EVEN[0], body=models.RatingUpdate(rating=4.7))
        assert (refused.status, refused.code) == (400, "rating_invalid")
        assert generated(".api.users.delete_user").sync_detailed(user, client=matinee).status_code == 204
        assert call("users.show_user", user).code == "user_not_found"
