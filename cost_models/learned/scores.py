"""How good predictions of a metric are on designs held out: errors, ranks, what a search on them would lose, coverage.

The main figure is the relative error, 100 sqrt(mean(((predicted - true) / true)^2)) per cent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Metric

Floats = NDArray[np.float64]
TOP = (1, 10, 100)  # designs that a search on the model would price in truth
FIFTHS = 5
ROUNDING = 1e-9  # relative distance from an interval's end at which a value counts as that end,
OF_WIDTH = 0.01  # and share of the interval's width


@dataclass(frozen=True)
class Fifth:
    """A fifth of the designs by predicted value, from low to high. width: mean over its intervals, metric's unit.

    on_end: share of true values that are an end of their interval.
    """

    low: float
    high: float
    n: int
    coverage: float
    width: float
    on_end: float = 0.0


@dataclass(frozen=True)
class MetricScores:
    """How well one metric is predicted on n designs that could be built.

    relative_rmse: per cent, over the designs whose true value is not 0; zeros: how many are left out for that.
    rmse_over_mean, rmse_over_range: per cent of the mean size and of the range of the true values.
    r2: 1 - squared error / variance. spearman, kendall: rank correlations, Kendall's tau-b.
    regret: by k, what is lost in truth by pricing only the k designs best by prediction, see `top_k_regret`.
    coverage: share of intervals that hold the true value; width: their mean, in the metric's unit; relative_width:
    per cent of the predicted value. on_end: share of true values that are an end of their interval: many where errors
    are equal, such as 0. NaN where a figure has no meaning: ranks of equal values, coverage of no intervals.
    """

    n: int
    relative_rmse: float
    zeros: int
    rmse_over_mean: float
    rmse_over_range: float
    r2: float
    spearman: float
    kendall: float
    regret: dict[int, float]
    coverage: float = math.nan
    width: float = math.nan
    relative_width: float = math.nan
    fifths: tuple[Fifth, ...] = ()
    on_end: float = 0.0


@dataclass(frozen=True)
class FeasibilityScores:
    """How well it is told which of n designs can be built. share: of those that can.

    precision: of those predicted to be buildable, how many are; recall: of those that are, how many are predicted so.
    brier: mean squared error of the probability. baseline: the same of always saying `share`.
    """

    n: int
    share: float
    precision: float
    recall: float
    brier: float
    baseline: float


def score_metric(
    metric: Metric,
    predicted: Floats,
    true: Floats,
    ends: tuple[Floats, Floats] | None = None,
    top: Sequence[int] = TOP,
) -> MetricScores:
    """Score predictions, (n,) each, n >= 1. ends: of the intervals, if there are any.

    Source of the ranks: Kendall, Biometrika 30, 1938, doi:10.1093/biomet/30.1-2.81; ties by tau-b.
    """
    error = predicted - true
    rmse = math.sqrt(float(np.mean(error**2)))
    there = true != 0
    relative = float(np.sqrt(np.mean((error[there] / true[there]) ** 2))) if there.any() else math.nan
    spearman, kendall = _ranks(predicted, true)
    regret = {k: top_k_regret(metric, predicted, true, k) for k in top}
    scores = MetricScores(
        len(true), 100.0 * relative, int(np.sum(~there)), _per_cent(rmse, float(np.mean(np.abs(true)))),
        _per_cent(rmse, float(np.ptp(true))), _r2(error, true), spearman, kendall, regret,
    )  # fmt: skip
    if ends is None:
        return scores
    return MetricScores(**(vars(scores) | _of_intervals(predicted, true, *ends)))


def top_k_regret(metric: Metric, predicted: Floats, true: Floats, k: int) -> float:
    """Return what a search on the model alone would lose: it prices the k designs that look best and keeps the best.

    As regret is anywhere here: (its true loss - best) / (median - best) over all n designs; 0 where all are equally
    good. Of equal predictions the first are taken, so designs should come in no order of their values.
    """
    sign = 1.0 if metric.better == "lower" else -1.0
    losses = sign * true
    picked = np.argsort(sign * predicted, kind="stable")[:k]
    best, median = float(losses.min()), float(np.median(losses))
    gap = float(losses[picked].min()) - best
    return gap / (median - best) if median > best else (0.0 if gap == 0 else 1.0)


def score_feasibility(probability: Floats, feasible: NDArray[np.bool_]) -> FeasibilityScores:
    """Score probabilities of being buildable, (n,) in [0, 1]; a design is predicted buildable from 1/2 on."""
    said = probability >= 0.5
    right = float(np.sum(said & feasible))
    share = float(np.mean(feasible))
    return FeasibilityScores(
        len(feasible), share, right / said.sum() if said.any() else math.nan,
        right / feasible.sum() if feasible.any() else math.nan, float(np.mean((probability - feasible) ** 2)),
        share * (1.0 - share),
    )  # fmt: skip


def _of_intervals(predicted: Floats, true: Floats, low: Floats, high: Floats) -> dict[str, object]:
    inside, width = (low <= true) & (true <= high), high - low
    on_end = inside & (np.minimum(true - low, high - true) <= np.minimum(ROUNDING * np.abs(true), OF_WIDTH * width))
    there = predicted != 0
    relative = 100.0 * float(np.mean(width[there] / np.abs(predicted[there]))) if there.any() else math.nan
    fifths = []
    for rows in np.array_split(np.argsort(predicted, kind="stable"), FIFTHS):
        if len(rows):
            ends = float(predicted[rows[0]]), float(predicted[rows[-1]])
            fifths.append(Fifth(*ends, len(rows), *(float(np.mean(one[rows])) for one in (inside, width, on_end))))
    return {
        "coverage": float(np.mean(inside)), "width": float(np.mean(width)), "relative_width": relative,
        "fifths": tuple(fifths), "on_end": float(np.mean(on_end)),
    }  # fmt: skip


def _ranks(predicted: Floats, true: Floats) -> tuple[float, float]:
    from scipy.stats import kendalltau, spearmanr

    if len(true) < 2 or not np.ptp(predicted) or not np.ptp(true):
        return math.nan, math.nan
    return float(spearmanr(predicted, true).statistic), float(kendalltau(predicted, true).statistic)


def _r2(error: Floats, true: Floats) -> float:
    variance = float(np.var(true))
    return 1.0 - float(np.mean(error**2)) / variance if variance > 0 else math.nan


def _per_cent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole > 0 else (0.0 if part == 0 else math.nan)
