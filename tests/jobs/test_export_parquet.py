"""Exports of lists and vectors: what the service recommends, for everybody, in files that other programs read."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from handmade_model import EVEN, IDS, ODD, new_user, publish, two_tastes, with_genres

from catalogue.recommendations import ListRequest
from jobs import export_parquet
from ranking.rankings import PersonalRanking
from recommender import Recommender
from storage import movie_changes, user_ratings


def viewed(recommender: Recommender, user: int, n: int) -> list[tuple[int, int, float]]:
    """Return the first n places of a user's list as the service makes it."""
    places = recommender.viewer(user).places(ListRequest(limit=n))
    return [(place.rank, place.movie.movie_id, place.expected_rating) for place in places]


def test_everybody_has_the_list_that_the_service_gives(
    live: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_parquet, "USERS_AT_ONCE", 2)
    database = live.database
    histories = [{}, {EVEN[0]: 5.0, ODD[0]: 1.0}, {ODD[1]: 5.0}, {}, dict.fromkeys(IDS[:35], 4.0), {EVEN[1]: 4.5}]
    users = [new_user(database, ratings) for ratings in histories]
    with database.background_transaction() as db:
        for movie in IDS[:30]:  # far more than the places of a list
            user_ratings.put_mark(db, users[2], movie, "hidden" if movie % 2 else "seen")
        user_ratings.put_mark(db, users[3], viewed(live, users[3], 1)[0][1], "seen")
        user_ratings.put_mark(db, users[5], viewed(live, users[5], 1)[0][1], "later")  # which stays
        movie_changes.withdraw(db, [EVEN[3]])
    file = tmp_path / "lists.parquet"
    assert export_parquet.export_lists(database, file, 7) == len(users)
    table = pq.read_table(file)
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    for user in users:
        expected = viewed(live, user, 7)
        exported = [row[1:] for row in rows if row[0] == user]
        assert [row[:2] for row in exported] == [row[:2] for row in expected]
        assert [row[2] for row in exported] == pytest.approx([row[2] for row in expected], abs=1e-4)
    assert [len(viewed(live, user, 7)) for user in users] == [7, 7, 7, 7, 5, 7]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert live.model.live is not None
    assert table.schema.metadata[b"generation"] == str(live.model.live.id).encode()


def test_inner_products_with_the_exported_vectors_are_the_scores(recommender: Recommender, tmp_path: Path) -> None:
    publish(recommender, with_genres(two_tastes()))
    with recommender.database.background_transaction() as db:
        movie_changes.withdraw(db, [IDS[5]])
    file = tmp_path / "movies.parquet"
    assert export_parquet.export_embeddings(recommender.database, file) == len(IDS) - 1
    table = pq.read_table(file)
    assert table["movie_id"].to_pylist() == [movie for movie in IDS if movie != IDS[5]]
    assert table["title"][0].as_py() == "Movie 0"
    assert set(table["rating_count"].to_pylist()) == {50}
    ranking = recommender.anonymous({EVEN[0]: 5.0, ODD[0]: 1.0}).ranking
    assert isinstance(ranking, PersonalRanking)
    x = ranking.folded_in().vectors[0]
    V, factors = np.array(table["vector"].to_pylist()), two_tastes()
    rows = factors.rows(np.array(table["movie_id"]))[0]
    assert V @ x[:-2] + x[-2] * factors.popular[rows] + x[-1] == pytest.approx(ranking.scores(rows), abs=1e-5)
    facts = {key: value for key, value in table.schema.metadata.items() if key != b"generation"}
    assert facts == {b"dimensions": b"2", b"similarity": b"inner product"}
