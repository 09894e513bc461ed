"""What is told of an arm of an evaluation: means with intervals, and differences to the best fixed policy in pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs import Objective, SequentialEnv
from designgym.experiments.comparison import Interval
from designgym.experiments.evaluation_arms import Arm
from designgym.experiments.evaluation_intervals import mean_interval, ratio_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_POINTS = 400  # of an arm that are kept to be drawn


def figures_of(env: SequentialEnv[Any, Any], arm: Arm, fixed: Arm | None, units: Ints) -> dict[str, Any]:
    """Return what is told of an arm, as JSON knows it.

    metrics, feasible (the share of instances), returns, steps: [mean, low, high]. meets: how many of its policies meet
    the objective's constraints in the mean over all instances. less_fixed: see `_less`. each: of each policy, means.
    points: means over policies of single instances, or parts of a sequence, of the objective, to be drawn. None where
    hindsight does not tell.
    """
    objective = env.problem.objective
    outcomes = arm.outcomes
    names = list(outcomes[0].metrics)
    values = {name: np.stack([one.metrics[name] for one in outcomes]) for name in names}
    told: dict[str, Any] = {"kind": arm.kind, "label": arm.label, "policies": len(outcomes)}
    told["metrics"] = {name: _interval(mean_interval(column, units)) for name, column in values.items()}
    played = np.isfinite(outcomes[0].steps).all()
    share = np.stack([one.feasible(objective) for one in outcomes]).astype(np.float64) if played else None
    told["feasible"] = None if share is None else _interval(mean_interval(share, units))
    for name in ("returns", "steps"):
        column = np.stack([getattr(one, name) for one in outcomes])
        told[name] = _interval(mean_interval(column, units)) if played else None
    told["meets"] = sum(bool(objective.feasible(one.means())[0]) for one in outcomes) if played else None
    told["less_fixed"] = None if fixed is None or arm is fixed else _less(values, arm, fixed, units, share, objective)
    told["each"] = [
        {**who, "metrics": {name: _mean(values[name][i]) for name in names}, "returns": _mean(one.returns),
         "feasible": None if share is None else float(share[i].mean())}
        for i, (who, one) in enumerate(zip(arm.who, outcomes, strict=False))
    ]  # fmt: skip
    told["points"] = {name: _points(values[name], units) for name in objective.names if name in values}
    return told


def _less(
    values: dict[str, Floats], arm: Arm, fixed: Arm, units: Ints, share: Floats | None, objective: Objective
) -> dict[str, Any]:
    """Return what an arm comes to less what the fixed policy does on the same instance, and over it.

    metrics: of each "difference" and "ratio", which is None where not all are above 0, and "pairs", the share of pairs
    of a policy and an instance where both came to something: all that these are about. feasible, returns: differences.
    """
    theirs = fixed.outcomes[0]
    told: dict[str, Any] = {"metrics": {}, "feasible": None, "returns": None}
    for name, column in values.items():
        other = np.broadcast_to(theirs.metrics[name], column.shape)
        both = np.isfinite(column) & np.isfinite(other)
        ours, others = np.where(both, column, 0.0), np.where(both, other, 0.0)
        difference = ratio_interval(ours - others, both.astype(np.float64), units)
        above = both.any() and (others[both] > 0).all()
        ratio = _interval(ratio_interval(ours, others, units)) if above else None
        told["metrics"][name] = {"pairs": float(both.mean()), "difference": _interval(difference), "ratio": ratio}
    if share is not None:
        returned = np.stack([one.returns for one in arm.outcomes]) - theirs.returns
        told["feasible"] = _interval(mean_interval(share - theirs.feasible(objective), units))
        told["returns"] = _interval(mean_interval(returned, units))
    return told


def _interval(found: Interval) -> list[float | None]:
    return [_number(value) for value in found]


def _mean(values: Floats) -> float | None:
    some = values[np.isfinite(values)]
    return _number(float(some.mean())) if len(some) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _points(values: Floats, units: Ints) -> list[float | None]:
    """Return the mean over policies on each unit, at most MOST_POINTS of them, evenly spread: what is drawn."""
    some = np.isfinite(values)
    sums = np.bincount(units, np.where(some, values, 0.0).sum(axis=0))
    counts = np.bincount(units, some.sum(axis=0).astype(np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
    rows = np.unique(np.linspace(0, len(means) - 1, min(MOST_POINTS, len(means))).round().astype(int))
    return [None if not np.isfinite(value) else float(f"{value:.6g}") for value in means[rows].tolist()]
