"""What Optuna's Gaussian-process sampler cannot take is named."""

import numpy as np
import pytest

from designgym.agents import make_agent
from designgym.agents.testing import ONE, Bowl
from designgym.envs import DesignProblem, DesignSpace, Integer


def test_an_integer_too_wide_to_list_is_refused_by_name() -> None:
    space = DesignSpace(Integer("address", 0, 2**40), Integer("banks", 1, 8))
    with pytest.raises(ValueError, match=r"at most 1,048,576 values, got 1,099,511,627,777 of address\. Give it"):
        make_agent("optuna_gp", DesignProblem(space, Bowl(space), ONE), 0)


def test_the_widest_integer_taken_is_searched() -> None:
    space = DesignSpace(Integer("address", 1, 2**20), Integer("banks", 1, 8))
    problem = DesignProblem(space, Bowl(space), ONE)
    agent = make_agent("optuna_gp", problem, 0, startup=2)
    for _ in range(4):
        designs = agent.ask_on(1)
        assert np.all(space.violation(designs) == 0)
        agent.tell(designs, problem.evaluate(designs))
