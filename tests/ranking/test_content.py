"""Factors of movies without ratings: against dense linear algebra, and what they change in lists."""

from dataclasses import replace

import numpy as np
import pytest
from random_model import F, K, histories_of, random_factors, twin_of

from ranking.content import content_vectors, unrated, with_content, with_movies, with_predicted
from ranking.factors import Factors, FactorsError
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.similar_movies import similar
from ranking.user_batch import user_batches

NAMES = ["Action", "Comedy", "Drama", "1990s"]


def features(seed: int = 0, count: int = F) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[name for name in NAMES if rng.random() < 0.4] for _ in range(count)]


def content_factors(seed: int = 0) -> Factors:
    """Random factors, of which every eighth movie has no ratings, and what predicts them."""
    rated = np.arange(F) % 8 > 0
    factors = random_factors(seed)
    factors = replace(factors, V=factors.V * rated[:, None], rating_count=factors.rating_count * rated.astype(np.int32))
    return with_content(factors, features(seed), np.where(rated, np.arange(F), 0).astype(np.float32))


def test_factors_are_predicted_by_a_ridge_in_which_movies_with_many_likes_count_for_more() -> None:
    rare = [[*movie, f"only of {row}", *(["of three"] if row < 3 else [])] for row, movie in enumerate(features())]
    likes = np.arange(F).astype(np.float32)
    factors = with_content(random_factors(), rare, likes)
    names = sorted([*NAMES, "of three"])
    assert factors.features.tolist() == names  # a feature of one or two movies has no column
    M = np.array([[name in movie for name in names] + [True] for movie in rare], float)
    T = np.diag(likes / (likes + 5))
    B = np.linalg.inv(M.T @ T @ M + 10 * np.eye(len(names) + 1)) @ M.T @ T @ factors.V
    assert np.allclose(factors.B, B, atol=1e-5)
    left = factors.V - M @ B
    R = sum(t * np.outer(row, row) for t, row in zip(np.diag(T), left, strict=True)) / np.trace(T)
    assert np.allclose(factors.R, R, atol=1e-5)
    asked = [["Drama", "unheard of"], []]
    assert np.allclose(content_vectors(factors, asked), [B[names.index("Drama")] + B[-1], B[-1]], atol=1e-5)


def test_movies_without_ratings_are_ranked_by_their_predicted_factors() -> None:
    factors = content_factors()
    new, histories = unrated(factors), histories_of(factors, [4, 30])
    assert np.allclose(factors.V_ranked[new], content_vectors(factors, [features()[row] for row in new]))
    assert np.array_equal(np.delete(factors.V_ranked, new, 0), np.delete(factors.V, new, 0))
    ranker = Ranker(factors)
    for some, batch in user_batches(factors, histories):
        folded = ranker.fold_in(batch, ranker.neighbour_terms(batch))
        scores = ranker.scores(folded)
        for at, i in enumerate(some):
            twin, predicted = twin_of(factors, histories, i), content_vectors(factors, features())[new]
            expected, grown = twin.score()[new], twin.n / (twin.n + 50)
            w = factors.model.plain_weight * grown**factors.model.plain_exponent
            for weight, x in ((1 - w, twin.x_m()), (w, twin.x_p())):
                expected = expected + weight * (predicted @ x) / twin.scored(factors.V.astype(float) @ x)[1]
            assert np.allclose(scores[at, new], expected, atol=1e-3)


@pytest.mark.parametrize("n", [0, 3])
def test_a_list_without_the_floor_is_by_score_alone_and_holds_new_movies(n: int) -> None:
    factors = content_factors()
    rating = np.array([5, 5, 1], np.float32)[:n]
    ranking = ranking_for(Ranker(factors), factors.movies[1 : 1 + n], rating, np.arange(n))
    score = ranking.scores(np.arange(F))
    listed = ranking.best(F, known_first=False)
    assert listed.tolist() == sorted(set(range(F)) - set(ranking.seen), key=lambda row: -score[row])
    assert set(unrated(factors)) & set(listed[:30])


@pytest.mark.parametrize("added", [[5], [5, 11, 13, 9999], []], ids=len)
def test_movies_that_are_added_change_nothing_for_the_others(added: list[int]) -> None:
    factors = content_factors()
    movies = np.union1d(factors.movies, added).astype(np.int32)
    more = with_movies(factors, movies)
    which = np.flatnonzero(np.isin(movies[unrated(more)], added))
    more = with_predicted(more, which, [["Drama"]] * len(which))
    more.check()
    at = np.searchsorted(movies, factors.movies)
    for name in ("V", "V_ranked", "Q", "movie_bias", "rating_count", "rating_mean", "popular"):
        assert np.array_equal(getattr(more, name)[at], getattr(factors, name)), name
    assert np.array_equal(_by_movie(more, at), _by_movie(factors, np.arange(F)))
    new = np.searchsorted(movies, np.array(added, np.int32))
    assert (more.rating_count[new] == 0).all()
    assert np.allclose(more.V_ranked[new], content_vectors(factors, [["Drama"]]))
    assert Factors.from_bytes(more.to_bytes()).V_ranked.tolist() == more.V_ranked.tolist()


def _by_movie(factors: Factors, rows: np.ndarray) -> np.ndarray:
    """Return W, dense, of these rows and columns."""
    W = np.zeros((len(factors.movies), len(factors.movies)))
    for row in range(len(factors.movies)):
        cut = slice(factors.w_start[row], factors.w_start[row + 1])
        W[row, factors.w_movie[cut]] = factors.w[cut]
    return W[np.ix_(rows, rows)]


def test_a_new_movie_is_found_among_similar_ones_and_finds_them() -> None:
    """Two kinds of movies with opposite factors, of which the genre tells everything."""
    kind = np.arange(F) % 2
    V = np.where(kind[:, None] == np.arange(K) % 2, 1.0, -0.2) + np.random.default_rng(1).normal(0, 0.4, (F, K))
    factors = random_factors(V=V.astype(np.float32), rating_count=np.full(F, 40, np.int32))
    factors = with_content(factors, [[NAMES[one]] for one in kind], np.full(F, 40, np.float32))
    added = np.array([1, 3, 9001], np.int32)
    more = with_movies(factors, np.union1d(factors.movies, added).astype(np.int32))
    more = with_predicted(more, np.arange(3), [[NAMES[0]], [NAMES[1]], [NAMES[0]]])
    new, known = np.searchsorted(more.movies, added), np.searchsorted(more.movies, factors.movies)
    rows, cosine = similar(more, int(new[0]), 10)
    assert set(rows) <= {new[2], *known[kind == 0]}
    assert (np.diff(cosine) <= 1e-6).all()
    for n in (1, 10, F):
        rows, _ = similar(more, int(known[0]), n)
        assert len(set(rows)) == len(rows) == n
        assert np.isin(rows, new).sum() <= max(1, n // 5)
    alike = [set(similar(more, int(row), 10)[0]) for row in known[kind == 0]]
    assert sum(bool({new[0], new[2]} & rows) for rows in alike) > 5
    assert not any(new[1] in rows for rows in alike)
    among = np.ones(len(more.movies), bool)
    among[new] = False
    assert not np.isin(similar(more, int(known[0]), 10, among)[0], new).any()


def test_what_predicts_factors_is_checked_like_the_rest() -> None:
    factors = content_factors()
    with pytest.raises(FactorsError, match=r"^B has the shape"):
        replace(factors, B=factors.B[1:]).check()
    with pytest.raises(FactorsError, match=r"^R has the shape"):
        replace(factors, R=factors.R[1:]).check()
    with pytest.raises(FactorsError, match=r"^content has the shape"):
        replace(factors, content=factors.content[1:]).check()


@pytest.mark.parametrize("added", [[9998, 9999], [5, 9999], []], ids=["last", "first", "none"])
@pytest.mark.parametrize("counts", ["some are well known", "all are well known"])
def test_the_ranker_of_more_movies_shares_what_they_do_not_change(added: list[int], counts: str) -> None:
    factors = content_factors()
    if counts == "all are well known":
        factors = replace(factors, model=replace(factors.model, min_ratings=0))
    ranker = Ranker(factors)
    more = with_movies(factors, np.union1d(factors.movies, added).astype(np.int32))
    more = with_predicted(more, np.arange(2), [["Drama"], ["Comedy"]])
    shared, rebuilt = ranker.with_factors(more), Ranker(more)
    assert (shared.item_gram is ranker.item_gram) == (counts == "some are well known" and 5 not in added)
    for name in ("row_at", "column_of", "known", "usual_rating", "_V_sum", "_items"):
        assert np.array_equal(getattr(shared, name), getattr(rebuilt, name)), name
    assert (shared._W != rebuilt._W).nnz == 0
    assert np.allclose(shared.item_gram.VtV, rebuilt.item_gram.VtV, rtol=1e-5)
    assert np.array_equal(shared.prior.C_inverse, rebuilt.prior.C_inverse)
    assert ranker.factors is factors
    assert len(ranker.row_at) == F
