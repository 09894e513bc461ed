"""Every registered agent keeps the contract: registering one tests it."""

import pytest

from designgym.agents import agent_names
from designgym.agents.testing import check_agent

SLOW = {"optuna_gp"}  # minutes: each of its proposals fits a Gaussian process
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in agent_names()]


@pytest.mark.parametrize("name", NAMES)
def test_agent_keeps_the_contract(name: str) -> None:
    check_agent(name)
