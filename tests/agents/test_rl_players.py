"""Agents that train a policy in sequential environments: what they learn, and what they refuse."""

import gymnasium
import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the extra rl")

from designgym.agents import make_sequential_agent
from designgym.agents.check_episodes import Walks
from designgym.agents.sequential import play
from designgym.envs import MeteredEpisodes


def test_ppo_learns_to_walk_to_what_it_sees() -> None:
    heard: list[float] = []
    env = MeteredEpisodes(Walks(), 1500, lambda answer: heard.extend(answer.evaluations.losses[:, 0]), 3)
    settings = {"envs": 8, "steps": 16, "batch": 64, "learning_rate": 3e-3, "width": 32}
    assert play(make_sequential_agent("ppo", env, 3, **settings)) == "budget"
    assert np.mean(heard[:100]) > 3.5
    assert np.mean(heard[-200:]) < 2.5, "1 is there"


def test_who_can_not_is_refused_by_name_before_it_trains() -> None:
    with pytest.raises(ValueError, match=r"sac takes Box actions, got Discrete\(3\) of Walks\. Take ppo, a2c, dqn, "):
        make_sequential_agent("sac", MeteredEpisodes(Walks(), 3), 0)
    env = Walks()
    env.action_space = gymnasium.spaces.MultiDiscrete([2, 3])  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"dqn takes Discrete actions, got MultiDiscrete.* of Walks\. Take ppo, a2c"):
        make_sequential_agent("dqn", MeteredEpisodes(env, 3), 0)
