"""How far a sweep's cost model agrees with another one, on the designs that search thought best.

These are the designs that matter, and the hardest to tell apart: a model that orders a whole space well may say little
among the best of it. Kendall, "A New Measure of Rank Correlation", Biometrika 30, 1938, doi:10.1093/biomet/30.1-2.81
(tau-b, as SciPy has it); Spearman, American Journal of Psychology 15, 1904, doi:10.2307/1412159.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from designgym.experiments.verified import FEWEST, Comparison
from designgym.experiments.verified_changes import Floats, values_of

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.cost_models.base import Metric

COST_MODEL = re.compile(r"(^|, )cost_model=")


@dataclass(frozen=True)
class Agreement:
    """One metric by both cost models. n: designs that have both numbers.

    kendall, spearman: rank correlations, NaN below three designs or where one side is constant. ratio: median of what
    the other model says over what the sweep's said; error: root mean square of the relative error of the sweep's,
    sqrt(mean(((searched - other) / other)^2)); both NaN where a number of the other model is 0.
    """

    metric: Metric
    n: int
    kendall: float
    spearman: float
    ratio: float
    error: float


def names_cost_model(options: str) -> bool:
    """Whether a set of options, as text, has another cost model price."""
    return COST_MODEL.search(options) is not None


def agreements_of(table: pa.Table, one: Comparison, metrics: Sequence[Metric]) -> tuple[Agreement, ...]:
    """Return how the models agree on a comparison's designs, metric by metric; nothing where no other model priced.

    table: that `comparisons` was given. metrics: of the problem.
    """
    if not names_cost_model(one.options):
        return ()
    values = values_of(table, one.rows, metrics)
    return tuple(agreement(metric, *values[metric.name]) for metric in metrics if metric.name in values)


def agreement(metric: Metric, searched: Floats, other: Floats) -> Agreement:
    """Compare a metric of the same designs by two models, (n,) each, NaN where there is no number."""
    there = np.isfinite(searched) & np.isfinite(other)
    ours, theirs = searched[there], other[there]
    ratio = error = math.nan
    if len(ours) and (theirs != 0).all():
        ratio = float(np.median(theirs / ours)) if (ours != 0).all() else math.nan
        error = float(np.sqrt(np.mean(((ours - theirs) / theirs) ** 2)))
    return Agreement(metric, len(ours), *_ranks(ours, theirs), ratio, error)


def _ranks(ours: Floats, theirs: Floats) -> tuple[float, float]:
    from scipy.stats import kendalltau, spearmanr

    if len(ours) < FEWEST or any((side == side[0]).all() for side in (ours, theirs)):
        return math.nan, math.nan
    return float(kendalltau(ours, theirs).statistic), float(spearmanr(ours, theirs).statistic)
