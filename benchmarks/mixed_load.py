"""Put a running service under mixed load from many clients in one process, and check every answer."""

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

LIST_LENGTH = 10
ACTIVE_USERS = 10  # per client
WORDS = ("love", "star", "the night", "toy", "dead", "amercia", "girl", "war", "christmas", "life")
SHARES = {  # weight of each kind of request; those of /api/v1 only where the service has it
    "create": 1, "rate": 30, "list": 22, "views": 7, "v1 rate": 15, "v1 list": 15, "v1 browse": 10,
}  # fmt: skip


@dataclass
class Tally:
    """The counts of the answers to the clients of one process.

    Attributes:
        answers: number of answers by kind of request.
        failed: number of 5xx answers, broken connections and timeouts, by kind of request.
        wrong: a description of every other wrong answer: 4xx, a list that is short or has a rated movie, or ratings
            that differ from those sent.
        seconds: the duration of each request.
    """

    answers: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.answers += other.answers
        self.failed += other.failed
        self.wrong += other.wrong
        self.seconds += other.seconds


class ServerFailureError(RuntimeError):
    """The service answered with 5xx."""


class WrongAnswerError(AssertionError):
    """An answer contradicts the ratings that the client has sent."""


@dataclass(frozen=True)
class LoadPlan:
    """The load of one process.

    Attributes:
        port: the port of the service on 127.0.0.1.
        movies: ids of movies to rate.
        most_rated: the most movies that a user rates; further ratings replace earlier ones.
        clients: number of concurrent clients.
        rate: requests a second of all clients together.
        seconds: duration.
        v1: whether the service has /api/v1.
        seed: random seed.
    """

    port: int
    movies: Sequence[int]
    most_rated: int
    clients: int
    rate: float
    seconds: float
    v1: bool
    seed: int


def run_mixed_load(plan: LoadPlan) -> Tally:
    """Run a plan in this process, and return the tally of all clients."""
    tally = Tally()
    with ThreadPoolExecutor(plan.clients) as pool:
        for own in pool.map(lambda number: CheckingClient(plan, number).run(), range(plan.clients)):
            tally.add(own)
    return tally


class CheckingClient:
    """A client that checks each answer against the ratings it has sent."""

    def __init__(self, plan: LoadPlan, number: int) -> None:
        self._plan, self._tally = plan, Tally()
        self._random = random.Random(1000 * plan.seed + number)  # noqa: S311 - not for cryptography
        self._http = http.client.HTTPConnection("127.0.0.1", plan.port, timeout=30)
        self._rated: dict[int, dict[int, float]] = {}

    def run(self) -> Tally:
        pause, end = self._plan.clients / self._plan.rate, time.monotonic() + self._plan.seconds
        kinds = [kind for kind in SHARES if self._plan.v1 or not kind.startswith("v1")]
        weights = [SHARES[kind] for kind in kinds]
        while (began := time.monotonic()) < end:
            self._try(self._random.choices(kinds, weights)[0])
            time.sleep(max(0.0, began + pause * self._random.uniform(0.5, 1.5) - time.monotonic()))
        self._http.close()
        return self._tally

    def _try(self, kind: str) -> None:
        began = time.perf_counter()
        try:
            self._act(kind)
        except WrongAnswerError as error:
            self._tally.wrong.append(f"{kind}: {error}")
        except ServerFailureError as error:
            self._tally.failed[f"{kind}: {error}"] += 1
        except (OSError, http.client.HTTPException) as error:
            self._tally.failed[f"{kind}: {type(error).__name__}"] += 1
            self._http.close()
        else:
            self._tally.answers[kind] += 1
            self._tally.seconds.append(time.perf_counter() - began)

    def _act(self, kind: str) -> None:
        if kind == "create" or not self._rated:
            self._rated[int(self._request("POST", "/users/create")["user_id"])] = {}
            return
        user = self._random.choice(list(self._rated)[-ACTIVE_USERS:])
        if kind in ("rate", "v1 rate"):
            self._rate(user, kind)
        elif kind == "list":
            listed = self._request("GET", f"/users/{user}/recommendations")
            self._check_list(user, [dict(pairs)["movie_id"] for pairs in listed])
        elif kind == "views":
            shown = [dict(pairs) for pairs in self._request("GET", f"/users/{user}/views")]
            self._expect({view["movie_id"]: view["rating"] for view in shown} == self._rated[user], f"views of {user}")
        elif kind == "v1 list":
            self._check_v1_list(user)
        else:
            self._browse()

    def _rate(self, user: int, kind: str) -> None:
        movie, rating = self._random.choice(self._plan.movies), self._random.randint(1, 10) / 2
        if len(self._rated[user]) >= self._plan.most_rated:
            movie = self._random.choice(list(self._rated[user]))
        if kind == "rate":
            self._request("POST", f"/users/{user}/views/{movie}", {"rating": rating})
        else:
            self._request("PUT", f"/api/v1/users/{user}/ratings/{movie}", {"rating": rating})
        self._rated[user][movie] = rating

    def _check_list(self, user: int, movies: list[int]) -> None:
        self._expect(len(movies) == len(set(movies)) == LIST_LENGTH, f"user {user} got {movies}")
        self._expect(not self._rated[user].keys() & set(movies), f"user {user} has rated some of {movies}")

    def _check_v1_list(self, user: int) -> None:
        found = self._request("GET", f"/api/v1/users/{user}/recommendations?limit={LIST_LENGTH}")
        self._check_list(user, [item["movie"]["movie_id"] for item in found["items"]])
        rated = len(self._rated[user])
        self._expect(found["ratings_seen"] == rated, f"user {user}: {found['ratings_seen']} of {rated} ratings seen")

    def _browse(self) -> None:
        word, movie = quote(self._random.choice(WORDS)), self._random.choice(self._plan.movies)
        path = self._random.choice(
            (f"/api/v1/movies?q={word}", f"/api/v1/movies/{movie}/similar", f"/api/v1/movies/{movie}")
        )
        self._expect(bool(self._request("GET", path)), path)

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"} if body else {}
        self._http.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 500:
            raise ServerFailureError(answer.status)
        self._expect(answer.status in (200, 201), f"{answer.status} for {method} {path}: {text[:200]!r}")
        return json.loads(text)

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise WrongAnswerError(otherwise)
