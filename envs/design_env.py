"""A problem as a Gymnasium environment in which one action is one whole design."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from designgym.envs.faces import Face, info_of, squash_one
from designgym.envs.problem import Problem
from designgym.envs.reasons import reason_of


class DesignEnv(gymnasium.Env[NDArray[Any], NDArray[Any]]):
    """An episode is `horizon` designs; the reward of each is the objective's.

    Action: an index for each digit of the space (MultiDiscrete), or with a Float a point of the unit cube (Box).
    Observation: the last design in the unit cube and its losses x as x / (1 + |x|), float64; 0 before the first step.
    info: "design" and "metrics" by name, "losses", "violation", "feasible", and "reason", in words, where infeasible.
    A step past the end of an episode prices its design all the same. ValueError for an action outside its space.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own type)

    def __init__(self, problem: Problem, horizon: int = 1) -> None:
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 design, got {horizon}.")
        self.problem = problem
        self.horizon = horizon
        self._face = Face(problem)
        self._steps = 0
        self.action_space = self._face.action_space
        self.observation_space = self._face.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin an episode; nothing about it is random."""
        super().reset(seed=seed)
        self._steps = 0
        return np.zeros(self._face.size), {}

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Price one design."""
        designs, unit = self._face.design(action)
        evaluations = self._face.price(designs)
        info = info_of(designs, evaluations)
        if not info["feasible"]:
            info["reason"] = reason_of(self.problem, designs, evaluations)
        self._steps += 1
        observation = np.array([*unit, *map(squash_one, evaluations.losses[0].tolist())])
        return observation, evaluations.reward.item(), self._steps >= self.horizon, False, info
