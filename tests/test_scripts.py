"""The scripts in the root, run in a small project whose path has a space."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 120  # a new .venv takes ten seconds
SERVER = """
import os, sys
print("server", sys.argv[1:], sys.prefix, os.getcwd(), os.environ["OPENBLAS_NUM_THREADS"])
"""
SPARK_SUBMIT = """#!/bin/sh
echo "home $JAVA_HOME"
echo "python $PYSPARK_PYTHON $PYSPARK_DRIVER_PYTHON"
for word in "$@"; do echo "[$word]"; done
"""
# A wrapper of the Python that runs the tests; it records each call of pip.
PYTHON = """#!/bin/sh
case "$*" in *"pip install"*) echo "pip" >> "{calls}" ;; esac
exec "{real}" "$@"
"""


class Project:
    """A copy of the scripts with a server.py that only prints, and without requirements."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pip_calls = folder / "pip calls"
        for part in ("start_server.sh", "run_tests.sh", "system", "spark", "settings.py"):
            source = ROOT / part
            target = folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        (folder / "server.py").write_text(SERVER)
        (folder / "requirements.txt").write_text("# nothing\n")
        (folder / "requirements-dev.txt").write_text("-r requirements.txt\n")

    def run(self, script: str, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a script from another folder, without the settings of the machine that runs the tests."""
        return self.start(script, *arguments, **environ).finish()

    def start(self, script: str, *arguments: str, **environ: str) -> "RunningScript":
        kept = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
        return RunningScript([str(self.folder / script), *arguments], kept | environ)


class RunningScript:
    """A script that runs in a process of its own."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd="/",
            env=environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self) -> "subprocess.CompletedProcess[str]":
        try:
            out, err = self.process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """A project without .venv."""
    return Project(tmp_path / "a project")


@pytest.fixture
def project(bare: Project) -> Project:
    """A project whose .venv is the Python that runs the tests."""
    python = bare.folder / ".venv/bin/python"
    write_script(python, PYTHON.format(calls=bare.pip_calls, real=sys.executable))
    return bare


def write_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_first_start_creates_the_environment_and_starts_the_server(bare: Project) -> None:
    started = bare.run("start_server.sh", "--a flag", PYTHON=sys.executable)
    assert started.returncode == 0, started.stderr
    assert started.stdout == f"server ['--a flag'] {bare.folder}/.venv {bare.folder} 1\n"
    assert "creating .venv" in started.stderr


def test_two_first_starts_at_the_same_time_create_one_environment(bare: Project) -> None:
    starts = [bare.start("start_server.sh", PYTHON=sys.executable) for _ in range(2)]
    done = [start.finish() for start in starts]
    assert [d.stdout for d in done] == [f"server [] {bare.folder}/.venv {bare.folder} 1\n"] * 2, done
    assert sum("creating .venv" in d.stderr for d in done) == 1


def test_an_environment_whose_creation_was_killed_is_created_again(bare: Project) -> None:
    write_script(bare.folder / ".venv/bin/python", '#!/bin/sh\ncase "$*" in *"pip install"*) kill -9 $PPID ;; esac\n')
    assert bare.run("start_server.sh").returncode == -signal.SIGKILL
    started = bare.run("start_server.sh", PYTHON=sys.executable)
    assert ".venv is unfinished or broken; creating it again" in started.stderr
    assert started.stdout.startswith("server []")


def test_pip_runs_again_only_after_the_requirements_changed(project: Project) -> None:
    for _ in range(2):
        assert project.run("start_server.sh").returncode == 0
    assert project.pip_calls.read_text() == "pip\n"
    (project.folder / "requirements.txt").write_text("# still nothing\n")
    assert project.run("start_server.sh").returncode == 0
    assert project.pip_calls.read_text() == "pip\npip\n"


def test_the_server_does_not_start_if_requirements_cannot_be_installed(project: Project) -> None:
    (project.folder / "requirements.txt").write_text("./not-there\n")
    started = project.run("start_server.sh")
    assert started.returncode == 1
    assert "pip could not install requirements.txt" in started.stderr
    assert "server [" not in started.stdout
    (project.folder / "requirements.txt").write_text("# nothing\n")
    assert "server []" in project.run("start_server.sh").stdout


def test_the_server_does_not_start_if_a_package_does_not_match_its_hash(project: Project) -> None:
    package = project.folder / "odd-1-py3-none-any.whl"
    package.write_bytes(b"something else")
    (project.folder / "requirements.txt").write_text(f"./{package.name} --hash=sha256:{'0' * 64}\n")
    started = project.run("start_server.sh")
    assert started.returncode == 1
    assert "DO NOT MATCH THE HASHES" in started.stderr
    assert "pip could not install requirements.txt" in started.stderr


def test_the_message_names_a_python_that_is_too_old(bare: Project, tmp_path: Path) -> None:
    old = write_script(tmp_path / "python3.8", '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.10\nexit 1\n')
    started = bare.run("start_server.sh", PYTHON=str(old))
    assert started.returncode == 1
    assert f"needs Python 3.11 or newer; found: {old} is Python 3.8.10;" in started.stderr


def test_the_message_names_the_package_that_a_python_without_venv_needs(bare: Project, tmp_path: Path) -> None:
    without = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"\n'
    started = bare.run("start_server.sh", PYTHON=str(write_script(tmp_path / "python3", without)))
    assert started.returncode == 1
    assert "apt install python3-venv" in started.stderr
    assert not (bare.folder / ".venv").exists()


def test_a_spark_home_runs_the_server_under_its_spark_submit(project: Project, tmp_path: Path) -> None:
    spark = tmp_path / "a spark"
    write_script(spark / "bin/spark-submit", SPARK_SUBMIT)
    started = project.run("start_server.sh", "--x y", SPARK_HOME=str(spark), MATINEE_SPARK_DRIVER_MEMORY="3g")
    assert started.returncode == 0, started.stderr
    home, python, *words = started.stdout.splitlines()
    assert Path(home.removeprefix("home "), "bin/java").exists()
    assert python == f"python {project.folder}/.venv/bin/python {project.folder}/.venv/bin/python"
    assert words == ["[--master]", "[local[*]]", "[--driver-memory]", "[3g]", "[server.py]", "[--x y]"]


def test_spark_home_and_master_can_be_set_in_dotenv(project: Project, tmp_path: Path) -> None:
    spark = tmp_path / "a spark"
    write_script(spark / "bin/spark-submit", SPARK_SUBMIT)
    (project.folder / ".env").write_text(f'SPARK_HOME="{spark}"\nMATINEE_SPARK_MASTER=spark://host:7077\n')
    started = project.run("start_server.sh")
    assert "[spark://host:7077]" in started.stdout, started.stderr


def test_a_spark_home_without_spark_submit_is_explained(project: Project, tmp_path: Path) -> None:
    started = project.run("start_server.sh", SPARK_HOME=str(tmp_path))
    assert started.returncode == 1
    assert f"{tmp_path}/bin/spark-submit cannot be run" in started.stderr


def test_run_tests_passes_its_arguments_to_pytest(project: Project) -> None:
    test = project.folder / "test_two.py"
    test.write_text("def test_one(): pass\ndef test_two(): pass\n")
    ran = project.run("run_tests.sh", "test_two.py", "-k", "test_two and not one")
    assert "1 passed" in ran.stdout, ran.stderr
