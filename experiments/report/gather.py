"""From a sweep's log to studied problems: curves of every run, agents' figures, the best distinct designs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import nondominated
from designgym.experiments import statistics as stats
from designgym.experiments.parts import RunFiles
from designgym.experiments.report.palette import SLOTS
from designgym.experiments.report.study import (
    MOST_BEST,
    MOST_FRONT,
    TOLERANCES,
    AgentStudy,
    BestDesign,
    ProblemStudy,
    Run,
)
from designgym.experiments.report.trials import Trials, trials_of
from designgym.experiments.report.truth import Truth, remake, truth_of

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.envs import DesignProblem
    from designgym.experiments.log import LoggedProblem, LoggedRun, Sweep


def study_sweep(sweep: Sweep, table: pa.Table) -> list[ProblemStudy]:
    """Study each problem of a sweep that has trials, in the order of its specification."""
    labels = list(dict.fromkeys(run.label for run in sweep.runs))
    slots = {label: i % SLOTS for i, label in enumerate(labels)}
    started = set(table.column("problem").unique().to_pylist())
    return [study_problem(p, sweep, slots, table) for p in sweep.problems.values() if p.label in started]


def study_problem(logged: LoggedProblem, sweep: Sweep, slots: dict[str, int], table: pa.Table) -> ProblemStudy:
    """Study one problem. slots: each agent's colour, the same throughout a page."""
    trials = trials_of(table, logged.label)
    runs = tuple(run for run in sweep.runs if run.problem == logged.label)
    problem, why = remake(logged, str(runs[0].definition.get("cost_model", "")))
    uniform = _drawn_uniformly(trials, runs, bool(logged.start))
    truth = truth_of(logged, problem, why, trials, uniform)
    curves = run_curves(trials, runs, truth)
    agents = tuple(_agent(label, slot, runs, curves, truth) for label, slot in slots.items())
    chosen, on_front = best_rows(trials)
    best = _best_designs(chosen, trials, {run.key: run for run in runs}, problem)
    return ProblemStudy(
        logged, runs, trials, truth, tuple(a for a in agents if a.runs), best, on_front, _errors(sweep, runs)
    )


def _errors(sweep: Sweep, runs: tuple[LoggedRun, ...]) -> dict[str, str]:
    """Return the first line of what each failed run left."""
    errors = {}
    for run in runs:
        path = RunFiles(sweep.directory, run.key).error
        if run.damage:
            errors[run.key] = run.damage
        if run.state == "failed" and path.exists():
            errors[run.key] = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    return errors


def _drawn_uniformly(trials: Trials, runs: tuple[LoggedRun, ...], started: bool) -> NDArray[np.bool_]:
    """Return where a trial was drawn by `random`, bool (n,). started: an agent's first batch is the user's designs."""
    return trials.of_runs({run.key for run in runs if run.agent == "random"}) & (trials.ask >= started)


def run_curves(trials: Trials, runs: tuple[LoggedRun, ...], truth: Truth) -> list[Run]:
    """Return the curves of each run that priced anything."""
    curves = []
    for run in runs:
        rows = trials.bounds.get(run.key, slice(0, 0))
        if rows.stop == rows.start:
            continue
        losses, feasible = trials.losses[rows], trials.feasible[rows]
        best = stats.best_so_far(losses[:, 0], feasible)
        if losses.shape[1] == 1:
            regret = stats.regret_so_far(best, truth.loss, truth.median)
        elif truth.volume > 0:
            regret = stats.hypervolume_regret_so_far(losses, feasible, truth.reference, truth.volume)
        else:
            regret = np.ones(len(losses))
        # Evaluations of a slow model may overtake each other: a best of the first i is known when all i are.
        curves.append(Run(run, best, regret, np.maximum.accumulate(trials.elapsed_s[rows])))
    return curves


def _agent(label: str, slot: int, runs: tuple[LoggedRun, ...], curves: list[Run], truth: Truth) -> AgentStudy:
    mine = [curve for curve in curves if curve.logged.label == label]
    finished = tuple(curve for curve in mine if curve.finished)
    # A run that is still going has had less of its budget: it counts only while there is nothing better to show.
    counted = finished or tuple(mine)
    reach = {t: np.array([needed(run, truth, t)[0] for run in counted]) for t in TOLERANCES}
    reach_s = {t: np.array([needed(run, truth, t)[1] for run in counted]) for t in TOLERANCES}
    return AgentStudy(label, slot, tuple(run for run in runs if run.label == label), counted, reach, reach_s)


def needed(run: Run, truth: Truth, tolerance: float) -> tuple[float, float]:
    """Return designs priced and seconds until a run was within a tolerance of the optimum's loss, or of its volume."""
    several = truth.volume > 0
    curve, target = (run.regret, tolerance) if several else (run.best, stats.target_loss(truth.loss, tolerance))
    return stats.designs_to_reach(curve, target), stats.time_to_reach(curve, run.elapsed_s, target)


# -- best designs -----------------------------------------------------------------------------------------------------


def best_rows(trials: Trials) -> tuple[list[int], int]:
    """Return rows of the best distinct feasible designs, and how many designs are on the front of what was found.

    With one objective by loss, then by how soon a run found them; else along the front by its first loss, thinned.
    """
    rows = np.flatnonzero(trials.feasible)
    if not len(rows):
        return [], 0
    losses, codes = trials.losses[rows], trials.codes
    if losses.shape[1] == 1:
        least = int((losses[:, 0] == losses[:, 0].min()).sum())
        ordered = rows[np.lexsort((trials.index[rows], losses[:, 0]))]
        return _distinct(ordered, codes, MOST_BEST), len(_distinct(ordered[:least], codes, least))
    front = rows[nondominated(losses)]
    front = front[np.lexsort((trials.index[front], *trials.losses[front].T[::-1]))]
    distinct = _distinct(front, codes, len(front))
    places = np.unique(np.linspace(0, len(distinct) - 1, MOST_FRONT).round().astype(int))
    return [distinct[place] for place in places], len(distinct)


def _distinct(rows: NDArray[np.int64], codes: NDArray[np.float64], most: int) -> list[int]:
    """Return the first `most` rows whose designs differ, in order."""
    seen: dict[bytes, int] = {}
    for row in rows.tolist():
        seen.setdefault(codes[row].tobytes(), row)
        if len(seen) == most:
            break
    return list(seen.values())


def _best_designs(
    rows: list[int], trials: Trials, runs: dict[str, LoggedRun], problem: DesignProblem | None
) -> tuple[BestDesign, ...]:
    codes, places = trials.codes, trials.bounds
    found = []
    for row in rows:
        same = np.flatnonzero((codes == codes[row]).all(axis=1) & trials.feasible)
        keys = [trials.runs[i] for i in trials.run[same]]
        numbers = [int(r) - places[key].start + 1 for r, key in zip(same, keys, strict=True)]
        first = int(np.argmin(numbers))
        run = runs[keys[first]]
        found_by = dict(Counter(runs[key].label for key in keys))
        metrics = {name: float(column[row]) for name, column in trials.metrics.items()}
        design = _named(trials.design(row), problem)
        found.append(BestDesign(trials.losses[row], design, metrics, found_by, (run.label, run.seed, numbers[first])))
    return tuple(found)


def _named(design: dict[str, Any], problem: DesignProblem | None) -> dict[str, Any]:
    """Return a logged design with None where a parameter is idle; as logged where the problem cannot be made here."""
    if problem is None:
        return design
    return {name: values[0] for name, values in problem.space.describe(problem.space.parse(design)).items()}
