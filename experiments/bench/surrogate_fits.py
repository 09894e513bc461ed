"""What is saved where models are fitted when their errors drift, and not at every choice: fits, and regret at the end.

On the problems that `surrogate_search` was developed on, seeds from 1,000 on: equal seeds begin with equal designs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents.base import run
from designgym.agents.registry import make_agent
from designgym.envs import MeteredProblem
from designgym.envs.optimum import known_optimum
from designgym.envs.registry import make_problem
from designgym.experiments import statistics as stats
from designgym.experiments.comparison import Floats, Interval, difference_of_means, pooled_mean, stratified_interval

PROBLEMS = ("SystolicArray-v0", "MixedPrecision-v0")
WAYS = ("drift", "always")
FIRST_SEED = 1000


@dataclass(frozen=True)
class Run:
    """One run. fits: models fitted; updates: models that learnt more without a fit; agent_s: the agent's own time."""

    regret: float
    fits: int
    updates: int
    agent_s: float


@dataclass(frozen=True)
class Fits:
    """Both ways on one problem: models fitted a run, and final regret by drift less that by fitting always."""

    problem: str
    designs: int
    runs: int
    by_drift: Interval
    by_always: Interval
    regret: Interval
    regret_always: Interval
    difference: Interval
    agent_s: float
    agent_s_always: float

    @property
    def equal(self) -> bool:
        """Whether the interval of the difference of final regrets holds 0."""
        return self.difference.low <= 0.0 <= self.difference.high


def measure_fits(runs: int, budget: int, out: Path, say: Callable[[str], None] = lambda _: None) -> tuple[Fits, ...]:
    """Run both ways on each problem; finished runs are kept in `out` and read again."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for problem in PROBLEMS:
        by_way: dict[str, list[Run]] = {way: [] for way in WAYS}
        for seed in range(FIRST_SEED, FIRST_SEED + runs):
            for way in WAYS:
                say(f"fits: {problem}, seed {seed}, refit={way}")
                by_way[way].append(_kept(out, problem, way, seed, budget))
        found.append(_summed(problem, budget, by_way))
    return tuple(found)


def _kept(out: Path, problem: str, way: str, seed: int, budget: int) -> Run:
    path = out / f"{problem}-{way}-{seed}-{budget}.json"
    if path.exists():
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    one = one_run(problem, way, seed, budget)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(asdict(one)), encoding="utf-8")
    scratch.replace(path)
    return one


def one_run(problem_id: str, way: str, seed: int, budget: int, **hyperparameters: Any) -> Run:
    """Run the agent once on a problem with its defaults. ValueError where its optimum is not stored."""
    problem = make_problem(problem_id)
    optimum = known_optimum(problem_id, {}, problem)
    if optimum is None:
        raise ValueError(f"{problem_id} has no stored optimum to measure regret by. Find it: designgym optimum.")
    losses: list[Any] = []
    metered = MeteredProblem(problem, budget, lambda answer: losses.append(_best(answer.evaluations)))
    agent: Any = make_agent("surrogate_search", metered, seed, refit=way, **hyperparameters)
    begun = time.perf_counter()
    run(agent)
    agent_s = time.perf_counter() - begun - metered.evaluating_s
    regret = stats.regret_so_far(np.array([min(losses)]), optimum.loss, optimum.median_loss)
    return Run(float(regret[-1]), agent.models.fits, agent.models.updates, agent_s)


def _best(evaluations: Any) -> float:
    return float(np.min(evaluations.losses[evaluations.feasible, 0], initial=np.inf))


def _summed(problem: str, budget: int, by_way: dict[str, list[Run]]) -> Fits:
    drift, always = by_way["drift"], by_way["always"]
    ours, theirs = (np.array([one.regret for one in runs]) for runs in (drift, always))
    return Fits(
        problem,
        budget,
        len(drift),
        _mean(np.array([float(one.fits) for one in drift])),
        _mean(np.array([float(one.fits) for one in always])),
        _mean(ours),
        _mean(theirs),
        difference_of_means(ours, theirs),
        float(np.mean([one.agent_s for one in drift])),
        float(np.mean([one.agent_s for one in always])),
    )


def _mean(scores: Floats) -> Interval:
    return stratified_interval(pooled_mean, scores)
