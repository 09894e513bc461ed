"""Every registered agent keeps the contract: registering one tests it."""

import pytest

from designgym.agents import agent_names
from designgym.agents.testing import check_agent

SLOW = {"optuna_gp"}  # minutes: each of its proposals fits a Gaussian process
BUDGETS = {"optuna_tpe": 60}  # later it asks mostly repeats, at 10 ms each
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in agent_names()]


@pytest.mark.parametrize("name", NAMES)
def test_agent_keeps_the_contract(name: str) -> None:
    check_agent(name, BUDGETS.get(name, 120))
