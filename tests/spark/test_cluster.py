"""A cluster that trains: what must be right before it can, and a real one, whose machines are lost."""

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cluster as benchmark
import numpy as np
import pytest
from processes import free_port, service
from soak import checkerboard
from standalone_cluster import StandaloneCluster

from engine import Engine
from settings import Settings
from spark.cluster import WAIT_SECONDS, EngineError, check_executors, require_executors, require_reachable_master
from spark.session_files import parquet_for_executors, prepare_storage

COLUMNS = {"user": np.arange(5, dtype=np.int32)}


def test_a_master_that_does_not_answer_is_named_at_once(tmp_path: Path) -> None:
    port = free_port()
    engine = Engine(Settings(state_dir=tmp_path, spark_master=f"spark://127.0.0.1:{port},nowhere"))
    with pytest.raises(EngineError, match=rf"no Spark master answers \(127\.0\.0\.1:{port}: Connection refused; nowh"):
        engine.start()


def test_one_master_of_several_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        require_reachable_master(f"spark://127.0.0.1:{free_port()},127.0.0.1:{listening.getsockname()[1]}")


def test_executors_that_cannot_write_where_we_do_are_named(engine: Engine, tmp_path: Path) -> None:
    check_executors(engine.start(), tmp_path)
    missing = tmp_path / "not-mounted"
    host, file = socket.gethostname(), f"cannot write to {missing} (No such file or directory)"
    with pytest.raises(EngineError) as told:
        check_executors(engine.start(), missing)
    assert f"{host}: it {file}; set MATINEE_SPARK_STORAGE to" in str(told.value)


def test_executors_with_other_packages_are_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark.cluster.version", lambda name: f"of process {os.getpid()}")
    found = rf"{socket.gethostname()}: numpy is of process \d+ there and of process {os.getpid()} here; PYSPARK_PYTHON"
    with pytest.raises(EngineError, match=found):
        check_executors(engine.start(), None)


def test_work_that_nobody_does_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    spark = engine.start()
    patience = spark.conf.get(WAIT_SECONDS)
    spark.conf.set(WAIT_SECONDS, "0.5")
    monkeypatch.setattr("spark.cluster.executors", lambda spark: 0)
    try:
        with (
            pytest.raises(EngineError, match=r"gave no executor for 0\.5 s; is a worker up"),
            require_executors(spark),
        ):
            spark.sparkContext.parallelize([60.0], 1).map(time.sleep).collect()
    finally:
        spark.conf.set(WAIT_SECONDS, str(patience))


@pytest.mark.parametrize("name", ["shared", "my [old] {movies} 100%20? *#&ü"])
@pytest.mark.parametrize("kind", ["folder", "url"])
def test_training_files_go_to_the_shared_place_and_leave_it(
    kind: str, name: str, engine: Engine, spark_settings: Settings, tmp_path: Path
) -> None:
    spark, shared = engine.start(), tmp_path / name
    settings = replace(spark_settings, spark_storage=str(shared) if kind == "folder" else f"file://{shared}")
    prepare_storage(spark, settings)
    with parquet_for_executors(spark, settings, COLUMNS) as url:
        assert list(shared.rglob("*.parquet"))
        assert [row.user for row in spark.read.parquet(url).collect()] == [0, 1, 2, 3, 4]
    assert [file for file in shared.rglob("*.parquet") if file.is_file()] == []


def test_training_files_are_read_from_a_state_folder_of_any_name(
    engine: Engine, spark_settings: Settings, tmp_path: Path
) -> None:
    settings = replace(spark_settings, state_dir=tmp_path / "my [old] {movies} 100%20? *#&ü")
    with parquet_for_executors(engine.start(), settings, COLUMNS) as url:
        assert [row.user for row in engine.start().read.parquet(url).collect()] == [0, 1, 2, 3, 4]


def test_what_dead_processes_left_in_the_shared_place_is_cleared(
    engine: Engine, spark_settings: Settings, tmp_path: Path
) -> None:
    own = f"matinee-{socket.gethostname()}"
    dead, alive, elsewhere = f"{own}-{2**22 + 1}", f"{own}-1", "matinee-elsewhere-9"
    for name in (dead, alive, elsewhere, "somebody"):
        (tmp_path / name / "files").mkdir(parents=True)
    prepare_storage(engine.start(), replace(spark_settings, spark_storage=str(tmp_path)))
    left = {folder.name: folder for folder in tmp_path.iterdir()}
    assert set(left) == {alive, elsewhere, "somebody", f"{own}-{os.getpid()}"}
    assert left[f"{own}-{os.getpid()}"].stat().st_mode & 0o777 == 0o700


def test_a_shared_place_that_cannot_be_had_is_named(engine: Engine, spark_settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"MATINEE_SPARK_STORAGE cannot be used: .*nosuch"):
        prepare_storage(engine.start(), replace(spark_settings, spark_storage="nosuch://there/x"))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_service_trains_on_a_cluster(scratch: Path, dataset: Path) -> None:
    with StandaloneCluster(scratch / "one-worker") as cluster:
        cluster.start_master()
        cluster.start_worker()
        environ = benchmark.settings_for(dataset, cluster, scratch / "shared-with-one")
        with service(scratch / "on-a-cluster", **environ) as running:
            running.wait_until_ready()
            user = running.new_user(movie_2=5.0, movie_4=5.0, movie_6=4.5, movie_1=1.0)
            assert benchmark.train(running).outcome == "published"
            assert f"on {cluster.url} is ready" in running.log_text()
            assert {movie % 2 for movie in running.recommended(user)} == {0}
            running.stop()


@pytest.mark.faults
def test_a_fit_outlives_a_worker_and_a_cluster_that_is_gone_is_named_and_found_again(
    scratch: Path, record_property: Callable[[str, Any], None]
) -> None:
    work = scratch / "two-workers"
    work.mkdir()
    found, _ = benchmark.run_scenario(checkerboard(work / "checkerboard"), work)
    assert [promise for promise in found if not promise.kept] == []
    record_property("faults", 4)
    record_property("found", "; ".join(promise.found for promise in found))
