"""Vector environments as Stable-Baselines3 takes them: what its own DummyVecEnv makes of the copies, one by one."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra rl")

from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.testing import assert_array_equal
from stable_baselines3.common.vec_env import DummyVecEnv

from designgym.agents.rl_vectors import Actions, Vectors
from designgym.agents.testing import problems
from designgym.envs import DesignEnv, DesignVectorEnv, StepwiseDesignEnv, StepwiseDesignVectorEnv, make_sequential

COPIES = 4


def cartpole() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("CartPole-v1", max_episode_steps=9)


def three_bodies() -> gymnasium.Env[Any, Any]:
    return make_sequential("ThreeBodyStepping-v0")


def designs() -> gymnasium.Env[Any, Any]:
    return DesignEnv(problems()["conditional"], horizon=2)


def choices() -> gymnasium.Env[Any, Any]:
    return StepwiseDesignEnv(problems()["conditional"])


CASES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "truncated": (lambda: SyncVectorEnv([cartpole] * COPIES, autoreset_mode=AutoresetMode.SAME_STEP), cartpole),
    "sequential": (
        lambda: gymnasium.make_vec(
            "designgym/ThreeBodyStepping-v0", num_envs=COPIES, vectorization_mode="vector_entry_point"
        ),
        three_bodies,
    ),
    "whole": (lambda: DesignVectorEnv(problems()["conditional"], COPIES, horizon=2), designs),
    "stepwise": (lambda: StepwiseDesignVectorEnv(problems()["conditional"], COPIES), choices),
}


@pytest.mark.parametrize(("vector", "scalar"), CASES.values(), ids=list(CASES))
def test_steps_are_those_of_dummy_vec_env(vector: Callable[[], Any], scalar: Callable[[], Any]) -> None:
    ours, theirs = Vectors(vector()), DummyVecEnv([scalar] * COPIES)
    assert ours.observation_space.dtype == np.float32
    assert ours.action_space == theirs.action_space
    ours.seed(11)
    theirs.seed(11)
    assert_array_equal(ours.reset(), np.asarray(theirs.reset(), np.float32))
    ours.action_space.seed(11)
    ends = 0
    for _ in range(40):
        actions = np.array([ours.action_space.sample() for _ in range(COPIES)])
        (observed, rewards, done, told), (seen, earned, over, infos) = ours.step(actions), theirs.step(actions)
        assert observed.dtype == np.float32
        assert_array_equal(rewards.astype(np.float32), earned)
        assert_array_equal(done, over)
        assert_array_equal(observed, np.asarray(seen, np.float32))
        for one, info in zip(told, infos, strict=True):
            assert ("terminal_observation" in one) == ("terminal_observation" in info)
            if "terminal_observation" in one:
                ends += 1
                assert one["TimeLimit.truncated"] == info["TimeLimit.truncated"]
                assert_array_equal(one["terminal_observation"], np.float32(info["terminal_observation"]))
    assert ends


def test_time_limits_are_told_apart_from_ends() -> None:
    envs = Vectors(CASES["truncated"][0]())
    envs.seed(0)
    envs.reset()
    left_right = [envs.step(np.full(COPIES, i % 2))[3] for i in range(9)]
    assert [one["TimeLimit.truncated"] for one in left_right[-1]] == [True] * COPIES
    assert not any(one for step in left_right[:-1] for one in step)


def test_masks_come_from_the_vector_environment() -> None:
    envs = Vectors(CASES["stepwise"][0]())
    envs.reset()
    assert envs.has_attr("action_masks")
    assert not Vectors(CASES["whole"][0]()).has_attr("action_masks")
    masks = envs.env_method("action_masks", indices=[0, 2])
    assert_array_equal(masks, envs.envs.action_masks()[[0, 2]])


def test_bounded_actions_are_shown_from_minus_one_to_one() -> None:
    box = gymnasium.spaces.Box(np.array([0.0, 10.0]), np.array([1.0, 20.0]), dtype=np.float64)
    actions = Actions(box)
    assert actions.shown == gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    assert_array_equal(actions.meant(np.float32([[-1, -1], [0, 0], [1, 1]])), [[0, 10], [0.5, 15], [1, 20]])
    with pytest.raises(ValueError, match="actions must have bounds"):
        Actions(gymnasium.spaces.Box(-np.inf, np.inf, (1,)))


def test_what_is_no_such_environment_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin episodes anew in SAME_STEP mode"):
        Vectors(SyncVectorEnv([cartpole]))
    taxi = SyncVectorEnv([lambda: gymnasium.make("FrozenLake-v1")], autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="observations must be a Box"):
        Vectors(taxi)
