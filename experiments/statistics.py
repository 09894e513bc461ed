"""What many runs came to: best-so-far curves, interquartile means with intervals, regret, and designs needed.

Interquartile means and bootstrap intervals as in Agarwal, Schwarzer, Castro, Courville and Bellemare, NeurIPS 2021,
arXiv:2108.13264. Losses are minimised; inf stands for "nothing feasible yet" and for "never reached".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import hypervolume_so_far

Floats = NDArray[np.float64]
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """An interquartile mean and its interval, each float64 of the shape of one run's values."""

    middle: Floats
    low: Floats
    high: Floats

    def __getitem__(self, index: int) -> tuple[float, float, float]:
        return float(self.middle[index]), float(self.low[index]), float(self.high[index])


# -- one run ----------------------------------------------------------------------------------------------------------


def best_so_far(loss: Floats, feasible: NDArray[np.bool_]) -> Floats:
    """Return the least feasible loss of rows 0 ... i for each i, float64 (n,); inf before the first feasible row."""
    return np.minimum.accumulate(np.where(feasible, loss, np.inf))


def regret_so_far(best: Floats, optimum: float, median: float) -> Floats:
    """Return (best - optimum) / (median - optimum) of best-so-far losses; 1 where they are inf.

    median: of the feasible losses; a random feasible design has regret 1 in the median. Where every feasible design
    is as good as the median the regret is 0 once anything feasible is found.
    """
    found = np.isfinite(best)
    scale = median - optimum
    gap = np.where(found, best, optimum) - optimum
    return np.where(found, gap / scale if scale > 0 else 0.0 * gap, 1.0)


def hypervolume_regret_so_far(losses: Floats, feasible: NDArray[np.bool_], reference: Floats, volume: float) -> Floats:
    """Return 1 - hypervolume of rows 0 ... i / `volume` for each i, float64 (n,); 1 while nothing feasible counts.

    losses: (n, k). reference: (k,), the corner the volume is measured from. volume: that of the best front known.
    """
    kept = np.where(feasible[:, None], losses, np.nan)
    missing = 1.0 - hypervolume_so_far(kept, reference) / volume
    # A volume that is a sum of many boxes is exact to about 1e-13.
    return np.where(missing < 1e-12, 0.0, missing)


def target_loss(optimum: float, tolerance: float) -> float:
    """Return the loss that is within `tolerance` of the optimum's: optimum + tolerance * |optimum|."""
    return optimum + tolerance * abs(optimum)


def designs_to_reach(curve: Floats, target: float) -> float:
    """Return how many designs a run priced until its falling curve was at most `target`; inf if it never was."""
    reached = np.flatnonzero(curve <= target)
    return float(reached[0] + 1) if len(reached) else np.inf


def time_to_reach(curve: Floats, elapsed_s: Floats, target: float) -> float:
    """Return the run's own clock, in seconds, when its falling curve came to `target`; inf if it never did."""
    reached = np.flatnonzero(curve <= target)
    return float(elapsed_s[reached[0]]) if len(reached) else np.inf


# -- many runs on one grid --------------------------------------------------------------------------------------------


def design_grid(longest: int, points: int = 120) -> NDArray[np.int64]:
    """Return 1 ... longest as at most `points` whole numbers, evenly spread on a log scale, ends included."""
    if longest < 1:
        return np.zeros(0, np.int64)
    return np.unique(np.rint(np.geomspace(1, longest, points)).astype(np.int64))


def second_grid(elapsed_s: Sequence[Floats], points: int = 120) -> Floats:
    """Return times from the earliest first trial to the latest last one, evenly spread on a log scale, (points,)."""
    clocks = [clock for clock in elapsed_s if len(clock)]
    if not clocks:
        return np.zeros(0)
    first = max(min(float(clock[0]) for clock in clocks), 1e-6)
    last = max(max(float(clock[-1]) for clock in clocks), 1.000001 * first)
    return np.geomspace(first, last, points)


def on_grid(positions: Sequence[Floats], curves: Sequence[Floats], grid: Floats, before: float = np.inf) -> Floats:
    """Return each run's curve as a step function on a common grid, float64 (runs, len(grid)).

    positions: where each value of a run's curve holds from, ascending. A run that has ended carries its last value on;
    before its first value a run is at `before`.
    """
    rows = np.full((len(curves), len(grid)), before)
    for row, position, curve in zip(rows, positions, curves, strict=True):
        last = np.searchsorted(position, grid, side="right") - 1
        row[last >= 0] = np.asarray(curve)[last[last >= 0]]
    return rows


# -- over seeds -------------------------------------------------------------------------------------------------------


def interquartile_mean(values: Floats) -> Floats:
    """Return the mean of the middle half over axis 0: a quarter of the rows, rounded down, is cut from each end.

    values: (runs, ...), which may hold inf; fewer than four runs are averaged whole.
    """
    ordered = np.sort(np.asarray(values, np.float64), axis=0)
    cut = len(ordered) // 4
    return np.asarray(ordered[cut : len(ordered) - cut].mean(axis=0))


def iqm_interval(values: Floats, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the interquartile mean over runs with its percentile-bootstrap interval, point by point.

    values: (runs, points) or (runs,), which may hold inf. Runs are drawn with replacement `resamples` times; the same
    values and seed give the same interval. One run has no spread to resample: its interval is the value itself.
    """
    values = np.asarray(values, np.float64)
    runs = len(values)
    if not runs:
        raise ValueError("an interquartile mean needs at least one run, got none.")
    flat = values.reshape(runs, -1)
    # A draw of runs is a draw of ranks at each point, so sorted draws weigh sorted values: two matrix products.
    draws = np.sort(np.random.default_rng(seed).integers(runs, size=(resamples, runs)), axis=1)
    kept = draws[:, runs // 4 : runs - runs // 4]
    weights = np.zeros((resamples, runs))
    np.add.at(weights, (np.arange(resamples)[:, None], kept), 1.0 / kept.shape[1])
    ordered = np.sort(flat, axis=0)
    means = weights @ np.where(np.isfinite(ordered), ordered, 0.0)
    means[weights @ np.isinf(ordered) > 0] = np.inf
    tail = (1.0 - confidence) / 2.0
    # Quantiles that are draws themselves: interpolating towards an inf would give NaN.
    low = np.quantile(means, tail, axis=0, method="lower")
    high = np.quantile(means, 1.0 - tail, axis=0, method="higher")
    shape = values.shape[1:]
    return Estimate(interquartile_mean(values), low.reshape(shape), high.reshape(shape))


def share_reached(counts: Floats) -> float:
    """Return the share of runs that reached a target, from `designs_to_reach` of each."""
    return float(np.isfinite(counts).mean()) if len(counts) else 0.0


def median_reached(counts: Floats) -> float:
    """Return the median over all runs, a run that never reached counting as inf: inf where half did not."""
    if not len(counts):
        return np.inf
    ordered = np.sort(counts)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low if low == high else (low + high) / 2.0)


def chance_of_beating(ours: Floats, theirs: Floats) -> float:
    """Return how often a run of the first agent ends below a run of the second, ties counting half, over all pairs."""
    ours, theirs = np.asarray(ours)[:, None], np.asarray(theirs)[None, :]
    return float(((ours < theirs) + 0.5 * (ours == theirs)).mean())
