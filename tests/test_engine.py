"""The Spark engine against the arithmetic and against Spark's own results."""

import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from conftest import MOVIES, SMALL_MODEL, checkerboard
from list_of_one import ranked
from processes import poll
from pyspark.ml.recommendation import ALS

from engine import Engine, EngineError
from ranking import fold_in
from ranking.batch_lists import concatenate_lists, rank_locally
from ranking.factors import Factors
from ranking.fold_in import ItemGram
from ranking.neighbours import fit_neighbours
from ranking.rating_histories import Histories
from ranking.ratings import Ratings, concatenate
from settings import USER_OFFSET, Settings
from spark.list_jobs import CONCURRENT_JOBS

CATALOGUE = np.arange(1, MOVIES + 1, dtype=np.int32)


def ignore(phase: str, done: float) -> None:
    pass


@pytest.fixture(scope="module")
def factors(engine: Engine) -> Factors:
    return engine.train(checkerboard(), CATALOGUE, SMALL_MODEL, ignore)


def test_the_plain_fold_in_is_the_step_by_which_spark_itself_solves_a_user(engine: Engine) -> None:
    board = checkerboard()
    likes = board.take(np.flatnonzero(board.rating >= 3.5))
    table = pa.table({"user": likes.user, "movie": likes.movie, "value": np.ones(len(likes), np.float32)})
    als = ALS(rank=8, maxIter=5, regParam=0.06, alpha=0.2, implicitPrefs=True, seed=1, userCol="user", itemCol="movie")
    fitted = als.setRatingCol("value").fit(engine.start().createDataFrame(table))
    items = sorted(fitted.itemFactors.collect())
    movies, V = np.array([row.id for row in items]), np.array([row.features for row in items], np.float32)
    for row in fitted.userFactors.collect():
        liked = np.searchsorted(movies, likes.movie[likes.user == row.id])
        everything = np.ones((1, len(liked)), bool)
        ours = fold_in.als_vectors(V[liked][None], everything, ItemGram.of(V), alpha=0.2, reg=0.06)[0]
        assert np.abs(ours - np.array(row.features)).max() < 1e-5


def test_a_fit_that_reads_files_is_the_fit_of_the_same_table(engine: Engine) -> None:
    board = checkerboard()
    likes = board.take(np.flatnonzero(board.rating >= 3.5))
    table = pa.table({"user": likes.user, "movie": likes.movie, "value": np.ones(len(likes), np.float32)})
    als = ALS(rank=8, maxIter=5, regParam=0.06, alpha=0.2, implicitPrefs=True, seed=42, userCol="user", itemCol="movie")
    spark = engine.start()
    als = als.setRatingCol("value").setNumBlocks(spark.sparkContext.defaultParallelism)
    items = sorted(als.fit(spark.createDataFrame(table)).itemFactors.collect())
    V, _, _ = engine.fit_ranker(board, CATALOGUE, SMALL_MODEL, ignore)
    assert np.allclose(V, np.array([row.features for row in items]), atol=1e-4)


def test_a_session_is_opened_anew_with_more_memory_once_there_is_more_to_learn(
    spark_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heaps: list[str] = []

    def opened(settings: Settings) -> object:
        heaps.append(settings.spark_driver_memory)
        return object()

    monkeypatch.setattr("engine.open_session", opened)
    monkeypatch.setattr("engine.can_run_jobs", lambda spark: True)
    monkeypatch.setattr("engine.close_session", lambda spark: heaps.append("closed"))
    engine = Engine(spark_settings)
    engine.start(1_000)
    engine.start(2_000)
    engine.start(32_000_000)
    engine.start(1_000)
    assert heaps == ["1g", "closed", "3g"]


def test_a_checkerboard_is_learned(factors: Factors) -> None:
    for colour in (0, 1):
        loved = CATALOGUE[colour == CATALOGUE % 2][:3]
        best = ranked(factors, loved, np.full(3, 5, np.float32), 10)
        assert set(best.movies % 2) == {colour}
        assert (best.expected > 4).all()


def test_a_training_holds_the_neighbour_weights_by_movie_of_the_history(engine: Engine, factors: Factors) -> None:
    rows = np.searchsorted(CATALOGUE, checkerboard().movie)
    weights = fit_neighbours(checkerboard(), rows, MOVIES, SMALL_MODEL, lambda done: None)
    assert np.array_equal(factors.w_start, weights.indptr)
    assert np.array_equal(factors.w_movie, weights.indices)
    assert np.allclose(factors.w, weights.data, atol=1e-5)


def test_lists_made_on_the_executors_are_those_made_here(engine: Engine, factors: Factors) -> None:
    board = checkerboard()
    users = np.append(np.unique(board.user), 1000).astype(np.int32)  # the last has no ratings
    start = np.append(np.searchsorted(board.user, users), len(board)).astype(np.int64)
    user, movie, expected = engine.lists(factors, Histories(users, start, board.movie, board.rating, board.at), 10)
    assert set(user) == set(users)
    for one in users:
        own = board.user == one
        here = ranked(factors, board.movie[own], board.rating[own], 10, board.at[own])
        assert np.array_equal(movie[user == one], here.movies)
        assert np.allclose(expected[user == one], here.expected, atol=1e-5)


def everybody() -> Histories:
    board = checkerboard()
    users = np.unique(board.user)
    start = np.searchsorted(board.user, np.append(users, users[-1] + 1))
    return Histories(users, start.astype(np.int64), board.movie, board.rating, board.at)


def test_lists_come_in_pieces_in_the_order_of_their_users(
    engine: Engine, factors: Factors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark.list_jobs.MAX_USERS_PER_TASK", 7)
    pieces = list(engine.iter_lists(factors, everybody(), 10))
    assert len(pieces) > 2
    for found, wanted in zip(concatenate_lists(pieces), rank_locally(factors, everybody(), 10), strict=True):
        assert np.allclose(found, wanted, atol=1e-5)


def test_a_few_pieces_are_made_ahead_and_nothing_goes_on_when_no_more_are_wanted(
    engine: Engine, factors: Factors, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, begun = engine.start().sparkContext, []
    parallelize = context.parallelize
    monkeypatch.setattr(context, "parallelize", lambda *args: begun.append(1) or parallelize(*args))
    monkeypatch.setattr("spark.list_jobs.MAX_USERS_PER_TASK", 1)
    pieces = engine.iter_lists(factors, everybody(), 10)
    next(pieces)
    poll(lambda: len(begun) > CONCURRENT_JOBS, what="the jobs that are made ahead")
    poll(lambda: not context.statusTracker().getActiveJobsIds(), what="their end")
    assert len(begun) == 1 + CONCURRENT_JOBS
    pieces.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("spark-lists")]


def test_an_error_in_one_piece_is_told_and_ends_the_others(
    engine: Engine, factors: Factors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark.list_jobs.MAX_USERS_PER_TASK", 1)
    broken = replace(factors, Q=factors.Q[:, :1])
    with pytest.raises(Exception, match="ValueError"):
        list(engine.iter_lists(broken, everybody(), 10))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("spark-lists")]
    assert not engine.start().sparkContext.statusTracker().getActiveJobsIds()


def test_there_are_no_lists_for_nobody(engine: Engine, factors: Factors) -> None:
    nobody = everybody().pieces(10**6)[0]
    assert [len(column) for column in engine.lists(factors, nobody, 10)] == [0, 0, 0]


def test_movies_without_ratings_are_in_the_factors_with_nothing_known_of_them(engine: Engine) -> None:
    more = np.append(CATALOGUE, MOVIES + 1).astype(np.int32)
    factors = engine.train(checkerboard(), more, SMALL_MODEL, ignore)
    assert not factors.V[-1].any()
    assert not factors.Q[-1].any()
    assert factors.movie_bias[-1] == 0
    assert factors.rating_count[-1] == 0


def test_the_same_ratings_give_the_same_factors(engine: Engine, factors: Factors) -> None:
    again = engine.train(checkerboard(), CATALOGUE, SMALL_MODEL, ignore)
    assert np.allclose(again.V, factors.V, atol=1e-4)
    assert np.allclose(again.Q, factors.Q, atol=1e-4)


def test_our_users_are_learned_from_like_any_other(engine: Engine) -> None:
    board = checkerboard()
    ours = np.repeat(np.arange(1, 31, dtype=np.int32) + USER_OFFSET, 2)
    new_movie = np.where(
        np.arange(60) % 2, MOVIES + 1, 2
    )  # thirty of ours love movie 2 and a movie nobody else has seen
    views = Ratings(ours, new_movie.astype(np.int32), np.full(60, 5, np.float32), np.full(60, 1_600_000_000))
    factors = engine.train(
        concatenate(board, views), np.append(CATALOGUE, MOVIES + 1).astype(np.int32), SMALL_MODEL, ignore
    )
    assert factors.rating_count[-1] == 30
    assert factors.V[-1] @ factors.V[1] > factors.V[-1] @ factors.V[0]


def test_ratings_without_a_single_like_are_refused(engine: Engine) -> None:
    board = checkerboard()
    with pytest.raises(EngineError, match="nothing to learn"):
        engine.train(replace(board, rating=np.ones(len(board), np.float32)), CATALOGUE, SMALL_MODEL, ignore)
