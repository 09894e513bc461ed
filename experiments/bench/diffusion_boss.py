"""BOSS's recursion beside uniform steps and a search of the true error: what a sum of local costs is worth.

`dynamic_programming` finds the path of least sum of local costs exactly (its first design); the sum stands in for the
error at the end, which uniform steps sometimes have less of. Paths are chosen on the noise of `FlowStepSizes-v0` and
scored on further noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from designgym.agents import Trials, search
from designgym.agents.moves import rows_of
from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem
from designgym.envs.optimum import find_optimum
from designgym.envs.registry import make_problem

ID = "FlowStepSizes-v0"
FINE = (20, 100)  # steps of the fine grid
STEPS = (2, 4, 5, 6, 8, 10)
FURTHER, POINTS = 1, 2048  # noise that paths are scored on
BUDGET = 1000
SEARCHER = "local_search"
MOST_PATHS = 20_000  # spaces that are priced whole


@dataclass(frozen=True)
class BossCell:
    """RMS over further noise of: uniform steps, the path of least local costs, the best of a search of the true error.

    sums: the local costs of each of the three on the noise that they were chosen on. optimum: RMS on that noise of the
    best of all paths, NaN where there are too many; chosen: what dynamic programming's path has there.
    """

    model: str
    fine: int
    steps: int
    uniform: float
    boss: float
    searched: float
    sums: tuple[float, float, float]
    chosen: float
    optimum: float


def boss_cell(model: str, fine: int, steps: int) -> BossCell:
    """Compare in one cell."""
    options = {"model": model, "fine": fine, "evaluations": steps}
    problem = make_problem(ID, **options)
    further = make_problem(ID, **options, noise_seed=FURTHER, points=POINTS)
    uniform = _uniform(problem, fine, steps)
    boss = _first(search(problem, "dynamic_programming", budget=2))
    found = search(problem, SEARCHER, budget=BUDGET)
    assert found.best is not None
    searched = rows_of(found.designs, [found.best.index])
    scored = [float(further.evaluate(design).metrics["rms"][0]) for design in (uniform, boss, searched)]
    own = [problem.evaluate(design).metrics for design in (uniform, boss, searched)]
    whole = problem.space.size <= MOST_PATHS
    optimum = float(find_optimum(problem).losses[0][0]) if whole else math.nan
    sums = tuple(float(metrics["local_cost"][0]) for metrics in own)
    return BossCell(
        model,
        fine,
        steps,
        scored[0],
        scored[1],
        scored[2],
        (sums[0], sums[1], sums[2]),
        float(own[1]["rms"][0]),
        optimum,
    )


def _uniform(problem: DesignProblem, fine: int, steps: int) -> Columns:
    """Return uniform steps, rounded to the fine grid."""
    inner = np.round(np.arange(1, steps) * fine / steps).astype(np.int64) - 1
    return {name: inner[i : i + 1] for i, name in enumerate(problem.space.columns)}


def _first(trials: Trials) -> Columns:
    return rows_of(trials.designs, [0])
