"""Many episodes of `ThreeBodyStepping` at once, stepped by one call of compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.three_body import ETAS, MOST_EVALUATIONS
from designgym.cost_models.solver_schedule.three_body_episodes import Episodes
from designgym.envs.sequential_vector import Moved, SequentialVector
from designgym.envs.solver_schedule.three_body_stepping import ThreeBodyStepping, initial_state, trial_metrics


class ThreeBodySteppingVector(SequentialVector):
    """num_envs copies of `ThreeBodyStepping`, with its options."""

    def __init__(
        self,
        num_envs: int = 1,
        init: str = "",
        bound: float = 1e-4,
        most_evaluations: int = MOST_EVALUATIONS,
        reward: str = "published",
        stop_at: float = 0.1,
    ) -> None:
        env = ThreeBodyStepping(init, bound, most_evaluations, reward, stop_at)
        super().__init__(env, num_envs)
        self._init = init
        self._episodes = Episodes(num_envs, env.rules)

    def _begin(
        self, row: int, rng: np.random.Generator, seed: int | None, options: dict[str, Any] | None
    ) -> dict[str, Any]:
        self._episodes.begin(row, initial_state(rng, self._init))
        return {}

    def _move(self, actions: NDArray[Any]) -> Moved:
        if actions.shape != (self.num_envs,) or not ((actions >= 0) & (actions < len(ETAS))).all():
            raise ValueError(f"actions must be {self.num_envs} in [0, {len(ETAS)}), got {actions!r}. Correct them.")
        taken = self._episodes.step(actions.astype(np.int64))
        told = {"force_evals": taken.evaluations, "energy_error": self._episodes.error}
        if not taken.ended.any():
            return Moved(taken.reward, taken.ended, told, {})
        last = {"metrics": trial_metrics(self._episodes), "violation": np.zeros(self.num_envs)}
        return Moved(taken.reward, taken.ended, told, last)

    def _observed(self) -> NDArray[np.float64]:
        return self._episodes.observations()
