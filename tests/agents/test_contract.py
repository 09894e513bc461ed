"""Every registered agent keeps the contract: registering one tests it."""

import pytest

from designgym.agents import agent_names
from designgym.agents.testing import check_agent


@pytest.mark.parametrize("name", agent_names())
def test_agent_keeps_the_contract(name: str) -> None:
    check_agent(name)
