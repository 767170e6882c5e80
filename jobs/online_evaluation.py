"""Online evaluation: store the live generation's predictions for new ratings before a training run uses them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from catalogue.live_generation import LiveGeneration
from ranking.rankings import Ranking, ranking_for
from ranking.ratings import Mask
from storage import predictions
from storage.database import Database
from storage.predictions import PredictionRow
from storage.snapshot import Snapshot

MAX_EVALUATED = 2000  # ratings in one run: seconds of work, and enough to measure RMSE to .02


def evaluate_new_ratings(
    database: Database, user_snapshot: Snapshot, live: LiveGeneration | None, report: Callable[[float], None]
) -> None:
    """Compare the ratings since the last comparison, or a sample of 2,000, with the predictions of `live`.

    Every training run begins with this, so `live` was trained on none of them. Without a live generation they are
    skipped, because the first one will be trained on them.
    """
    users = np.flatnonzero(user_snapshot.versions > user_snapshot.evaluated_versions)
    if len(users) == 0:
        return
    rows = []
    if live is not None:
        drawn = new_ratings(user_snapshot)
        for done, place in enumerate(drawn):
            rows += _evaluated(user_snapshot, int(place), live)
            report(done / len(drawn))
    with database.background_transaction() as db:
        predictions.add(db, rows, user_snapshot.users[users], user_snapshot.versions[users])


def new_ratings(user_snapshot: Snapshot) -> npt.NDArray[np.intp]:
    """Return the rows of the snapshot that can be compared: new ratings that are the user's first of the movie.

    The live generation may have been trained on an earlier rating of the same movie.
    """
    owner = np.searchsorted(user_snapshot.users, user_snapshot.views.user)
    fresh = np.flatnonzero(
        (user_snapshot.view_versions > user_snapshot.evaluated_versions[owner]) & (user_snapshot.again == 0)
    )
    if len(fresh) > MAX_EVALUATED:
        fresh = np.sort(np.random.default_rng(0).choice(fresh, MAX_EVALUATED, replace=False))
    return fresh


def _evaluated(user_snapshot: Snapshot, place: int, live: LiveGeneration) -> list[PredictionRow]:
    """Return a rating with its prediction from the earlier history; empty for a movie that `live` lacks."""
    views, user, version = user_snapshot.views, user_snapshot.views.user[place], user_snapshot.view_versions[place]
    row, known = live.factors.rows(views.movie[[place]])
    if not known[0]:
        return []
    begin, end = np.searchsorted(views.user, [user, user + 1])
    earlier = begin + np.flatnonzero(user_snapshot.view_versions[begin:end] < version)
    before = ranking_for(live.ranker, views.movie[earlier], views.rating[earlier], views.at[earlier])
    expected, rank = predict_rating_and_rank(before, live.factors.well_known, int(row[0]))
    movie, rating = int(views.movie[place]), float(views.rating[place])
    return [PredictionRow(int(user), int(version), movie, live.id, rating, expected, rank)]


def predict_rating_and_rank(ranking: Ranking, well_known: Mask, row: int) -> tuple[float, int]:
    """Return the expected rating of the movie at `row`, and its rank from 1 among all unseen movies.

    The ranking is for a user who has not rated the movie; `well_known` covers all movies.
    """
    s = ranking.scores(np.arange(len(well_known)))
    # a list has well-known movies first, and then sorts by score
    ahead = (well_known & ~well_known[row]) | ((well_known == well_known[row]) & (s > s[row]))
    ahead[ranking.seen] = False
    return float(ranking.expected(np.array([row]))[0]), int(ahead.sum()) + 1
