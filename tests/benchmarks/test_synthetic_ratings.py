"""The synthetic datasets of the scale benchmark: MovieLens's proportions, reproducible, with known preferences."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from generate import Size, write_dataset
from preference_model import draw_movies, draw_rating_counts, draw_users
from scale_plot import plot
from synthetic_users import SyntheticUsers, add_users, preference_captured

from catalogue.movie import CatalogueMovie
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
    folder = tmp_path_factory.mktemp("synthetic") / "dataset"
    write_dataset(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def ratings(folder: Path) -> Ratings:
    return read_dataset(folder)[0]


def test_a_dataset_has_the_requested_numbers_of_ratings_users_and_movies(folder: Path) -> None:
    ratings, movies = read_dataset(folder)
    assert (len(ratings), len(np.unique(ratings.user)), len(movies)) == (40_000, 400, 2_000)


def test_one_size_and_seed_give_one_dataset(folder: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "again", SMALL)
    write_dataset(tmp_path / "other", Size(40_000, 400, 2_000, seed=2))
    for name in ("movies.csv", "ratings.csv"):
        same, again, other = ((place / name).read_bytes() for place in (folder, tmp_path / "again", tmp_path / "other"))
        assert same == again
        assert same != other


def test_the_smallest_and_the_largest_size_are_movielens_s() -> None:
    small, large = Size.like_movielens(100_836), Size.like_movielens(32_000_204)
    assert small.users == pytest.approx(610, rel=0.05)
    assert small.movies == pytest.approx(9_742, rel=0.05)
    assert large.users == pytest.approx(200_948, rel=0.05)
    assert large.movies == pytest.approx(87_585, rel=0.05)


def test_users_and_movies_have_movielens_s_long_tail() -> None:
    rng = np.random.default_rng(1)
    counts = draw_rating_counts(200_000, 32_000_000, 87_000, rng)
    assert counts.sum() == 32_000_000
    assert counts.min() == 20
    assert 60 < np.median(counts) < 90
    assert counts.max() > 10_000
    expected = draw_movies(87_000, rng).popularity * 32_000_000
    assert np.median(expected) < 15  # half of the movies have few ratings
    assert np.sort(expected)[-870:].sum() > 0.4 * expected.sum()


def test_ratings_are_distributed_as_in_movielens(ratings: Ratings) -> None:
    assert 3.3 < ratings.rating.mean() < 3.7
    assert 0.85 < ratings.rating.std() < 1.15
    assert set(np.unique(ratings.rating * 2)) == set(range(1, 11))


def test_users_watch_each_movie_once_and_by_their_preference() -> None:
    rng = np.random.default_rng(3)
    movies, users = draw_movies(500, rng), draw_users(2, rng)
    counts = np.array([3, 60])  # the first is drawn movie by movie, the second at once
    times = np.zeros((2, 500))
    for _ in range(400):
        user, movie = movies.draw_watched(users, counts, rng)
        assert len(np.unique(user * 500 + movie)) == 63
        np.add.at(times, (user, movie), 1)
    for one in (0, 1):
        preference = movies.preference(users.taste[one])
        best, popular = np.argsort(-preference)[:20], np.argsort(-movies.popularity)[:20]
        assert times[one, best].sum() > times[one, popular].sum()


def test_users_cannot_watch_more_movies_than_there_are() -> None:
    with pytest.raises(ValueError, match="cannot give"):
        draw_rating_counts(10, 1_000_000, 100, np.random.default_rng(1))


def test_our_users_are_stored_with_their_ratings(database: Database, folder: Path, settings: Settings) -> None:
    init_movie_table(database, replace(settings, dataset=str(folder)))
    ours = SyntheticUsers.draw(SMALL, 300)
    add_users(database, ours)
    with database.snapshot() as db:
        taken = snapshot.take(db)
    assert len(taken.users) == 300
    assert np.array_equal(taken.versions, np.bincount(ours.ratings.user))
    assert np.array_equal(taken.views.user, ours.ratings.user + 1)
    assert np.array_equal(taken.views.movie, ours.ratings.movie)
    assert 15 <= np.median(taken.versions) <= 25


@dataclass(frozen=True)
class ScoreRecommender:
    """Recommends the ten unrated movies with the highest scores [f]."""

    ours: SyntheticUsers
    score: Callable[[int], npt.NDArray[np.float64]]

    def recommend(self, user_id: int) -> RecommendationList:
        score = self.score(user_id - 1).copy()
        score[np.isin(SMALL.movie_ids, self.ours.ratings.movie[self.ours.ratings.user == user_id - 1])] = -1
        movies = SMALL.movie_ids[np.argsort(-score)[:10]].tolist()
        return RecommendationList(
            tuple(RecommendedMovie(CatalogueMovie(movie, "", "", None), 3.0) for movie in movies), "stored"
        )


def test_the_best_lists_capture_all_of_the_preference_and_the_most_popular_movies_none() -> None:
    ours = SyntheticUsers.draw(SMALL, 50)
    truth = ScoreRecommender(ours, lambda user: SMALL.movie_traits.preference(ours.traits.taste[user]))
    assert preference_captured(truth, SMALL, ours) == 1
    assert preference_captured(ScoreRecommender(ours, lambda user: SMALL.movie_traits.popularity), SMALL, ours) == 0


def test_the_ratings_of_our_users_reveal_their_preference() -> None:
    ours, movies = SyntheticUsers.draw(SMALL, 300), SMALL.movie_traits
    row = {int(movie): at for at, movie in enumerate(SMALL.movie_ids)}
    mean, variance = movies.popularity @ movies.profile, movies.profile.var(axis=0)

    def estimated_preference(user: int) -> npt.NDArray[np.float64]:
        rated = [row[int(movie)] for movie in ours.ratings.movie[ours.ratings.user == user]]
        taste = (movies.profile[rated] - mean).sum(axis=0) / (len(rated) * variance + 20 * variance.mean())
        return movies.preference(taste.astype(np.float32))

    assert preference_captured(ScoreRecommender(ours, estimated_preference), SMALL, ours) > 0.2


def test_the_plot_shows_every_run() -> None:
    runs = [{"ratings": n, "retrain s": s, "peak MB": m} for n, s, m in ((10**5, 21, 1500), (32 * 10**6, 405, 6400))]
    assert {"21", "405", "1,500", "6,400", "0.1 M", "32 M"} <= set(re.findall(r">([^<]+)</text>", plot(runs)))
