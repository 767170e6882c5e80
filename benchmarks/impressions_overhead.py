"""Measure the cost of recording impressions for a read: python benchmarks/impressions_overhead.py

Two applications, one with impressions and one without, answer the same users from the same embedded PostgreSQL in
turns, without an HTTP server. Prints the milliseconds of a read with and without, their ratio, and the milliseconds to
store an impression, which a thread does each second; for repeated lists (within ten minutes) and for new lists.
"""

import sys
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.extend(str(Path(__file__).resolve().parent.parent / folder) for folder in (".", "tests/support"))

import numpy as np
from flask import Flask
from handmade_model import IDS, fill_catalogue, new_user, publish, two_tastes

from app import create_app
from embedded.postgres import EmbeddedPostgres
from health import Health
from recommender import Recommender
from settings import Settings
from storage import impression_buffer
from storage.database import Database

USERS, TURNS = 200, 40


def turn(app: Flask, users: list[int]) -> tuple[float, float]:
    """Return the milliseconds of a read, and of storing its impression."""
    client, buffer = app.test_client(), app.extensions["impressions"]
    began = time.perf_counter()
    for user in users:
        client.get(f"/users/{user}/recommendations")
    read = time.perf_counter()
    if buffer:
        buffer.store()
    return (read - began) / len(users) * 1e3, (time.perf_counter() - read) / len(users) * 1e3


def main() -> None:
    """Measure, and print the milliseconds and the ratio."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "state") as url:
            database = Database(url, 4)
            database.migrate()
            fill_catalogue(database)
            recommender, health = Recommender(database), Health()
            publish(recommender, two_tastes())
            health.report("catalogue", "ready")
            users = [new_user(database, {IDS[0]: 4.0}) for _ in range(USERS)]
            apps = [create_app(recommender, health, Settings(impressions=on, rate_limit="off")) for on in (0, 1)]
            for name, same in (("repeated", timedelta(minutes=10)), ("new each time", timedelta(0))):
                impression_buffer.SAME_WITHIN = same
                for app in apps:
                    turn(app, users)
                times = np.array([[turn(app, users) for app in apps] for _ in range(TURNS)])
                without, read, stored = times[:, 0, 0], times[:, 1, 0], times[:, 1, 1]
                print(
                    f"{name}: {median(without):.3f} ms, {median(read):.3f} ms with "
                    f"({median(read / without) - 1:+.1%}), and {median(stored):.3f} ms to store it"
                )
            database.close()


if __name__ == "__main__":
    main()
