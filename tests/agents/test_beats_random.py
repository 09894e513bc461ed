"""On smooth problems searchers come far closer to the optimum than random search does."""

import numpy as np
import pytest

from designgym.agents import search
from designgym.agents.testing import CONDITIONAL, FLAT, ONE, Bowl
from designgym.envs import DesignProblem, DesignSpace
from designgym.envs.optimum import find_optimum

AGENTS = [
    "beam", "cross_entropy", "evolution", "policy_gradient", "q_learning", "simulated_annealing", "target_surrogate"
]  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("space", [FLAT, CONDITIONAL], ids=["flat", "conditional"])
def test_it_comes_far_closer_than_random_search(agent: str, space: DesignSpace) -> None:
    problem = DesignProblem(space, Bowl(space), ONE)
    optimum = find_optimum(problem).loss
    found = {
        name: np.mean([search(problem, name, 150, seed).best.metrics["latency_s"] - optimum for seed in range(6)])  # type: ignore[union-attr]
        for name in (agent, "random")
    }
    assert found[agent] < 0.5 * found["random"]
