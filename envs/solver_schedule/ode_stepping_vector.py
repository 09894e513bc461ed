"""Many episodes of `OdeStepping` at once, stepped by one call of compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs.sequential_vector import Moved, SequentialVector
from designgym.envs.solver_schedule.ode_stepping import OdeStepping
from designgym.envs.solver_schedule.ode_stepping_episodes import MOST_EVALUATIONS, Episodes


class OdeSteppingVector(SequentialVector):
    """num_envs copies of `OdeStepping`, with its options."""

    def __init__(
        self,
        num_envs: int = 1,
        ode: str = "lotka_volterra",
        mu: float = 1.0,
        control: str = "step",
        method: str = "dp54",
        rtol: float = 1e-6,
        atol: float = 1e-9,
        bound: float = 1e-5,
        starts: int = 64,
        most_evaluations: int = MOST_EVALUATIONS,
    ) -> None:
        env = OdeStepping(ode, mu, control, method, rtol, atol, bound, starts, most_evaluations)
        super().__init__(env, num_envs)
        self._episodes = Episodes(num_envs, env.rules)

    def _begin(
        self, row: int, rng: np.random.Generator, seed: int | None, options: dict[str, Any] | None
    ) -> dict[str, Any]:
        return {"start": self._episodes.begin(row, rng, options)}

    def _move(self, actions: NDArray[Any]) -> Moved:
        if actions.shape != (self.num_envs, 1) or not (np.abs(actions) <= 1.0).all():
            raise ValueError(f"actions must be ({self.num_envs}, 1) in [-1, 1], got {actions!r}. Correct them.")
        rewards, ended = self._episodes.step(actions[:, 0].astype(np.float64))
        if not ended.any():
            return Moved(rewards, ended, {}, {})
        metrics, violation = self._episodes.outcomes()
        return Moved(rewards, ended, {}, {"metrics": metrics, "violation": violation})

    def _observed(self) -> NDArray[np.float64]:
        return self._episodes.observations()
