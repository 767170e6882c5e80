"""The files for Prometheus and Grafana: they use existing metrics, and alerts fire when they should."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from handmade_model import fill_catalogue, new_user
from metrics_service import MetricsSnapshot, serve_with_probes, trained

from health import Health
from recommender import Recommender
from settings import ROOT
from storage.database import Database

PROMETHEUS, DASHBOARD = ROOT / "ops/prometheus", ROOT / "ops/grafana/matinee.json"
PAGE = ROOT / "docs/metrics.md"
METRIC = re.compile(r"\bmatinee_\w+")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="no promtool on the path; Debian has it in prometheus")
COLUMNS = 24


@pytest.fixture
def shown(database: Database, ready: Health) -> MetricsSnapshot:
    """The metrics page of a service that has a value for every metric."""
    fill_catalogue(database)
    trained(database)
    recommender = Recommender(database)
    recommender.model.refresh()
    with serve_with_probes(recommender, ready) as client:
        client.get(f"/users/{new_user(database)}/recommendations")
        return MetricsSnapshot(client)


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
    return rules


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))


def promtool(*arguments: str, page: str | None = None) -> None:
    command = [str(PROMTOOL), *arguments]
    done = subprocess.run(command, cwd=PROMETHEUS, input=page, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("file", [DASHBOARD, PROMETHEUS / "alerts.yml", PAGE], ids=lambda file: file.name)
def test_the_files_use_only_metrics_that_exist(file: Path, shown: MetricsSnapshot) -> None:
    named = set(METRIC.findall(file.read_text()))
    assert len(named) > 15
    assert named <= shown.names | families(shown.names)


def test_every_metric_is_documented_and_on_the_dashboard(shown: MetricsSnapshot) -> None:
    every = families(shown.names)
    assert every <= set(METRIC.findall(PAGE.read_text()))
    on_dashboard = families(set(METRIC.findall(DASHBOARD.read_text())))
    assert every == on_dashboard


def families(names: set[str]) -> set[str]:
    """Return the metrics to which these samples belong; a histogram has several samples."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


@needs_promtool
def test_prometheus_accepts_the_page(shown: MetricsSnapshot) -> None:
    promtool("check", "metrics", page=shown.text)


@needs_promtool
def test_the_alerts_fire_when_they_should() -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")


def test_every_alert_is_tested_and_says_what_to_do(alerts: list[dict[str, Any]]) -> None:
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    names = [alert["alert"] for alert in alerts]
    assert len(set(names)) == len(names) > 10
    for alert in alerts:
        assert f'alertname="{alert["alert"]}"' in tests
        assert f"`{alert['alert']}`" in PAGE.read_text()
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"].endswith(".")


@needs_promtool
def test_every_query_of_the_dashboard_is_valid(dashboard: dict[str, Any], tmp_path: Path) -> None:
    queries = [text.replace("$__rate_interval", "5m") for text in expressions(dashboard)]
    rules = [{"record": f"dashboard:{n}", "expr": text} for n, text in enumerate(queries)]
    (tmp_path / "dashboard.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "dashboard.yml"))


def test_the_dashboard_can_be_imported_with_any_source(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "job", "instance"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] != "row":
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert all('job="$job", instance=~"$instance"' in text for text in expressions(dashboard))


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
