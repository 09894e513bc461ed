"""The faces under Gymnasium's own machinery: its registry, its checker, its wrappers and its vector environments."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import sample_problems
from gymnasium import wrappers
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import vector

from designgym.envs import (
    DesignEnv,
    DesignProblem,
    DesignVectorEnv,
    StepwiseDesignEnv,
    gymnasium_id,
    make_problem,
    problem_ids,
)

SAME_STEP = AutoresetMode.SAME_STEP
COPIES = 4
HORIZON = 3
Env = gymnasium.Env[Any, Any]


def whole(problem: DesignProblem) -> Env:
    return DesignEnv(problem, HORIZON)


def stepwise(problem: DesignProblem) -> Env:
    return StepwiseDesignEnv(problem, bins=4 if problem.space.has_floats else None)


FACES: dict[str, Callable[[DesignProblem], Env]] = {"whole": whole, "stepwise": stepwise}
PROBLEMS = pytest.mark.parametrize("problem", [make() for make in sample_problems.PROBLEMS.values()],
                                   ids=list(sample_problems.PROBLEMS))  # fmt: skip
SINGLE = pytest.mark.parametrize("face", FACES.values(), ids=list(FACES))


def actions_of(env: Env, info: dict[str, Any]) -> Any:
    """Draw an action, an open one where the environment says which are."""
    return env.action_space.sample(info["action_mask"]) if "action_mask" in info else env.action_space.sample()


def steps(env: Env, count: int, seed: int = 0) -> Iterator[tuple[Any, float, bool, bool, dict[str, Any]]]:
    """Step an environment, reset where an episode has ended."""
    env.action_space.seed(seed)
    _, info = env.reset(seed=seed)
    for _ in range(count):
        step = env.step(actions_of(env, info))
        info = step[4]
        yield step
        if step[2] or step[3]:
            _, info = env.reset()


@PROBLEMS
@SINGLE
@pytest.mark.filterwarnings("ignore:.*(precision lowered|minimum value|maximum value|unbounded)")
def test_the_checker_passes_every_face(problem: DesignProblem, face: Callable[[DesignProblem], Env]) -> None:
    check_env(face(problem), skip_render_check=True)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("problem_id", problem_ids())
def test_make_gives_a_checked_environment(problem_id: str, stepwise: bool) -> None:
    bins = {"bins": 8} if stepwise and make_problem(problem_id).space.has_floats else {}
    env = gymnasium.make(gymnasium_id(problem_id, stepwise), **bins)
    assert isinstance(env.unwrapped, StepwiseDesignEnv if stepwise else DesignEnv)
    assert len(list(steps(env, 5))) == 5
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    for first, second in zip(steps(env, 5, seed=1), steps(again, 5, seed=1), strict=True):
        assert data_equivalence(first, second, exact=True)


def test_a_time_limit_truncates_and_does_not_terminate() -> None:
    env = gymnasium.make("designgym/LABS-v0", horizon=10, max_episode_steps=4)
    assert [(step[2], step[3]) for step in steps(env, 4)] == [(False, False)] * 3 + [(False, True)]
    env = wrappers.TimeLimit(stepwise(sample_problems.array()), 2)
    assert [(step[2], step[3]) for step in steps(env, 2)] == [(False, False), (False, True)]


@PROBLEMS
@SINGLE
def test_statistics_of_episodes_are_those_of_their_rewards(
    problem: DesignProblem, face: Callable[[DesignProblem], Env]
) -> None:
    env = wrappers.RecordEpisodeStatistics(face(problem))
    rewards: list[float] = []
    ended = 0
    for _, reward, terminated, _, info in steps(env, 30):
        rewards.append(float(reward))
        assert ("episode" in info) == terminated
        if terminated:
            assert info["episode"]["r"] == pytest.approx(sum(rewards))
            assert info["episode"]["l"] == len(rewards)
            ended, rewards = ended + 1, []
    assert ended >= 3


OF_SINGLE: dict[str, Callable[[Env], Env]] = {
    "Autoreset": wrappers.Autoreset,
    "ClipReward": lambda env: wrappers.ClipReward(env, -1.0, 1.0),
    "DelayObservation": lambda env: wrappers.DelayObservation(env, 1),
    "DtypeObservation": lambda env: wrappers.DtypeObservation(env, np.float32),
    "FlattenObservation": wrappers.FlattenObservation,
    "FrameStackObservation": lambda env: wrappers.FrameStackObservation(env, 2),
    "NormalizeObservation": wrappers.NormalizeObservation,
    "NormalizeReward": wrappers.NormalizeReward,
    "RescaleObservation": lambda env: wrappers.RescaleObservation(env, np.float64(-1), np.float64(1)),
    "TimeAwareObservation": lambda env: wrappers.TimeAwareObservation(wrappers.TimeLimit(env, 9)),
    "TransformReward": lambda env: wrappers.TransformReward(env, lambda reward: reward / 10),
}


@PROBLEMS
@SINGLE
@pytest.mark.parametrize("wrapper", OF_SINGLE.values(), ids=list(OF_SINGLE))
@pytest.mark.filterwarnings("ignore:.*precision lowered")
def test_wrappers_observe_inside_their_spaces(
    problem: DesignProblem, face: Callable[[DesignProblem], Env], wrapper: Callable[[Env], Env]
) -> None:
    env = wrapper(face(problem))
    plain = list(steps(face(problem), 12, seed=3))
    if not isinstance(env, wrappers.Autoreset):  # which spends a step on each reset
        wrapped = list(steps(env, 12, seed=3))
        assert [step[2] for step in wrapped] == [step[2] for step in plain]
        assert [step[4].get("metrics") for step in wrapped] == [step[4].get("metrics") for step in plain]
    for observation, reward, *_ in steps(env, 12, seed=3):
        assert env.observation_space.contains(observation), observation
        assert np.isfinite(reward)


def test_actions_of_real_numbers_are_rescaled_and_clipped() -> None:
    env = wrappers.RescaleAction(whole(sample_problems.circuit()), -1.0, 1.0)
    env.reset()
    plain = whole(sample_problems.circuit())
    plain.reset()
    assert data_equivalence(env.step(np.zeros(4)), plain.step(np.full(4, 0.5)))
    clipped = wrappers.ClipAction(whole(sample_problems.circuit()))
    clipped.reset()
    assert clipped.step(np.array([7.0, -3.0, 0.5, 0.5]))[4]["design"]["stages"] == 3


# -- vector environments ------------------------------------------------------------------------------------------


def native(problem: DesignProblem) -> VectorEnv[Any, Any, Any]:
    return DesignVectorEnv(problem, COPIES, HORIZON)


def in_turn(face: Callable[[DesignProblem], Env]) -> Callable[[DesignProblem], VectorEnv[Any, Any, Any]]:
    return lambda problem: SyncVectorEnv([lambda: face(problem)] * COPIES, autoreset_mode=SAME_STEP)


VECTORS = {"native": native, "whole": in_turn(whole), "stepwise": in_turn(stepwise)}
VECTOR = pytest.mark.parametrize("vectorised", VECTORS.values(), ids=list(VECTORS))


def vector_steps(envs: VectorEnv[Any, Any, Any], count: int) -> Iterator[tuple[Any, Any, Any, Any, dict[str, Any]]]:
    envs.action_space.seed(5)
    _, info = envs.reset(seed=5)
    for _ in range(count):
        if "action_mask" in info:
            actions = envs.action_space.sample(mask=tuple(info["action_mask"]))
        else:
            actions = envs.action_space.sample()
        step = envs.step(actions)
        info = step[4]
        yield step


@PROBLEMS
@SINGLE
def test_same_step_autoreset_begins_the_next_episode_at_once(
    problem: DesignProblem, face: Callable[[DesignProblem], Env]
) -> None:
    """Each copy, stepped by hand and reset where it ended, gives what the vector environment gave."""
    envs = in_turn(face)(problem)
    assert envs.metadata["autoreset_mode"] is SAME_STEP
    envs.action_space.seed(5)
    _, info = envs.reset(seed=5)
    alone = [face(problem) for _ in range(COPIES)]
    for env in alone:
        env.reset(seed=5)
    ends = np.zeros(COPIES, int)
    for _ in range(25):
        masks = tuple(info["action_mask"]) if "action_mask" in info else None
        actions = envs.action_space.sample(mask=masks)
        observations, rewards, terminated, truncated, info = envs.step(actions)
        for i, env in enumerate(alone):
            observation, reward, ended, cut, told = env.step(actions[i])
            assert (rewards[i], terminated[i], truncated[i]) == (reward, ended, cut)
            if ended:
                assert info["_final_obs"][i]
                assert np.array_equal(info["final_obs"][i], observation)
                assert info["final_info"]["design"]["_" + next(iter(told["design"]))][i]
                assert {k: v[i] for k, v in info["final_info"]["design"].items() if k[0] != "_"} == told["design"]
                observation, told = env.reset()
                ends[i] += 1
            assert np.array_equal(observations[i], observation)
            if "action_mask" in told:
                assert np.array_equal(info["action_mask"][i], told["action_mask"])
    assert (ends >= 3).all()


@PROBLEMS
@VECTOR
def test_vector_statistics_of_episodes_are_those_of_their_rewards(
    problem: DesignProblem, vectorised: Callable[[DesignProblem], VectorEnv[Any, Any, Any]]
) -> None:
    envs = vector.RecordEpisodeStatistics(vectorised(problem))
    returns, lengths, ended = np.zeros(COPIES), np.zeros(COPIES, int), 0
    for _, rewards, terminated, _, info in vector_steps(envs, 20):
        returns, lengths = returns + rewards, lengths + 1
        if terminated.any():
            assert info["_episode"].tolist() == terminated.tolist()
            assert info["episode"]["r"][terminated] == pytest.approx(returns[terminated])
            assert info["episode"]["l"][terminated].tolist() == lengths[terminated].tolist()
        ended += terminated.sum()
        returns[terminated], lengths[terminated] = 0, 0
    assert envs.episode_count == ended >= 3 * COPIES


OF_VECTOR: dict[str, Callable[[Any], Any]] = {
    "ClipReward": lambda envs: vector.ClipReward(envs, -1.0, 1.0),
    "DictInfoToList": vector.DictInfoToList,
    "NormalizeReward": vector.NormalizeReward,
    "TransformReward": lambda envs: vector.TransformReward(envs, lambda rewards: rewards / 10),
}


@PROBLEMS
@pytest.mark.parametrize("wrapper", OF_VECTOR.values(), ids=list(OF_VECTOR))
def test_vector_wrappers_see_the_native_environment_as_gymnasiums_own(
    problem: DesignProblem, wrapper: Callable[[Any], Any]
) -> None:
    ours, theirs = wrapper(native(problem)), wrapper(in_turn(whole)(problem))
    for first, second in zip(vector_steps(ours, 8), vector_steps(theirs, 8), strict=True):
        assert data_equivalence(first[:4], second[:4], exact=True)
        assert data_equivalence(told(first[4]), told(second[4]), exact=True)


def told(info: Any) -> Any:
    """Return an info without reasons in words, which the native environment does not give, and 0 where masked.

    A metric without a value is masked; under the mask stands Gymnasium's 0, or NaN in the native environment. One that
    no copy has is masked everywhere in the native environment, and absent from Gymnasium's own.
    """
    if isinstance(info, list):
        return [told(one) for one in info]
    if not isinstance(info, dict):
        return info
    kept = {key: told(one) for key, one in info.items() if key not in ("reason", "_reason")}
    for key, mask in list(kept.items()):
        if key.startswith("_") and isinstance(mask, np.ndarray) and not mask.any():
            del kept[key], kept[key[1:]]
            continue
        column = kept.get(key[1:]) if key.startswith("_") else None
        if isinstance(column, np.ndarray) and column.dtype.kind == "f" and column.ndim == 1:
            column[~mask] = 0.0
    return kept


def test_vector_actions_of_real_numbers_are_rescaled() -> None:
    ours, plain = vector.RescaleAction(native(sample_problems.circuit()), -1.0, 1.0), native(sample_problems.circuit())
    ours.reset()
    plain.reset()
    assert data_equivalence(ours.step(np.zeros((COPIES, 4))), plain.step(np.full((COPIES, 4), 0.5)))


@pytest.mark.parametrize("problem_id", problem_ids())
def test_make_vec_gives_the_native_environment(problem_id: str) -> None:
    envs = gymnasium.make_vec(gymnasium_id(problem_id), num_envs=COPIES, horizon=2)
    assert isinstance(envs.unwrapped, DesignVectorEnv)
    assert envs.metadata["autoreset_mode"] is SAME_STEP
    ends = [step[2].all() for step in vector_steps(envs, 4)]
    assert ends == [False, True, False, True]
    envs.close()
    assert envs.closed


def test_make_vec_wraps_the_copies() -> None:
    """The way to normalised observations in SAME_STEP mode, where Gymnasium's vector wrappers refuse to work."""
    with pytest.raises(ValueError, match="Expected autoreset_mode to be NEXT_STEP or DISABLED"):
        vector.NormalizeObservation(gymnasium.make_vec("designgym/LABS-v0", num_envs=2))
    envs = gymnasium.make_vec(
        "designgym/LABS-v0", num_envs=2, vectorization_mode="sync", wrappers=[wrappers.NormalizeObservation],
        vector_kwargs={"autoreset_mode": SAME_STEP}, horizon=2,
    )  # fmt: skip
    ends = [step[2].tolist() for step in vector_steps(envs, 4)]
    assert ends == [[False] * 2, [True] * 2] * 2


def test_processes_step_copies_too() -> None:
    envs = AsyncVectorEnv([lambda: gymnasium.make("designgym/LABS-v0")] * 2, autoreset_mode=SAME_STEP)
    try:
        alone = SyncVectorEnv([lambda: gymnasium.make("designgym/LABS-v0")] * 2, autoreset_mode=SAME_STEP)
        for first, second in zip(vector_steps(envs, 3), vector_steps(alone, 3), strict=True):
            assert data_equivalence(first, second, exact=True)
    finally:
        envs.close()


def test_copies_begin_together() -> None:
    envs = native(sample_problems.array())
    envs.reset(options={"reset_mask": np.ones(COPIES, bool)})
    with pytest.raises(ValueError, match=r"reset_mask must hold for all 4 copies, got 1: .* or use SyncVectorEnv"):
        envs.reset(options={"reset_mask": np.arange(COPIES) == 2})
    with pytest.raises(ValueError, match=r"seed must be one for each of 4 copies, got 3\. Give one int."):
        envs.reset(seed=[1, 2, 3])
    assert data_equivalence(envs.reset(seed=[1, 2, 3, 4]), envs.reset(seed=1))
