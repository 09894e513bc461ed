"""A metered sequential environment as Stable-Baselines3 steps it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import NDArray

from designgym.agents.rl_vectors import Actions, in_float32
from designgym.envs import MeteredEpisodes

Seen = NDArray[np.float32]


class Episodes(gymnasium.Env[Seen, Any]):
    """Observations in float32, a Box of actions shown as [-1, 1], Discrete actions from 0 on. The meter seeds episodes.

    Past the budget, `reset` and `step` raise BudgetSpent.
    """

    def __init__(self, env: MeteredEpisodes) -> None:
        assert isinstance(env.observation_space, Box)
        self._env = env
        self._actions = Actions(env.action_space)
        self.observation_space: Any = in_float32(env.observation_space)
        self.action_space = self._actions.shown
        self._start = 0
        if isinstance(env.action_space, Discrete):
            self._start = int(env.action_space.start)
            self.action_space = Discrete(int(env.action_space.n))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """Begin the next episode of the run. seed and options are left unused."""
        observation, _ = self._env.reset()
        return np.asarray(observation, np.float32), {}

    def step(self, action: Any) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Take one step."""
        meant = self._actions.meant(action)
        observation, reward, ended, cut, _ = self._env.step(meant + self._start if self._start else meant)
        return np.asarray(observation, np.float32), reward, ended, cut, {}

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are open: what the environment says, or else all."""
        said = getattr(self._env.env, "action_masks", None)
        if said is not None:
            masks: NDArray[np.bool_] = said()
            return masks
        if isinstance(self.action_space, MultiDiscrete):
            return np.ones(int(self.action_space.nvec.sum()), bool)
        assert isinstance(self.action_space, Discrete)
        return np.ones(int(self.action_space.n), bool)
