"""What a regression learns in place of a metric: its logarithm, that over a bound, or itself; about standard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.learned.encoding import DECADE, spans_decades

KINDS = ("log", "residual", "plain")
BEYOND = 1.0  # predictions stop so many times the learned range beyond either end of it

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """How one metric is learned. kind: "log" where all its values are above 0 and the largest is over 10 times the
    smallest; "residual", log(metric / bound), where a closed-form bound of it is given; "plain" otherwise.

    centre, scale: mean and standard deviation of what is learned (1 where it is constant); lowest, highest: of that,
    standardised.
    """

    name: str
    kind: str
    centre: float
    scale: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, name: str, values: NDArray[Any], bound: NDArray[Any] | None) -> Target:
        """Decide by the values that are learned from, (n,) and finite. bound: (n,), above 0.

        ValueError where a bounded metric or its bound is not above 0.
        """
        values = np.asarray(values, np.float64)
        if not len(values) or not np.isfinite(values).all():
            raise ValueError(f"metric {name} must be finite for every design that is learned from. Leave others out.")
        if bound is not None:
            for what, column in ((f"metric {name}, which has a bound,", values), (f"bound of {name}", bound)):
                if not (np.asarray(column) > 0).all():
                    raise ValueError(f"{what} must be above 0, got {np.min(column):g}. Learn it without the bound.")
        kind = "residual" if bound is not None else "log" if spans_decades(values) else "plain"
        target = cls(name, kind, 0.0, 1.0, -np.inf, np.inf)
        learned = target.standard(values, bound)
        centre, spread = float(learned.mean()), float(learned.std())
        scale = spread if spread > 1e-12 * max(1.0, abs(centre)) else 1.0
        low, high = float((learned.min() - centre) / scale), float((learned.max() - centre) / scale)
        return cls(name, kind, centre, scale, low, high)

    @property
    def rule(self) -> str:
        """In words, what is learned and why."""
        return {
            "log": f"logarithm: all above 0, the largest over {DECADE:g} times the smallest",
            "residual": "logarithm of metric over bound: a bound is given",
            "plain": f"as it is: not all above 0, or the largest at most {DECADE:g} times the smallest",
        }[self.kind]

    @property
    def constant(self) -> bool:
        """Whether all that was learned from is one value."""
        return self.lowest == self.highest

    def standard(self, values: NDArray[Any], bound: NDArray[Any] | None) -> Floats:
        """Return what is learned in place of the values, float64 (n,)."""
        learned = np.asarray(values, np.float64)
        if self.kind != "plain":
            learned = np.log(learned) if bound is None else np.log(learned / np.asarray(bound, np.float64))
        return np.asarray((learned - self.centre) / self.scale)

    def metric(self, standard: Floats, bound: NDArray[Any] | None) -> Floats:
        """Return the metric's values from what a model predicts, float64 (n,): the inverse of `standard`.

        Predictions further out than BEYOND times the range that was learned from are taken at that distance. A metric
        that was above 0 wherever it was learned stays there, at least a tenth of its least value: rewards take its
        logarithm.
        """
        reach = BEYOND * (self.highest - self.lowest)
        learned = np.clip(standard, self.lowest - reach, self.highest + reach) * self.scale + self.centre
        if self.kind == "plain":
            least = self.lowest * self.scale + self.centre
            above = least > 1e-9 * self.scale  # 0 itself comes back from its standard off by rounding
            return np.maximum(learned, least / DECADE) if above else np.asarray(learned)
        return np.exp(learned) if bound is None else np.exp(learned) * np.asarray(bound, np.float64)

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Target:
        """Return what `state` told. TypeError or ValueError where it is no such state."""
        target = cls(**state)
        numbers = (target.centre, target.scale, target.lowest, target.highest)
        if target.kind not in KINDS or not np.isfinite(numbers).all():
            raise ValueError(f"a target must be one of {', '.join(KINDS)}, of finite numbers, got {target}.")
        if not (target.scale > 0 and target.lowest <= target.highest):
            raise ValueError(f"a target's scale must be above 0, and its range not empty, got {target}.")
        return target
