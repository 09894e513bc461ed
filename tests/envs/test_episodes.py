"""Trials of sequential environments: budget, listener, seeds, registration."""

import pickle
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from designgym.agents.check_episodes import INSTANCES, STEPS, Lanes, Walks
from designgym.envs import (
    Answer,
    BrokenCostModel,
    BudgetSpent,
    MeteredEpisodes,
    is_sequential,
    make_problem,
    make_sequential,
    problem_ids,
    problem_options,
    register_sequential,
    registry,
    sequential_ids,
)
from designgym.envs.testing import check_sequential


def test_a_trial_of_a_sequence_is_a_step() -> None:
    heard: list[Answer] = []
    env = MeteredEpisodes(Lanes(), INSTANCES + 2, heard.append, seed=7)
    for instances in (INSTANCES, 2):
        env.reset()
        for i in range(instances):
            _, reward, terminated, _, _ = env.step(1)
            assert heard[-1].evaluations.losses[0, 0] == -reward
            assert heard[-1].designs["arm"].tolist() == [1]
            assert terminated == (i == INSTANCES - 1)
    assert env.finished
    with pytest.raises(BudgetSpent, match="42 trials"):
        env.step(1)
    with pytest.raises(BudgetSpent):
        env.reset()
    assert [answer.ask for answer in heard] == list(range(INSTANCES + 2))


def test_a_trial_of_a_walk_is_an_episode() -> None:
    heard: list[Answer] = []
    env = MeteredEpisodes(Walks(), 2, heard.append, seed=7)
    for trial in range(2):
        env.reset()
        for step in range(STEPS):
            assert len(heard) == trial, step
            env.step(2)
    assert len(heard) == 2
    assert heard[0].designs == {}
    with pytest.raises(BudgetSpent):
        env.reset()


def test_episodes_of_a_run_differ_and_the_first_begins_with_its_seed() -> None:
    env, plain = MeteredEpisodes(Lanes(), 100, seed=11), Lanes()
    first, second = env.reset()[0], env.reset()[0]
    assert first == plain.reset(seed=11)[0]
    assert first != second


def test_a_step_without_an_episode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Call reset\(\) first"):
        MeteredEpisodes(Lanes(), 3).step(0)


def test_an_episode_is_not_given_up_for_another() -> None:
    env = MeteredEpisodes(Walks(), 3)
    env.reset()
    env.reset()  # nothing was tried yet
    env.step(0)
    with pytest.raises(ValueError, match="must be played to its end, got a reset after 1 steps"):
        env.reset()


def test_an_environment_that_forgets_what_was_chosen_is_named() -> None:
    class Silent(Lanes):
        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            del info["design"]
            return observation, reward, terminated, truncated, info

    env = MeteredEpisodes(Silent(), 3, seed=np.int64(3))
    env.reset()
    with pytest.raises(BrokenCostModel, match="must hold 'arm' where a trial ends, got nothing"):
        env.step(0)


def test_an_environment_that_forgets_a_metric_is_named() -> None:
    class Forgetful(Lanes):
        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            info["metrics"] = {}
            return observation, reward, terminated, truncated, info

    env = MeteredEpisodes(Forgetful(), 3)
    env.reset()
    with pytest.raises(BrokenCostModel, match="must hold 'cost' where a trial ends"):
        env.step(0)


def walks(far: int = 3):
    """The fixed policies of a test's environment. far: not used by the environment."""
    return Walks.problem


class Known(Walks):
    """A registered environment; near: not used by its fixed policies."""

    def __init__(self, near: int = 1) -> None:
        self.near = near


def test_a_registered_environment_is_made_by_both_names() -> None:
    here = "tests_episodes_known"
    sys.modules[here] = sys.modules[__name__]
    register_sequential("KnownWalks-v0", f"{here}:Known", f"{here}:walks")
    assert "KnownWalks-v0" in sequential_ids()
    assert "KnownWalks-v0" not in problem_ids()
    assert is_sequential("KnownWalks")
    assert not is_sequential("LABS")
    assert problem_options("KnownWalks") == {"far": 3, "near": 1}
    assert make_problem("KnownWalks", far=4, near=2).space == Walks.problem.space
    assert make_sequential("KnownWalks", far=4, near=2).near == 2
    check_sequential("KnownWalks", trials=4)
    env = gymnasium.make("designgym/KnownWalks-v0", near=5)
    assert env.unwrapped.near == 5
    with pytest.raises(ValueError, match=r"must be one of .*, got 'nera'"):
        make_sequential("KnownWalks", nera=2)
    with pytest.raises(ValueError, match="LABS-v0 must be a sequential environment"):
        make_sequential("LABS")
    with pytest.raises(ValueError, match="must not know its environments yet"):
        register_sequential("SystolicArray-v0", f"{here}:Known", f"{here}:walks")


class Global(Walks):
    """Draws from a generator that no seed reaches."""

    drawn = np.random.default_rng(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._target = float(self.drawn.integers(-3, 4))
        return self._observation, {}


class Outside(Walks):
    """Observes what its space does not hold."""

    observation_space = gymnasium.spaces.Box(-0.5, 0.5, (2,), np.float64)


@pytest.mark.parametrize(("name", "said"), [("Global", "non-deterministic"), ("Outside", "observation")])
def test_the_suite_notices_an_environment_that_breaks_the_contract(monkeypatch, name: str, said: str) -> None:
    monkeypatch.setitem(sys.modules, "tests_episodes_known", sys.modules[__name__])
    for registered, entry in ((registry._SEQUENTIAL, name), (registry._PROBLEMS, "walks")):
        known = {**registered._entry_points, "Broken-v0": f"tests_episodes_known:{entry}"}
        monkeypatch.setattr(registered, "_entry_points", known)
    register = {"entry_point": "designgym.envs.making:make_sequential_env", "kwargs": {"env_id": "Broken-v0"}}
    monkeypatch.setitem(gymnasium.registry, "designgym/Broken-v0", EnvSpec("designgym/Broken-v0", **register))
    with pytest.raises(AssertionError, match=said):
        check_sequential("Broken-v0", trials=4)


@pytest.mark.parametrize("made", [Lanes, Walks])
def test_the_small_environments_keep_gymnasiums_rules(made) -> None:
    from gymnasium.utils.env_checker import check_env

    check_env(made(), skip_render_check=True)
    assert np.isfinite(pickle.loads(pickle.dumps(made())).reset(seed=3)[0]).all()
