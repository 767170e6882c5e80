"""Every measure against a slow and obvious twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import offline_metrics
from evaluation.protocol_result import list_quality

MOVIES = 30
LISTS = st.lists(st.permutations(range(MOVIES)).map(lambda order: order[:10]), min_size=1, max_size=6)
WANTED = st.lists(st.sets(st.integers(0, MOVIES - 1), max_size=15), min_size=6, max_size=6)


def slow_ndcg(movies: list[int], relevant: set[int], k: int) -> float:
    found = sum(1 / math.log2(place + 1) for place, movie in enumerate(movies[:k], start=1) if movie in relevant)
    return found / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(relevant)) + 1))


def lightgcn(test_items: list[int], ranked: list[int], k: int) -> tuple[float, float]:
    """Recall and NDCG of one user as the published code of LightGCN computes them (RecallPrecision_ATk, NDCGatK_r)."""
    r = np.array([float(item in test_items) for item in ranked[:k]])
    test_matrix = np.zeros(k)
    test_matrix[: min(k, len(test_items))] = 1
    idcg = np.sum(test_matrix * 1.0 / np.log2(np.arange(2, k + 2)))
    dcg = np.sum(r * (1.0 / np.log2(np.arange(2, k + 2))))
    return r.sum() / len(test_items), dcg / (1.0 if idcg == 0 else idcg)


@given(LISTS, WANTED)
def test_ndcg_recall_and_hits_are_what_their_definitions_say(lists: list[list[int]], wanted: list[set[int]]) -> None:
    relevant = [np.array(sorted(movies), np.int32) for movies in wanted[: len(lists)]]
    hit, sizes = offline_metrics.hits(np.array(lists, np.int32), relevant), offline_metrics.sizes(relevant)
    ndcg, recall, rate = (
        offline_metrics.ndcg(hit, sizes),
        offline_metrics.recall(hit, sizes),
        offline_metrics.hit_rate(hit, sizes),
    )
    for u, movies in enumerate(lists):
        if not wanted[u]:
            assert np.isnan([ndcg[u], recall[u], rate[u]]).all()
            continue
        found = [movie for movie in movies if movie in wanted[u]]
        assert ndcg[u] == pytest.approx(slow_ndcg(movies, wanted[u], 10))
        assert recall[u] == pytest.approx(len(found) / len(wanted[u]))
        assert rate[u] == bool(found)


def test_recall_and_ndcg_at_20_are_lightgcns() -> None:
    rng = np.random.default_rng(0)
    lists = np.stack([rng.permutation(200)[:20] for _ in range(40)]).astype(np.int32)
    relevant = [rng.choice(200, rng.integers(1, 40), replace=False).astype(np.int32) for _ in range(40)]
    theirs = [lightgcn(list(test), list(movies), 20) for test, movies in zip(relevant, lists, strict=True)]
    quality = list_quality(lists, relevant, np.arange(200, dtype=np.int32), np.ones(200, np.int32))
    assert quality["Recall@20"] == pytest.approx(np.mean([recall for recall, _ in theirs]))
    assert quality["NDCG@20"] == pytest.approx(np.mean([ndcg for _, ndcg in theirs]))


def test_a_perfect_list_has_an_ndcg_of_1_however_few_movies_are_relevant() -> None:
    movies = np.arange(10, dtype=np.int32)[None]
    for n in (1, 3, 10, 25):
        relevant = [np.arange(n, dtype=np.int32)]
        assert offline_metrics.ndcg(
            offline_metrics.hits(movies, relevant), offline_metrics.sizes(relevant)
        ) == pytest.approx([1.0])


def test_the_lower_place_of_a_hit_counts_less() -> None:
    hit = np.eye(10, dtype=bool)
    assert (np.diff(offline_metrics.ndcg(hit, np.full(10, 3))) < 0).all()


def test_empty_places_are_no_hits_and_cover_nothing() -> None:
    lists = np.array([[3, offline_metrics.PADDING], [offline_metrics.PADDING, offline_metrics.PADDING]], np.int32)
    assert offline_metrics.hits(lists, [np.array([3]), np.array([4])]).tolist() == [[True, False], [False, False]]
    assert offline_metrics.coverage(lists, 4) == 0.25
    assert offline_metrics.long_tail(lists, np.arange(5), np.array([0, 0, 0, 24, 0]), 25) == 1.0


@given(LISTS)
def test_coverage_and_little_known_are_counts_over_the_places(lists: list[list[int]]) -> None:
    count = np.arange(MOVIES, dtype=np.int32) * 2
    table = np.array(lists, np.int32)
    places = [movie for movies in lists for movie in movies]
    assert offline_metrics.coverage(table, MOVIES) == pytest.approx(len(set(places)) / MOVIES)
    few = sum(count[movie] < 25 for movie in places) / len(places)
    assert offline_metrics.long_tail(table, np.arange(MOVIES), count, 25) == pytest.approx(few)


def test_the_overlap_is_the_share_of_a_list_found_in_the_other() -> None:
    a = np.array([[1, 2, 3, 4], [1, 2, offline_metrics.PADDING, offline_metrics.PADDING]], np.int32)
    b = np.array([[4, 3, 9, 8], [2, 1, 5, 6]], np.int32)
    assert offline_metrics.overlap(a, b) == pytest.approx((0.5 + 1) / 2)
    assert np.isnan(offline_metrics.overlap(a[:0], b[:0]))


@given(st.lists(st.tuples(st.floats(0.5, 5, width=32), st.floats(0.5, 5, width=32)), min_size=1))
def test_rmse_and_mae_are_means_of_errors(pairs: list[tuple[float, float]]) -> None:
    predicted, rating = np.array(pairs, np.float32).T
    errors = [a - b for a, b in zip(predicted.tolist(), rating.tolist(), strict=True)]
    assert offline_metrics.rmse(predicted, rating) == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))
    assert offline_metrics.mae(predicted, rating) == pytest.approx(sum(map(abs, errors)) / len(errors))
