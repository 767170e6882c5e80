"""The comparison with other recommenders: each trains in a process of its own, and is evaluated on held-out ratings."""

import os
import subprocess
import sys
from pathlib import Path

import compare
import numpy as np
import pytest
from compare import COST, QUALITY, ComparedModel, Comparison, compare_models, markdown
from compare_interface import MOST_MOVIES, LeftOutError, Split
from generate import Size, write_dataset
from numpy_models import ease_on_likes

from evaluation.protocol_result import LONGEST, list_quality
from ranking.batch_lists import popular_lists
from ranking.ratings import Ratings
from settings import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "dataset"
    write_dataset(folder, Size(ratings=10_000, users=100, movies=500))
    return folder


def test_a_model_is_evaluated_by_its_lists_and_one_without_its_library_is_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(compare.MODELS, "a library's", ComparedModel("no_such_library", "train"))
    first, second = compare_models(folder, [1, 2], ["popularity", "a library's"])
    assert "a library's is left out: No module named 'no_such_library'" in capsys.readouterr().err
    assert list(first.rows) == ["popularity"]
    assert second.rows["popularity"] is first.rows["popularity"]  # its seed makes no difference, so it ran once

    comparison = Comparison(folder, tmp_path)
    split, rows = comparison.split, np.searchsorted(comparison.split.users, comparison.users)
    rated = [split.train.take(split.history(row)) for row in rows.tolist()]
    lists = popular_lists(split.movies, comparison.count.astype(np.float32), rated, LONGEST)
    expected = list_quality(lists, comparison.relevant, split.movies, comparison.count)
    assert {name: first.rows["popularity"][name] for name in expected} == expected
    assert first.rows["popularity"]["peak MB"] > 20
    assert markdown(first, COST).splitlines()[2].startswith("| popularity | ")
    assert markdown(first, QUALITY).count("\n") == 2


def test_a_model_with_a_movie_by_movie_matrix_is_left_out_of_a_large_catalogue() -> None:
    one = Ratings(np.ones(1, np.int32), np.ones(1, np.int32), np.ones(1, np.float32), np.ones(1, np.int64))
    with pytest.raises(LeftOutError, match="12,001"):
        ease_on_likes(Split(one, np.arange(MOST_MOVIES + 1, dtype=np.int32)), seed=1)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_that_was_freed_still_counts_in_the_peak() -> None:
    without, with_them = (peak_after(f"len(b'1' * ({mebibytes} << 20))") for mebibytes in (0, 200))
    assert 180 < with_them - without < 250


def peak_after(statement: str) -> float:
    """Return the peak megabytes of a Python that runs this statement and nothing else."""
    code = f"import os, footprint; {statement}; print(footprint.peak_megabytes(os.getpid()))"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "benchmarks")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    return float(done.stdout)
