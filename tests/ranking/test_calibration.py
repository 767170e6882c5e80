"""Calibrated lists against a slow twin that computes every divergence anew."""

import math

import numpy as np
import pytest

from ranking.calibration import calibrated, miscalibration

C, G = 30, 5


def movies(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, preferred movies, genres of each, and p, in which the last genre has no share."""
    rng = np.random.default_rng(seed)
    genres = rng.random((C, G)) * (rng.random((C, G)) < 0.4) + 1e-3
    p = np.append(rng.random(G - 1), 0)
    score = rng.normal(size=C).astype(np.float32)
    return score, np.arange(C) % 4 > 0, (genres / genres.sum(axis=1, keepdims=True)).astype(np.float32), p / p.sum()


def divergence(listed: list[int], genres: np.ndarray, p: np.ndarray) -> float:
    total = 0.0
    for genre in range(G):
        if p[genre] > 0:
            q = sum(float(genres[movie, genre]) for movie in listed) / len(listed)
            total += p[genre] * math.log(p[genre] / (0.99 * q + 0.01 * p[genre]))
    return total


def twin(
    score: np.ndarray, preferred: np.ndarray, genres: np.ndarray, p: np.ndarray, diversity: float, n: int
) -> list[int]:
    z = (score - np.mean(score)) / np.std(score)
    listed: list[int] = []
    while len(listed) < n:
        left = [movie for movie in range(C) if movie not in listed]
        first = [movie for movie in left if preferred[movie]] or left
        gain = {m: z[m] - diversity**1.74 * (len(listed) + 1) * divergence([*listed, m], genres, p) for m in first}
        listed.append(max(first, key=gain.__getitem__))
    return listed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("diversity", [0.0, 0.2, 0.5, 1.0])
def test_each_place_goes_to_the_movie_that_is_best_for_the_list_so_far(seed: int, diversity: float) -> None:
    score, preferred, genres, p = movies(seed)
    expected = twin(score, preferred, genres, p, diversity, C)
    for n in (1, 10, C, C + 9):
        assert calibrated(score, preferred, genres, p, diversity, n).tolist() == expected[:n]


def test_the_divergence_of_a_list_is_that_of_the_mean_of_its_genres() -> None:
    _, _, genres, p = movies(0)
    assert miscalibration(genres[:7], p) == pytest.approx(divergence([*range(7)], genres, p), abs=1e-6)
    assert miscalibration(np.array([[1.0, 0], [0, 1.0]]), np.array([0.5, 0.5])) == pytest.approx(0)


def test_of_no_movies_there_is_an_empty_list() -> None:
    none = np.zeros(0, np.float32)
    genres, p = np.zeros((0, 2), np.float32), np.full(2, 0.5, np.float32)
    assert calibrated(none, np.zeros(0, bool), genres, p, 1.0, 10).tolist() == []
