"""What one run's curves need of it: the trials that improved on all before them, few however long the run is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import nondominated
from designgym.experiments import statistics as stats
from designgym.experiments.report.trials import Trials

Floats = NDArray[np.float64]
AT_ONCE = 256


@dataclass(frozen=True)
class Steps:
    """The m trials of a run that improved on all before them, in order; `trials` were priced.

    number: (m,), places among the designs priced, from 1. elapsed_s: (m,), when all up to it were known. losses:
    (m, k). first_s, last_s: when the first and the last trial were known.
    """

    trials: int
    number: Floats
    elapsed_s: Floats
    losses: Floats
    first_s: float
    last_s: float


def steps_of(trials: Trials) -> Steps:
    """Return the steps of one run's trials, of which there is at least one."""
    if trials.losses.shape[1] == 1:
        best = stats.best_so_far(trials.losses[:, 0], trials.feasible)
        rows = np.flatnonzero(best < np.append(np.inf, best[:-1]))
    else:
        rows = entering(trials.losses, trials.feasible)
    # Evaluations of a slow model may overtake each other: what the first i came to is known when all i are.
    known = np.maximum.accumulate(trials.elapsed_s)
    return Steps(
        len(trials), trials.number[rows].astype(np.float64), known[rows], trials.losses[rows], float(known[0]),
        float(known[-1]),
    )  # fmt: skip


def entering(losses: Floats, feasible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the feasible rows that no earlier one equals or dominates, in order: those that ever moved the front."""
    rows = np.flatnonzero(feasible)
    front = np.zeros((0, losses.shape[1]))
    found: list[int] = []
    # Most rows are beaten by the front as it stands; what few are left of a batch are looked at one by one.
    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        batch = batch[~_beaten(losses[batch], front)]
        new: list[int] = []
        for row in batch.tolist():
            if not _beaten(losses[[row]], losses[new])[0]:
                new.append(row)
        if new:
            found += new
            front = np.vstack([front, losses[new]])
            front = front[nondominated(front)]
    return np.array(found, np.int64)


def _beaten(losses: Floats, front: Floats) -> NDArray[np.bool_]:
    """Return where some row of the front is nowhere above a row, bool (n,)."""
    if not len(front):
        return np.zeros(len(losses), bool)
    if losses.shape[1] == 2:
        # Along a front of two the second loss falls as the first rises: the last one not to the right is the lowest.
        order = np.argsort(front[:, 0], kind="stable")
        first, second = front[order, 0], np.minimum.accumulate(front[order, 1])
        place = np.searchsorted(first, losses[:, 0], side="right") - 1
        return (place >= 0) & (second[place] <= losses[:, 1])
    below: NDArray[np.bool_] = front[None, :, :] <= losses[:, None, :]
    return np.asarray(np.any(np.all(below, axis=2), axis=1))
