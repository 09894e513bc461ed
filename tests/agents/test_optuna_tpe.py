"""The sampler that knows the space proposes what Optuna's own does."""

import numpy as np
import optuna
import pytest

from designgym.agents import optuna_tpe, search
from designgym.agents.testing import CONTINUOUS, FLAT, ONE, Bowl
from designgym.envs import DesignProblem, DesignSpace, Ordinal

SINGLE = DesignSpace(*FLAT.parameters, Ordinal("fixed", (7,)))  # what has one value is left out of the estimator


@pytest.mark.parametrize("space", [FLAT, SINGLE, CONTINUOUS], ids=["flat", "single", "continuous"])
def test_knowing_the_space_changes_no_proposal(monkeypatch: pytest.MonkeyPatch, space: DesignSpace) -> None:
    problem = DesignProblem(space, Bowl(space), ONE)
    ours = search(problem, "optuna_tpe", 40, seed=3)
    monkeypatch.setattr(optuna_tpe, "_flat_sampler_class", lambda: optuna.samplers.TPESampler)
    stock = search(problem, "optuna_tpe", 40, seed=3)
    assert len(ours) == 40
    for name in space.columns:
        assert np.array_equal(ours.designs[name], stock.designs[name])
