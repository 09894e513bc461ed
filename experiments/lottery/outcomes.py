"""What each run of a lottery came to, read from the log: final regrets, as bounds where a run did not finish.

A run's best only improves, so one that was cut short, failed, or has not begun would have ended between regret 0 and
where it stands: both bounds are kept, and nothing is assumed of what lies between.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments import statistics as stats
from designgym.experiments.lottery.best_of import Floats
from designgym.experiments.lottery.spec import Lottery
from designgym.experiments.parts import RunFiles
from designgym.experiments.plain import digest
from designgym.experiments.runs import RunSpec, SweepProblem, runs

if TYPE_CHECKING:
    import pyarrow as pa

CUT = "seconds"  # a finished run that ended thus has not had its budget
CHECKPOINTS = 5  # budgets looked at: the whole one, and its half, quarter, ...


@dataclass(frozen=True)
class Yardstick:
    """What regret is measured by. known: the true optimum, from pricing the whole space; else the best of all runs."""

    loss: float
    median: float
    known: bool

    def regret(self, best: Floats) -> Floats:
        """Return regrets of best losses; 1 where they are inf."""
        return stats.regret_so_far(best, self.loss, self.median)

    def margin(self, share: float) -> float:
        """Return the regret of a loss that is a share of the optimum's above it; the share itself around 0."""
        gap = self.median - self.loss
        return share * abs(self.loss) / gap if gap > 0 and self.loss else share


@dataclass(frozen=True)
class Outcomes:
    """One entrant on one problem, by setting (the default first), seed, and budget.

    best: the best loss so far, inf for none. low, high: what final regret is between. All (settings, seeds, budgets).
    designs: priced, (settings, seeds). complete: whether a run had its whole budget, (settings, seeds).
    """

    best: Floats
    low: Floats
    high: Floats
    designs: NDArray[np.int64]
    complete: NDArray[np.bool_]


@dataclass(frozen=True)
class Arena:
    """One problem with its yardstick and each entrant's outcomes. budgets: ascending, the last is the whole one."""

    label: str
    problem: SweepProblem
    yardstick: Yardstick
    budgets: tuple[int, ...]
    outcomes: tuple[Outcomes, ...]


@dataclass(frozen=True)
class _Read:
    """One run: best loss at each budget, priced designs, whether it had its budget, its feasible losses."""

    best: Floats
    designs: int
    complete: bool


def budgets_of(budget: int) -> tuple[int, ...]:
    """Return the budgets to look at: the whole, a half, a quarter, ..., none below one design."""
    return tuple(sorted({budget >> i for i in range(CHECKPOINTS)} - {0}))


def read_arenas(lottery: Lottery, directory: Path) -> list[Arena]:
    """Read every run of a lottery. LogError names a damaged file."""
    budgets = budgets_of(lottery.spec.budget)
    by_problem: dict[str, list[RunSpec]] = {}
    for run in runs(lottery.sweep):
        by_problem.setdefault(run.problem.label, []).append(run)
    return [_arena(lottery, directory, found, budgets) for found in by_problem.values()]


def _arena(lottery: Lottery, directory: Path, all_runs: list[RunSpec], budgets: tuple[int, ...]) -> Arena:
    problem = all_runs[0].problem
    read, sample = {}, []
    for run in all_runs:
        rows, meta = RunFiles(directory, run.key).read()
        loss, feasible = _losses(rows, problem)
        read[_name(run.agent.name, run.agent.hyperparameters, run.seed)] = _read(loss, feasible, meta, run, budgets)
        sample.append((run.agent.name == "random", loss[feasible]))
    yardstick = _yardstick(problem, sample)
    worst = max([1.0, *(float(yardstick.regret(one.best).max()) for one in read.values())])
    outcomes = []
    for entrant in lottery.entrants:
        found = [
            [read[_name(entrant.agent, setting.hyperparameters, seed)] for seed in lottery.spec.seeds]
            for setting in entrant.settings
        ]
        outcomes.append(_outcomes(found, yardstick, budgets, worst))
    return Arena(problem.label, problem, yardstick, budgets, tuple(outcomes))


def _name(agent: str, hyperparameters: Any, seed: int) -> tuple[str, int]:
    return digest([agent, hyperparameters]), seed


def _losses(rows: pa.Table | None, problem: SweepProblem) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the losses of the distinct designs that a run priced faithfully, in order, and which are feasible."""
    import pyarrow.compute as pc

    if rows is None:
        return np.zeros(0), np.zeros(0, bool)
    rows = rows.filter(pc.equal(rows.column("fidelity").cast("string"), "faithful")).filter(pc.field("fresh"))
    loss = rows.column(f"loss.{problem.problem.objective.names[0]}").to_numpy()
    return loss, rows.column("feasible").to_numpy().astype(bool)


def _read(loss: Floats, feasible: NDArray[np.bool_], meta: dict[str, Any], run: RunSpec, budgets: Any) -> _Read:
    curve = stats.best_so_far(loss, feasible)
    places = np.minimum(np.array(budgets), len(curve)) - 1
    best = curve[places] if len(curve) else np.full(len(budgets), np.inf)
    return _Read(best, len(curve), len(curve) >= run.budget or meta.get("ended", CUT) != CUT)


def _yardstick(problem: SweepProblem, sample: list[tuple[bool, Floats]]) -> Yardstick:
    """Return the known optimum, unless a run beat it; else the best of all runs and the median of random's designs."""
    from designgym.envs.optimum import known_optimum

    found = np.concatenate([losses for _, losses in sample])
    least = float(found.min()) if len(found) else np.inf
    optimum = known_optimum(problem.id, dict(problem.given), problem.problem)
    if optimum is not None and optimum.designs and least >= optimum.loss - 1e-9 * abs(optimum.loss):
        return Yardstick(float(optimum.loss), float(optimum.median_loss), True)
    if not len(found):
        return Yardstick(0.0, 1.0, False)
    uniform = [losses for random, losses in sample if random and len(losses)]
    return Yardstick(least, float(np.median(np.concatenate(uniform) if uniform else found)), False)


def _outcomes(found: list[list[_Read]], yardstick: Yardstick, budgets: tuple[int, ...], worst: float) -> Outcomes:
    best = np.array([[one.best for one in row] for row in found])
    designs = np.array([[one.designs for one in row] for row in found])
    complete = np.array([[one.complete for one in row] for row in found])
    high = yardstick.regret(best)
    # A run's first feasible design may be worse than the median: before it has one, the worst run seen bounds it.
    known = complete[:, :, None] | (designs[:, :, None] >= np.array(budgets))
    high = np.where(~known & np.isinf(best), worst, high)
    return Outcomes(best, np.where(known, high, 0.0), high, designs, complete)
