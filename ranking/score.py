"""The score that ranks movies for a user: its targets, weights and standardization."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ranking.fold_in import Doubles
from ranking.ratings import Floats
from settings import ModelSettings

LIKE_HALF = 3.0  # a rating from here up to the like threshold has the target 1/2
HALF_WEIGHT_AT = 50  # ratings at which the neighbours have half of their full weight, and the ALS fold-in less
POPULARITY_FADES_AT = 25  # ratings at which popularity has half of its full weight
FULL_NOISE_AT = 10  # ratings from which a target has its full variance
NEUTRAL_RATING = 2.5  # the rating that adds nothing to the scores of a movie's neighbours
FLAT = 1e-5  # times the mean square; a smaller variance is rounding error


class Standardization(NamedTuple):
    """The standardized and weighted part s of the score is `scale` s - `shift`; float32."""

    scale: Floats
    shift: Floats


def targets(rating: Floats, model: ModelSettings) -> Floats:
    """Return y: 1 for a like, 1/2 for another rating of 3 or more, else 0."""
    liked = (rating >= model.like_threshold).astype(np.float32)
    return np.maximum(liked, np.float32(0.5) * (rating >= LIKE_HALF))


def target_noise(n: npt.NDArray[np.intp], model: ModelSettings) -> Floats:
    """Return s2 [b], the variance of a target of users with n ratings [b]: times sqrt(n / 10) below 10 ratings.

    With one variance for all n, lists would depend too little on the first ratings or too much on ten ratings.
    """
    return (model.noise * np.sqrt(np.clip(n, 1, FULL_NOISE_AT) / FULL_NOISE_AT)).astype(np.float32)


def weights(n: npt.NDArray[np.intp], model: ModelSettings) -> tuple[Doubles, Doubles]:
    """Return the weights of the MAP fold-in, the ALS fold-in and the neighbours [u, 3], and of popularity [u].

    They are 1 - w, w, b and c of the score, for users with n ratings [u].
    """
    # w = plain_weight (n / (n + 50))^plain_exponent, b = neighbour_weight n / (n + 50)
    # c = popularity_weight 25 / (n + 25)
    grown = n / (n + HALF_WEIGHT_AT)
    w, b = model.plain_weight * grown**model.plain_exponent, model.neighbour_weight * grown
    return np.stack([1 - w, w, b], axis=1), model.popularity_weight * POPULARITY_FADES_AT / (n + POPULARITY_FADES_AT)


def standardization(weight: Doubles, count: npt.NDArray[np.intp], total: Doubles, square: Doubles) -> Standardization:
    """Return scale and shift of weight * z(s), where z has mean 0 and deviation 1 over the user's unseen movies.

    Args:
        count, total, square: the number of unseen movies, and the sums of s and s^2 over them; all of one shape.
    """
    count = np.maximum(count, 1)
    mean, mean_square = total / count, square / count
    variance = mean_square - mean * mean
    # a constant part does not rank; its deviation is set to infinity
    scale = weight / np.sqrt(np.where(variance > FLAT * mean_square, variance, np.inf))
    return Standardization(scale.astype(np.float32), (scale * mean).astype(np.float32))
