"""Score `surrogate_search` where it was not developed: regret on three spaces whose true optimum is known.

It was developed on SystolicArray-v0 and MixedPrecision-v0, but for one look at what it missed (see `surrogate_turns`),
and several versions were scored here on the same seeds: a cell that one lost led to work on problems of its kind.
Every run goes through the sweeps' own engine with every agent's defaults, so a comparison may be stopped and gone on
with. A cell is a problem at a number of designs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from designgym.experiments.bench.agents import able_agents
from designgym.experiments.bench.agents_study import Study, read_study
from designgym.experiments.bench.surrogate_fits import Fits, measure_fits
from designgym.experiments.comparison import Floats, Interval, difference_of_means, pooled_mean, stratified_interval

AGENT = "surrogate_search"
PROBLEMS = ("CompressedTransformer-v0", "LowRank-v0", "SolverPattern-v0")
RIVALS = ("random", "local_search", "genetic", "optuna_tpe")
SLOW_RIVAL = "optuna_gp"
BESIDE = ("bayesian",)  # not among those that it is scored against
MARKS = (100, 300, 1000)  # designs


@dataclass(frozen=True)
class Plan:
    """What is run. slow_marks, slow_seeds: of SLOW_RIVAL, a second a proposal. fits: runs of each way to refit."""

    agents: tuple[str, ...] = (AGENT, *RIVALS, *BESIDE)
    problems: tuple[str, ...] = PROBLEMS
    seeds: int = 20
    marks: tuple[int, ...] = MARKS
    slow_seeds: int = 10
    slow_marks: tuple[int, ...] = MARKS[:2]
    fits: int = 10
    fits_budget: int = 150


QUICK = Plan((AGENT, "random"), ("LowRank-v0",), 2, (30,), 0, (), 1, 30)


@dataclass(frozen=True)
class Cell:
    """A rival on a problem at a number of designs: the agent's mean regret less the rival's, below 0 where it wins."""

    problem: str
    designs: int
    rival: str
    ours: Interval
    theirs: Interval
    difference: Interval

    @property
    def lost(self) -> bool:
        """Whether the interval of the difference lies wholly on the losing side."""
        return self.difference.low > 0.0


@dataclass(frozen=True)
class Outcome:
    """A comparison. cells: of all rivals that were run; fits: see `surrogate_fits`; left_out: why an agent was not run.

    studies: of all agents but the slow one, and then of that one; ms: time per proposal, by agent.
    """

    cells: tuple[Cell, ...]
    studies: tuple[Study, ...]
    fits: tuple[Fits, ...]
    seconds: float
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def ms(self) -> dict[str, float]:
        """Milliseconds a proposal, by agent."""
        return {agent: ms for study in self.studies for agent, ms in study.ms.items()}


def compare(
    plan: Plan, out: Path, workers: int | None = None, silent: bool = False, say: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Run what is planned, in this order: scored runs, the slow rival's, fits. out: keeps the logs.

    KeyboardInterrupt where it was stopped: the same call goes on from there.
    """
    begun = time.perf_counter()
    left_out = dict[str, str]()
    entries = [{"id": name} for name in plan.problems]
    studies = []
    quick = able_agents(plan.agents, entries, left_out)
    studies.append(_study("scored", quick, entries, plan.seeds, plan.marks, out, workers, silent))
    if plan.slow_seeds and (slow := able_agents([SLOW_RIVAL], entries, left_out)):
        studies.append(_study("slow", slow, entries, plan.slow_seeds, plan.slow_marks, out, workers, silent))
    fits = measure_fits(plan.fits, plan.fits_budget, out / "fits", say) if plan.fits else ()
    return Outcome(cells(studies), tuple(studies), fits, time.perf_counter() - begun, left_out)


def _study(
    name: str,
    agents: Sequence[str],
    entries: Sequence[dict[str, Any]],
    seeds: int,
    marks: Sequence[int],
    out: Path,
    workers: int | None,
    silent: bool,
) -> Study:
    from designgym.experiments.driver import sweep
    from designgym.experiments.spec import make_spec

    given: dict[str, Any] = {"problems": list(entries), "agents": list(agents), "seeds": seeds, "budget": max(marks)}
    given["stop_at_regret"] = 0.0  # nothing is left to find: later the regret would be 0 as well
    spec = make_spec({"name": f"surrogate-search-{name}", **given})
    if sweep(spec, out / name, workers=workers, silent=silent).interrupted:
        raise KeyboardInterrupt
    return read_study(out / name, marks=marks)


def cells(studies: Sequence[Study]) -> tuple[Cell, ...]:
    """Return the cells of every agent of these studies but AGENT, which the first one has run."""
    ours = studies[0]
    found = []
    for study in studies:
        for rival in study.agents:
            if rival == AGENT or AGENT not in ours.curves:
                continue
            for designs in study.checkpoints:
                for problem in study.family_names:
                    pair = ours.at(AGENT, designs, problem), study.at(rival, designs, problem)
                    means = [stratified_interval(pooled_mean, scores) for scores in pair]
                    found.append(Cell(problem, designs, rival, means[0], means[1], difference_of_means(*pair)))
    return tuple(found)


def overall(outcome: Outcome) -> Mapping[str, tuple[Interval, Interval]]:
    """Return the mean regret over all cells that an agent has, and the agent's own over the same cells, by name."""
    ours = outcome.studies[0]
    if AGENT not in ours.curves:
        return {}
    found = {}
    for study in outcome.studies:
        for agent in study.agents:
            marks = study.checkpoints
            theirs, own = _over(study, agent, marks), _over(ours, AGENT, marks)
            found[agent] = stratified_interval(pooled_mean, theirs), stratified_interval(pooled_mean, own)
    return found


def _over(study: Study, agent: str, marks: Sequence[int]) -> Floats:
    """Return regrets, (seeds, cells)."""
    return np.concatenate([study.at(agent, designs) for designs in marks], axis=1)


def lowest(outcome: Outcome) -> bool:
    """Whether the agent's mean over all cells is below that of every rival over the cells that the rival has."""
    rivals = {name: pair for name, pair in overall(outcome).items() if name in (*RIVALS, SLOW_RIVAL)}
    return bool(rivals) and all(own.middle < theirs.middle for theirs, own in rivals.values())
