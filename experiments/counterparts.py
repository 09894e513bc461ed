"""Metrics that tell the same from two sides, such as accuracy and how much of it was lost: their sum never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from designgym.cost_models.base import Metric

FEWEST = 2  # values of a metric: of one a constant sum says nothing
ROUNDING = 1e-9


def counterpart(
    name: str, values: Mapping[str, NDArray[np.float64]], metrics: Sequence[Metric]
) -> tuple[str, float] | None:
    """Return the metric that one counts down from a constant, and the constant; None where there is none.

    Of accuracy_drop that is accuracy and the float network's accuracy. values: of designs, each (n,), by metric.
    """
    known = {metric.name: metric for metric in metrics}
    own = np.asarray(values[name], np.float64)
    there = np.isfinite(own)
    if name not in known or len(np.unique(own[there])) < FEWEST:
        return None
    for other, metric in known.items():
        if metric.unit != known[name].unit or metric.better == known[name].better or other not in values:
            continue
        total = own[there] + np.asarray(values[other], np.float64)[there]
        if np.ptp(total) <= ROUNDING * max(1.0, float(np.abs(total).max())):
            return other, float(np.median(total))
    return None
