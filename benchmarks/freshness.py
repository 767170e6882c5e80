"""From a view to a list that shows it: here, in the seed, and in the engine of the tutorial that the seed came from."""

import json

from http_load import KeepAliveConnection, send
from measurements import Measurements, median_of
from predecessors import seed_retrain, tutorial
from prepared_service import PreparedState, list_of, port_of, prepared_state, running

PERIOD = 12 * 60.0  # seconds from one retrain of the seed to the next


def measure(quick: bool) -> Measurements:
    """Seconds from the sending of a view until the list that shows it is here."""
    with prepared_state(1000 if quick else 9_700, readers=100, collectors=1, each=40 if quick else 160) as prepared:
        with running(prepared) as process, KeepAliveConnection(port_of(process)) as wire:
            ours = [_seconds(wire, user) for user in prepared.readers]
            process.stop()
        figures = {"rate and read": median_of(ours, "s", "less")}
        return figures if quick else figures | _others(prepared)


def _seconds(wire: KeepAliveConnection, user: int) -> float:
    """Rate the first movie of a list, and see it gone."""
    wire.ask(list_of(user))
    movie = _movies(wire)[0]
    took = wire.ask(send("POST", f"/users/{user}/views/{movie}", '{"rating": 4.5}')) + wire.ask(list_of(user))
    if movie in _movies(wire):
        raise RuntimeError(f"user {user} has just rated movie {movie} and is told to watch it")
    return took


def _movies(wire: KeepAliveConnection) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in json.loads(wire.answer[1])]


def _others(prepared: PreparedState) -> Measurements:
    warm = seed_retrain(prepared.dataset).warm
    rated, read = tutorial(prepared.dataset)
    both = [a + b for a, b in zip(rated, read, strict=True)]
    return {
        "the seed at best: a retrain": median_of([warm], "s"),
        "the seed at worst: 12 minutes and a retrain": median_of([PERIOD + warm], "s"),
        "the tutorial: train at each rating, then predict all": median_of(both, "s"),
        "the tutorial: its rating alone": median_of(rated, "s"),
        "the tutorial: its list alone": median_of(read, "s"),
    }
