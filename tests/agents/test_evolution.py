"""Regularised evolution: who is a parent, who dies, and what it finds."""

from typing import Any

import numpy as np
import pytest

from designgym.agents import make_agent, search
from designgym.agents.evolution import Evolution
from designgym.agents.testing import FLAT, ONE, TWO, Bowl, problems
from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem, DesignSpace, Evaluations, Integer, Objective

LINE = DesignSpace(Integer("x", 0, 999))


def told(*losses: float, violation: Any = 0.0) -> Evaluations:
    column = np.array(losses)
    violations = np.broadcast_to(violation, column.shape)
    return Objective(minimize=("loss",))({"loss": column, "violation": violations})


def evolution(**settings: Any) -> Evolution:
    agent = make_agent("evolution", DesignProblem(LINE, Bowl(LINE), ONE), 0, **settings)
    assert isinstance(agent, Evolution)
    return agent


def xs(*values: int) -> Columns:
    return {"x": np.array(values)}


def test_the_oldest_dies_even_if_it_is_the_best() -> None:
    agent = evolution(population=3)
    agent.tell(xs(1, 2, 3), told(0.1, 5.0, 6.0))
    agent.tell(xs(4), told(7.0))
    assert agent._designs["x"].tolist() == [2, 3, 4]
    agent.tell(xs(5, 6, 7, 8), told(1.0, 2.0, 3.0, 4.0))
    assert agent._designs["x"].tolist() == [6, 7, 8]


def test_a_sample_of_everyone_is_won_by_the_best() -> None:
    agent = evolution(population=8, sample=256)
    agent.tell(xs(*range(8)), told(8.0, 7.0, 3.0, 5.0, 6.0, 1.0, 2.0, 4.0))
    assert set(agent._winners(50).tolist()) == {5}


def test_a_sample_of_one_is_blind() -> None:
    agent = evolution(population=8, sample=1)
    agent.tell(xs(*range(8)), told(*range(1, 9)))
    counts = np.bincount(agent._winners(8000))
    assert counts == pytest.approx(np.full(8, 1000), abs=150)


def test_less_violation_wins_before_more_and_feasible_before_both() -> None:
    agent = evolution(population=3, sample=256)
    agent.tell(xs(1, 2, 3), told(1.0, 1.0, 9.0, violation=[0.5, 0.2, 0.0]))
    assert agent._places.tolist() == [2, 1, 0]


def test_children_are_one_mutation_from_their_parents() -> None:
    agent = make_agent("evolution", problems()["flat"], 3, population=4, rate=0.0)
    assert isinstance(agent, Evolution)
    first = FLAT.sample(4, np.random.default_rng(5))
    agent.tell(first, agent.problem.evaluate(first))
    children = agent.ask(16)
    for i in range(16):
        differ = [sum(children[c][i] != first[c][parent] for c in FLAT.columns) for parent in range(4)]
        assert min(differ) == 1


def test_the_population_is_random_until_it_is_full() -> None:
    agent = evolution(population=64)
    few = xs(*range(500, 540))
    agent.tell(few, told(*np.linspace(1, 2, 40)))
    asked = np.concatenate([agent.ask(8)["x"] for _ in range(8)])
    assert np.histogram(asked, bins=4, range=(0, 1000))[0].min() >= 4


def test_two_objectives_leave_a_front() -> None:
    trials = search(DesignProblem(FLAT, Bowl(FLAT), TWO), "evolution", 300, seed=0)
    corners = [trials.evaluations.losses[:, j].min() for j in range(2)]
    random = search(DesignProblem(FLAT, Bowl(FLAT), TWO), "random", 300, seed=0)
    assert len(trials.front) > len(random.front)
    assert corners[0] < 1.1
