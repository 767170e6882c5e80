"""A storm of clients that remember what they sent and what was confirmed, to be compared with what is there later."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
from processes import ServiceProcess

View = tuple[int, int]
"""A user and a movie."""

LIST_LENGTH = 10
MOST_RATED = 25  # by one user; a catalogue of 40 movies then still has ten to recommend
USERS_AT_ONCE = 12  # of one client; older ones are left as they are


class Client:
    """Makes users, rates, rates again, and asks for views and lists, one request after another.

    Attributes:
        users: those whose creation was confirmed.
        confirmed: the last rating of each view that got a 2xx.
        unsure: ratings that were sent since and not confirmed; each may or may not have been kept.
        answers: how many requests were answered.
    """

    def __init__(self, seed: int, movies: Sequence[int]) -> None:
        self._random, self._movies = random.Random(seed), movies  # noqa: S311 - nothing here is a secret
        self.users: list[int] = []
        self.confirmed: dict[View, float] = {}
        self.unsure: defaultdict[View, set[float]] = defaultdict(set)
        self.answers = 0

    def go_on(self, url: str) -> None:
        """Send requests until nobody answers any more. Raises AssertionError at the first answer that is not right."""
        with httpx.Client(base_url=url, timeout=20) as http, suppress(httpx.TransportError):
            while True:
                self._act(http)
                self.answers += 1

    def _act(self, http: httpx.Client) -> None:
        dice = self._random.random()
        if not self.users or dice < 0.03:
            self.users.append(int(_answer(http.post("/users/create"))["user_id"]))
            return
        user = self._random.choice(self.users[-USERS_AT_ONCE:])
        if dice < 0.85:
            self._rate(http, user)
        elif dice < 0.95:
            movies = movies_of(_answer(http.get(f"/users/{user}/recommendations")))
            assert len(set(movies)) == len(movies) == LIST_LENGTH
            assert not any((user, movie) in self.confirmed for movie in movies)
        else:
            shown = [dict(view) for view in _answer(http.get(f"/users/{user}/views"))]
            self.check([user], [((user, view["movie_id"]), view["rating"]) for view in shown])

    def _rate(self, http: httpx.Client, user: int) -> None:
        movie = self._movies[(user + self._random.randrange(MOST_RATED)) % len(self._movies)]
        rating = self._random.randint(1, 10) / 2
        self.unsure[user, movie].add(rating)
        _answer(http.post(f"/users/{user}/views/{movie}", json={"rating": rating}))
        self.confirmed[user, movie] = rating
        del self.unsure[user, movie]

    def check(self, users: Collection[int], kept: list[tuple[View, float]]) -> None:
        """Assert that of these users is kept what was confirmed, each view once, or what was sent since."""
        found = dict(kept)
        assert len(found) == len(kept), "a movie is there twice"
        lost = {view for view in self.confirmed if view[0] in users} - found.keys()
        assert not lost, f"confirmed and not there: {lost}"
        for view, rating in found.items():
            assert rating in {self.confirmed.get(view), *self.unsure.get(view, ())}, f"{view} has {rating}"


def _answer(response: httpx.Response) -> Any:
    assert response.status_code in (200, 201), response.text
    return response.json()


def movies_of(pairs: list[Any]) -> list[int]:
    """The movie ids of a list as the service answers it."""
    return [dict(item)["movie_id"] for item in pairs]


@contextmanager
def storm(running: ServiceProcess, clients: Sequence[Client]) -> Iterator[None]:
    """All clients at once while the block lasts, after which the server is killed; asserts that no answer was wrong."""
    with ThreadPoolExecutor(len(clients)) as pool:
        going = [pool.submit(client.go_on, str(running.http.base_url)) for client in clients]
        try:
            yield
        finally:
            running.process.kill()  # they go on for as long as there are answers
        for one in going:
            one.result()
