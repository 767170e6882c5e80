"""The result of a training run: all that is needed to serve any user by fold-in, without data of single users."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Ints, rows_of
from settings import ModelSettings, OperatorError

FORMAT = 4
MOST_LEFT_OUT = 0.9  # largest share of the catalogue that may be excluded from the well-known movies
FEWEST_KEPT = 50


class FactorsError(OperatorError, ValueError):
    """The bytes or arrays are not the factors of a finished training run."""


@dataclass(frozen=True)
class Factors:
    """A trained model of f movies without its users; row i of every array belongs to movie `movies[i]`.

    Attributes:
        movies: MovieLens ids, ascending, int32 [f].
        V: the ranker's item factors, float32 [f, k]; zero for a movie without likes.
        m, C: mean [k] and covariance [k, k] of the ranker's user vectors over the trained users.
        Q: the rater's item factors on residuals, float32 [f, h].
        C_r: covariance of the rater's user vectors [h, h].
        mu: mean rating; movie_bias: b_i, float32 [f].
        rating_count, rating_mean: of the ratings trained on, int32 and float32 [f].
        popular: the popularity of each movie, float32 [f]; see `ranking.popularity`.
        w_start, w_movie, w: neighbour weights W as CSR, row = movie of the history, int64 [f + 1], int32, float32.
        features, B: names [c] and weights [c + 1, k] that predict V from a movie's content, see `ranking.content`;
            empty in a generation of a format before 3.
        R: covariance of the errors of B [k, k]; empty in a generation of a format before 4.
        content: the V that B predicts for the u movies without ratings, in their order, float32 [u, k].
        model: the settings of its training.
        facts: the training data (numbers of ratings and users, times), as plain JSON.
    """

    movies: Ints
    V: Floats
    m: Floats
    C: Floats
    Q: Floats
    C_r: Floats
    mu: float
    movie_bias: Floats
    rating_count: Ints
    rating_mean: Floats
    popular: Floats
    w_start: npt.NDArray[np.int64]
    w_movie: Ints
    w: Floats
    features: npt.NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))
    B: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    R: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    content: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    model: ModelSettings = field(default_factory=ModelSettings)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def V_ranked(self) -> Floats:
        """Return the factors for ranking, float32 [f, k]: V, and for movies without ratings the predicted factors.

        Fold-in uses V alone, because no user's vector was fitted to predicted factors.
        """
        if not self.has_content:
            return self.V
        V = self.V.copy()
        V[self.rating_count == 0] = self.content
        return V

    @cached_property
    def lengths(self) -> Floats:
        """Return the norm |v| of each row of `V_ranked`, float32 [f]."""
        return np.linalg.norm(self.V_ranked, axis=1)

    @property
    def has_content(self) -> bool:
        """Return whether factors can be predicted from content features."""
        return len(self.B) > 0

    @cached_property
    def well_known(self) -> npt.NDArray[np.bool_]:
        """Return which movies have enough ratings to be well known, and so are listed first, bool [f].

        In a small catalogue fewer ratings are enough: at least a tenth of the movies, and at least 50, are well known.
        """
        passing = max(FEWEST_KEPT, round((1 - MOST_LEFT_OUT) * len(self.movies)))
        left_out = len(self.movies) - passing
        reachable = int(np.partition(self.rating_count, left_out)[left_out]) if left_out >= 0 else 0
        return self.rating_count >= min(self.model.min_ratings, reachable)

    def rows(self, movies: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return the rows of the known movies among `movies`, and a mask of the known movies."""
        return rows_of(self.movies, movies)

    def check(self) -> None:
        """Raise `FactorsError` if shapes do not match or a number is not finite."""
        f, k, h = len(self.movies), self.V.shape[1], self.Q.shape[1]
        shapes = {"V": (f, k), "m": (k,), "C": (k, k), "Q": (f, h), "C_r": (h, h), "movie_bias": (f,)}
        shapes |= dict.fromkeys(("rating_count", "rating_mean", "popular"), (f,)) | {"w_start": (f + 1,)}
        if self.has_content:
            shapes |= {"B": (len(self.features) + 1, k), "content": (int((self.rating_count == 0).sum()), k)}
        if len(self.R):
            shapes["R"] = (k, k)
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise FactorsError(f"{name} has the shape {getattr(self, name).shape} instead of {shape}")
        for name in ("V", "m", "C", "Q", "C_r", "mu", "movie_bias", "rating_mean", "popular", "w", "B", "R", "content"):
            if not np.isfinite(getattr(self, name)).all():
                raise FactorsError(f"{name} holds a number that is not finite")
        if f == 0 or (np.diff(self.movies) <= 0).any():
            raise FactorsError("movies are missing or not in ascending order")
        if self.w_start[-1] != len(self.w) or len(self.w) != len(self.w_movie):
            raise FactorsError("the neighbour weights are cut short")

    def to_bytes(self) -> bytes:
        """Return the factors as a numpy archive without pickle."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("model", "facts")}
        header = {"format": FORMAT, "model": asdict(self.model), "facts": dict(self.facts)}
        out = io.BytesIO()
        np.savez(out, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Factors":
        """Return the factors that `to_bytes` wrote. Raises `FactorsError` for other data."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(arrays.pop("header").tobytes())
            if header["format"] not in range(1, FORMAT + 1):
                raise FactorsError(f"the factors have format {header['format']}; this version reads up to {FORMAT}")
            if header["format"] == 1:
                arrays, header["model"] = _with_todays_names(arrays), _model_of_format_1(header["model"])
            arrays["mu"] = float(arrays["mu"])
            # a generation that is older than a setting keeps its own equation
            model = ModelSettings(**{"plain_exponent": 1.0, **header["model"]})
            factors = cls(**arrays, model=model, facts=header["facts"])
        except FactorsError:
            raise
        except Exception as error:
            raise FactorsError("these are not the complete factors of a training run") from error
        factors.check()
        return factors


def _with_todays_names(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a stored generation under current names; the first release wrote "film" for "movie"."""
    return {name.replace("film", "movie"): value for name, value in stored.items()}


def _model_of_format_1(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that keep the equations of a generation of format 1.

    In these, old ratings weigh as much as new ones, and popularity, of all time and recent years, has the weight 1.
    """
    model = _with_todays_names(stored)
    del model["recent_share"]
    return {**model, "recency_exponent": 0.0, "popularity_weight": 1.0}


def checksum(data: bytes) -> str:
    """Return the SHA-256 of stored factors as a hex string."""
    return hashlib.sha256(data).hexdigest()
