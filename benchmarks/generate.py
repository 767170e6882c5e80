"""Make a MovieLens-shaped set of any size, up to ml-32m's and beyond, in which everybody's true taste is known.

    python benchmarks/generate.py FOLDER [--ratings 32000000] [--users N] [--movies N] [--seed 1]

The folder gets movies.csv and ratings.csv as MovieLens has them. The same numbers give the same files. UserTraits are made
some thousand at a time on all cores, so it takes little memory however large the set is.
"""

import argparse
import io
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import system.blas_threads  # noqa: F401 - before numpy is loaded

# isort: split
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from preference_model import GENRES, MovieTraits, UserTraits, activity, draw_movies, draw_users

from ranking.ratings import Ints, Ratings
from system.progress import progress

EACH = 160  # ratings of a person on average, in ml-latest-small as in ml-32m
MOST_MOVIES, MOST_RATINGS, MOVIES_GROW = 87_000, 32_000_000, 0.38  # movies by ratings, about right for both of them
TOGETHER = 500_000  # ratings made at a time
FIRST_SECOND, LAST_SECOND = 820_454_400, 1_697_000_000  # of MovieLens's ratings
SITTING, PAUSE, PAUSES = 30.0, 30 * 86_400.0, 0.02  # seconds from one rating to the next, now and then far more
ID_STEP = 3  # MovieLens's ids have gaps too
RATING_TEXTS = pa.array([f"{halves / 2}" for halves in range(11)])
WRITING = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
WORLD, IDS, COUNTS, USERS, OURS = range(5)  # what a seed is for


@dataclass(frozen=True)
class Size:
    """How large a set is, and the seed that tells one from another of the same size."""

    ratings: int
    users: int
    movies: int
    seed: int = 1

    @classmethod
    def like_movielens(cls, ratings: int, seed: int = 1) -> "Size":
        """As many users and movies as MovieLens's sets of so many ratings have."""
        return cls(ratings, ratings // EACH, round(MOST_MOVIES * (ratings / MOST_RATINGS) ** MOVIES_GROW), seed)

    @cached_property
    def world(self) -> MovieTraits:
        """Its movies."""
        return draw_movies(self.movies, self.random(WORLD))

    @cached_property
    def movie_ids(self) -> Ints:
        """The id of each movie of the world [f], which does not tell how well known it is."""
        return (ID_STEP * self.random(IDS).permutation(self.movies) + 1).astype(np.int32)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How much each user rates [u]; the first has the id 1."""
        return activity(self.users, self.ratings, self.movies, self.random(COUNTS))

    def random(self, *purpose: int) -> np.random.Generator:
        """The random numbers for a purpose."""
        return np.random.default_rng([self.seed, *purpose])


def write_set(folder: Path, size: Size) -> None:
    """Write movies.csv and ratings.csv into a folder, which is made. Raises `ValueError` for an impossible size."""
    groups = _groups(size.counts)
    folder.mkdir(parents=True, exist_ok=True)
    _write_movies(folder / "movies.csv", size)
    with (
        ProcessPoolExecutor() as workers,
        (folder / "ratings.csv").open("wb") as file,
        progress(size.ratings, "writing ratings.csv", unit=" ratings") as advance,
    ):
        file.write(b"userId,movieId,rating,timestamp\n")
        for users, lines in zip(groups, workers.map(partial(_lines_of, size), groups), strict=True):
            file.write(lines)
            advance(int(size.counts[users.start : users.stop].sum()))


def ratings_of(size: Size, people: UserTraits, counts: npt.NDArray[np.int64], rng: np.random.Generator) -> Ratings:
    """What these people rate, by user, from 0, and movie; each of them `counts` [u] movies."""
    person, movie = size.world.watched(people, counts, rng)
    rating = size.world.rated(people, person, movie, rng)
    at = _times(person, rng)
    order = np.lexsort((size.movie_ids[movie], person))
    return Ratings(person.astype(np.int32), size.movie_ids[movie], rating, at).take(order)


def _groups(counts: npt.NDArray[np.int64]) -> list[range]:
    """The users, from 0, in groups of neighbours with some `TOGETHER` ratings each."""
    group = np.cumsum(counts) // TOGETHER
    starts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(counts)]
    return [range(first, last) for first, last in pairwise(starts)]


def _times(person: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """When each rating was given, in the order of the rows: most at one sitting, some long after."""
    gap = rng.exponential(np.where(rng.random(len(person)) < PAUSES, PAUSE, SITTING))
    first = np.searchsorted(person, person)
    since = np.cumsum(gap)
    began = rng.uniform(FIRST_SECOND, LAST_SECOND, int(person.max(initial=0)) + 1)
    return (began[person] + since - since[first]).astype(np.int64)


def _lines_of(size: Size, users: range) -> bytes:
    """The lines of ratings.csv for a group of users."""
    rng = size.random(USERS, users.start)
    people = draw_users(len(users), rng)
    ratings = ratings_of(size, people, size.counts[users.start : users.stop], rng)
    texts = RATING_TEXTS.take(pa.array((ratings.rating * 2).astype(np.int8)))
    columns = {"u": ratings.user + np.int32(users.start + 1), "f": ratings.movie, "r": texts, "t": ratings.at}
    out = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), out, WRITING)
    return out.getvalue()


def _write_movies(file: Path, size: Size) -> None:
    years = size.random(IDS, 1).integers(1930, 2024, size.movies)
    by_suit = np.argsort(-size.world.suits, axis=1)[:, :2]  # the genres are the two tastes that a movie suits best
    rows = sorted(zip(size.movie_ids.tolist(), years.tolist(), by_suit.tolist(), strict=True))
    lines = [f"{movie},Movie {movie} ({year}),{GENRES[a]}|{GENRES[b]}\n" for movie, year, (a, b) in rows]
    file.write_text("movieId,title,genres\n" + "".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write movies.csv and ratings.csv")
    parser.add_argument("--ratings", type=int, default=MOST_RATINGS, help="how many (default 32 million)")
    parser.add_argument("--users", type=int, help="how many (default: as MovieLens's sets of so many ratings have)")
    parser.add_argument("--movies", type=int, help="how many (the same)")
    parser.add_argument("--seed", type=int, default=1, help="which one of this size (default 1)")
    given = parser.parse_args()
    usual = Size.like_movielens(given.ratings, given.seed)
    size = replace(usual, users=given.users or usual.users, movies=given.movies or usual.movies)
    began = time.monotonic()
    try:
        write_set(given.folder, size)
    except ValueError as error:
        parser.error(str(error))
    seconds = time.monotonic() - began
    print(
        f"{given.folder}: {size.ratings:,} ratings of {size.movies:,} movies by {size.users:,} people in {seconds:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
