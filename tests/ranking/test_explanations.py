"""Reasons that add up to the score, and movies that are alike."""

import numpy as np
import pytest
from random_model import F, planted, someone

from ranking.explanations import contributions, reasons, shares
from ranking.score import IndexedHistory, UserModel
from ranking.similar_movies import similar


@pytest.mark.parametrize("n", [0, 1, 5, 60])
def test_baseline_and_contributions_are_the_score_to_the_last_digit_that_counts(n: int) -> None:
    f, h = planted(), someone(n)
    baseline, parts = contributions(UserModel(f, h), np.arange(F))
    assert parts.shape == (n, F)
    assert np.allclose(baseline + parts.sum(axis=0), UserModel(f, h).score, atol=2e-3)


def test_someone_with_only_dislikes_has_reasons_too() -> None:
    f = planted()
    h = IndexedHistory(np.array([1, 2, 3]), np.full(3, 0.5, np.float32))
    baseline, parts = contributions(UserModel(f, h), np.arange(F))
    assert np.allclose(baseline + parts.sum(axis=0), UserModel(f, h).score, atol=2e-3)


def test_shares_are_of_the_ratings_that_speak_for_a_movie() -> None:
    parts = np.array([[3, -1], [1, -2], [-5, 0]], np.float32)
    assert shares(parts).tolist() == [[0.75, 0], [0.25, 0], [0, 0]]


@pytest.mark.parametrize("n", [0, 2, 60])
def test_the_reasons_for_a_movie_are_the_three_ratings_with_the_largest_shares(n: int) -> None:
    user_model, rows = UserModel(planted(), someone(n)), np.arange(7, F, 9)
    share = shares(contributions(user_model, rows)[1])
    for column, found in enumerate(reasons(user_model, rows)):
        wanted = sorted(((float(s), -at) for at, s in enumerate(share[:, column]) if s > 0), reverse=True)[:3]
        assert found == [(-at, s) for s, at in wanted]
        assert sum(s for _, s in found) <= 1 + 1e-6


def test_what_speaks_against_a_movie_is_no_reason_for_it() -> None:
    assert (
        reasons(
            UserModel(planted(w=np.zeros(5 * F, np.float32), V=np.zeros((F, 6), np.float32)), someone(4)), np.arange(3)
        )
        == [[]] * 3
    )


def test_the_rating_behind_a_movie_is_the_reason_for_it() -> None:
    """Two tastes without anything in common: what was rated of the one says nothing about the other."""
    f = planted()
    V = np.zeros_like(f.V)
    V[: F // 2, 0] = V[F // 2 :, 1] = 1
    f = planted(V=V, w=np.zeros_like(f.w), m=np.zeros_like(f.m), C=np.eye(6, dtype=np.float32))
    h = IndexedHistory(np.array([0, F // 2]), np.array([5, 3], np.float32))
    _, parts = contributions(UserModel(f, h), np.array([1, F - 1]))
    assert np.allclose(shares(parts), np.eye(2), atol=1e-3)


def test_similar_movies_are_those_with_the_nearest_direction() -> None:
    f = planted(rating_count=np.full(F, 40, np.int32))
    rows, cosine = similar(f, 7, 5)
    unit = f.V / np.linalg.norm(f.V, axis=1)[:, None]
    wanted = np.argsort(-(unit @ unit[7]))
    assert rows.tolist() == [row for row in wanted if row != 7][:5]
    assert np.allclose(cosine, (unit @ unit[7])[rows], atol=1e-5)


def test_nothing_is_similar_to_a_movie_that_nobody_likes() -> None:
    V = planted().V.copy()
    V[3] = 0
    rows, _ = similar(planted(V=V), 3, 5)
    assert len(rows) == 0
