"""Every measure against a slow and obvious twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import metrics
from scoring.evaluation import list_quality

FILMS = 30
LISTS = st.lists(st.permutations(range(FILMS)).map(lambda order: order[:10]), min_size=1, max_size=6)
WANTED = st.lists(st.sets(st.integers(0, FILMS - 1), max_size=15), min_size=6, max_size=6)


def slow_ndcg(films: list[int], relevant: set[int], k: int) -> float:
    found = sum(1 / math.log2(place + 1) for place, film in enumerate(films[:k], start=1) if film in relevant)
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
    relevant = [np.array(sorted(films), np.int32) for films in wanted[: len(lists)]]
    hit, sizes = metrics.hits(np.array(lists, np.int32), relevant), metrics.sizes(relevant)
    ndcg, recall, rate = metrics.ndcg(hit, sizes), metrics.recall(hit, sizes), metrics.hit_rate(hit, sizes)
    for u, films in enumerate(lists):
        if not wanted[u]:
            assert np.isnan([ndcg[u], recall[u], rate[u]]).all()
            continue
        found = [film for film in films if film in wanted[u]]
        assert ndcg[u] == pytest.approx(slow_ndcg(films, wanted[u], 10))
        assert recall[u] == pytest.approx(len(found) / len(wanted[u]))
        assert rate[u] == bool(found)


def test_recall_and_ndcg_at_20_are_lightgcns() -> None:
    rng = np.random.default_rng(0)
    lists = np.stack([rng.permutation(200)[:20] for _ in range(40)]).astype(np.int32)
    relevant = [rng.choice(200, rng.integers(1, 40), replace=False).astype(np.int32) for _ in range(40)]
    theirs = [lightgcn(list(test), list(films), 20) for test, films in zip(relevant, lists, strict=True)]
    quality = list_quality(lists, relevant, np.arange(200, dtype=np.int32), np.ones(200, np.int32))
    assert quality["Recall@20"] == pytest.approx(np.mean([recall for recall, _ in theirs]))
    assert quality["NDCG@20"] == pytest.approx(np.mean([ndcg for _, ndcg in theirs]))


def test_a_perfect_list_has_an_ndcg_of_1_however_few_films_are_relevant() -> None:
    films = np.arange(10, dtype=np.int32)[None]
    for n in (1, 3, 10, 25):
        relevant = [np.arange(n, dtype=np.int32)]
        assert metrics.ndcg(metrics.hits(films, relevant), metrics.sizes(relevant)) == pytest.approx([1.0])


def test_the_lower_place_of_a_hit_counts_less() -> None:
    hit = np.eye(10, dtype=bool)
    assert (np.diff(metrics.ndcg(hit, np.full(10, 3))) < 0).all()


def test_empty_places_are_no_hits_and_cover_nothing() -> None:
    lists = np.array([[3, metrics.EMPTY], [metrics.EMPTY, metrics.EMPTY]], np.int32)
    assert metrics.hits(lists, [np.array([3]), np.array([4])]).tolist() == [[True, False], [False, False]]
    assert metrics.coverage(lists, 4) == 0.25
    assert metrics.little_known(lists, np.arange(5), np.array([0, 0, 0, 24, 0]), 25) == 1.0


@given(LISTS)
def test_coverage_and_little_known_are_counts_over_the_places(lists: list[list[int]]) -> None:
    count = np.arange(FILMS, dtype=np.int32) * 2
    table = np.array(lists, np.int32)
    places = [film for films in lists for film in films]
    assert metrics.coverage(table, FILMS) == pytest.approx(len(set(places)) / FILMS)
    few = sum(count[film] < 25 for film in places) / len(places)
    assert metrics.little_known(table, np.arange(FILMS), count, 25) == pytest.approx(few)


def test_the_overlap_is_the_share_of_a_list_found_in_the_other() -> None:
    a = np.array([[1, 2, 3, 4], [1, 2, metrics.EMPTY, metrics.EMPTY]], np.int32)
    b = np.array([[4, 3, 9, 8], [2, 1, 5, 6]], np.int32)
    assert metrics.overlap(a, b) == pytest.approx((0.5 + 1) / 2)
    assert np.isnan(metrics.overlap(a[:0], b[:0]))


@given(st.lists(st.tuples(st.floats(0.5, 5, width=32), st.floats(0.5, 5, width=32)), min_size=1))
def test_rmse_and_mae_are_means_of_errors(pairs: list[tuple[float, float]]) -> None:
    predicted, rating = np.array(pairs, np.float32).T
    errors = [a - b for a, b in zip(predicted.tolist(), rating.tolist(), strict=True)]
    assert metrics.rmse(predicted, rating) == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))
    assert metrics.mae(predicted, rating) == pytest.approx(sum(map(abs, errors)) / len(errors))
