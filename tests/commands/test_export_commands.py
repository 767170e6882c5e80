"""The commands that export lists and vectors."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from command_line import Operator
from handmade_model import IDS, new_user, publish, two_tastes

from recommender import Recommender


def test_exports_need_a_live_generation_and_write_whole_files(recommender: Recommender, tmp_path: Path) -> None:
    url = recommender.database.url
    run, folder = Operator({"DATABASE_URL": url, "MATINEE_STATE_DIR": str(tmp_path)}), tmp_path / "out"
    folder.mkdir()
    lists, vectors = str(folder / "lists.parquet"), str(folder / "vectors.parquet")
    new_user(recommender.database, {IDS[0]: 5.0})
    for command in (("lists", "export", lists), ("embeddings", "export", vectors)):
        assert "no live generation to export: train first" in run.refused(*command)
    assert not list(folder.iterdir())
    publish(recommender, two_tastes())
    assert json.loads(run.says("lists", "export", lists, "--top", "3", "--json")) == {"file": lists, "users": 1}
    assert json.loads(run.says("embeddings", "export", vectors, "--json")) == {"file": vectors, "movies": len(IDS)}
    assert pq.read_table(lists)["rank"].to_pylist() == [1, 2, 3]
    assert pq.read_table(vectors)["movie_id"].to_pylist() == IDS
