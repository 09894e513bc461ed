"""Beam search: what is kept, what completes it, and what it finds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from designgym.agents import make_agent, search
from designgym.agents.beam import Beam
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, ONE, Bowl
from designgym.cost_models.base import Columns, Metric
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective, Permutation, Subset
from designgym.envs.optimum_search import find_optimum

LETTERS = DesignSpace(*(Categorical(f"p{i}", ("a", "b", "c", "d")) for i in range(5)))
ORDERED = DesignSpace(Permutation("order", tuple("abcdefgh")))
PICKED = DesignSpace(Subset("pick", 9, 4))


@dataclass(frozen=True)
class Additive:
    """A loss that is a sum over digits or picks, from a table."""

    space: DesignSpace
    seed: int

    metrics = (Metric("loss", "", "lower", "a sum of costs"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        costs = np.random.default_rng(self.seed).random((20, 20))
        parameter, n = self.space.parameters[0], len(next(iter(designs.values())))
        if isinstance(parameter, Permutation):
            places = parameter.order(designs["order"])
        else:
            places = np.stack([designs[name] for name in self.space.columns], axis=1)
        rows = np.zeros(len(places[0]), int) if isinstance(parameter, Subset) else np.arange(len(places[0]))
        return {"loss": 1.0 + costs[rows, places].sum(axis=1), "violation": np.zeros(n)}


def additive(space: DesignSpace, seed: int = 0) -> DesignProblem:
    return DesignProblem(space, Additive(space, seed), Objective("loss"))


def beam(problem: DesignProblem, **settings: Any) -> Beam:
    agent = make_agent("beam", problem, 0, **settings)
    assert isinstance(agent, Beam)
    return agent


def step(agent: Beam) -> int:
    """Ask and tell once; return how many designs were asked."""
    designs = agent.ask(agent.batch)
    agent.tell(designs, agent.problem.evaluate(designs))
    return len(next(iter(designs.values())))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [1, 3])
def test_an_additive_problem_is_solved_in_one_pass(seed: int, width: int) -> None:
    problem = additive(LETTERS, seed)
    # Every choice in every way, of each partial design on the beam.
    trials = search(problem, "beam", 2 + width * 5 * 4, seed=seed, width=width, first=2)
    assert trials.evaluations.losses.min() == find_optimum(problem).loss


@pytest.mark.parametrize("space", [ORDERED, PICKED], ids=["permutation", "subset"])
def test_orders_and_subsets_are_put_together_pick_by_pick(space: DesignSpace) -> None:
    problem, budget = additive(space, 3), 40 if space is PICKED else 120  # of 126 and of 40,320
    best = [search(problem, "beam", budget, seed).evaluations.losses.min() for seed in range(6)]
    random = [search(problem, "random", budget, seed).evaluations.losses.min() for seed in range(6)]
    optimum = find_optimum(problem).loss
    assert np.mean(best) - optimum < 0.5 * (np.mean(random) - optimum)


def test_no_more_than_the_width_stays_and_it_is_the_best() -> None:
    agent = beam(additive(LETTERS), width=2, first=8)
    step(agent)
    assert step(agent) > 0
    branches = [(max(agent._known[key] for key, _ in b.completions), b.partial.chosen) for b in agent._level]
    kept = agent._judged()
    assert len(kept) == 2
    by_prefix: dict[tuple[int, ...], float] = {}
    for reward, chosen in branches:
        by_prefix[tuple(chosen)] = max(reward, by_prefix.get(tuple(chosen), -np.inf))
    best = sorted(by_prefix, key=lambda chosen: -by_prefix[chosen])[:2]
    assert [tuple(branch.partial.chosen) for branch in kept] == best


def test_each_choice_is_completed_as_the_best_completion_before() -> None:
    agent = beam(additive(LETTERS), width=1, first=2)
    step(agent)
    step(agent)
    parent = agent._judged()[0]
    agent._advance()
    for branch in agent._level:
        assert branch.partial.chosen[:1] == parent.partial.chosen
        assert list(branch.completions[0][1])[2:] == list(parent.wishes)[2:]


def test_rollouts_complete_at_random_besides() -> None:
    agent = beam(additive(LETTERS), width=1, first=2, rollouts=3)
    step(agent)
    step(agent)
    assert {len(branch.completions) for branch in agent._level} == {4}


def test_a_wide_choice_is_tried_in_some_ways() -> None:
    space = DesignSpace(Integer("x", 0, 999), Integer("y", 0, 999))
    agent = beam(DesignProblem(space, Bowl(space), ONE), width=1, branch=7, first=2)
    step(agent)
    step(agent)
    assert len({branch.partial.chosen[0] for branch in agent._level}) == len(agent._level) == 7


def test_each_pass_has_an_order_of_its_own_with_parents_first() -> None:
    agent = beam(DesignProblem(CONDITIONAL, Bowl(CONDITIONAL), ONE))
    orders = {tuple(p.name for p in agent._reordered().parameters) for _ in range(60)}
    assert len(orders) == 12  # of 24, those in which method comes before effort
    assert all(order.index("method") < order.index("effort") for order in orders)


def test_designs_asked_ahead_are_waited_for() -> None:
    agent = beam(additive(LETTERS), width=1, first=2)
    step(agent)
    ahead = [agent.ask(1) for _ in range(8)]
    rows = {tuple(design[name][0] for name in LETTERS.columns) for design in ahead}
    assert len(rows) == 8
    for design in ahead:
        agent.tell(design, agent.problem.evaluate(design))
    assert step(agent) > 0


def test_a_float_is_chosen_by_the_middles_of_its_bins() -> None:
    trials = search(DesignProblem(CONTINUOUS, Bowl(CONTINUOUS), ONE), "beam", 60, seed=0, bins=8, first=2)
    alpha = trials.designs["alpha"][2:]
    assert set(np.round(alpha * 8 - 0.5, 9) % 1) == {0.0}
    assert trials.best is not None
    assert abs(trials.best.design["alpha"] - 0.8) <= 1 / 16
