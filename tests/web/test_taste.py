"""What a user's ratings show of their taste, beside everybody's."""

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from handmade_model import IDS, new_user
from sqlalchemy import text

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings

GIVEN = {IDS[0]: 5.0, IDS[1]: 1.0, IDS[2]: 4.0, IDS[3]: 2.5, IDS[11]: 0.5}


@pytest.fixture
def client(live: Recommender, ready: Health) -> FlaskClient:
    with live.database.statement() as db:  # movie n: 100 + n ratings with a mean of 4.5 - n / 20
        db.execute(text("UPDATE movies SET rating_count = 100 + year - 1950"))
        db.execute(text("UPDATE movies SET rating_sum = rating_count * (4.5 - (year - 1950) / 20.0)"))
        db.execute(text("UPDATE movies SET changed = 1"))
        db.execute(text("UPDATE live_generation SET catalogue_version = 1"))
    return create_app(live, ready, Settings()).test_client()


def taste(client: FlaskClient, user: int) -> dict[str, Any]:
    answer = client.get(f"/api/v1/users/{user}/taste")
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def everybody(rows: list[int]) -> tuple[int, float]:
    count = sum(100 + n for n in rows)
    return count, sum((100 + n) * (4.5 - n / 20) for n in rows) / count


def test_a_taste_is_that_of_the_ratings_beside_those_of_everybody(live: Recommender, client: FlaskClient) -> None:
    user = new_user(live.database, GIVEN)
    with live.database.statement() as db:
        db.execute(text("UPDATE views SET rated_at = '2024-12-31 23:59:59+00' WHERE movie_id = :m"), {"m": IDS[0]})
        db.execute(text("UPDATE views SET rated_at = '2025-01-01 00:00:00+00' WHERE movie_id <> :m"), {"m": IDS[0]})
        db.execute(
            text("INSERT INTO foretold VALUES (:u, 1, :a, 1, 5, 4, 1), (:u, 2, :b, 1, 1, 3, 9)"),
            {"u": user, "a": IDS[0], "b": IDS[1]},
        )
    found, stars = taste(client, user), np.array([*GIVEN.values()])
    assert (found["rating_count"], found["rating_mean"]) == (5, 2.6)
    assert found["rating_deviation"] == pytest.approx(stars.std(), abs=1e-4)
    assert found["histogram"] == [1, 1, 0, 0, 1, 0, 0, 1, 0, 1]
    total, mean = everybody([*range(40)])
    assert found["everybody_mean"] == pytest.approx(mean, abs=1e-4)
    odd, odd_mean = everybody([*range(1, 40, 2)])  # the comedies, which are dramas too
    even, even_mean = everybody([*range(0, 40, 2)])
    assert {part["name"]: part for part in found["genres"]} == {
        "Comedy": part("Comedy", 3, 4 / 3, 0.6, odd_mean, odd / total),
        "Drama": part("Drama", 3, 4 / 3, 0.6, odd_mean, odd / total),
        "Action": part("Action", 2, 4.5, 0.4, even_mean, even / total),
    }
    assert [part["name"] for part in found["genres"]][2] == "Action"
    decades = [(one["name"], one["rating_count"], one["rating_mean"]) for one in found["decades"]]
    assert decades == [("1950s", 4, 3.125), ("1960s", 1, 0.5), ("1970s", 0, None), ("1980s", 0, None)]
    years = [(one["year"], one["rating_count"], one["rating_mean"]) for one in found["years"]]
    assert years == [(2024, 1, 5.0), (2025, 4, 2.0)]
    assert found["predictions"] == {"count": 2, "rmse": pytest.approx(2.5**0.5, abs=1e-4), "mae": 1.5}


def part(name: str, count: int, mean: float, share: float, others: float, others_share: float) -> dict[str, Any]:
    numbers = {"rating_mean": mean, "share": share, "everybody_mean": others, "everybody_share": others_share}
    return {"name": name, "rating_count": count} | {n: pytest.approx(v, abs=1e-4) for n, v in numbers.items()}


def test_the_ratings_most_unlike_others_come_first(live: Recommender, client: FlaskClient) -> None:
    rng = np.random.default_rng(1)
    given = {IDS[n]: float(rng.integers(1, 11)) / 2 for n in range(20)}
    found = taste(client, new_user(live.database, given))["unlike_others"]
    means = {movie: 4.5 - IDS.index(movie) / 20 for movie in given}
    apart = sorted((abs(given[movie] - means[movie]) for movie in given), reverse=True)
    assert [abs(one["rating"] - one["everybody_mean"]) for one in found] == pytest.approx(apart[:10], abs=1e-4)
    for one in found:
        movie = one["movie"]["movie_id"]
        assert (one["rating"], one["everybody_count"]) == (given[movie], 100 + IDS.index(movie))
        assert one["everybody_mean"] == pytest.approx(means[movie], abs=1e-4)


def test_without_ratings_there_are_no_means(live: Recommender, client: FlaskClient) -> None:
    found = taste(client, new_user(live.database))
    assert (found["rating_count"], found["rating_mean"], found["rating_deviation"]) == (0, None, None)
    assert found["unlike_others"] == found["years"] == []
    assert found["predictions"] == {"count": 0, "rmse": None, "mae": None}
    assert client.get("/api/v1/users/99/taste").status_code == 404
