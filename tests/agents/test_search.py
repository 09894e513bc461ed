"""One search in process, on problems that are more, or less, than a `DesignProblem`."""

import re
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from designgym.agents import agent_class, agent_names, search
from designgym.agents.testing import problems, problems_for
from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem, DesignSpace, Evaluations, Integer, MeteredProblem, RunOver
from designgym.envs.design_env import DesignEnv

BUDGETS = {"optuna_gp": 12}  # each of its proposals after the first ten fits a Gaussian process
SPECIAL = {name for name in agent_names() if agent_class(name).needs_local_costs or agent_class(name).needs_floats}
TRAINED = {name for name in agent_names() if agent_class(name).trains}
WITHOUT_RL = find_spec("sb3_contrib") is None
GENERAL = [name for name in agent_names() if name not in SPECIAL and not (WITHOUT_RL and name in TRAINED)]


class Door:
    """A problem that is its space, its objective and `evaluate`, and nothing more."""

    def __init__(self, problem: Any) -> None:
        self.space, self.objective, self.evaluate = problem.space, problem.objective, problem.evaluate


@pytest.mark.parametrize("agent", GENERAL)
def test_a_problem_may_be_anything_with_space_objective_and_evaluate(agent: str) -> None:
    problem = problems()["flat"]
    budget = BUDGETS.get(agent, 40)
    one, other = search(problem, agent, budget), search(Door(problem), agent, budget)
    for name in problem.space.columns:
        assert one.designs[name].tolist() == other.designs[name].tolist()


@pytest.mark.parametrize("agent", GENERAL)
def test_an_agent_searches_behind_a_door_until_the_budget_is_spent(agent: str) -> None:
    metered = MeteredProblem(problems()["flat"], budget=BUDGETS.get(agent, 30))
    with pytest.raises(RunOver):
        agent_class(agent)(Door(metered), np.random.default_rng(0)).search()
    assert metered.spent() == metered.budget


@pytest.mark.parametrize("agent", sorted({name for name in SPECIAL if agent_class(name).needs_local_costs}))
def test_an_agent_of_local_costs_refuses_a_problem_without_by_name(agent: str) -> None:
    (path,) = problems_for(agent_class(agent))[0].values()
    with pytest.raises(ValueError, match=rf"{agent} needs local_costs\(\)"):
        search(Door(path), agent, budget=30)


def test_what_overrides_evaluate_is_asked_by_its_evaluate() -> None:
    asked = []

    class Counted(DesignProblem):
        def evaluate(self, designs: Columns, *rest: Any) -> Evaluations:
            asked.append(len(designs["rows"]))
            return super().evaluate(designs, *rest)

    flat = problems()["flat"]
    problem = Counted(flat.space, flat.cost_model, flat.objective)
    trials = search(problem, "random", budget=20)
    assert sum(asked) == len(trials) == 20
    env = DesignEnv(problem)
    env.reset()
    env.step(env.action_space.sample())
    assert asked[-1] == 1


@pytest.mark.parametrize("agent", GENERAL)
def test_a_space_without_valid_designs_ends_complete_and_empty(agent: str) -> None:
    flat = problems()["flat"]
    empty = DesignSpace(Integer("rows", 0, 3), constraints=("rows > 3",))
    trials = search(DesignProblem(empty, flat.cost_model, flat.objective), agent, budget=5)
    assert (len(trials), trials.best, len(trials.front), trials.ended) == (0, None, 0, "complete")


@pytest.mark.parametrize("seed", ["1", -1, 1.5, True, None])
def test_what_is_no_seed_is_refused_with_the_rule(seed: Any) -> None:
    with pytest.raises(ValueError, match=rf"seed must be an integer of at least 0, got {re.escape(repr(seed))}"):
        search(problems()["flat"], "random", budget=5, seed=seed)
