"""Movies that are liked by the same people as a given one."""

import numpy as np
import numpy.typing as npt

from ranking.factors import Factors
from ranking.ratings import Floats, Mask
from ranking.top_n import top_n


def similar(factors: Factors, row: int, n: int, among: Mask | None = None) -> tuple[npt.NDArray[np.intp], Floats]:
    """The n movies whose factors point most nearly where those of the movie at `row` do, and the cosines, best first.

    Little known movies come after all others. Nothing is similar to a movie that nobody likes.
    """
    lengths = factors.lengths
    if lengths[row] == 0:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    cosine = factors.V @ factors.V[row] / np.maximum(lengths * lengths[row], np.finfo(np.float32).tiny)
    best = top_n(cosine, n, np.array([row]), factors.well_known, among)
    return best, cosine[best]
