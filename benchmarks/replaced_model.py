"""Evaluate the model that Matinee replaced: explicit ALS of rank 8, ranked by predicted rating.

    python benchmarks/replaced_model.py FOLDER [--seed 1]

Prints the RMSE on a random tenth of the ratings, and the NDCG@10 of lists for held-out users by the number of given
ratings.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np
import numpy.typing as npt
from scipy import sparse

from evaluation.held_out_result import GIVEN_N
from evaluation.offline_metrics import RELEVANT, hits, ndcg, rmse, sizes
from evaluation.splits import random_split, sort_by_user_and_time, split_held_out
from movielens.reader import read_dataset
from ranking.batch_lists import ratings_by_user
from ranking.ratings import Floats, Ints, Ratings
from ranking.top_n import top_n

RANK, REG, ITERATIONS = 8, 0.1, 10


def als_predictions(train: Ratings, test: Ratings, seed: int) -> Floats:
    """Return the predictions for `test` of explicit ALS of rank 8 with lambda .1, computed as in Spark.

    The prediction is 0 for a user or movie that `train` lacks, for which Spark returns nan.
    """
    users, movies = _numbered(train.user, test.user), _numbered(train.movie, test.movie)
    P, Q = explicit_als(users[0], movies[0], train.rating, (users[2], movies[2]), seed)
    predicted: Floats = np.einsum("nk,nk->n", P[users[1]], Q[movies[1]])
    return predicted


def explicit_als(
    user: npt.NDArray[np.intp], movie: npt.NDArray[np.intp], rating: Floats, shape: tuple[int, int], seed: int
) -> tuple[Floats, Floats]:
    """Return user factors P [u, 8] and movie factors Q [f, 8] by alternating least squares.

    Zhou et al., "Large-scale Parallel Collaborative Filtering for the Netflix Prize" (2008): lambda is multiplied by
    the number of ratings, as in Spark.
    """
    R = sparse.csr_matrix((rating, (user, movie)), shape)
    start = np.random.default_rng(seed).normal(size=(shape[0], RANK))
    P = start / np.linalg.norm(start, axis=1, keepdims=True)
    for _ in range(ITERATIONS):
        Q = half_step(R.T.tocsr(), P)
        P = half_step(R, Q)
    return P.astype(np.float32), Q.astype(np.float32)


def half_step(R: sparse.csr_matrix, Q: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the least-squares vector for each row of R [u, f], given the vectors Q [f, k]; zeros for an empty row."""
    k = Q.shape[1]
    pattern = sparse.csr_matrix((np.ones(len(R.data)), R.indices, R.indptr), R.shape)
    count = np.diff(R.indptr)
    # p = (Q_s'Q_s + lambda n I)^-1 Q_s' r
    A = (pattern @ np.einsum("fi,fj->fij", Q, Q).reshape(-1, k * k)).reshape(-1, k, k)
    A += (REG * np.maximum(count, 1))[:, None, None] * np.eye(k)
    solved: npt.NDArray[np.float64] = np.linalg.solve(A, (R @ Q)[:, :, None])[:, :, 0]
    return solved


def _numbered(
    train: npt.NDArray[np.int32], test: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], int]:
    """Return the ids of both as numbers from 0, and the number of distinct ids."""
    ids, number = np.unique(np.concatenate([train, test]), return_inverse=True)
    return number[: len(train)], number[len(train) :], len(ids)


def ndcg_by_given(ratings: Ratings, seed: int) -> dict[int, float]:
    """Return the NDCG@10 of held-out users by the number of given first ratings, tested on the next 50."""
    train, held_out = split_held_out(ratings)
    movies, movie = np.unique(train.movie, return_inverse=True)
    users, user = np.unique(train.user, return_inverse=True)
    _, Q = explicit_als(user, movie, train.rating, (len(users), len(movies)), seed)
    ordered = sort_by_user_and_time(held_out.take(np.isin(held_out.movie, movies)))
    histories = ratings_by_user(ordered, np.unique(ordered.user))
    return {n: _mean_ndcg(movies, Q, [part for part in histories if len(part) > n], n) for n in GIVEN_N}


def _mean_ndcg(movies: Ints, Q: Floats, histories: list[Ratings], n: int) -> float:
    tested = [part.take(np.arange(n, min(n + 50, len(part)))) for part in histories]
    lists = [_listed(movies, Q, part.take(np.arange(n))) for part in histories]
    relevant = [part.movie[part.rating >= RELEVANT] for part in tested]
    return float(np.nanmean(ndcg(hits(np.stack(lists), relevant), sizes(relevant))))


def _listed(movies: Ints, Q: Floats, given: Ratings) -> Ints:
    """Return the ten unseen movies with the highest predicted ratings by fold-in."""
    rows = np.searchsorted(movies, given.movie)
    p = half_step(sparse.csr_matrix((given.rating, rows, [0, len(rows)]), (1, len(movies))), Q)[0]
    return movies[top_n((Q @ p).astype(np.float32), 10, rows, np.ones(len(movies), bool))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder that holds a MovieLens set")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    ratings, _ = read_dataset(args.folder)
    train, test = (ratings.take(part) for part in random_split(len(ratings), args.seed))
    test = test.take(np.isin(test.user, train.user) & np.isin(test.movie, train.movie))
    print(f"RMSE {rmse(als_predictions(train, test, args.seed), test.rating):.4f}")
    for n, value in ndcg_by_given(ratings, args.seed).items():
        print(f"NDCG@10 after {n} ratings {value:.4f}")


if __name__ == "__main__":
    main()
