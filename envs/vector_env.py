"""Many copies of a problem's Gymnasium environment, stepped by one batched call of its cost model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from designgym.envs.faces import Face, infos_of, marked
from designgym.envs.problem import Problem

Step = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class DesignVectorEnv(VectorEnv[NDArray[np.float64], NDArray[Any], NDArray[Any]]):
    """num_envs copies of `DesignEnv`, equal to it bit for bit, and to a `SyncVectorEnv` of it in SAME_STEP mode.

    All episodes end together, after `horizon` designs, and begin anew in the same step: what was observed last is then
    in infos["final_obs"], what was told in infos["final_info"]. The reason of an infeasible design is not put in words.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's own type)

    def __init__(self, problem: Problem, num_envs: int = 1, horizon: int = 1) -> None:
        if num_envs < 1 or horizon < 1:
            raise ValueError(f"num_envs and horizon must be at least 1, got {num_envs} and {horizon}.")
        self.problem = problem
        self.num_envs = num_envs
        self.horizon = horizon
        self._face = Face(problem)
        self._steps = 0
        self.single_action_space = self._face.action_space
        self.single_observation_space = self._face.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin all episodes; nothing about them is random. seed: one, or one a copy, of which the first counts.

        ValueError for options["reset_mask"] that leaves a copy out: all episodes begin and end together.
        """
        if seed is not None and not isinstance(seed, int | np.integer):
            if len(seed) != self.num_envs:
                raise ValueError(f"seed must be one for each of {self.num_envs} copies, got {len(seed)}. Give one int.")
            seed = seed[0]
        mask = (options or {}).get("reset_mask")
        if mask is not None and not np.all(mask):
            raise ValueError(
                f"reset_mask must hold for all {self.num_envs} copies, got {np.count_nonzero(mask)}: their episodes "
                "begin and end together. Leave it out, or use SyncVectorEnv."
            )
        super().reset(seed=seed)
        self._steps = 0
        return self._blank(), {}

    def _blank(self) -> NDArray[np.float64]:
        return np.zeros((self.num_envs, self._face.size))

    def step(self, actions: NDArray[Any]) -> Step:
        """Price one design in each copy; actions: (num_envs, d)."""
        actions = np.asarray(actions)
        if actions.shape[:1] != (self.num_envs,):
            raise ValueError(f"actions must be one for each of {self.num_envs} copies, got shape {actions.shape}.")
        designs, unit = self._face.designs(actions)
        evaluations = self._face.price(designs)
        observations = self._face.observe(unit, evaluations.losses)
        infos = infos_of(designs, evaluations)
        self._steps += 1
        ended = self._steps >= self.horizon
        if ended:
            self._steps = 0
            final = np.empty(self.num_envs, object)
            final[:] = list(observations)
            infos = marked({"final_obs": final, "final_info": infos}, self.num_envs)
            observations = self._blank()
        never = np.zeros(self.num_envs, bool)
        return observations, evaluations.reward, np.full(self.num_envs, ended), never, infos
