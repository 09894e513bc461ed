"""Every registered agent keeps the contract: registering one tests it."""

from typing import Any

import pytest

from designgym.agents import agent_class, agent_names
from designgym.agents.testing import check_agent

BUDGETS = {
    "optuna_gp": 18,  # each of its proposals fits a Gaussian process, .2 s and more
    "surrogate_search": 13,  # each choice among thousands of candidates
    "predictor_search": 40,  # it learns a forest three times
    "optuna_tpe": 24,  # later it asks mostly repeats, at 10 ms each
    "optuna_cmaes": 60,  # several generations
    "optuna_qmc": 60,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "optuna_gp": {"startup": 16, "most": 16},  # the last one leaves a trial out
    "surrogate_search": {"first": 8, "candidates": 1024},
    "predictor_search": {"first": 16},
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
