"""No agent pays twice for a design, and hardly any asks one twice.

Measured on Optuna's own samplers at 1,000 trials: NSGA-II asks 59 % of its designs again, TPE 24 %. Here a known
proposal is answered from memory or redrawn before it is asked.
"""

from typing import Any

import numpy as np
import pytest

from designgym.agents import agent_class, agent_names, make_agent
from designgym.agents.base import run
from designgym.cost_models.base import batch_length
from designgym.envs import Answer, MeteredProblem, make_problem

MOST_REPEATS = 0.01  # share of the designs asked
BUDGETS = {"optuna_gp": 18, "optuna_tpe": 64}  # of 256 designs; dear proposals
SETTINGS: dict[str, dict[str, Any]] = {"optuna_gp": {"startup": 12}}


GENERAL = [
    name
    for name in agent_names()
    # A policy that is trained asks again what it knows, and is stopped for it: see test_rl.py.
    if not (agent_class(name).needs_local_costs or agent_class(name).needs_floats or agent_class(name).trains)
]


@pytest.mark.parametrize("name", GENERAL)
def test_designs_are_paid_for_once_and_hardly_asked_again(name: str) -> None:
    problem = make_problem("NKLandscape-v0", letters=2, n=8, k=2, instance=100)
    answers: list[Answer] = []
    metered = MeteredProblem(problem, BUDGETS.get(name, 128), answers.append)
    run(make_agent(name, metered, 1000, **SETTINGS.get(name, {})))
    ranks = np.concatenate([problem.space.rank(answer.designs)[answer.fresh] for answer in answers])
    assert len(set(ranks.tolist())) == len(ranks) == metered.spent() == metered.budget
    assert metered.asked == sum(batch_length(answer.designs) for answer in answers)
    assert metered.repeats_total <= MOST_REPEATS * metered.asked
