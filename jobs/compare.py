"""Before a training learns new views, what the live generation would have said of them is written down beside them."""

import logging
from collections.abc import Iterator

import numpy as np

from recommender import Live
from scoring.foretell import foretell
from scoring.score import history
from storage import foretold
from storage.database import Database
from storage.foretold import Comparison
from storage.snapshot import Snapshot

log = logging.getLogger(__name__)


def compare_new_views(database: Database, taken: Snapshot, live: Live | None) -> None:
    """Compare every view that is newer than the last comparison with what `live` says of it.

    `live` has learned from none of them, because each training is preceded by this. Without a live generation they
    are only passed by: the first one will have learned from them.
    """
    news = np.flatnonzero(taken.versions > taken.foretold)
    if len(news) == 0:
        return
    found = [row for at in news for row in _of_user(taken, int(at), live)] if live else []
    with database.transaction() as db:
        foretold.add(db, found, taken.users[news], taken.versions[news])
    if live:
        log.info("%d new views compared with what generation %d foretold", len(found), live.id)


def _of_user(taken: Snapshot, at: int, live: Live) -> Iterator[Comparison]:
    """The comparisons of one user's new views, each with the history that went before it."""
    user, views = taken.users[at], taken.views
    begin, end = np.searchsorted(views.user, [user, user + 1])
    versions = taken.view_versions[begin:end]
    for place in begin + np.flatnonzero(versions > taken.foretold[at]):
        version = taken.view_versions[place]
        earlier = begin + np.flatnonzero(versions < version)
        row, known = live.factors.rows(views.film[[place]])
        if known[0]:
            before = history(live.factors, views.film[earlier], views.rating[earlier])
            said = foretell(live.factors, before, int(row[0]))
            film, rating = int(views.film[place]), float(views.rating[place])
            yield Comparison(int(user), int(version), film, live.id, rating, said.expected_rating, said.rank)
