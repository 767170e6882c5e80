"""Generate a dataset in MovieLens's proportions, of the size of ml-32m and beyond, with known user preferences.

    python benchmarks/generate.py FOLDER [--ratings 32000000] [--users N] [--movies N] [--seed 1]

Writes movies.csv and ratings.csv in MovieLens's format; deterministic for its arguments. Users are generated a few
thousand at a time on all cores, so that memory does not grow with the size of the dataset.
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
from preference_model import GENRES, MovieTraits, UserTraits, draw_movies, draw_rating_counts, draw_users

from ranking.ratings import Ints, Ratings
from system.progress import progress

MEAN_RATINGS = 160  # per user, in ml-latest-small as in ml-32m
MOST_MOVIES, MOST_RATINGS, GROWTH = 87_000, 32_000_000, 0.38  # movies = 87,000 (ratings / 32 million)^.38
GROUP_RATINGS = 500_000  # generated at a time
FIRST_SECOND, LAST_SECOND = 820_454_400, 1_697_000_000  # range of MovieLens's timestamps
GAP, LONG_GAP, LONG_SHARE = 30.0, 30 * 86_400.0, 0.02  # mean seconds between a user's ratings; 2 % are long gaps
ID_STEP = 3  # MovieLens's ids have gaps
RATING_TEXTS = pa.array([f"{halves / 2}" for halves in range(11)])
CSV_OPTIONS = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
MOVIES, IDS, COUNTS, USERS, OUR_USERS = range(5)  # purposes of random numbers


@dataclass(frozen=True)
class Size:
    """The size of a dataset, and the seed that distinguishes datasets of the same size."""

    ratings: int
    users: int
    movies: int
    seed: int = 1

    @classmethod
    def like_movielens(cls, ratings: int, seed: int = 1) -> "Size":
        """Return a size with the numbers of users and movies of a MovieLens dataset with this many ratings."""
        return cls(ratings, ratings // MEAN_RATINGS, round(MOST_MOVIES * (ratings / MOST_RATINGS) ** GROWTH), seed)

    @cached_property
    def movie_traits(self) -> MovieTraits:
        """Return the true traits of the movies, the most popular first."""
        return draw_movies(self.movies, self.random(MOVIES))

    @cached_property
    def movie_ids(self) -> Ints:
        """Return the id of each movie [f], independent of its popularity."""
        return (ID_STEP * self.random(IDS).permutation(self.movies) + 1).astype(np.int32)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of ratings of each user [u]; the first user has the id 1."""
        return draw_rating_counts(self.users, self.ratings, self.movies, self.random(COUNTS))

    def random(self, *purpose: int) -> np.random.Generator:
        """Return a random number generator for one purpose."""
        return np.random.default_rng([self.seed, *purpose])


def write_dataset(folder: Path, size: Size) -> None:
    """Create the folder with movies.csv and ratings.csv. Raises `ValueError` for an impossible size."""
    groups = _user_groups(size.counts)
    folder.mkdir(parents=True, exist_ok=True)
    _write_movies(folder / "movies.csv", size)
    with (
        ProcessPoolExecutor() as workers,
        (folder / "ratings.csv").open("wb") as file,
        progress(size.ratings, "writing ratings.csv", unit=" ratings") as advance,
    ):
        file.write(b"userId,movieId,rating,timestamp\n")
        for users, lines in zip(groups, workers.map(partial(_rating_lines, size), groups), strict=True):
            file.write(lines)
            advance(int(size.counts[users.start : users.stop].sum()))


def draw_user_ratings(
    size: Size, users: UserTraits, counts: npt.NDArray[np.int64], rng: np.random.Generator
) -> Ratings:
    """Draw `counts` [u] ratings for each user, sorted by user (numbered from 0) and movie."""
    user, movie = size.movie_traits.draw_watched(users, counts, rng)
    rating = size.movie_traits.draw_ratings(users, user, movie, rng)
    at = _draw_times(user, rng)
    order = np.lexsort((size.movie_ids[movie], user))
    return Ratings(user.astype(np.int32), size.movie_ids[movie], rating, at).take(order)


def _user_groups(counts: npt.NDArray[np.int64]) -> list[range]:
    """Return ranges of consecutive users, from 0, with about `GROUP_RATINGS` ratings each."""
    group = np.cumsum(counts) // GROUP_RATINGS
    starts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(counts)]
    return [range(first, last) for first, last in pairwise(starts)]


def _draw_times(user: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the time of each rating, ascending for each user; most gaps are seconds, some are weeks."""
    gap = rng.exponential(np.where(rng.random(len(user)) < LONG_SHARE, LONG_GAP, GAP))
    first = np.searchsorted(user, user)
    since = np.cumsum(gap)
    began = rng.uniform(FIRST_SECOND, LAST_SECOND, int(user.max(initial=0)) + 1)
    return (began[user] + since - since[first]).astype(np.int64)


def _rating_lines(size: Size, users: range) -> bytes:
    """Return the lines of ratings.csv for a group of users."""
    rng = size.random(USERS, users.start)
    traits = draw_users(len(users), rng)
    ratings = draw_user_ratings(size, traits, size.counts[users.start : users.stop], rng)
    texts = RATING_TEXTS.take(pa.array((ratings.rating * 2).astype(np.int8)))
    columns = {"u": ratings.user + np.int32(users.start + 1), "f": ratings.movie, "r": texts, "t": ratings.at}
    out = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), out, CSV_OPTIONS)
    return out.getvalue()


def _write_movies(file: Path, size: Size) -> None:
    years = size.random(IDS, 1).integers(1930, 2024, size.movies)
    strongest = np.argsort(-size.movie_traits.profile, axis=1)[:, :2]  # a movie's genres are its strongest dimensions
    rows = sorted(zip(size.movie_ids.tolist(), years.tolist(), strongest.tolist(), strict=True))
    lines = [f"{movie},Movie {movie} ({year}),{GENRES[a]}|{GENRES[b]}\n" for movie, year, (a, b) in rows]
    file.write_text("movieId,title,genres\n" + "".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write movies.csv and ratings.csv")
    parser.add_argument("--ratings", type=int, default=MOST_RATINGS, help="how many (default 32 million)")
    parser.add_argument("--users", type=int, help="how many (default: as in a MovieLens dataset of so many ratings)")
    parser.add_argument("--movies", type=int, help="how many (default: likewise)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default 1)")
    args = parser.parse_args()
    usual = Size.like_movielens(args.ratings, args.seed)
    size = replace(usual, users=args.users or usual.users, movies=args.movies or usual.movies)
    began = time.monotonic()
    try:
        write_dataset(args.folder, size)
    except ValueError as error:
        parser.error(str(error))
    seconds = time.monotonic() - began
    sizes = f"{size.ratings:,} ratings of {size.movies:,} movies by {size.users:,} users"
    print(f"{args.folder}: {sizes} in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
