"""The comparison with other recommenders: each in a process of its own, judged on what it has not seen."""

import os
import subprocess
import sys
from pathlib import Path

import compare
import numpy as np
import pytest
from compare import COST, QUALITY, Comparison, Model, compared, markdown
from compare_interface import MOST_MOVIES, LeftOutError, Split
from generate import Size, write_set
from numpy_models import ease_on_likes

from evaluation.protocol_result import LONGEST, list_quality
from ranking.batch_lists import popular_lists
from ranking.ratings import Ratings
from settings import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "set"
    write_set(folder, Size(ratings=10_000, users=100, movies=500))
    return folder


def test_a_model_is_judged_as_its_lists_deserve_and_one_without_its_library_is_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(compare.MODELS, "a library's", Model("no_such_library", "train"))
    first, second = compared(folder, [1, 2], ["popularity", "a library's"])
    assert "a library's is left out: No module named 'no_such_library'" in capsys.readouterr().err
    assert list(first.rows) == ["popularity"]
    assert second.rows["popularity"] is first.rows["popularity"]  # its seed makes no difference, so it ran once

    held = Comparison(folder, tmp_path)
    split, judged = held.split, np.searchsorted(held.split.users, held.users)
    seen = [split.train.movie[split.history(row)] for row in judged.tolist()]
    lists = popular_lists(split.movies, held.count.astype(np.float32), seen, LONGEST)
    expected = list_quality(lists, held.relevant, split.movies, held.count)
    assert {name: first.rows["popularity"][name] for name in expected} == expected
    assert first.rows["popularity"]["peak MB"] > 20
    assert markdown(first, COST).splitlines()[2].startswith("| popularity | ")
    assert markdown(first, QUALITY).count("\n") == 2


def test_a_model_of_all_movies_by_all_movies_is_left_out_where_that_is_too_much() -> None:
    one = Ratings(np.ones(1, np.int32), np.ones(1, np.int32), np.ones(1, np.float32), np.ones(1, np.int64))
    with pytest.raises(LeftOutError, match="12,001"):
        ease_on_likes(Split(one, np.arange(MOST_MOVIES + 1, dtype=np.int32)), seed=1)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_that_was_given_back_still_counts_as_the_most_that_was_held() -> None:
    without, with_them = (most_held_after(f"len(b'1' * ({mebibytes} << 20))") for mebibytes in (0, 200))
    assert 180 < with_them - without < 250


def most_held_after(statement: str) -> float:
    """Megabytes, of a Python that has done this and nothing else."""
    code = f"import os, footprint; {statement}; print(footprint.most_held(os.getpid()))"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "benchmarks")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    return float(done.stdout)
