"""Lists for groups against slow twins: of each member alone, and of every place computed anew."""

import math

import numpy as np
import pytest
from random_model import F, histories_of, random_factors, twin_of

from ranking.groups import FoldedInGroupRanking, PopularGroupRanking, fair_list, group_ranking
from ranking.ranker import Ranker
from ranking.rankings import ranking_for
from ranking.rating_histories import Histories

EVERY = np.ones(F, bool)
LENGTHS = [3, 0, 30, 9]  # the second has no ratings


def group(seed: int) -> tuple[FoldedInGroupRanking, Ranker, Histories]:
    factors = random_factors(seed)
    histories = histories_of(factors, LENGTHS, seed)
    ranker = Ranker(factors)
    ranking = group_ranking(ranker, histories)
    assert isinstance(ranking, FoldedInGroupRanking)
    return ranking, ranker, histories


@pytest.mark.parametrize("seed", range(3))
def test_the_average_is_that_of_the_members_standardized_scores_over_what_nobody_has_seen(seed: int) -> None:
    ranking, ranker, histories = group(seed)
    f = ranker.factors
    seen = set(np.searchsorted(f.movies, histories.movies).tolist())
    unseen = sorted(set(range(F)) - seen)
    scores = np.stack([twin_of(f, histories, i).score() for i in range(len(LENGTHS))])
    z = (scores - scores[:, unseen].mean(axis=1, keepdims=True)) / scores[:, unseen].std(axis=1, keepdims=True)
    mean = z.mean(axis=0)
    expected = sorted(unseen, key=lambda row: (not f.well_known[row], -mean[row]))
    rows = ranking.best(F, "average", EVERY)
    assert np.allclose(ranking.z, z, atol=1e-3)
    assert np.allclose(mean[rows], mean[expected], atol=1e-3)
    assert np.allclose(ranking.scores(rows), mean[rows], atol=1e-3)
    assert sorted(rows) == unseen
    by_score = sorted(unseen, key=lambda row: -mean[row])
    assert np.allclose(mean[ranking.best(F, "average", EVERY, known_first=False)], mean[by_score], atol=1e-3)
    some = np.arange(F) % 2 == 0
    assert ranking.best(7, "average", some).tolist() == [row for row in rows if row % 2 == 0][:7]


def test_each_place_of_a_fair_list_adds_most_to_the_sum_of_logarithms() -> None:
    rng = np.random.default_rng(1)
    z, preferred, among, seen = rng.normal(size=(3, 20)), np.arange(20) % 3 > 0, np.arange(20) != 7, [0, 4]
    listed: list[int] = []
    while len(listed) < 17:
        left = [row for row in range(20) if row not in [*seen, 7, *listed]]
        first = [row for row in left if preferred[row]] or left

        def total(row: int) -> float:
            return sum(math.log(sum(max(z[u, at], 1e-3) for at in [*listed, row])) for u in range(3))

        listed.append(max(first, key=total))
    for n in (1, 10, 17, 30):
        assert fair_list(z, n, np.array(seen), preferred, among).tolist() == listed[:n]


def test_a_fair_list_serves_two_opposites_in_turns() -> None:
    z = np.array([[3.0, 2.9, 2.8, 0, 0, 0], [0, 0, 0, 2.0, 1.9, 1.8]])
    listed = fair_list(z, 4, np.empty(0, np.intp), np.ones(6, bool), np.ones(6, bool))
    assert sorted(listed) == [0, 1, 3, 4]


@pytest.mark.parametrize("seed", range(3))
def test_each_member_is_told_what_they_would_be_told_alone(seed: int) -> None:
    ranking, ranker, histories = group(seed)
    rows = ranking.best(10, "fair", EVERY)
    assert ranking.expected(rows).shape == (len(LENGTHS), 10)
    for member in range(len(LENGTHS)):
        mine = slice(*histories.start[member : member + 2])
        alone = ranking_for(ranker, histories.movies[mine], histories.rating[mine], histories.at[mine])
        assert np.allclose(ranking.expected(rows)[member], alone.expected(rows), atol=1e-4)
        for reason, reasons in zip(ranking.reasons(member, rows), alone.reasons(rows), strict=True):
            assert (reason and reason[0]) == (reasons[0][0] if reasons else None)
            assert reason is None or reason[1] == pytest.approx(reasons[0][1], abs=1e-3)


def test_a_group_of_whom_nothing_is_known_gets_the_popular_movies() -> None:
    factors = random_factors()
    ranking = group_ranking(Ranker(factors), histories_of(factors, [0, 0, 0]))
    assert isinstance(ranking, PopularGroupRanking)
    rows = ranking.best(5, "fair", EVERY)
    alone = ranking_for(Ranker(factors), *[np.empty(0, kind) for kind in (np.int32, np.float32, np.int64)])  # type: ignore[arg-type]
    assert rows.tolist() == alone.best(5).tolist()
    assert ranking.expected(rows).tolist() == [alone.expected(rows).tolist()] * 3
    assert ranking.reasons(2, rows) == [None] * 5
