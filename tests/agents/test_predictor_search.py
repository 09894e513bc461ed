"""The predictor is what leads: it learns of what was told, and its search beats the same evolution without it."""

import numpy as np
import pytest

from designgym.agents import make_agent, search
from designgym.cost_models.learned.forest import RankForest
from designgym.envs import MeteredProblem, make_problem


def best(agent: str, budget: int, seed: int) -> float:
    problem = make_problem("SystolicGemms-v0")
    return float(np.nanmin(search(problem, agent, budget, seed).evaluations.losses))


def test_it_finds_better_designs_than_a_predictor_that_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    led = [best("predictor_search", 120, seed) for seed in range(6)]
    monkeypatch.setattr(RankForest, "predict", lambda self, designs: np.zeros(len(next(iter(designs.values())))))
    blind = [best("predictor_search", 120, seed) for seed in range(6)]
    assert np.mean(np.log(led)) < np.mean(np.log(blind))


def test_kinds_mutate_together_and_one_parent_alone_always_changes() -> None:
    problem = make_problem("DiffusionSampling-v0", evaluations=5, points=32)
    agent = make_agent("predictor_search", MeteredProblem(problem, 10), 0, rate=1.0)
    mask = agent._mask(np.arange(4000) % 2 == 0)
    names = np.array([parameter.name.startswith("solver") for parameter in problem.space.parameters])
    solvers, times = mask[:, names], mask[:, ~names]
    assert (solvers.all(axis=1) | (solvers.sum(axis=1) <= 1)).all()
    assert times.all(axis=1).mean() == pytest.approx(0.3, abs=0.03)
    assert mask[::2].any(axis=1).all()
    assert (~mask[1::2].any(axis=1)).mean() == pytest.approx(0.49, abs=0.04)
