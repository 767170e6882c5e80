"""From a view to a list that shows it: here, in the seed, and in the engine of the tutorial that the seed came from."""

import json

from figures import Figures, middle
from older_ways import seed_retrain, tutorial
from stage import Stage, list_of, port_of, running, stage
from wire_load import Kept, send

PERIOD = 12 * 60.0  # seconds from one retrain of the seed to the next


def measure(quick: bool) -> Figures:
    """Seconds from the sending of a view until the list that shows it is here."""
    with stage(1000 if quick else 9_700, readers=100, collectors=1, each=40 if quick else 160) as on:
        with running(on) as process, Kept(port_of(process)) as wire:
            ours = [_seconds(wire, user) for user in on.readers]
            process.stop()
        figures = {"rate and read": middle(ours, "s", "less")}
        return figures if quick else figures | _others(on)


def _seconds(wire: Kept, user: int) -> float:
    """Rate the first movie of a list, and see it gone."""
    wire.ask(list_of(user))
    movie = _movies(wire)[0]
    took = wire.ask(send("POST", f"/users/{user}/views/{movie}", '{"rating": 4.5}')) + wire.ask(list_of(user))
    if movie in _movies(wire):
        raise RuntimeError(f"user {user} has just rated movie {movie} and is told to watch it")
    return took


def _movies(wire: Kept) -> list[int]:
    return [dict(pairs)["movie_id"] for pairs in json.loads(wire.answer[1])]


def _others(on: Stage) -> Figures:
    warm = seed_retrain(on.dataset).warm
    rated, read = tutorial(on.dataset)
    both = [a + b for a, b in zip(rated, read, strict=True)]
    return {
        "the seed at best: a retrain": middle([warm], "s"),
        "the seed at worst: 12 minutes and a retrain": middle([PERIOD + warm], "s"),
        "the tutorial: train at each rating, then predict all": middle(both, "s"),
        "the tutorial: its rating alone": middle(rated, "s"),
        "the tutorial: its list alone": middle(read, "s"),
    }
