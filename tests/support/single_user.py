"""The slow twin of the batch: one user's vectors, scores, list and reasons, by plain dense linear algebra in double."""

from dataclasses import dataclass

import numpy as np

from ranking.factors import Factors


@dataclass(frozen=True)
class SingleUser:
    """A user who rated the movies at `rows` [n] with `rating` [n] at these times [n]."""

    factors: Factors
    rows: np.ndarray
    rating: np.ndarray
    at: np.ndarray

    @property
    def n(self) -> int:
        return len(self.rows)

    def x_m(self, y: np.ndarray | None = None) -> np.ndarray:
        f = self.factors
        if y is None:
            y = np.where(self.rating >= f.model.like_threshold, 1.0, np.where(self.rating >= 3, 0.5, 0.0))
        V_s, C, m = f.V[self.rows].astype(float), f.C.astype(float), f.m.astype(float)
        noise = f.model.noise * min(1.0, (self.n / 10) ** 0.5)
        return m + C @ V_s.T @ np.linalg.inv(V_s @ C @ V_s.T + noise * np.eye(self.n)) @ (y - V_s @ m)

    def x_p(self) -> np.ndarray:
        f, V = self.factors, self.factors.V.astype(float)
        V_p = V[self.rows[self.rating >= f.model.like_threshold]]
        if len(V_p) == 0:
            return np.zeros(V.shape[1])
        A = V.T @ V + f.model.ranker_alpha * V_p.T @ V_p + f.model.ranker_reg * len(V_p) * np.eye(V.shape[1])
        return np.linalg.pinv(A) @ ((1 + f.model.ranker_alpha) * V_p.sum(axis=0))

    def W(self) -> np.ndarray:
        f = self.factors
        W = np.zeros((len(f.movies), len(f.movies)))
        for i in range(len(f.movies)):
            for at in range(f.w_start[i], f.w_start[i + 1]):
                W[i, f.w_movie[at]] += f.w[at]
        return W

    def recency(self) -> np.ndarray:
        newer = np.array([sum(other > at for other in self.at) for at in self.at])
        return (1.0 + newer) ** -self.factors.model.recency_exponent

    def g(self, weight: np.ndarray | float = 1.0) -> np.ndarray:
        return (weight * (self.rating - 2.5)) @ self.W()[self.rows]

    def scored(self, s: np.ndarray) -> tuple[float, float]:
        """Mean and deviation of s over the unseen movies; the deviation is infinite where s is flat."""
        unseen = np.delete(s, self.rows)
        flat = len(unseen) == 0 or unseen.var() <= 1e-5 * (unseen**2).mean()
        return (unseen.mean() if len(unseen) else 0.0), np.inf if flat else unseen.std()

    def parts(self) -> list[tuple[float, np.ndarray]]:
        f, n = self.factors, self.n
        grown, V = n / (n + 50), f.V.astype(float)
        w, b = f.model.plain_weight * grown**f.model.plain_exponent, f.model.neighbour_weight * grown
        return [(1 - w, V @ self.x_m()), (w, V @ self.x_p()), (b, self.g(self.recency()))]

    def score(self) -> np.ndarray:
        if self.n == 0:
            return self.factors.popular.astype(float)
        total = self.factors.model.popularity_weight * 25 / (self.n + 25) * self.factors.popular.astype(float)
        for weight, s in self.parts():
            mean, deviation = self.scored(s)
            total = total + weight * (s - mean) / deviation
        return total

    def list(self, n: int) -> np.ndarray:
        """The rows of the n best unseen movies, well-known ones first."""
        score, known = self.score(), self.factors.well_known
        unseen = set(range(len(score))) - set(self.rows.tolist())
        return np.array(sorted(unseen, key=lambda row: (not known[row], -score[row], row))[:n], int)

    def expected(self) -> np.ndarray:
        """The expected rating of every movie."""
        f, n = self.factors, self.n
        residual = self.rating - f.mu - f.movie_bias[self.rows].astype(float)
        b_u = residual.sum() / (n + 10)
        Q_s, C = f.Q[self.rows].astype(float), f.C_r.astype(float)
        p = C @ Q_s.T @ np.linalg.inv(Q_s @ C @ Q_s.T + 0.3 * np.eye(n)) @ (residual - b_u)
        g = self.g() - 0.3 * n / (n + 20) if len(f.w) else 0.0
        return np.clip(f.mu + b_u + f.movie_bias + 0.75 * f.Q @ p + 0.4 * g, 0.5, 5)
