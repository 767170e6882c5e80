"""Static checks of the container and systemd files; ops/try_image.py builds and runs the image."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml
from processes import free_port

import settings
from app import create_app
from health import Health
from recommender import Recommender
from settings import ROOT, Settings
from system.health_check import why_not_ready

SETTINGS = {name for name, _, _ in settings.setting_rows()}


@pytest.mark.parametrize("file", ["Dockerfile", "docker-compose.yml", "ops/kubernetes/matinee.yaml"])
def test_the_container_files_name_only_settings_that_exist(file: str) -> None:
    named = set(re.findall(r"MATINEE_[A-Z_]+", (ROOT / file).read_text()))
    assert named
    assert named <= SETTINGS


def test_the_image_contains_every_module_that_runs_and_nothing_else() -> None:
    included = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"migrations"}
    assert folders - {"tests"} <= included
    assert not included & {".env", "var", ".git", ".venv", "tests", "benchmarks"}
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_a_ready_service_passes_its_health_check(
    live: Recommender, ready: Health, serve: Callable[..., httpx.Client]
) -> None:
    assert why_not_ready(serve(live, ready).base_url.port or 0) is None


def test_a_service_that_is_not_ready_fails_its_health_check(
    live: Recommender, serve: Callable[..., httpx.Client]
) -> None:
    assert "not ready" in str(why_not_ready(serve(live, Health()).base_url.port or 0))


def test_the_health_check_fails_if_nothing_answers() -> None:
    assert "nothing answers" in str(why_not_ready(free_port()))


def test_the_replicas_on_kubernetes_are_probed_and_unprivileged_and_get_secrets_from_a_secret(
    live: Recommender, ready: Health
) -> None:
    deployment, service = yaml.safe_load_all((ROOT / "ops/kubernetes/matinee.yaml").read_text())
    template = deployment["spec"]["template"]
    assert (
        deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == template["metadata"]["labels"]
    )
    (container,) = template["spec"]["containers"]
    given = {row["name"]: row["value"] for row in container["env"]}
    assert not given.keys() & {"DATABASE_URL", "MATINEE_API_KEY", "MATINEE_ADMIN_KEY"}
    assert container["envFrom"] == [{"secretRef": {"name": "matinee"}}]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"USER {template['spec']['securityContext']['runAsUser']}" in dockerfile
    assert f"EXPOSE {container['ports'][0]['containerPort']}" in dockerfile
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounted = {row["mountPath"] for row in container["volumeMounts"]}
    assert mounted == {*re.findall("^VOLUME (.*)", dockerfile, re.MULTILINE), "/tmp"}  # noqa: S108 - in a container
    asked = Settings(host="0.0.0.0", api_key="a" * 20, allowed_hosts=given["MATINEE_ALLOWED_HOSTS"])  # noqa: S104
    client = create_app(live, ready, asked).test_client()
    for probe in ("livenessProbe", "readinessProbe"):
        wanted = container[probe]["httpGet"]
        headers = {row["name"]: row["value"] for row in wanted["httpHeaders"]}
        assert client.get(wanted["path"], headers=headers).status_code == 200, probe


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze on the path")
def test_systemd_accepts_the_service_file(tmp_path: Path) -> None:
    unit = (ROOT / "ops/systemd/matinee.service").read_text()
    assert set(re.findall(r"MATINEE_[A-Z_]+", unit)) <= SETTINGS
    here = tmp_path / "matinee.service"
    here.write_text(unit.replace("/opt/matinee/.venv/bin/python", "/bin/sh").replace("/opt/matinee", str(tmp_path)))
    checked = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
