"""Simulate users with known tastes over HTTP.

    python benchmarks/simulated_users.py [--url URL] [--users 200] [--lists 3]

Each user likes two genres. They request a list, view its places with decaying attention (.85 to the power of the
place), open the movies they view, and rate the movies they watch: 4 to 5 for a movie of their genres, else 1 to 3.
Prints the numbers of movies shown, opened, rated and liked. For trying an experiment; real users are less simple.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx

ATTENTION, WATCHES = 0.85, 0.5
GENRES = ("Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller")


def live(
    client: httpx.Client, seed: int, lists: int, genres: Sequence[str] = GENRES, liked_genres: int = 2
) -> Counter[str]:
    """Create a user who likes some of the genres and views `lists` lists; return the counts of their actions."""
    random, done = Random(seed), Counter[str]()  # noqa: S311 - no secret
    likes = set(random.sample(genres, liked_genres))
    user = client.post("/api/v1/users").raise_for_status().json()["user_id"]
    for _ in range(lists):
        found = client.get(f"/api/v1/users/{user}/recommendations").raise_for_status().json()
        done["shown"] += len(found["items"])
        for place, item in enumerate(found["items"]):
            if random.random() > ATTENTION**place:
                continue
            movie = item["movie"]["movie_id"]
            event = {"list_id": found["list_id"], "movie_id": movie, "event": "opened"}
            client.post("/api/v1/events", json=event).raise_for_status()
            done["opened"] += 1
            if random.random() < WATCHES:
                liked = bool(likes & set(item["movie"]["genres"]))
                rating = random.choice((4, 4.5, 5) if liked else (1, 2, 3))
                client.put(f"/api/v1/users/{user}/ratings/{movie}", json={"rating": rating}).raise_for_status()
                done.update(rated=1, liked=int(liked))
    return done


def main() -> None:
    """Simulate the users, several at once, and print the counts of their actions."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--url", default="http://127.0.0.1:5430")
    arguments.add_argument("--key", default="", help="the API key, if there is one")
    arguments.add_argument("--users", type=int, default=200)
    arguments.add_argument("--lists", type=int, default=3)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    headers = {"X-API-Key": given.key} if given.key else {}
    with httpx.Client(base_url=given.url, headers=headers, timeout=30) as client, ThreadPoolExecutor(4) as pool:
        seeds = range(given.seed * 1_000_000, given.seed * 1_000_000 + given.users)
        done = sum(pool.map(lambda seed: live(client, seed, given.lists), seeds), Counter())
    print(", ".join(f"{done[kind]:,} {kind}" for kind in ("shown", "opened", "rated", "liked")))


if __name__ == "__main__":
    main()
