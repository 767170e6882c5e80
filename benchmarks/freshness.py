"""Measure the time from a rating to a list that reflects it, in Matinee, its predecessor and the tutorial."""

import json

from http_load import KeepAliveConnection, send
from measurements import Measurements, median_of
from predecessors import predecessor_retrain, tutorial_times
from prepared_service import PreparedState, list_request, port_of, prepared_state, running

PERIOD_SECONDS = 12 * 60.0  # from one retrain of the predecessor to the next


def measure(quick: bool) -> Measurements:
    """Return the seconds from sending a rating to receiving a list that reflects it."""
    with prepared_state(
        1000 if quick else 9_700, light_users=100, heavy_users=1, ratings_each=40 if quick else 160
    ) as prepared:
        with running(prepared) as process, KeepAliveConnection(port_of(process)) as connection:
            ours = [_rate_and_read(connection, user) for user in prepared.light_users]
            process.stop()
        found = {"rate, then read": median_of(ours, "s", "less")}
        return found if quick else found | _measure_others(prepared)


def _rate_and_read(connection: KeepAliveConnection, user: int) -> float:
    """Rate the first movie of a list, check that the next list lacks it, and return the seconds."""
    connection.request(list_request(user))
    movie = _listed_movies(connection)[0]
    rating = send("POST", f"/users/{user}/views/{movie}", '{"rating": 4.5}')
    seconds = connection.request(rating) + connection.request(list_request(user))
    if movie in _listed_movies(connection):
        raise RuntimeError(f"movie {movie} is recommended to user {user}, who has just rated it")
    return seconds


def _listed_movies(connection: KeepAliveConnection) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in json.loads(connection.answer[1])]


def _measure_others(prepared: PreparedState) -> Measurements:
    warm = predecessor_retrain(prepared.dataset).warm
    rated, read = tutorial_times(prepared.dataset)
    both = [a + b for a, b in zip(rated, read, strict=True)]
    return {
        "predecessor, best case: a retrain": median_of([warm], "s"),
        "predecessor, worst case: 12 minutes and a retrain": median_of([PERIOD_SECONDS + warm], "s"),
        "tutorial: train on each rating, then predict all": median_of(both, "s"),
        "tutorial: the rating alone": median_of(rated, "s"),
        "tutorial: the list alone": median_of(read, "s"),
    }
