"""Measure the memory of an idle service: after its first training run, when Spark has ended, and after a restart."""

import os
import time

from footprint import measure_footprint
from measurements import Measurement, Measurements
from prepared_service import prepared_state
from processes import poll, service

GOAL_MEGABYTES = 450.0
TRAINING_TIMEOUT = 900.0  # seconds
SETTLE_SECONDS = 5.0


def measure(quick: bool) -> Measurements:
    """Return the memory of an idle service after one training run, and after a restart.

    The dataset is MATINEE_DATASET, or random movies, as many as in ml-latest-small.
    """
    with prepared_state(1000 if quick else 9_700, light_users=100, heavy_users=1, factors=False) as prepared:
        folder = os.environ.get("MATINEE_DATASET", str(prepared.dataset))
        own = {"MATINEE_DATASET": folder, "MATINEE_SPARK_IDLE_MINUTES": "0"}
        state_dir = prepared.state_dir if "MATINEE_DATASET" not in os.environ else prepared.state_dir.with_name("given")
        found = {}
        for moment in ("after the first training", "after a restart"):
            with service(state_dir, model=own) as running:
                running.wait_until_ready()
                poll(lambda: running.get("/api/v1/retrain")["outcome"], TRAINING_TIMEOUT, "the end of a training")
                time.sleep(SETTLE_SECONDS)
                found[moment] = measure_footprint(running.process.pid)
                running.stop()
    return {
        f"{what}, {moment}": Measurement(
            getattr(sample, what), "MB", "less", GOAL_MEGABYTES if what == "total" else None
        )
        for moment, sample in found.items()
        for what in ("total", "server", "postgres", "workers", "java")
    }
