"""The systems of the fold-in against their definitions."""

import numpy as np
from random_model import F, H, K, random_factors

from ranking import fold_in
from ranking.fold_in import ItemGram, UserPrior
from ranking.similar_movies import similar


def test_both_forms_of_the_map_vector_are_one() -> None:
    f = random_factors()
    prior = UserPrior(f.m, f.C, np.linalg.inv(f.C.astype(float)))
    for n in (1, K - 1, K, K + 1, 40):
        V_s, y = f.V[:n], np.linspace(0, 1, n).astype(np.float32)
        wide = f.m + f.C @ V_s.T @ np.linalg.inv(V_s @ f.C @ V_s.T + 0.1 * np.eye(n)) @ (y - V_s @ f.m)
        got = fold_in.map_vectors(V_s[None], (y - V_s @ f.m)[None], prior, np.full(1, 0.1, np.float32))[0]
        gains = fold_in.map_gains(V_s, np.eye(K, dtype=np.float32), prior, np.float32(0.1))
        assert np.allclose(got, wide, atol=1e-3)
        assert np.allclose(f.m + gains.T @ (y - V_s @ f.m), wide, atol=1e-3)
        covariance = f.C - f.C @ V_s.T @ np.linalg.inv(V_s @ f.C @ V_s.T + 0.1 * np.eye(n)) @ V_s @ f.C
        assert np.allclose(fold_in.map_covariance(V_s, prior, np.float32(0.1)), covariance, atol=1e-3)


def test_without_ratings_the_map_vector_is_the_average_user_and_the_als_vector_is_zero() -> None:
    f = random_factors()
    prior, empty = UserPrior(f.m, f.C, np.linalg.inv(f.C.astype(float))), np.empty((1, 0, K), np.float32)
    assert np.array_equal(fold_in.map_vectors(empty, empty[:, :, 0], prior, np.full(1, 0.1, np.float32))[0], f.m)
    assert not fold_in.als_vectors(empty, np.empty((1, 0), bool), ItemGram.of(f.V), 0.2, 0.06).any()


def test_the_als_vector_minimizes_the_loss_of_implicit_als() -> None:
    f, alpha, reg = random_factors(), 0.2, 0.06
    for liked in (np.array([3, 10, 50]), np.arange(0, 2 * K)):  # in both forms
        x = fold_in.als_vectors(f.V[liked][None], np.ones((1, len(liked)), bool), ItemGram.of(f.V), alpha, reg)[0]

        def loss(x: np.ndarray, liked: np.ndarray = liked) -> float:
            confidence, wanted = np.ones(F), np.zeros(F)
            confidence[liked], wanted[liked] = 1 + alpha, 1
            return float((confidence * (wanted - f.V @ x) ** 2).sum() + reg * len(liked) * x @ x)

        for step in np.vstack([np.eye(K), -np.eye(K)]) * 1e-2:
            assert loss(x) < loss(x + step)
        gains = fold_in.als_gains(f.V[liked], np.eye(K, dtype=np.float32), ItemGram.of(f.V), alpha, reg)
        assert np.allclose(gains.sum(axis=0), x, atol=1e-4)


def test_both_forms_of_the_raters_vector_are_one() -> None:
    f = random_factors()
    for n in (1, H, H + 1, 30):
        Q_s, r = f.Q[:n], np.linspace(-1, 1, n).astype(np.float32)
        wanted = f.C_r @ Q_s.T @ np.linalg.inv(Q_s @ f.C_r @ Q_s.T + 0.3 * np.eye(n)) @ r
        assert np.allclose(fold_in.rater_vectors(Q_s[None], r[None], f.C_r)[0], wanted, atol=1e-4)


def test_similar_movies_are_those_with_the_nearest_direction() -> None:
    f = random_factors(rating_count=np.full(F, 40, np.int32))
    rows, cosine = similar(f, 7, 5)
    unit = f.V / np.linalg.norm(f.V, axis=1)[:, None]
    wanted = np.argsort(-(unit @ unit[7]))
    assert rows.tolist() == [row for row in wanted if row != 7][:5]
    assert np.allclose(cosine, (unit @ unit[7])[rows], atol=1e-5)


def test_nothing_is_similar_to_a_movie_that_nobody_likes() -> None:
    V = random_factors().V.copy()
    V[3] = 0
    rows, _ = similar(random_factors(V=V), 3, 5)
    assert len(rows) == 0
