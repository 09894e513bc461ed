"""Compare searches for bits layer by layer on the two spaces that are priced whole: regret is to the true optimum.

The score is bit operations over those of 8 bits everywhere, at a validation accuracy of at most .01 below float's.
Agents stand beside the field's own methods, see `bit_baselines`; all go through one meter and the sweeps' own engine,
so a comparison may be stopped and gone on with. Fronts: what share of the true front's hypervolume a search dominates,
over the logarithm of that ratio and accuracy, measured from 8 bits everywhere and an accuracy of one half.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.envs.optimum import known_optimum
from designgym.envs.pareto import hypervolume
from designgym.envs.registry import make_problem
from designgym.experiments.bench.agents import able_agents
from designgym.experiments.bench.agents_answers import mean_regret, ours
from designgym.experiments.bench.agents_study import CHANCE, YARDSTICK, Study, read_study
from designgym.experiments.bench.bit_baselines import BASELINES, ENTRIES, make_baselines_known
from designgym.experiments.comparison import Floats, Interval, pooled_mean, stratified_interval

ID = "MixedPrecision-v0"
NETWORKS = ("mlp", "cnn")
AGENTS = (
    "random", "optuna_tpe", "genetic", "bayesian", "local_search", "simulated_annealing", "evolution", "beam",
    "cross_entropy", "predictor_search", "ant_colony", "optuna_cmaes",
)  # fmt: skip
MARKS = (50, 100, 300)  # designs
SEARCHER = "genetic"  # whose fronts are measured, beside those of chance
FRONT_BUDGET = 3000
REFERENCE = np.array([0.0, -0.5])  # the logarithm of a ratio of 1, and an accuracy of .5, negated
WANTED = 0.95  # of the true front's hypervolume


@dataclass(frozen=True)
class Outcome:
    """A comparison. studies: by network. shares: of the true front's hypervolume by network and agent, each (seeds,).

    front_budget: designs that a search for a front may price. left_out: why an agent was not run at all, by name.
    """

    studies: dict[str, Study]
    shares: dict[str, dict[str, Floats]]
    front_budget: int
    seconds: float
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The best of the project's agents beside the yardstick: mean regret at so many designs."""

    designs: int
    agent: str
    regret: Interval
    yardstick: Interval

    @property
    def holds(self) -> bool:
        """Whether the agent's mean is no worse."""
        return self.regret.middle <= self.yardstick.middle


def compare(
    agents: Sequence[str],
    networks: Sequence[str],
    seeds: int,
    budget: int,
    front_budget: int,
    out: Path,
    workers: int | None = None,
    silent: bool = False,
) -> Outcome:
    """Run every agent and baseline on every network, then the searches for fronts. out: keeps the logs.

    KeyboardInterrupt where it was stopped: the same call goes on from there.
    """
    begun = time.perf_counter()
    make_baselines_known()
    studies, shares, left_out = {}, {}, dict[str, str]()
    able = able_agents(agents, [{"id": ID}], left_out)
    for network in networks:
        _sweep(network, {}, [*able, *ENTRIES], seeds, budget, out / network, workers, silent)
        studies[network] = _read(out / network)
    for network in networks if front_budget else ():
        folder = out / f"{network}-front"
        _sweep(network, {"front": True}, [SEARCHER, CHANCE], seeds, front_budget, folder, workers, silent)
        shares[network] = front_shares(folder, network)
    return Outcome(studies, shares, front_budget, time.perf_counter() - begun, left_out)


def _sweep(
    network: str,
    options: dict[str, Any],
    agents: Sequence[Any],
    seeds: int,
    budget: int,
    out: Path,
    workers: int | None,
    silent: bool,
) -> None:
    from designgym.experiments.driver import sweep
    from designgym.experiments.spec import make_spec

    problem = {"id": ID, "options": {"network": network, **options}}
    spec = make_spec(
        {"name": f"bits-{out.name}", "problems": [problem], "agents": list(agents), "seeds": seeds, "budget": budget}
    )
    if sweep(spec, out, workers=workers, silent=silent).interrupted:
        raise KeyboardInterrupt


def _read(folder: Path) -> Study:
    from designgym.experiments.log import load_sweep

    baselines = {run.label for run in load_sweep(folder).runs if run.agent in BASELINES}
    return read_study(folder, baselines, MARKS)


def answer(study: Study, designs: int) -> Answer | None:
    """Return how the best of the project's agents, picked after the fact, compares; None without it or a yardstick."""
    own = ours(study)
    if YARDSTICK not in study.curves or not own:
        return None
    best = min(own, key=lambda agent: float(study.at(agent, designs).mean()))
    return Answer(designs, best, mean_regret(study, best, designs), mean_regret(study, YARDSTICK, designs))


def front_shares(folder: Path, network: str) -> dict[str, Floats]:
    """Return the share of the true front's hypervolume that each finished run dominates, by agent, (seeds,)."""
    from designgym.experiments.log import load_sweep
    from designgym.experiments.trials import run_tables

    runs = {run.key: run for run in load_sweep(folder).runs}
    whole = true_volume(network)
    shares: dict[str, dict[int, float]] = {}
    for key, table in run_tables(folder, {}):
        run = runs[key]
        if run.state == "finished":
            columns = ("bit_operations_ratio", "accuracy")
            metrics = {name: table.column(f"metric.{name}").to_numpy() for name in columns}
            shares.setdefault(run.label, {})[run.seed] = volume(metrics) / whole
    return {label: np.array([found[seed] for seed in sorted(found)]) for label, found in shares.items()}


def true_volume(network: str) -> float:
    """Return the hypervolume of the stored true front. ValueError where none is stored."""
    options = {"network": network, "front": True}
    optimum = known_optimum(ID, options, make_problem(ID, **options))
    if optimum is None:
        raise ValueError(f"{ID} has no stored front of {network!r}. Find it: designgym optimum.")
    front = optimum.all_metrics
    return volume({name: np.array([one[name] for one in front]) for name in ("bit_operations_ratio", "accuracy")})


def volume(metrics: Columns) -> float:
    """Return the hypervolume of designs, (n,), over log bit operations ratio and accuracy, within REFERENCE."""
    losses = np.column_stack([np.log(metrics["bit_operations_ratio"]), -metrics["accuracy"]])
    return hypervolume(losses, REFERENCE)


def share_interval(shares: Floats) -> Interval:
    """Return the mean share with its bootstrap interval over seeds."""
    return stratified_interval(pooled_mean, shares)


def front_holds(shares: dict[str, Floats]) -> bool:
    """Whether the search for a front comes to the share that is wanted, and its mean lies above chance's interval."""
    mean = share_interval(shares[SEARCHER]).middle
    return mean >= WANTED and mean > share_interval(shares[CHANCE]).high
