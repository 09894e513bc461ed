"""One process for each target of a problem: fitted when its errors drift, and told more in between without a fit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.drift import Drift
from designgym.agents.places import Places
from designgym.agents.surrogate_process import FITTED, Prediction, SurrogateProcess
from designgym.agents.surrogate_targets import Targets, Warp

Floats = NDArray[np.float64]


class _Model:
    """A process, the map of what it learns, and how well it foretells."""

    def __init__(self, places: Places, ordered: NDArray[np.bool_], certainty: float) -> None:
        self.process = SurrogateProcess(places.group, ordered, places.labels)
        self.warp: Warp | None = None  # None: to be fitted
        self.drift = Drift(certainty)


class SurrogateModels:
    """Models of all targets. fits: how often one was fitted; updates: how often one was told more instead.

    certainty: see `Drift`; always: fit at every call of `learn`. most: trials that a model holds.
    """

    def __init__(
        self, places: Places, ordered: NDArray[np.bool_], targets: Targets, certainty: float, always: bool, most: int
    ) -> None:
        self._places, self._ordered, self._targets = places, ordered, targets
        self._certainty, self._always, self._most = certainty, always, most
        self._models: dict[int, _Model] = {}
        self.learnt: list[int] = []
        self.losses = targets.losses
        self.fits = self.updates = 0

    def learn(self, places: Floats, order: NDArray[np.int64]) -> None:
        """Let every model know all trials, or the best and the latest. places: (n, width); order: the best first."""
        self.learnt = [j for j in self._targets.learnt if len(self._targets.known(j)[0]) > 1]
        for target in self.learnt:
            model = self._models.setdefault(target, _Model(self._places, self._ordered, self._certainty))
            rows, values = self._targets.known(target)
            if len(rows) > self._most:
                kept = np.isin(
                    rows, np.union1d(order[: self._most // 2], np.arange(len(order) - self._most // 2, len(order)))
                )
                rows, values = rows[kept], values[kept]
            if model.warp is None or self._always or model.drift.found or not model.warp.suits(values):
                self._fit(model, target, places, rows, order)
            else:
                self.updates += 1
            assert model.warp is not None
            model.process.learn(np.ascontiguousarray(places[rows]), model.warp(values))

    def _fit(
        self, model: _Model, target: int, places: Floats, rows: NDArray[np.int64], order: NDArray[np.int64]
    ) -> None:
        """Fit a model to at most FITTED trials: half of them the best, the others spread evenly over those left."""
        model.warp = self._targets.warp(target)
        if len(rows) > FITTED:
            best = order[np.isin(order, rows)][: FITTED // 2]
            others = np.setdiff1d(rows, best)
            spread = np.linspace(0, len(others) - 1, FITTED - len(best)).astype(np.int64)
            rows = np.union1d(best, others[spread])
        known, values = self._targets.known(target)
        values = values[np.searchsorted(known, rows)]
        model.process.fit(np.ascontiguousarray(places[rows]), model.warp(values))
        model.drift.fitted(model.process.assumed.expected)
        self.fits += 1

    def mapped(self, target: int, values: Floats) -> Floats:
        """Return values as a model learns them."""
        warp = self._models[target].warp
        assert warp is not None
        return warp(values)

    def processes(self) -> list[SurrogateProcess]:
        """Return the processes of what is learnt, in the order of `learnt`."""
        return [self._models[target].process for target in self.learnt]

    def inflations(self) -> list[float]:
        """Return what to multiply variances of losses and margins by: models are too sure of themselves early."""
        return [self._models[target].drift.inflation for target in self.learnt]

    def predict(self, places: Floats) -> list[Prediction]:
        """Return what is expected of places, (m, width), for each of `learnt`."""
        return [process.predict(places) for process in self.processes()]

    def chance(self, foretold: dict[int, tuple[float, float]], bar: float) -> float:
        """Return the chance that a design's loss is below a bar and all bounds are kept, by what was foretold of it.

        For problems with one objective. The variances are as much larger as models were of late too sure.
        """
        from scipy.special import ndtr

        chance = 1.0
        for target, (mean, variance) in foretold.items():
            edge = self.mapped(target, np.array([bar]))[0] if target < self.losses else 0.0
            chance *= float(ndtr((edge - mean) / np.sqrt(variance * self._models[target].drift.inflation)))
        return chance

    def hear(self, foretold: dict[int, tuple[float, float]], values: Any) -> None:
        """Compare what was foretold of a trial, mean and variance by target, with what it came to, by target."""
        for target, (mean, variance) in foretold.items():
            model = self._models[target]
            if model.warp is None or np.isnan(values[target]) or not model.warp.suits(np.array([values[target]])):
                continue
            model.drift.add(float(model.warp(np.array([values[target]]))[0]) - mean, variance)
