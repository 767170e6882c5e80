"""The protocols that train: on planted tastes their outcome is known; and the files of pairs."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_ratings import CATALOGUE, MODEL, MOVIES, TASTES, USERS, tastes

from engine import Engine
from evaluation.baselines import bias_predictions
from evaluation.protocol_result import ProtocolResult, mean
from evaluation.splits import random_split
from jobs import cold_start_protocols, protocols
from jobs.offline_evaluation import read_pairs
from movielens.line_report import DatasetError
from movielens.reader import MovieLensMovie
from ranking.ratings import Ratings


@pytest.fixture(scope="module")
def temporal(engine: Engine) -> ProtocolResult:
    return protocols.temporal(engine, tastes(), CATALOGUE, MODEL, 1)


def test_who_knows_a_persons_taste_beats_who_knows_what_is_popular(temporal: ProtocolResult) -> None:
    ours, popular = temporal.rows["Matinee"], temporal.rows["popularity"]
    assert ours["NDCG@10"] > 1.5 * popular["NDCG@10"]
    assert ours["Recall@20"] > 1.5 * popular["Recall@20"]
    assert ours["coverage@10"] > popular["coverage@10"]


def test_a_protocol_gives_the_same_numbers_for_the_same_seed_in_whatever_order_the_ratings_come(
    engine: Engine, temporal: ProtocolResult
) -> None:
    ratings = tastes()
    shuffled = ratings.take(np.random.default_rng(0).permutation(len(ratings)))
    again = protocols.temporal(engine, shuffled, CATALOGUE, MODEL, 1)
    assert again.rows["popularity"] == temporal.rows["popularity"]
    for measure, value in temporal.rows["Matinee"].items():
        assert again.rows["Matinee"][measure] == pytest.approx(value, abs=1e-3)


def test_every_model_of_a_protocol_has_its_paired_difference(temporal: ProtocolResult) -> None:
    rows = mean([temporal]).rows
    for name in ("EASE on ratings", "popularity"):
        row = rows[name]
        assert row["first less this"] == pytest.approx(rows["Matinee"]["NDCG@10"] - row["NDCG@10"], abs=1e-6)
        assert row["low"] < row["first less this"] < row["high"]
    assert rows["popularity"]["low"] > 0
    assert temporal.facts["cuts inside one second"] == 0


def test_cuts_inside_one_second_are_counted() -> None:
    one = Ratings(np.array([1, 1, 2]), np.array([1, 2, 1]), np.full(3, 4.0), np.array([5, 9, 7]))  # type: ignore[arg-type]
    later = Ratings(np.array([1, 2, 2, 3]), np.array([3, 2, 3, 1]), np.full(4, 4.0), np.array([9, 8, 9, 1]))  # type: ignore[arg-type]
    assert protocols.cuts(one, later) == {"cuts inside one second": 1}


def test_by_the_calendar_taste_beats_popularity(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "CALENDAR_SHARES", (0.6, 0.8))
    rows = mean([protocols.calendar(engine, tastes(), CATALOGUE, MODEL, 1)]).rows
    assert rows["recent likes"]["low"] > 0
    assert rows["popularity"]["low"] > 0


def test_users_who_are_held_out_as_a_whole_are_ranked_by_taste(engine: Engine) -> None:
    result = protocols.strong(engine, tastes(), CATALOGUE, MODEL, 1)
    assert result.facts["users judged"] == USERS / 10
    assert result.rows["Matinee"]["Recall@20"] > 1.5 * result.rows["popularity"]["Recall@20"]
    assert set(result.rows["EASE on likes"]) == {"Recall@20", "Recall@50", "NDCG@100"}


def test_movies_without_ratings_are_ranked_by_what_they_are_about(engine: Engine) -> None:
    kinds = [f"Taste {movie % TASTES}" for movie in range(MOVIES)]  # of which those of a user are the liked ones
    catalogue = [MovieLensMovie(movie + 1, f"Movie {movie}", kind, None) for movie, kind in enumerate(kinds)]
    result = cold_start_protocols.cold(engine, tastes(), catalogue, MODEL, 1)
    assert result.facts["movies without ratings"] == MOVIES / 10
    assert result.rows["Matinee"]["NDCG@10"] > 1.5 * result.rows["genre average"]["NDCG@10"]
    assert result.rows["genre average"]["low"] > 0


def test_ratings_are_predicted_better_than_by_three_biases(engine: Engine) -> None:
    result = protocols.random(engine, tastes(), CATALOGUE, MODEL, 1)
    assert result.rows["Matinee"]["RMSE"] < 0.8 * result.rows["three biases"]["RMSE"]
    assert result.rows["Matinee"]["MAE"] < 0.8 * result.rows["three biases"]["MAE"]


def test_new_users_are_all_judged_and_gain_by_what_they_tell(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_start_protocols, "FOLDS", 2)
    rows = cold_start_protocols.new_users(engine, tastes(), CATALOGUE, MODEL, 1).rows
    assert rows["n = 0"]["users"] == USERS
    assert rows["n = 50"]["users"] == USERS
    assert rows["n = 10"]["gain"] > rows["n = 0"]["gain"] + 0.1
    assert rows["n = 10"]["RMSE"] < rows["n = 0"]["RMSE"] - 0.1


def test_newcomers_are_judged_by_what_was_known_before_they_came(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start_protocols, "CALENDAR_SHARES", (0.5, 0.9))
    rows = cold_start_protocols.newcomers(engine, one_after_another(), CATALOGUE, MODEL, 1).rows
    assert USERS / 5 <= rows["n = 5"]["users"] <= USERS / 5 + 2
    assert rows["n = 10"]["gain"] > 0.1


def one_after_another() -> Ratings:
    ratings = tastes()
    return Ratings(
        ratings.user, ratings.movie, ratings.rating, 1_600_000_000 + ratings.user * 100_000 + ratings.at % 9973
    )


def test_pairs_are_ranked_by_taste(engine: Engine) -> None:
    loved = tastes().take(tastes().rating >= 4)
    test = random_split(len(loved), 1)[1]
    pairs = Ratings(loved.user, loved.movie, np.full(len(loved), 5, np.float32), np.zeros(len(loved), np.int64))
    result = protocols.implicit(engine, pairs.take(~test), pairs.take(test), MODEL, 1)
    assert set(result.rows["Matinee"]) == {"Recall@20", "NDCG@20"}
    assert result.rows["Matinee"]["Recall@20"] > 1.5 * result.rows["popularity"]["Recall@20"]


def test_who_was_never_seen_is_predicted_by_the_biases_that_are_known() -> None:
    train = tastes()
    stranger = Ratings(np.array([9999], np.int32), np.array([1], np.int32), np.array([3], np.float32), np.zeros(1, int))
    told = bias_predictions(train, stranger)[0]
    assert told == pytest.approx(train.rating[train.movie == 1].mean(), abs=0.3)


@pytest.mark.parametrize(
    "text",
    [
        "7 10 20\n8 10\n",
        "7 20 10 10\n\n8 10\n9\n",
        "7,10\n8,10\n7,20\n",
        "user,item,time\n7,10,1\n7,20,2\n8,10,3\n",
        "user_id:token\titem_id:token\n7\t10\n7\t20\n8\t10\n",
        "\ufeff7\t10\n7\t20\n8\t10\n",
    ],
)
def test_pairs_are_read_whichever_way_they_are_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.txt"
    path.write_text(text, "utf-8")
    pairs = read_pairs(path)
    assert list(zip(pairs.user.tolist(), pairs.movie.tolist(), strict=True)) == [(7, 10), (7, 20), (8, 10)]
    assert (pairs.rating >= 4).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("7 10\n8 x\n", "line 2"),
        ("7,10\n8\n", "line 2"),
        ("7 10\n-8 3\n", "line 2"),
        ("7 99999999999\n", "line 1"),
        ("", "holds no pairs"),
        ("7\n8\n", "holds no pairs"),
        ("user,item\n", "holds no pairs"),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "train.txt"
    path.write_text(text)
    with pytest.raises(DatasetError, match=says):
        read_pairs(path)
