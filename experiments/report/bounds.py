"""What a problem's one objective bounds, and which trials tell of it: those that could be built, within it or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.envs.constraints import Constraint

if TYPE_CHECKING:
    from designgym.experiments.log import LoggedProblem
    from designgym.experiments.report.trials import Trials

MOST_BOUNDS = 2
ROUNDING = 1e-9


@dataclass(frozen=True)
class Bound:
    """A metric that stays at a number or below it (sign 1), or at it or above (-1). text: as the objective has it."""

    text: str
    metric: str
    limit: float
    sign: float


def bounds_of(logged: LoggedProblem) -> tuple[Bound, ...]:
    """Return the bounds of a problem with one objective, two at most, that hold a metric against a number."""
    wanted = [*(logged.objective.get("minimize") or ()), *(logged.objective.get("maximize") or ())]
    if len(wanted) != 1:
        return ()
    found = []
    for constraint in _constraints(logged):
        limit = constraint.limit
        if limit is not None and limit[0] not in wanted:
            found.append(Bound(constraint.text, *limit))
    return tuple(found[:MOST_BOUNDS])


def _constraints(logged: LoggedProblem) -> list[Constraint]:
    names = tuple(metric.name for metric in logged.metrics)
    return [Constraint(str(text), names) for text in logged.objective.get("subject_to") or ()]


def bound_losses(logged: LoggedProblem, bound: Bound, trials: Trials) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return loss and bounded metric, signed so that less is better, (n, 2), and the rows that could be built."""
    losses = np.stack([trials.losses[:, 0], bound.sign * trials.metrics[bound.metric]], axis=1)
    excess = sum((constraint.violation(trials.metrics) for constraint in _constraints(logged)), np.zeros(len(trials)))
    # A violation beyond that of the bounds is the model's own.
    built = np.abs(trials.violation - excess) <= ROUNDING * (1.0 + excess)
    return losses, np.flatnonzero(built & np.isfinite(losses).all(axis=1))
