"""Simulated annealing: its temperatures, what it accepts, and what it finds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from designgym.agents import make_agent, search
from designgym.agents.cooling import Cooling, first_temperature
from designgym.agents.simulated_annealing import FEASIBLE, INFEASIBLE, SimulatedAnnealing
from designgym.agents.testing import FLAT, ONE, Bowl
from designgym.cost_models.base import Columns, Metric
from designgym.envs import DesignProblem, DesignSpace, Evaluations, MeteredProblem, Objective, make_problem

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Scaled:
    """A rugged loss in some unit, infeasible in a quarter of the space."""

    space: DesignSpace
    unit: float

    metrics = (Metric("loss", "", "lower", "a sum of squares and of noise"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        unit = self.space.encode(designs)
        rugged = 2.0 + ((unit - 0.4) ** 2).sum(axis=1) + 0.3 * np.sin(40 * unit).sum(axis=1)
        return {"loss": self.unit * rugged, "violation": np.maximum(0.0, unit[:, 0] - 0.75)}


def steps(problem: DesignProblem, budget: int, seed: int, **settings: Any) -> list[tuple[float, bool]]:
    """Return by how much each proposal of a run was worse than where its chain stood, and whether it was accepted."""
    made: list[tuple[float, bool]] = []
    agent = make_agent("simulated_annealing", MeteredProblem(problem, budget), seed, **settings)
    assert isinstance(agent, SimulatedAnnealing)
    step = agent._step

    def watched(chain: Any, known: Any, draw: float) -> bool:
        worse = chain.reward - known[1]
        made.append((worse, step(chain, known, draw)))
        return made[-1][1]

    agent._step = watched  # type: ignore[method-assign]
    for _ in range(budget):
        designs = agent.ask(1)
        agent.tell(designs, agent.problem.evaluate(designs))
    return made


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8])
def test_the_first_temperature_accepts_the_share_asked_for(share: float) -> None:
    values = RNG.normal(size=64)
    temperature = first_temperature(values, share)
    # Equation 6 of Ben-Ameur, written out over all pairs.
    pairs = [(a, b) for a in values for b in values if a > b]
    weights = np.array([np.exp((a - values.max()) / temperature) for a, _ in pairs])
    accepted = np.array([np.exp((b - a) / temperature) for a, b in pairs])
    assert (weights * accepted).sum() / weights.sum() == pytest.approx(share, rel=0.01)


def test_a_temperature_has_the_unit_of_the_values() -> None:
    values = RNG.normal(size=16)
    for unit in (1e-9, 1e6, 2.0**40):
        assert first_temperature(unit * values, 0.3) == pytest.approx(unit * first_temperature(values, 0.3), rel=1e-9)
    assert first_temperature(np.ones(5), 0.3) == first_temperature(np.zeros(0), 0.3) == 0.0


def test_cooling_is_geometric_and_reheating_goes_half_way_back() -> None:
    cooling = Cooling(0.01)
    assert [cooling.factor(t) for t in (0.0, 0.5, 1.0, 9.0)] == pytest.approx([1.0, 0.1, 0.01, 0.01])
    cooling.reheat(0.5)
    assert [cooling.factor(t) for t in (0.5, 1.0)] == pytest.approx([0.1**0.5, 0.01])
    cooling.reheat(1.5)
    assert [cooling.factor(t) for t in (1.5, 2.5)] == pytest.approx([0.1, 0.01])


def test_worse_designs_are_accepted_less_and_less() -> None:
    problem = make_problem("NKLandscape-v0", letters=2, n=18, k=5, instance=101)
    share = np.zeros(3)
    for seed in range(4):
        taken = [accepted for worse, accepted in steps(problem, 600, seed, accept=0.5, patience=4096) if worse > 0]
        share += [np.mean(part) for part in np.array_split(np.array(taken), 3)]
    assert share[0] > 2 * share[1] > 4 * share[2]


def test_better_designs_are_always_accepted() -> None:
    problem = DesignProblem(FLAT, Bowl(FLAT), ONE)
    made = steps(problem, 150, 0)
    assert all(accepted for worse, accepted in made if worse <= 0)
    assert not all(accepted for _, accepted in made)


@pytest.mark.parametrize("unit", [1e6, 1e-6])
@pytest.mark.parametrize("form", ["weighted", "log"])
def test_the_unit_of_the_objective_leaves_no_trace(unit: float, form: Any) -> None:
    trials = [
        search(
            DesignProblem(FLAT, Scaled(FLAT, scale), Objective("loss", reward=form, floor=-1e12)),
            "simulated_annealing", 200, seed=3,
        )
        for scale in (1.0, unit)
    ]  # fmt: skip
    for name in FLAT.columns:
        assert trials[0].designs[name].tolist() == trials[1].designs[name].tolist()


def test_infeasible_and_failed_designs_do_not_heat() -> None:
    agent = make_agent("simulated_annealing", DesignProblem(FLAT, Bowl(FLAT), ONE), 0)
    assert isinstance(agent, SimulatedAnnealing)
    losses, violation = np.array([1.0, 1.1, 1.2, 9.0, 9.0, 9.0]), np.array([0.0, 0.0, 0.0, 0.5, 50.0, np.inf])
    told = Objective("loss")({"loss": losses, "violation": violation})
    agent.tell(FLAT.sample(6, RNG), told)
    assert agent._temperatures[FEASIBLE] == first_temperature(-np.log(losses[:3]), 0.2)
    assert agent._temperatures[INFEASIBLE] == first_temperature(told.reward[3:5], 0.2)


def test_a_feasible_chain_stays_feasible() -> None:
    problem = DesignProblem(FLAT, Scaled(FLAT, 1.0), Objective("loss"))
    made = steps(problem, 300, 1, accept=0.99, cooled=1.0)
    across = [accepted for worse, accepted in made if 50 < worse < np.inf]
    assert len(across) > 5
    assert not any(across)


def test_it_cools_over_the_budget_or_over_the_horizon() -> None:
    problem = DesignProblem(FLAT, Bowl(FLAT), ONE)
    designs = FLAT.sample(50, RNG)
    evaluations: Evaluations = problem.evaluate(designs)
    for made, time in ((MeteredProblem(problem, 100), 0.5), (problem, 0.25)):
        agent = make_agent("simulated_annealing", made, 0, horizon=200)
        assert isinstance(agent, SimulatedAnnealing)
        agent.tell(designs, evaluations)
        assert agent._time == time


def test_chains_ask_side_by_side_and_each_is_told_its_own() -> None:
    agent = make_agent("simulated_annealing", DesignProblem(FLAT, Bowl(FLAT), ONE), 0, chains=4, first=4, rate=0.0)
    assert isinstance(agent, SimulatedAnnealing)
    told: list[tuple[int, int]] = []
    agent._step = lambda chain, known, draw: bool(told.append((agent._chains.index(chain), known[0]["rows"][0])))  # type: ignore[method-assign]
    agent.tell(first := agent.ask(4), agent.problem.evaluate(first))
    asked = agent.ask(4)
    backwards = {name: column[::-1].copy() for name, column in asked.items()}
    agent.tell(backwards, agent.problem.evaluate(backwards))
    assert [row for _, row in sorted(told)] == asked["rows"].tolist()
    assert [chain for chain, _ in told] == [3, 2, 1, 0]
