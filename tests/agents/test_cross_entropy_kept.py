"""The policy that cross_entropy keeps: what was learned, as numbers alone."""

import io
from typing import Any

import gymnasium
import numpy as np
import pytest

from designgym.agents.check_episodes import Drifts, Lanes, Walks
from designgym.agents.cross_entropy_policy import Policy
from designgym.agents.policies import load_policy
from designgym.agents.registry import make_sequential_agent
from designgym.agents.sequential import SequentialAgent, play
from designgym.envs import MeteredEpisodes, SequentialEnv

SHORT = {"population": 8, "episodes": 2}


def trained(env: SequentialEnv[Any, Any], budget: int = 100, **settings: Any) -> SequentialAgent:
    agent = make_sequential_agent("cross_entropy", MeteredEpisodes(env, budget, seed=3), 3, **(SHORT | settings))
    play(agent)
    return agent


@pytest.mark.parametrize("env", [Walks(), Drifts()], ids=["Discrete", "Box"])
@pytest.mark.parametrize("settings", [{}, {"hidden": 5}, {"actions": "unordered"}], ids=str)
def test_the_mean_policy_acts_in_many_episodes_as_in_one(env: Any, settings: dict[str, Any]) -> None:
    agent: Any = trained(env, **settings)
    assert np.abs(agent.weights).max() > 0.1, "it has learned something"
    files = agent.policy_files()
    assert files == agent.policy_files()
    policy = load_policy("cross_entropy", env, files)
    assert not policy.masks
    observations = np.random.default_rng(0).uniform(-6, 6, (200, 2))
    wanted = [agent.policy.act(agent.weights, agent._seen.standard(one)) for one in observations]
    acted = policy.act(observations, np.zeros(200, bool))
    assert acted == pytest.approx(np.array(wanted))
    assert all(env.action_space.contains(action) for action in acted)
    assert len(np.unique(acted)) > 1


def test_it_walks_where_it_was_trained_to() -> None:
    policy = load_policy("cross_entropy", Walks(), trained(Walks(), 3000, population=24, episodes=3).policy_files())
    away = []
    for seed in range(10**6, 10**6 + 50):
        env, done = Walks(), False
        observation, _ = env.reset(seed=seed)
        while not done:
            (action,) = policy.act(observation[None], np.zeros(1, bool))
            observation, _, done, *_ = env.step(action)
        away.append(abs(observation[0] - observation[1]))
    assert np.mean(away) < 0.3


def test_actions_need_not_begin_at_zero() -> None:
    seen, weights = gymnasium.spaces.Box(-1.0, 1.0, (1,)), np.array([5.0, 0.0])
    policy = Policy(seen, gymnasium.spaces.Discrete(4, start=3), 0, True)
    assert policy.act_in_each(weights, np.array([[-1.0], [0.0], [1.0]])).tolist() == [3, 5, 6]


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    files = trained(Walks()).policy_files()
    with pytest.raises(ValueError, match=r"trained on observations of shape \(2,\), got Box.*\(1,\).*Choose another"):
        load_policy("cross_entropy", Lanes(), files)
    with pytest.raises(ValueError, match=r"trained on actions from 0 to 2, got Box"):
        load_policy("cross_entropy", Drifts(), files)
    with pytest.raises(ValueError, match=r"keeps its policy in policy\.npz, got none"):
        load_policy("cross_entropy", Walks(), {})
    data = files["policy.npz"]
    for bad in (b"", b"not an archive", data[:100], data[:-30]):
        with pytest.raises(ValueError, match=r"policy of cross_entropy cannot be read: .* Train again"):
            load_policy("cross_entropy", Walks(), {"policy.npz": bad})
    with np.load(io.BytesIO(data)) as found:
        arrays = dict(found)
    for name, value in (
        ("weights", np.zeros(2)),
        ("scale", np.ones(3)),
        ("hidden", 3),
        ("weights", np.array([print], object)),
    ):
        file = io.BytesIO()
        np.savez(file, **(arrays | {name: value}))
        with pytest.raises(ValueError, match="policy of cross_entropy cannot be read"):
            load_policy("cross_entropy", Walks(), {"policy.npz": file.getvalue()})
