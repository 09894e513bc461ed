"""Every registered agent keeps the contract: registering one tests it."""

from typing import Any

import pytest

from designgym.agents import agent_class, agent_names
from designgym.agents.testing import check_agent

BUDGETS = {
    "optuna_gp": 18,  # each of its proposals fits a Gaussian process, .2 s and more
    "surrogate_search": 24,  # each choice among thousands of candidates
    "optuna_tpe": 60,  # later it asks mostly repeats, at 10 ms each
}
SETTINGS: dict[str, dict[str, Any]] = {
    "optuna_gp": {"startup": 14, "most": 16},  # the last two leave trials out
    "surrogate_search": {"first": 8, "candidates": 1024},
}
# Policies that are trained several times within a small budget.
TRAINED = ("ppo", "a2c", "dqn", "sac", "maskable_ppo", "recurrent_ppo")
BUDGETS |= dict.fromkeys(TRAINED, 16)
SETTINGS |= {name: {"envs": 4, "steps": 4, "width": 16} for name in TRAINED}
for name in ("ppo", "maskable_ppo", "recurrent_ppo"):
    SETTINGS[name] |= {"epochs": 1}
SETTINGS["dqn"] |= (learning := {"startup": 8, "updates": 1})
SETTINGS["sac"] |= learning


@pytest.mark.parametrize("name", agent_names())
def test_agent_keeps_the_contract(name: str) -> None:
    if agent_class(name).trains:
        pytest.importorskip("sb3_contrib", reason="needs the extra rl")
    check_agent(name, BUDGETS.get(name, 120), **SETTINGS.get(name, {}))
