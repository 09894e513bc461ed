"""Means over policies and instances at once, and differences of pairs, with intervals by the bootstrap.

All policies of an arm meet the same instances: both are drawn anew, each by itself, and a mean is over the pairs of
those drawn (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1(2), 2007, doi:10.1214/07-AOAS122; its
variances err to the large side: Owen and Eckles, ibid. 6(3), 2012, doi:10.1214/12-AOAS547). Instances of a sequence
may be like their neighbours, and are drawn as parts of the sequence (Carlstein, Annals of Statistics 14(3), 1986,
doi:10.1214/aos/1176350057). Of one policy the instances alone are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.comparison import CONFIDENCE, Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 4000
AT_ONCE = 250  # resamples; a draw of ten thousand instances takes room
PARTS = 25  # of a sequence


def units_of(lengths: Sequence[int] | Ints, whole: bool, same: Sequence[int] | None = None) -> Ints:
    """Return the unit that each instance is drawn with, (instances,), from 0: itself, or a part of its sequence.

    lengths: instances of each episode. whole: whether an episode is one instance. same: a number for each episode,
    alike for equal ones, which are drawn together: an instance that is met again tells nothing new.
    """
    units: list[Ints] = []
    firsts: dict[int, int] = {}  # the first unit of each different episode
    following = 0
    for place, length in enumerate(np.asarray(lengths).tolist()):
        own = place if same is None else same[place]
        parts = length if whole else min(PARTS, length)
        if own not in firsts:
            firsts[own], following = following, following + parts
        units.append(firsts[own] + np.arange(length) * parts // length)
    return np.concatenate(units)


def mean_interval(values: Floats, units: Ints, seed: int = 0) -> Interval:
    """Return the mean of values, (policies, instances), over those that are numbers; NaN where none is."""
    some = np.isfinite(values)
    return ratio_interval(np.where(some, values, 0.0), some.astype(np.float64), units, seed)


def ratio_interval(above: Floats, below: Floats, units: Ints, seed: int = 0) -> Interval:
    """Return the sum of `above` over the sum of `below`, both (policies, instances), with its 95 % interval.

    NaN where nothing is below; a draw of nothing counts for nothing. The same numbers give the same interval.
    """
    total = float(below.sum())
    if not total:
        return Interval(np.nan, np.nan, np.nan)
    top, bottom = _by_unit(above, units), _by_unit(below, units)
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([_drawn(top, bottom, min(AT_ONCE, RESAMPLES - done), rng)
                            for done in range(0, RESAMPLES, AT_ONCE)])  # fmt: skip
    drawn = drawn[np.isfinite(drawn)]
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail]) if len(drawn) else (np.nan, np.nan)
    return Interval(float(above.sum()) / total, float(low), float(high))


def _by_unit(values: Floats, units: Ints) -> Floats:
    """Return the sums over the instances of each unit, (policies, units)."""
    return np.stack([np.bincount(units, row) for row in values])


def _drawn(top: Floats, bottom: Floats, count: int, rng: np.random.Generator) -> Floats:
    policies, units = top.shape
    who = rng.multinomial(policies, np.full(policies, 1.0 / policies), count).astype(np.float64)
    which = rng.multinomial(units, np.full(units, 1.0 / units), count).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((who @ top) * which).sum(axis=1) / ((who @ bottom) * which).sum(axis=1)
