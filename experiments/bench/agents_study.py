"""From the logs of a comparison of agents to its figures: regrets on a grid, and one row a figure.

Regret is measured against stored true optima; with several objectives it is 1 - the share of the true hypervolume.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from designgym.envs.optimum import Optimum, known_optimum
from designgym.experiments import statistics as stats
from designgym.experiments.commands import problem_of_log
from designgym.experiments.comparison import (
    Floats,
    Interval,
    expected_running_time,
    performance_ratios,
    pooled_iqm,
    pooled_mean,
    probability_of_improvement,
    profile_score,
    ranking,
    ratio_of_means,
    stratified_interval,
)

CHECKPOINTS = (50, 200, 1000)
TARGETS = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)
SPACE_FILLING = ("random", "quasi_random", "optuna_qmc")
YARDSTICK, CHANCE = "optuna_tpe", "random"
OVERALL = "all"
COLUMNS = ("figure", "problem", "agent", "versus", "at", "unit", "middle", "low", "high", "runs")


@dataclass(frozen=True)
class Curve:
    """One finished run: regret after each design, and the run's clock, each (designs,)."""

    regret: Floats
    elapsed_s: Floats

    def at(self, designs: int) -> float:
        """The regret after so many designs; a run that ended earlier keeps its last."""
        return float(self.regret[min(designs, len(self.regret)) - 1]) if len(self.regret) else 1.0

    def after(self, seconds: float) -> float:
        """The regret after so many seconds; 1 before the first design."""
        last = int(np.searchsorted(self.elapsed_s, seconds, side="right")) - 1
        return float(self.regret[last]) if last >= 0 else 1.0


@dataclass
class Study:
    """The finished runs of problems with equally many objectives.

    curves: by agent, problem and seed. ms: time per proposal by agent, see `_ms`. missing: why an agent is not
    compared, by name. budget: designs a run may price. several: whether the problems have several objectives. marks:
    numbers of designs at which agents are compared, beside the budget.
    """

    budget: int
    several: bool
    problems: tuple[str, ...]
    seeds: tuple[int, ...]
    curves: dict[str, dict[str, dict[int, Curve]]]
    ms: dict[str, float]
    missing: dict[str, str] = field(default_factory=dict)
    peers: frozenset[str] = frozenset()
    families: dict[str, str] = field(default_factory=dict)
    marks: tuple[int, ...] = CHECKPOINTS

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Numbers of designs at which agents are compared."""
        return tuple(dict.fromkeys([*(c for c in self.marks if c < self.budget), self.budget]))

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents with all their runs, the best at the end first."""
        return tuple(sorted(self.curves, key=lambda agent: float(self.at(agent, self.budget).mean())))

    def problems_of(self, family: str) -> tuple[str, ...]:
        """The problems of a family, of all for OVERALL."""
        return tuple(p for p in self.problems if family in (OVERALL, self.families[p]))

    @property
    def family_names(self) -> tuple[str, ...]:
        """The ids of the problems, each once."""
        return tuple(dict.fromkeys(self.families.values()))

    def at(self, agent: str, designs: int, family: str = OVERALL) -> Floats:
        """Return regrets after so many designs, (seeds, problems)."""
        return self._table(agent, family, lambda curve: curve.at(designs))

    def after(self, agent: str, seconds: float, family: str = OVERALL) -> Floats:
        """Return regrets after so many seconds, (seeds, problems)."""
        return self._table(agent, family, lambda curve: curve.after(seconds))

    def reached(self, agent: str, target: float, unit: str) -> tuple[Floats, Floats]:
        """Return what each run had spent when it came to a target, inf for never, and by its end; (seeds, problems)."""

        def when(curve: Curve) -> float:
            if unit == "s":
                return stats.time_to_reach(curve.regret, curve.elapsed_s, target)
            return stats.designs_to_reach(curve.regret, target)

        def end(curve: Curve) -> float:
            return float(curve.elapsed_s[-1]) if unit == "s" else float(len(curve.regret))

        return self._table(agent, OVERALL, when), self._table(agent, OVERALL, end)

    def _table(self, agent: str, family: str, value: Any) -> Floats:
        runs = self.curves[agent]
        return np.array([[value(runs[p][seed]) for p in self.problems_of(family)] for seed in self.seeds])

    @property
    def clock(self) -> Floats:
        """Seconds at which agents are compared, on a log scale from the first design of any to the last."""
        clocks = [c.elapsed_s for a in self.curves.values() for p in a.values() for c in p.values()]
        return stats.second_grid(clocks, 60)


def read_study(directory: Path, peers: Iterable[str] = (), marks: Sequence[int] = CHECKPOINTS) -> Study:
    """Read a sweep that a comparison made. ValueError where a problem's true optimum is not known.

    peers: labels of what is not ours. marks: see `Study`.
    """
    from designgym.experiments.log import load_sweep
    from designgym.experiments.trials import run_tables

    sweep = load_sweep(directory)
    truths = {label: _truth(problem) for label, problem in sweep.problems.items()}
    by_key = {run.key: run for run in sweep.runs}
    curves: dict[str, dict[str, dict[int, Curve]]] = {}
    for key, table in run_tables(directory, {}):
        run = by_key[key]
        if run.state == "finished":
            curve = _curve(table, truths[run.problem])
            curves.setdefault(run.label, {}).setdefault(run.problem, {})[run.seed] = curve
    labels = list(dict.fromkeys(run.label for run in sweep.runs))
    wanted = {(run.problem, run.seed) for run in sweep.runs}
    complete, missing = {}, {}
    for label in labels:
        found = curves.get(label, {})
        lacking = sum(seed not in found.get(problem, {}) for problem, seed in wanted)
        if lacking:
            missing[label] = f"{lacking} of {len(wanted)} runs did not finish"
        else:
            complete[label] = found
    ms = {label: _ms([run for run in sweep.runs if run.label == label]) for label in complete}
    return Study(
        budget=sweep.runs[0].budget,
        several=len(next(iter(truths.values())).objectives) > 1,
        problems=tuple(sweep.problems),
        seeds=tuple(dict.fromkeys(run.seed for run in sweep.runs)),
        curves=complete,
        ms=ms,
        missing=missing,
        peers=frozenset(peers),
        families={label: problem.id for label, problem in sweep.problems.items()},
        marks=tuple(marks),
    )


def _truth(logged: Any) -> Optimum:
    problem = problem_of_log(logged)
    optimum = known_optimum(logged.id, dict(logged.given), problem)
    if optimum is None:
        raise ValueError(f"{logged.label} has no stored optimum to measure regret by. Find it: designgym optimum.")
    return optimum


def _curve(table: Any, truth: Optimum) -> Curve:
    rows = table.filter(table.column("fresh"))
    losses = np.column_stack([rows.column(f"loss.{name}").to_numpy() for name in truth.objectives])
    feasible = rows.column("feasible").to_numpy()
    if len(truth.objectives) > 1:
        reference = np.array(truth.reference)
        regret = stats.hypervolume_regret_so_far(losses, feasible, reference, truth.hypervolume)
    else:
        regret = stats.regret_so_far(stats.best_so_far(losses[:, 0], feasible), truth.loss, truth.median_loss)
    return Curve(regret, rows.column("elapsed_s").to_numpy())


def _ms(runs: Sequence[Any]) -> float:
    """Return the median over runs: the first run of each worker also loads its agent's compiled code, once."""
    each = [1e3 * run.agent_s / run.timed for run in runs if run.timed]
    return float(np.median(each)) if each else float("nan")


# -- the figures ------------------------------------------------------------------------------------------------------


def figures(study: Study) -> list[dict[str, Any]]:
    """Return every figure of the comparison as a row of COLUMNS."""
    rows = _Rows(study)
    for agent in study.agents:
        _regrets(study, agent, rows)
        _targets(study, agent, rows)
        rows.add("ms_per_proposal", agent, study.budget, "designs", study.ms[agent])
    for unit in ("designs", "s"):
        for agent, ratios in profile_ratios(study, unit).items():
            rows.add("profile_score", agent, 4.0, unit, profile_score(ratios))
    _pairs(study, rows)
    _ranks(study, rows)
    return rows.found


class _Rows:
    def __init__(self, study: Study) -> None:
        self.found: list[dict[str, Any]] = []
        self._runs = len(study.seeds)

    def add(
        self,
        figure: str,
        agent: str,
        at: float,
        unit: str,
        value: Interval | float,
        problem: str = OVERALL,
        versus: str = "",
    ) -> None:
        middle, low, high = value if isinstance(value, Interval) else (value, float("nan"), float("nan"))
        cells = (figure, problem, agent, versus, float(at), unit, float(middle), float(low), float(high), self._runs)
        self.found.append(dict(zip(COLUMNS, cells, strict=True)))


def _regrets(study: Study, agent: str, rows: _Rows) -> None:
    for at in study.checkpoints:
        for family in (OVERALL, *study.family_names):
            scores = study.at(agent, at, family)
            rows.add("mean_regret", agent, at, "designs", stratified_interval(pooled_mean, scores), family)
            rows.add("iqm_regret", agent, at, "designs", stratified_interval(pooled_iqm, scores), family)
    for seconds in study.clock[:: max(1, len(study.clock) // 15)]:
        scores = study.after(agent, float(seconds))
        rows.add("iqm_regret", agent, float(seconds), "s", stratified_interval(pooled_iqm, scores))


def _targets(study: Study, agent: str, rows: _Rows) -> None:
    for unit in ("designs", "s"):
        for target in TARGETS:
            reached, spent = study.reached(agent, target, unit)
            rows.add(f"expected_{unit}", agent, target, "regret", expected_running_time(reached, spent))
            rows.add(f"share_reached_{unit}", agent, target, "regret", float(np.isfinite(reached).mean()))


def profile_ratios(study: Study, unit: str) -> dict[str, Floats]:
    """Return each agent's expected cost of each target on each problem over the least of any; none where none came."""
    costs = {}
    for agent in study.agents:
        found = []
        for target in TARGETS[2:]:
            reached, spent = study.reached(agent, target, unit)
            found += [expected_running_time(reached[:, j], spent[:, j]) for j in range(len(study.problems))]
        costs[agent] = np.array(found)
    if not costs:
        return {}
    known = np.isfinite(np.array(list(costs.values()))).any(axis=0)
    return performance_ratios({agent: cost[known] for agent, cost in costs.items()}) if known.any() else {}


def _pairs(study: Study, rows: _Rows) -> None:
    for at in study.checkpoints:
        scores = {agent: study.at(agent, at) for agent in study.agents}
        for a in scores:
            for b in scores:
                if a != b and (b in (study.agents[0], YARDSTICK, CHANCE)):
                    chance = probability_of_improvement(scores[a], scores[b])
                    rows.add("probability_of_improvement", a, at, "designs", chance, versus=b)
        for family in (OVERALL, *study.family_names):
            if YARDSTICK in scores:
                yardstick = study.at(YARDSTICK, at, family)
                for a in scores:
                    ratio = ratio_of_means(study.at(a, at, family), yardstick)
                    rows.add("ratio_of_mean_regret", a, at, "designs", ratio, family, YARDSTICK)


def _ranks(study: Study, rows: _Rows) -> None:
    if len(study.agents) < 3 or len(study.problems) < 2:
        return
    for at in study.checkpoints:
        found = ranking({agent: study.at(agent, at).mean(axis=0) for agent in study.agents})
        for agent, rank in found.ranks.items():
            half = found.critical_difference / 2.0
            rows.add("average_rank", agent, at, "designs", Interval(rank, rank - half, rank + half))
        rows.add("friedman_p", "", at, "designs", found.friedman_p)
        for (a, b), p in found.holm_p.items():
            rows.add("wilcoxon_holm_p", a, at, "designs", p, versus=b)
