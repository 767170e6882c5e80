"""The made-up sets of the benchmark of scale: shaped like MovieLens's, one for a seed, and with a truth in them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from generate import Size, write_set
from preference_model import activity, draw_movies, draw_users
from scale_plot import plot
from synthetic_users import SyntheticUsers, add_users, preference_captured

from catalogue.movie_table import CatalogueMovie
from catalogue.recommendations import RecommendationList, RecommendedMovie
from jobs.ingest import init_movie_table
from movielens.reader import read_dataset
from ranking.ratings import Ratings
from settings import Settings
from storage import snapshot
from storage.database import Database

SMALL = Size(ratings=40_000, users=400, movies=2_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    write_set(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def ratings(folder: Path) -> Ratings:
    return read_dataset(folder)[0]


def test_a_set_has_as_many_of_everything_as_was_asked(folder: Path) -> None:
    ratings, movies = read_dataset(folder)
    assert (len(ratings), len(np.unique(ratings.user)), len(movies)) == (40_000, 400, 2_000)


def test_one_size_and_seed_make_one_set(folder: Path, tmp_path: Path) -> None:
    write_set(tmp_path / "again", SMALL)
    write_set(tmp_path / "other", Size(40_000, 400, 2_000, seed=2))
    for name in ("movies.csv", "ratings.csv"):
        same, again, other = ((place / name).read_bytes() for place in (folder, tmp_path / "again", tmp_path / "other"))
        assert same == again
        assert same != other


def test_the_sizes_are_movielens_s_at_both_ends() -> None:
    small, large = Size.like_movielens(100_836), Size.like_movielens(32_000_204)
    assert small.users == pytest.approx(610, rel=0.05)
    assert small.movies == pytest.approx(9_742, rel=0.05)
    assert large.users == pytest.approx(200_948, rel=0.05)
    assert large.movies == pytest.approx(87_585, rel=0.05)


def test_people_and_movies_have_movielens_s_long_tail() -> None:
    rng = np.random.default_rng(1)
    counts = activity(200_000, 32_000_000, 87_000, rng)
    assert counts.sum() == 32_000_000
    assert counts.min() == 20
    assert 60 < np.median(counts) < 90
    assert counts.max() > 10_000
    expected = draw_movies(87_000, rng).known * 32_000_000
    assert np.median(expected) < 15  # half of the movies are hardly known
    assert np.sort(expected)[-870:].sum() > 0.4 * expected.sum()


def test_ratings_are_spread_as_movielens_s(ratings: Ratings) -> None:
    assert 3.3 < ratings.rating.mean() < 3.7
    assert 0.85 < ratings.rating.std() < 1.15
    assert set(np.unique(ratings.rating * 2)) == set(range(1, 11))


def test_people_watch_each_movie_once_and_by_the_planted_preference() -> None:
    rng = np.random.default_rng(3)
    world, people = draw_movies(500, rng), draw_users(2, rng)
    counts = np.array([3, 60])  # drawn movie by movie, and at one look
    times = np.zeros((2, 500))
    for _ in range(400):
        person, movie = world.watched(people, counts, rng)
        assert len(np.unique(person * 500 + movie)) == 63
        np.add.at(times, (person, movie), 1)
    for one in (0, 1):
        preference = world.preference(people.taste[one])
        best, known = np.argsort(-preference)[:20], np.argsort(-world.known)[:20]
        assert times[one, best].sum() > times[one, known].sum()


def test_nobody_can_watch_more_movies_than_there_are() -> None:
    with pytest.raises(ValueError, match="cannot give"):
        activity(10, 1_000_000, 100, np.random.default_rng(1))


def test_our_people_are_put_in_the_tables_with_their_views(
    database: Database, folder: Path, settings: Settings
) -> None:
    init_movie_table(database, replace(settings, dataset=str(folder)))
    ours = SyntheticUsers.make(SMALL, users=300)
    add_users(database, ours)
    with database.snapshot() as db:
        taken = snapshot.take(db)
    assert len(taken.users) == 300
    assert np.array_equal(taken.versions, np.bincount(ours.views.user))
    assert np.array_equal(taken.views.user, ours.views.user + 1)
    assert np.array_equal(taken.views.movie, ours.views.movie)
    assert 15 <= np.median(taken.versions) <= 25


@dataclass(frozen=True)
class Knowing:
    """Recommends by a score of every movie [f], ten that its user has not rated."""

    ours: SyntheticUsers
    score: Callable[[int], npt.NDArray[np.float64]]

    def recommend(self, user_id: int) -> RecommendationList:
        score = self.score(user_id - 1).copy()
        score[np.isin(SMALL.movie_ids, self.ours.views.movie[self.ours.views.user == user_id - 1])] = -1
        movies = SMALL.movie_ids[np.argsort(-score)[:10]].tolist()
        return RecommendationList(
            tuple(RecommendedMovie(CatalogueMovie(movie, "", "", None), 3.0) for movie in movies), "stored"
        )


def test_lists_by_the_truth_meet_taste_wholly_and_those_of_the_best_known_movies_not_at_all() -> None:
    ours = SyntheticUsers.make(SMALL, users=50)
    truth = Knowing(ours, lambda user: SMALL.world.preference(ours.people.taste[user]))
    assert preference_captured(truth, SMALL, ours) == 1
    assert preference_captured(Knowing(ours, lambda user: SMALL.world.known), SMALL, ours) == 0


def test_their_views_tell_what_else_our_people_would_watch() -> None:
    ours, world = SyntheticUsers.make(SMALL, users=300), SMALL.world
    row = {int(movie): at for at, movie in enumerate(SMALL.movie_ids)}
    usual, spread = world.known @ world.suits, world.suits.var(axis=0)

    def by_what_they_watched(user: int) -> npt.NDArray[np.float64]:
        seen = [row[int(movie)] for movie in ours.views.movie[ours.views.user == user]]
        taste = (world.suits[seen] - usual).sum(axis=0) / (len(seen) * spread + 20 * spread.mean())
        return world.preference(taste.astype(np.float32))

    assert preference_captured(Knowing(ours, by_what_they_watched), SMALL, ours) > 0.2


def test_the_plot_holds_every_run() -> None:
    runs = [{"ratings": n, "retrain s": s, "peak MB": m} for n, s, m in ((10**5, 21, 1500), (32 * 10**6, 405, 6400))]
    assert {"21", "405", "1,500", "6,400", "0.1 M", "32 M"} <= set(re.findall(r">([^<]+)</text>", plot(runs)))
