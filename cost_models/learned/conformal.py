"""Intervals that hold the true value with a promised probability, whatever the model: split conformal prediction.

Sources: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, doi:10.1007/b106715; Lei et al.,
"Distribution-Free Predictive Inference for Regression", JASA 113, 2018, doi:10.1080/01621459.2017.1307116; Angelopoulos
and Bates, "A Gentle Introduction to Conformal Prediction", arXiv:2107.07511. By parts of the predicted value (their
Mondrian form), so that coverage holds in each part and not on average alone.

The promise is for designs drawn as those that it was calibrated on were: not for another agent's, nor another corner's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.9
EXACT = 1e-6  # relative error below which a target counts as fitted exactly
PART, PARTS = 40, 20  # designs to calibrate a part on, at least, and parts, at most
FEWEST = math.ceil(LEVEL / (1.0 - LEVEL) - 1e-9)  # with fewer designs an interval would be all numbers
DRAWS = 20_000


@dataclass(frozen=True)
class Intervals:
    """Intervals around predictions of one metric.

    multiplicative: they reach from predicted / reach to predicted * reach, else predicted -+ reach.
    edges: predicted values that separate the parts, increasing. reach, counts: of each part, one more than edges;
    counts: designs that it was calibrated on. exact: every error in calibration was below EXACT of the value.
    ValueError where these do not fit together.
    """

    multiplicative: bool
    edges: tuple[float, ...]
    reach: tuple[float, ...]
    counts: tuple[int, ...]
    exact: bool

    def __post_init__(self) -> None:
        if not len(self.reach) == len(self.counts) == len(self.edges) + 1:
            raise ValueError(
                f"intervals must have one reach and one count a part, one more than edges, got {len(self.reach)} and "
                f"{len(self.counts)} for {len(self.edges)} edges."
            )
        if not all(map(math.isfinite, self.edges)) or any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError(f"edges of intervals must be finite and increase, got {self.edges}.")
        least = 1.0 if self.multiplicative else 0.0
        if not all(least <= one < math.inf for one in self.reach) or min(self.counts) < 1:
            raise ValueError(f"reaches of intervals must be at least {least:g}, counts at least 1, got {self}.")

    def parts(self, predicted: Floats) -> NDArray[np.int64]:
        """Return which part each prediction lies in, (n,)."""
        return np.searchsorted(np.array(self.edges), predicted, side="right")

    def ends(self, predicted: Floats) -> tuple[Floats, Floats]:
        """Return lower and upper ends, (n,) each."""
        reach = np.array(self.reach)[self.parts(predicted)]
        if not self.multiplicative:
            return predicted - reach, predicted + reach
        a, b = predicted / reach, predicted * reach
        return np.minimum(a, b), np.maximum(a, b)  # below 0 the larger factor is the lower end


def calibrate(predicted: Floats, true: Floats, level: float = LEVEL) -> Intervals:
    """Return intervals from designs that the model was not fitted on, (n,) each. ValueError where they are too few.

    A part's reach is the ceil((n + 1) level)-th smallest error of its n designs. Errors are ratios where all values and
    all predictions are above 0, so that lower ends are too, else differences.
    """
    fewest = math.ceil(level / (1.0 - level) - 1e-9)
    if len(true) < fewest:
        raise ValueError(f"{level:.0%} intervals need {fewest} designs to calibrate on, got {len(true)}. Price more.")
    multiplicative = bool((predicted > 0).all() and (true > 0).all())
    errors = np.abs(np.log(true) - np.log(predicted)) if multiplicative else np.abs(true - predicted)
    edges = _edges(predicted)
    part = np.searchsorted(edges, predicted, side="right")
    counts = np.bincount(part, minlength=len(edges) + 1)
    reach = [_quantile(errors[part == j], level) for j in range(len(counts))]
    exact = bool((np.abs(predicted - true) <= EXACT * np.abs(true)).all())
    if multiplicative:
        reach = [math.exp(one) for one in reach]
    return Intervals(multiplicative, tuple(edges.tolist()), tuple(reach), tuple(counts.tolist()), exact)


def rank_in(n: int, level: float = LEVEL) -> int:
    """Return which of n sorted errors is the reach: ceil((n + 1) level), counted from 1."""
    return math.ceil((n + 1) * level - 1e-9)


def coverage_band(
    calibrated: Sequence[int], tested: Sequence[int], level: float = LEVEL, within: float = 0.99
) -> tuple[float, float]:
    """Return between which shares coverage lies with probability `within`, if calibration and test are drawn alike.

    calibrated, tested: designs in each part. The number covered of m after n is beta-binomial, with parameters
    k and n + 1 - k of `rank_in` (Vovk, 2012, arXiv:1209.2673); over parts it is a sum, taken from DRAWS seeded draws.
    """
    rng = np.random.default_rng(0)
    covered = np.zeros(DRAWS)
    for n, m in zip(calibrated, tested, strict=True):
        k = rank_in(n, level)
        covered += rng.binomial(m, rng.beta(k, n + 1 - k, DRAWS))
    low, high = np.quantile(covered, [(1.0 - within) / 2.0, (1.0 + within) / 2.0]) / max(sum(tested), 1)
    return float(low), float(high)


def _edges(predicted: Floats) -> Floats:
    """Return what cuts predictions into parts of about equal numbers, fewer where many are equal."""
    parts = int(np.clip(len(predicted) // PART, 1, PARTS))
    cuts = np.quantile(predicted, np.arange(1, parts) / parts, method="higher")
    cuts = np.unique(cuts)
    # A part that equal predictions leave nearly empty could not be calibrated.
    kept: list[float] = []
    for cut in cuts:
        below = np.sum(predicted < cut) - (np.sum(predicted < kept[-1]) if kept else 0)
        if below >= PART // 2 and np.sum(predicted >= cut) >= PART // 2:
            kept.append(float(cut))
    return np.array(kept)


def _quantile(errors: Floats, level: float) -> float:
    return float(np.sort(errors)[rank_in(len(errors), level) - 1])
