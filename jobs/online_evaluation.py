"""Online evaluation: store what the live generation predicts for new ratings before a training run learns from them."""

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

MAX_EVALUATED = 2000  # in one run: some seconds of work, and enough to tell an RMSE to .02


def evaluate_new_ratings(
    database: Database, user_snapshot: Snapshot, live: LiveGeneration | None, report: Callable[[float], None]
) -> None:
    """Compare the ratings since the last comparison, or 2,000 drawn from them, with the predictions of `live`.

    `live` has learned from none of them, because every training run begins with this. Without a live generation they
    are skipped, since the first one learns from them.
    """
    users = np.flatnonzero(user_snapshot.versions > user_snapshot.evaluated_versions)
    if len(users) == 0:
        return
    found = []
    if live is not None:
        drawn = new_ratings(user_snapshot)
        for done, place in enumerate(drawn):
            found += _evaluated(user_snapshot, int(place), live)
            report(done / len(drawn))
    with database.background_transaction() as db:
        predictions.add(db, found, user_snapshot.users[users], user_snapshot.versions[users])


def new_ratings(user_snapshot: Snapshot) -> npt.NDArray[np.intp]:
    """Return the rows of the snapshot that can be compared: new ratings that are the user's first of that movie.

    The live generation may have learned from an earlier rating of the same movie.
    """
    owner = np.searchsorted(user_snapshot.users, user_snapshot.views.user)
    fresh = np.flatnonzero(
        (user_snapshot.view_versions > user_snapshot.evaluated_versions[owner]) & (user_snapshot.again == 0)
    )
    if len(fresh) > MAX_EVALUATED:
        fresh = np.sort(np.random.default_rng(0).choice(fresh, MAX_EVALUATED, replace=False))
    return fresh


def _evaluated(user_snapshot: Snapshot, place: int, live: LiveGeneration) -> list[PredictionRow]:
    """Return a rating with its prediction from the history before it; nothing for a movie that `live` lacks."""
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
    """Return the rating that a user would be shown, and the rank from 1 of the movie at `row` among all unseen ones.

    The ranking is that of a user who has not rated it; `well_known` is of all movies.
    """
    s = ranking.scores(np.arange(len(well_known)))
    # the order of a list: well-known movies first, then by score
    ahead = (well_known & ~well_known[row]) | ((well_known == well_known[row]) & (s > s[row]))
    ahead[ranking.seen] = False
    return float(ranking.expected(np.array([row]))[0]), int(ahead.sum()) + 1
