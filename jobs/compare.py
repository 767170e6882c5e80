"""Before a training learns new views, what the live generation would have said of them is written down beside them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scoring.foretell import foretell
from scoring.score import history
from storage import foretold
from storage.database import Database
from storage.foretold import Comparison
from storage.snapshot import Snapshot
from viewer import Live

MOST_COMPARED = 2000  # in one run: some seconds of work, and enough to tell an RMSE to .02


def compare_new_views(database: Database, taken: Snapshot, live: Live | None, report: Callable[[float], None]) -> None:
    """Compare the views since the last comparison, or 2,000 drawn from them, with what `live` says of each.

    `live` has learned from none of them, because each training is preceded by this. Without a live generation they
    are only passed by: the first one will have learned from them.
    """
    users = np.flatnonzero(taken.versions > taken.foretold)
    if len(users) == 0:
        return
    found = []
    if live is not None:
        drawn = new_views(taken)
        for done, place in enumerate(drawn):
            found += _compared(taken, int(place), live)
            report(done / len(drawn))
    with database.unhurried() as db:
        foretold.add(db, found, taken.users[users], taken.versions[users])


def new_views(taken: Snapshot) -> npt.NDArray[np.intp]:
    """Where in the snapshot the views are that can be compared: new, and the user's first of that film.

    Of a film that a user had rated before, the live generation may have learned what they thought.
    """
    owner = np.searchsorted(taken.users, taken.views.user)
    fresh = np.flatnonzero((taken.view_versions > taken.foretold[owner]) & (taken.again == 0))
    if len(fresh) > MOST_COMPARED:
        fresh = np.sort(np.random.default_rng(0).choice(fresh, MOST_COMPARED, replace=False))
    return fresh


def _compared(taken: Snapshot, place: int, live: Live) -> list[Comparison]:
    """One view beside what its user was to expect after the history before it; nothing for a film `live` lacks."""
    views, user, version = taken.views, taken.views.user[place], taken.view_versions[place]
    row, known = live.factors.rows(views.film[[place]])
    if not known[0]:
        return []
    begin, end = np.searchsorted(views.user, [user, user + 1])
    earlier = begin + np.flatnonzero(taken.view_versions[begin:end] < version)
    said = foretell(live.factors, history(live.factors, views.film[earlier], views.rating[earlier]), int(row[0]))
    film, rating = int(views.film[place]), float(views.rating[place])
    return [Comparison(int(user), int(version), film, live.id, rating, said.expected_rating, said.rank)]
