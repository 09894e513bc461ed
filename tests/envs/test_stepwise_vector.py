"""Designs put together choice by choice, many at once: as one at a time, bit for bit."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import sample_problems
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.testing import assert_array_equal

from designgym.envs import DesignProblem, StepwiseDesignEnv, StepwiseDesignVectorEnv

COPIES = 5
PROBLEMS = pytest.mark.parametrize("problem", [make() for make in sample_problems.PROBLEMS.values()],
                                   ids=list(sample_problems.PROBLEMS))  # fmt: skip


def bins_of(problem: DesignProblem) -> int | None:
    return 4 if problem.space.has_floats else None


def same_infos(ours: Any, theirs: Any, rows: np.ndarray) -> None:
    """Check that both hold the same of these copies: what one masks, the other masks or lacks."""
    for name in {*ours, *theirs} - {key for key in {*ours, *theirs} if key[:1] == "_"}:
        if name == "reason":
            continue
        for row in np.flatnonzero(rows):
            held = [name in info and info[f"_{name}"][row] for info in (ours, theirs)]
            assert held[0] == held[1], name
            if not held[0]:
                continue
            if isinstance(ours[name], dict):
                same_infos(ours[name], theirs[name], np.arange(COPIES) == row)
            else:
                assert_array_equal(ours[name][row], theirs[name][row])


@PROBLEMS
@pytest.mark.parametrize("blind", [False, True])
def test_copies_are_those_of_gymnasiums_own_vector_environment(problem: DesignProblem, blind: bool) -> None:
    """blind: choices that are masked are taken too, so designs are refused at any point."""
    bins = bins_of(problem)
    ours = StepwiseDesignVectorEnv(problem, COPIES, bins)
    theirs = SyncVectorEnv([lambda: StepwiseDesignEnv(problem, bins)] * COPIES, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.single_action_space == theirs.single_action_space
    assert ours.observation_space == theirs.observation_space
    (first, info), (second, _) = ours.reset(), theirs.reset()
    assert_array_equal(first, second)
    ours.action_space.seed(3)
    ends, unlike = 0, 0
    for _ in range(60):
        assert_array_equal(ours.action_masks(), np.stack(theirs.call("action_masks")))
        actions = ours.action_space.sample(mask=None if blind else tuple(info["action_mask"]))
        (*one, info), (*other, told) = ours.step(actions), theirs.step(actions)
        for mine, his in zip(one, other, strict=True):
            assert_array_equal(mine, his)
        same_infos(info, told, np.ones(COPIES, bool))
        ends += int(one[2].sum())
        unlike += bool(one[2].any() and not one[2].all())
    assert ends > 3 * COPIES
    if problem.space.constraints and (blind or problem.choice_features is None):
        assert unlike, "copies must have ended at different times"


@PROBLEMS
def test_finished_designs_are_priced_together(problem: DesignProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    envs, batches = StepwiseDesignVectorEnv(problem, 64, bins_of(problem)), []
    price = envs._face.price
    monkeypatch.setattr(envs._face, "price", lambda designs: batches.append(1) or price(designs))
    _, info = envs.reset()
    ended = np.zeros(64, int)
    while ended.min() < 2:
        *_, terminated, _, info = envs.step(envs.action_space.sample(mask=tuple(info["action_mask"])))
        ended += terminated
    assert len(batches) <= ended.sum() / 8


def test_some_copies_can_begin_anew() -> None:
    envs = StepwiseDesignVectorEnv(sample_problems.array(), COPIES)
    fresh, _ = envs.reset()
    envs.step(np.zeros(COPIES, int))
    mask = np.arange(COPIES) == 2
    observed, info = envs.reset(options={"reset_mask": mask})
    assert_array_equal((observed == fresh).all(axis=1), mask)
    assert info["action_mask"].shape == (COPIES, envs.single_action_space.n)


@pytest.mark.parametrize("actions", [np.zeros(COPIES), np.zeros(3, int), np.full(COPIES, 99), np.full(COPIES, -1)])
def test_actions_that_are_none_are_refused(actions: np.ndarray) -> None:
    envs = StepwiseDesignVectorEnv(sample_problems.array(), COPIES)
    with pytest.raises(ValueError, match="action"):
        envs.step(actions)
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        StepwiseDesignVectorEnv(sample_problems.array(), 0)


def test_make_vec_gives_it() -> None:
    envs = gymnasium.make_vec("designgym/OdeToleranceStepwise-v0", num_envs=3, bins=4)
    assert isinstance(envs.unwrapped, StepwiseDesignVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
