"""Intervals of best-of-k from its resamples, of a share, and what two agents' difference allows to say.

Measured on simulated lotteries of 32 settings and 10 seeds (skewed, flat, clustered and equal qualities), intervals
that should cover 95 % covered 88 to 100 % at k up to a half of the settings and 86 % at worst above, where a resample
lacks a third of the settings; bootstrap bands of tuning curves are known to do so (Lourie, Cho and He, NAACL 2024,
arXiv:2311.09480). None is given above a half.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from designgym.experiments.lottery.best_of import Floats

CONFIDENCE = 0.95
Verdict = Literal["tie", "apart", "open"]


def interval(estimate: Floats, resamples: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return the wider of the percentile interval and that one shifted by the bootstrap's own bias, each (...).

    A resample repeats settings, so its best of many is worse than the best of as many different ones: the percentiles
    alone lie too high. estimate: (...); resamples: (resamples, ...).
    """
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resamples, [tail, 1.0 - tail], axis=0)
    bias = resamples.mean(axis=0) - estimate
    return np.minimum(low, low - bias), np.maximum(high, high - bias)


def wilson(hits: float, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of a share of independent draws.

    Source: Wilson, JASA 22(158), 1927, doi:10.1080/01621459.1927.10502953.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True)
class Bounds:
    """Something that is known up to what unfinished runs would have come to: between low and high, often equal.

    resampled_low, resampled_high: (resamples, ...). Intervals hold both bounds (Horowitz and Manski, JASA 95, 2000,
    doi:10.1080/01621459.2000.10473902: worst-case bounds, here on each run's final regret).
    """

    low: Floats
    high: Floats
    resampled_low: Floats
    resampled_high: Floats

    def interval(self, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
        """Return an interval around both bounds."""
        low, _ = interval(self.low, self.resampled_low, confidence)
        _, high = interval(self.high, self.resampled_high, confidence)
        return low, high

    def at(self, place: int) -> Bounds:
        """Return one of a curve's values, as arrays without axes."""
        return Bounds(self.low[place], self.high[place], self.resampled_low[:, place], self.resampled_high[:, place])

    def minus(self, other: Bounds) -> Bounds:
        """Return the difference of two independent agents."""
        return Bounds(
            self.low - other.high, self.high - other.low,
            self.resampled_low - other.resampled_high, self.resampled_high - other.resampled_low,
        )  # fmt: skip


def mean_of(several: list[Bounds]) -> Bounds:
    """Return the mean over problems, whose resamples must be of the same draws."""
    parts = ([getattr(one, name) for one in several] for name in vars(several[0]))
    return Bounds(*(np.mean(part, axis=0) for part in parts))


def verdict(difference: Bounds, margin: float) -> Verdict:
    """Return "tie" where the two are equal within the margin, "apart" where they differ by more, "open" otherwise.

    Two one-sided tests at 5 % (TOST: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15(6), 1987,
    doi:10.1007/BF01068419): a tie if the 90 % interval of the difference lies within (-margin, margin).
    """
    low, high = difference.interval(0.90)
    if -margin < low and high < margin:
        return "tie"
    return "apart" if low > margin or high < -margin else "open"


def best_and_ties(candidates: list[Bounds]) -> tuple[int, list[bool]]:
    """Return which has the least regret, and which cannot be told from it, itself included.

    Each other one is compared at 95 % over all comparisons (Bonferroni). By the middle of bounds where they differ.
    """
    best = int(np.argmin([float(one.low + one.high) for one in candidates]))
    confidence = 1.0 - (1.0 - CONFIDENCE) / max(1, len(candidates) - 1)
    ties = [float(one.minus(candidates[best]).interval(confidence)[0]) <= 0.0 for one in candidates]
    ties[best] = True
    return best, ties
