"""Thompson sampling among movies with few ratings, against the normal distribution and an obvious twin."""

from math import erf, sqrt

import numpy as np
import pytest
from random_model import K, random_factors

from ranking.exploration import drawn_movies, generator_for, mixed
from ranking.ranker import Ranker
from ranking.rankings import ranking_for

DRAWS, TOLERANCE = 1000, 4  # standard deviations of a binomial
NOBODY, NO_R = np.zeros((K, K), np.float32), np.empty((0, 0), np.float32)
R = np.diag(np.linspace(0.5, 2, K)).astype(np.float32)


@pytest.mark.parametrize("n", [0, 7])
@pytest.mark.parametrize("known", ["the movies", "the user"])
def test_a_movie_comes_first_as_often_as_it_is_the_best(n: int, known: str) -> None:
    # of two movies either their factors are certain and the user's vector is not, or the other way round
    changed = {"R": NO_R} if known == "the movies" else {"R": R, "C": NOBODY + 1e-9 * np.eye(K, dtype=np.float32)}
    f = random_factors(**changed)
    a, b = np.flatnonzero(~f.well_known)[[4, 9]]
    f.rating_count[a] = 0
    rating = np.array([5, 1, 4, 3, 5, 2, 1], np.float32)[:n]
    ranking = ranking_for(Ranker(f), f.movies[1 : 1 + n], rating, np.arange(n))
    V_s, y = f.V[1 : 1 + n].astype(float), np.array([1, 0, 1, 0.5, 1, 0, 0])[:n]
    VC = V_s @ f.C
    gain = np.linalg.solve(VC @ V_s.T + f.model.noise * min(1, (n / 10) ** 0.5) * np.eye(n), VC).T
    mean, covariance = f.m + gain @ (y - V_s @ f.m), f.C - gain @ VC
    apart = f.V[a].astype(float) - f.V[b]
    variance = apart @ covariance @ apart if known == "the movies" else (1 + 5 / 7) * (mean @ R @ mean)
    wanted = (1 + erf(apart @ mean / sqrt(2 * variance))) / 2
    among = np.isin(np.arange(len(f.movies)), [a, b])
    drawn = [drawn_movies(Ranker(f), ranking, among, 2, generator_for(f"{n} {seed}")) for seed in range(DRAWS)]
    assert {tuple(sorted(rows)) for rows in drawn} == {(min(a, b), max(a, b))}
    first = np.mean([rows[0] == a for rows in drawn])
    assert 0.02 < wanted < 0.98
    assert abs(first - wanted) < TOLERANCE * sqrt(wanted * (1 - wanted) / DRAWS)


def test_only_movies_with_few_ratings_that_the_user_has_not_rated_are_drawn() -> None:
    f = random_factors()
    few = np.flatnonzero(~f.well_known)
    ranking = ranking_for(Ranker(f), f.movies[few[:3]], np.array([5, 4, 1], np.float32), np.arange(3))
    whole = drawn_movies(Ranker(f), ranking, None, len(few), generator_for("1"))
    assert sorted(whole) == few[3:].tolist()
    among = np.arange(len(f.movies)) % 2 == 0
    some = drawn_movies(Ranker(f), ranking, among, len(few), generator_for("1"))
    assert some.tolist() == [row for row in whole if among[row]]
    assert drawn_movies(Ranker(f), ranking, None, 5, generator_for("1")).tolist() == whole[:5].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_mixed_list_has_each_kind_in_its_places_and_no_movie_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    listed, drawn = rng.permutation(12)[:8], rng.permutation(12)[:5]
    places = rng.random(15) < 0.4
    rows, explored = mixed(listed, drawn, places)
    assert sorted(rows) == sorted({*listed, *drawn})
    for at, row in enumerate(rows):
        left = {kind: [one for one in order if one not in rows[:at]] for kind, order in ((0, listed), (1, drawn))}
        kind = places[at] if left[places[at]] else not places[at]
        assert (row, explored[at]) == (left[kind][0], kind)
    for n in range(15):
        assert mixed(listed, drawn, places[:n])[0].tolist() == rows[:n].tolist()
