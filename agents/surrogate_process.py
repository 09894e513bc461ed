"""A Gaussian process that says how sure it is, fits what it assumes only when told to, and learns more without a fit.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2 and 5. Of a rough
and a smooth kernel, each at its most likely, it keeps the one that predicts what is left out with the higher density
(their equation 5.10). What is assumed has log-normal priors.

Mean regret of `surrogate_search` at 50 and 100 designs, 4,096 candidates, four runs each on MobileNetV2's energy and on
the cnn's bits: .120 and .049, .351 and .056 with the denser kernel of the two; with the smooth kernel only where what
is left out is DOUBT in the logarithm denser .104 and .058, .141 and .071 (thirty, or the rough one always, are better
there and worse on the mlp). With every parameter recoded as a category, 16,384 candidates, an effect of each category
by itself with a fitted share makes MobileNetV2's .115 and .064 .055 and .024, the cnn's .432 and .259 .202 and .054; on
the ordered MobileNetV2 that is .101 and .043 in place of .079 and .044.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FITTED = 192  # trials that a fit takes: half of them the best ones
STEPS = 12  # of the search for what is most likely, at each fit
# Priors: median, and deviation of the logarithm.
RATE, PLANE, NOISE, EFFECT = (1.0, 1.5), (1.0, 2.0), (1e-3, 2.0), (0.1, 1.0)
BOUNDS = {"rate": (1e-3, 50.0), "plane": (1e-3, 1e3), "noise": (1e-6, 1.0), "effect": (1e-4, 1e2)}
DOUBT = 10.0  # by how much more dense, as a logarithm, what is left out must be for the smooth kernel to be taken
ROOM = 64  # rows that a factor has room for at first


@dataclass(frozen=True)
class Assumed:
    """What a process assumes. rates: one a parameter; scale: variance of what it explains; effect: of a category's own.

    expected: mean squared error over variance of the trials left out when this was fitted.
    """

    kind: int
    rates: Floats
    plane: float
    noise: float
    scale: float
    effect: float = EFFECT[0]
    expected: float = 1.0


class SurrogateProcess:
    """Learns numbers at places.

    group: the parameter of each place, (width,); ordered: which places lie on a line, (width,).
    """

    def __init__(self, group: NDArray[np.int64], ordered: NDArray[np.bool_]) -> None:
        from designgym.agents import _gaussian_process_kernel as algebra
        from designgym.agents import _surrogate_kernel as kernel

        self._algebra, self._kernel = algebra, kernel
        self._group, self._ordered = group, ordered
        self._groups = int(group[-1]) + 1
        self._share = 1.0 / np.bincount(group)[group]
        self.assumed = Assumed(kernel.SMOOTH, np.full(self._groups, RATE[0]), PLANE[0], NOISE[0], 1.0)
        self._starts: dict[int, Floats] = {}  # logarithms of what was most likely with each kernel
        self._upper, self._weights = np.zeros((ROOM, ROOM)), np.empty(0)
        self._places = np.empty((0, len(group)))

    @property
    def held(self) -> int:
        """How many trials it has learnt."""
        return len(self._places)

    @property
    def _rates(self) -> Floats:
        rates: Floats = self.assumed.rates[self._group] * self._share
        return rates

    # -- what it assumes -----------------------------------------------------------------------------------------------

    def fit(self, places: Floats, values: Floats) -> None:
        """Assume what makes values, (n,), at places, (n, width), most likely; forget what was learnt."""
        best, densest = self.assumed, -np.inf
        for kind in (self._kernel.ROUGH, self._kernel.SMOOTH):
            found, density = self._most_likely(kind, places, values)
            density -= DOUBT if kind == self._kernel.SMOOTH else 0.0
            if density > densest:
                best, densest = found, density
        self.assumed = best
        self._places = self._places[:0]

    def _most_likely(self, kind: int, places: Floats, values: Floats) -> tuple[Assumed, float]:
        """Return what is most likely with a kernel, and the log density of what is left out."""
        from scipy.optimize import minimize

        middle = np.log([*np.full(self._groups, RATE[0]), PLANE[0], NOISE[0], EFFECT[0]])
        spread = np.array([*np.full(self._groups, RATE[1]), PLANE[1], NOISE[1], EFFECT[1]])
        bounds = np.log([*[BOUNDS["rate"]] * self._groups, BOUNDS["plane"], BOUNDS["noise"], BOUNDS["effect"]])

        def unlikely(logs: Floats) -> tuple[float, Floats]:
            likely, slopes, _, _ = self._likelihood(kind, logs, places, values)
            away = (logs - middle) / spread
            return 0.5 * float(away @ away) - likely, away / spread - slopes

        start = self._starts.get(kind, middle)
        # `bounds` as a list of pairs: the smallest and the largest logarithm of each.
        found = minimize(unlikely, start, jac=True, method="L-BFGS-B", bounds=list(bounds), options={"maxiter": STEPS})
        logs = self._starts[kind] = np.clip(found.x, bounds[:, 0], bounds[:, 1])
        _, _, left, scale = self._likelihood(kind, logs, places, values)
        density = -0.5 * float(np.sum(np.log(left[:, 1]) + left[:, 0]))
        plane, noise, effect = (float(one) for one in np.exp(logs[-3:]))
        expected = float(left[:, 0].mean())
        return Assumed(kind, np.exp(logs[:-3]), plane, noise, float(scale), effect, expected), density

    def _likelihood(self, kind: int, logs: Floats, places: Floats, values: Floats) -> Any:
        rates = np.exp(logs[:-3])[self._group] * self._share
        plane, noise, effect = (float(one) for one in np.exp(logs[-3:]))
        arguments = self._group, self._groups, self._ordered, places, values
        return self._kernel.likelihood(kind, rates, plane, noise, effect, *arguments)

    # -- what it knows -------------------------------------------------------------------------------------------------

    def learn(self, places: Floats, values: Floats) -> None:
        """Know these trials, (n, width) and (n,), and no others; quick where the first of them were known before."""
        known = self.held
        if not (0 < known <= len(places) and np.array_equal(self._places, places[:known])):
            known = 0
        n = len(places)
        while n > len(self._upper):
            bigger = np.zeros((2 * len(self._upper),) * 2)
            bigger[: len(self._upper), : len(self._upper)] = self._upper
            self._upper = bigger
        assumed, more = self.assumed, places[known:]
        rows = np.empty((n - known + 1, n))
        rows[:-1] = self._covariances(more, places)
        rows[-1] = values
        self._weights = self._algebra.append(self._upper, rows, known, assumed.noise)
        self._places = places.copy()

    def _covariances(self, one: Floats, other: Floats) -> Floats:
        a = self.assumed
        covariances: Floats = self._kernel.covariances(
            a.kind, self._rates, a.plane, a.effect, self._ordered, one, other
        )
        return covariances

    def predict(self, places: Floats) -> "Prediction":
        """Return what is expected at places, (m, width)."""
        rows = self._covariances(places, self._places)
        mean = rows @ self._weights
        explained = self._kernel.conditioned(self._upper[: self.held, : self.held], rows)
        own = self._kernel.own_variance(self.assumed.plane, self.assumed.effect, self._ordered, places)
        variance = self.assumed.scale * np.maximum(own - explained, 1e-9)
        return Prediction(self, places, rows, mean, variance)

    def glance(self, places: Floats, levels: Any) -> tuple[Floats, Floats]:
        """Return the mean at many places, nearly, and the variance that the nearest trial alone leaves, (m,) each.

        levels: of `levels_of` these places.
        """
        a, (level, firsts, counts) = self.assumed, levels
        tables, begins = self._kernel.tables_of(a.kind, self._rates, self._places, firsts, counts)
        weights = np.zeros(tables.shape[1], np.float32)
        weights[: self.held] = self._weights
        mean, nearest = self._kernel.first_look(level, tables, begins, weights)
        centred = np.where(self._ordered, places - 0.5, 0.0)
        slopes = self._weights @ np.where(self._ordered, self._places - 0.5, 0.0)
        mean += a.plane * (self._weights.sum() + centred @ slopes)
        for f in np.flatnonzero(~self._ordered):
            same = firsts[f, : counts[f], None] == self._places[:, f]
            mean += a.effect * (same @ self._weights)[level[f]]
        return mean, a.scale * np.maximum(1.0 - nearest**2 / (1.0 + a.noise), 1e-9)


@dataclass
class Prediction:
    """What a process expects at places, (m, width). rows: what their covariances with trials come to, (m, n)."""

    process: SurrogateProcess
    places: Floats
    rows: Floats
    mean: Floats
    variance: Floats

    def __post_init__(self) -> None:
        self._taken: list[tuple[int, Floats]] = []
        assumed = self.process.assumed
        self._noise = assumed.scale * assumed.noise

    @property
    def noise(self) -> float:
        """Variance of what the process does not explain."""
        return self._noise

    def take(self, row: int) -> None:
        """Lessen the variance of all as if this one had been tried, and had come to what is expected of it."""
        scale = self.process.assumed.scale
        alike = self.process._covariances(self.places[row : row + 1], self.places)[0] - self.rows @ self.rows[row]
        alike = scale * alike
        for _, known in self._taken:
            alike = alike - known[row] * known
        alike = alike / np.sqrt(max(self.variance[row], 1e-12) + self._noise)
        self._taken.append((row, alike))
        self.variance = np.maximum(self.variance - alike**2, 1e-12 * scale)
