"""Every registered agent keeps the contract: registering one tests it."""

from typing import Any

import pytest

from designgym.agents import agent_names
from designgym.agents.testing import check_agent

BUDGETS = {
    "optuna_gp": 18,  # each of its proposals fits a Gaussian process, .2 s and more
    "optuna_tpe": 60,  # later it asks mostly repeats, at 10 ms each
}
SETTINGS: dict[str, dict[str, Any]] = {"optuna_gp": {"startup": 14, "most": 16}}  # the last two leave trials out


@pytest.mark.parametrize("name", agent_names())
def test_agent_keeps_the_contract(name: str) -> None:
    check_agent(name, BUDGETS.get(name, 120), **SETTINGS.get(name, {}))
