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

An effect of a label wherever it stands, as where each layer takes one of the same formats: mlp and cnn (bits where
accuracy is bounded; bits times exp(accuracy lost / .02)) as six categories of the same seven labels, which mean the
same in each, or for 30 or 60 % of them not; eleven problems, ten runs each, at 50, 100, 200 and 300 designs: .144,
.078, .053 and .046, without .172, .083, .058 and .056 (differences [-.049, -.008], [-.018, .009], [-.013, .003] and
[-.018, -.004]); `local_search` .280, .181, .116 and .086. Where parameters have the same labels by accident, the ten
problems of `surrogate_promises`, it is .271, .163, .113 and .085 in place of .265, .155, .097 and .066, at 300 more by
.019 [.001, .038]; with a prior of a tenth in place of a hundredth by .031 [.012, .050]. If labels count wherever they
stand only where that makes what is left out denser, all gain at 300 is lost.

Of labels alone, priors of their own, and no smooth kernel: on the problems of `surrogate_targets`, .121, .070, .049,
.033 and .022 at 50, 100, 150, 200 and 300 designs in place of .135, .084, .053, .039 and .024 (differences
[-.030, .000], [-.026, -.002], [-.014, .007], [-.015, .001] and [-.007, .003]). After a search of 50 or 100 designs the
smooth kernel was sure of what it did not know: on 32 recodings with as many labels minus the logarithm of the density
of neighbours of the best is 7.3 and 6.2; with the rough one alone 1.6 and 1.5, with these priors too 1.6 and 1.4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FITTED = 192  # trials that a fit takes: half of them the best ones
STEPS = 12  # of the search for what is most likely, at each fit
# Priors: median, and deviation of the logarithm.
RATE, PLANE, NOISE, EFFECT, SHARED = (1.0, 1.5), (1.0, 2.0), (1e-3, 2.0), (0.1, 1.0), (0.01, 2.0)
RATE_OF_LABELS, NOISE_OF_LABELS = (0.4, 1.0), (1e-2, 1.0)  # where no place lies on a line
BOUNDS = {"rate": (1e-3, 50.0), "plane": (1e-3, 1e3), "noise": (1e-6, 1.0), "effect": (1e-4, 1e2)}
DOUBT = 10.0  # by how much more dense, as a logarithm, what is left out must be for the smooth kernel to be taken
ROOM = 64  # rows that a factor has room for at first


@dataclass(frozen=True)
class Assumed:
    """What a process assumes. rates: one a parameter; scale: variance of what it explains.

    effect: of a category's own; shared: of a label's wherever it stands.
    expected: mean squared error over variance of the trials left out when this was fitted.
    """

    kind: int
    rates: Floats
    plane: float
    noise: float
    scale: float
    effect: float = EFFECT[0]
    shared: float = 0.0
    expected: float = 1.0


class SurrogateProcess:
    """Learns numbers at places.

    group: the parameter of each place, (width,); ordered: which places lie on a line, (width,). labels: how many
    different ones the other places have, if some are of several parameters, and 0 if none is.
    """

    def __init__(self, group: NDArray[np.int64], ordered: NDArray[np.bool_], labels: int = 0) -> None:
        from designgym.agents import _gaussian_process_kernel as algebra
        from designgym.agents import _surrogate_kernel as kernel

        self._algebra, self._kernel = algebra, kernel
        self._group, self._ordered, self._labels = group, ordered, labels
        self._groups = int(group[-1]) + 1
        self._share = 1.0 / np.bincount(group)[group]
        # Of labels alone both kernels are the same: any two are as far apart as any others.
        lines = bool(ordered.any())
        self._kinds = (kernel.ROUGH, kernel.SMOOTH) if lines else (kernel.ROUGH,)
        rate, noise = (RATE, NOISE) if lines else (RATE_OF_LABELS, NOISE_OF_LABELS)
        self._priors = [*[rate] * self._groups, PLANE, noise, EFFECT, SHARED]
        self.assumed = Assumed(self._kinds[-1], np.full(self._groups, rate[0]), PLANE[0], noise[0], 1.0)
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
        for kind in self._kinds:
            found, density = self._most_likely(kind, places, values)
            density -= DOUBT if kind == self._kernel.SMOOTH else 0.0
            if density > densest:
                best, densest = found, density
        self.assumed = best
        self._places = self._places[:0]

    def _most_likely(self, kind: int, places: Floats, values: Floats) -> tuple[Assumed, float]:
        """Return what is most likely with a kernel, and the log density of what is left out."""
        from scipy.optimize import minimize

        common = self._common(places, places)
        middle = np.log([median for median, _ in self._priors])
        spread = np.array([deviation for _, deviation in self._priors])
        wide = [*["rate"] * self._groups, "plane", "noise", "effect", "effect"]
        bounds = np.log([BOUNDS[name] for name in wide])

        def unlikely(logs: Floats) -> tuple[float, Floats]:
            likely, slopes, _, _ = self._likelihood(kind, logs, places, common, values)
            away = (logs - middle) / spread
            return 0.5 * float(away @ away) - likely, away / spread - slopes

        def likeliest(start: Floats) -> Any:
            # `bounds` as a list of pairs: the smallest and the largest logarithm of each.
            return minimize(
                unlikely, start, jac=True, method="L-BFGS-B", bounds=list(bounds), options={"maxiter": STEPS}
            )

        # Effects of categories and of labels wherever they stand explain much alike: what is found hangs on the start.
        starts = [self._starts.get(kind, middle)]
        if self._labels:
            starts.append(np.append(starts[0][:-2], [middle[-2], 0.0]))
        found = min((likeliest(start) for start in starts), key=lambda one: float(one.fun))
        logs = self._starts[kind] = np.clip(found.x, bounds[:, 0], bounds[:, 1])
        _, _, left, scale = self._likelihood(kind, logs, places, common, values)
        density = -0.5 * float(np.sum(np.log(left[:, 1]) + left[:, 0]))
        plane, noise, effect, shared = (float(one) for one in np.exp(logs[-4:]))
        law = plane, noise, float(scale), effect, shared if self._labels else 0.0
        return Assumed(kind, np.exp(logs[:-4]), *law, float(left[:, 0].mean())), density

    def _likelihood(self, kind: int, logs: Floats, places: Floats, common: Floats, values: Floats) -> Any:
        rates = np.exp(logs[:-4])[self._group] * self._share
        plane, noise, effect, shared = (float(one) for one in np.exp(logs[-4:]))
        arguments = self._group, self._groups, self._ordered, places, common, values
        return self._kernel.likelihood(kind, rates, plane, noise, effect, shared, *arguments)

    def _counts(self, places: Floats) -> Floats:
        """Return how often each label is at places, (n, width), whatever parameter it is of: (n, labels)."""
        rows, columns = np.nonzero(np.broadcast_to(~self._ordered, places.shape))
        at = rows * self._labels + places[rows, columns].astype(np.int64)
        counts = np.bincount(at, minlength=len(places) * self._labels)
        return counts.reshape(len(places), self._labels).astype(np.float64)

    def _common(self, one: Floats, other: Floats) -> Floats:
        """Return how many pairs of labels are the same, (m, n)."""
        if not self._labels:
            return np.zeros((len(one), len(other)))
        common: Floats = self._counts(one) @ self._counts(other).T
        return common

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
        return covariances + a.shared * self._common(one, other) if a.shared else covariances

    def predict(self, places: Floats) -> "Prediction":
        """Return what is expected at places, (m, width)."""
        a, rows = self.assumed, self._covariances(places, self._places)
        mean = rows @ self._weights
        explained = self._kernel.conditioned(self._upper[: self.held, : self.held], rows)
        own = self._kernel.own_variance(a.plane, a.effect, self._ordered, places)
        if a.shared:
            own = own + a.shared * (self._counts(places) ** 2).sum(axis=1)
        variance = a.scale * np.maximum(own - explained, 1e-9)
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
        anywhere = self._weights @ self._counts(self._places) if a.shared else np.empty(0)
        for f in np.flatnonzero(~self._ordered):
            labels = firsts[f, : counts[f]]
            own = a.effect * ((labels[:, None] == self._places[:, f]) @ self._weights)
            if a.shared:
                own = own + a.shared * anywhere[labels.astype(np.int64)]
            mean += own[level[f]]
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
