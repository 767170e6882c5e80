"""The architecture: which module may import which, where each library is used, and that importing has no effect."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import ROOT

BASE = {"settings", "health", "system"}
ARITHMETIC = BASE | {"models", "embedded", "ranking"}
MIDDLE = ARITHMETIC | {"spark", "evaluation", "catalogue", "histories"}
LOW = MIDDLE | {"storage", "movielens"}
LAYERS = {  # each may import only these of our packages and modules
    "settings": {"system"},
    "health": {"settings"},
    "system": {"settings"},
    "tables": set(),
    "models": {"settings", "tables"},
    "embedded": BASE,
    "ranking": {"settings"},
    "evaluation": {"settings", "ranking"},
    "catalogue": {"settings", "ranking"},
    "histories": {"settings", "ranking", "catalogue"},
    "spark": BASE | {"ranking"},
    "movielens": BASE | {"ranking", "catalogue"},
    "storage": BASE | {"models", "ranking", "catalogue"},
    "engine": BASE | {"ranking", "evaluation", "movielens", "spark"},
    "live_model": BASE | {"ranking", "catalogue", "storage"},
    "recommender": BASE | {"ranking", "catalogue", "storage", "live_model"},
    "jobs": LOW | {"engine", "recommender"},
    "web": BASE | {"ranking", "catalogue", "histories", "evaluation", "storage", "recommender"},
    "app": BASE | {"storage", "recommender", "web"},
    "commands": LOW | {"engine", "recommender", "jobs"},
    "cli": LOW | {"commands"},
    "serving": LOW | {"recommender", "jobs", "web", "app"},
    "server": LOW | {"recommender", "jobs", "web", "app", "serving"},
    "migrations": {"models"},
}
ONLY_IN = {
    "pyspark": {"engine", "spark"},
    "py4j": {"engine", "spark"},
    "cherrypy": {"serving.front"},
    "waitress": {"serving.http_server", "web.server_probe"},
    "paste": {"web.request_log"},
    "pythonjsonlogger": {"system.logs"},
    "flask": {"app", "web"},
    "flask_openapi3": {"web"},
    "flask_openapi3_swagger": {"web.static_page"},
    "pydantic": {"web", "jobs.transfer_rows", "jobs.transfer_files"},
    "werkzeug": {"app", "web"},
    "apscheduler": {"jobs.scheduler"},
    "psycopg2": {"storage", "embedded", "system.postgres_url"},
    "cachetools": {"catalogue.live_generation"},
    "alembic": {"storage.schema", "migrations"},
    "dotenv": {"system.settings_file"},
    "limits": {"web.rate_limits"},
    "rapidfuzz": {"histories.matching"},
    "anyascii": {"catalogue.title_words"},
    "tenacity": {"jobs.job_run"},
    "psutil": {"system", "spark.session_files", "commands.machine_checks"},
    "prometheus_client": {"web", "system.shared_counts", "system.process_metrics"},
}
NO_SQL = {"Row", "Connection"}  # names of SQLAlchemy that are types and not statements
SOURCES = [*ROOT.glob("*.py"), *(file for layer in LAYERS for file in (ROOT / layer).rglob("*.py"))]


def module_of(file: Path) -> str:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(file: Path) -> Iterator[tuple[str, str | None]]:
    """Yield every (module, name) that a file imports, at any level."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: use absolute imports"
            assert node.module
            yield from ((node.module, alias.name) for alias in node.names)


IMPORTS = {module_of(file): list(imports(file)) for file in SOURCES}


def within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def test_every_module_is_in_a_layer() -> None:
    assert {module.partition(".")[0] for module in IMPORTS} <= set(LAYERS)
    assert len(SOURCES) > 30


def test_imports_point_down() -> None:
    for module, names in IMPORTS.items():
        layer = module.partition(".")[0]
        ours = {name.partition(".")[0] for name, _ in names} & set(LAYERS)
        assert ours <= LAYERS[layer] | {layer}, module


def test_each_library_is_used_in_its_place_only() -> None:
    for module, names in IMPORTS.items():
        for library in {name.partition(".")[0] for name, _ in names} & set(ONLY_IN):
            assert within(module, ONLY_IN[library]), f"{library} is imported in {module}"


def test_sql_is_only_in_storage() -> None:
    for module, names in IMPORTS.items():
        if not within(module, {"storage", "models", "tables", "migrations"}):
            of_sqlalchemy = {name for library, name in names if library.partition(".")[0] == "sqlalchemy"}
            assert of_sqlalchemy <= NO_SQL, module


def run(code: str, folder: Path) -> str:
    """Run code in an empty folder with a minimal environment, and return what it prints."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(folder.iterdir()) == []
    return done.stdout


def test_the_application_does_not_need_spark(tmp_path: Path) -> None:
    loaded = run("import sys, app; print(*{name.partition('.')[0] for name in sys.modules})", tmp_path).split()
    assert "flask" in loaded
    assert not {"pyspark", "py4j", "cherrypy", "apscheduler"} & set(loaded)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("entry", ["engine", "cli", "server"])
def test_an_entry_point_has_one_blas_thread(entry: str, tmp_path: Path) -> None:
    names = "[open(f'/proc/self/task/{task}/comm').read() for task in os.listdir('/proc/self/task')]"
    threads = run(f"import os, {entry}, numpy; print({names}.count(open('/proc/self/comm').read()))", tmp_path)
    assert threads == "1\n"  # OpenBLAS's threads have the name of the process


WATCH = """
import os, socket, subprocess, sys, threading

def forbid(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system"):
        raise RuntimeError(f"{event} {arguments}")

class GuardedEnviron(type(os.environ)):
    def _check(self, key):
        caller = sys._getframe(2)
        while caller.f_code.co_filename.startswith("<frozen ") or caller.f_code.co_filename == os.__file__:
            caller = caller.f_back
        if key.startswith(("MATINEE_", "POSTGRES_", "SPARK_")) or key in ("DATABASE_URL", "JAVA_HOME"):
            if caller.f_code.co_filename.startswith(%r) and ".venv" not in caller.f_code.co_filename:
                raise RuntimeError(f"{key} is read by {caller.f_code.co_filename}")
    def __getitem__(self, key):
        self._check(key)
        return super().__getitem__(key)

os.environ.__class__ = GuardedEnviron
sys.addaudithook(forbid)
import importlib
for name in %r:
    importlib.import_module(name)
assert threading.active_count() == 1, threading.enumerate()
"""


def test_importing_a_module_has_no_effect(tmp_path: Path) -> None:
    modules = [module for module in IMPORTS if module.partition(".")[0] != "migrations"]
    run(WATCH % (str(ROOT), modules), tmp_path)


@pytest.mark.parametrize("act", ["os.environ.get('DATABASE_URL')", "socket.create_connection(('127.0.0.1', 9))"])
def test_an_import_with_an_effect_is_detected(act: str, tmp_path: Path) -> None:
    (tmp_path / "eager.py").write_text(f"import os, socket\n{act}\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + WATCH % (str(tmp_path), ["eager"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssertionError, match="RuntimeError"):
        run(code, tmp_path / "empty")
