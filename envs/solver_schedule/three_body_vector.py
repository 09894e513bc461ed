"""Many episodes of `ThreeBodyStepping` at once, stepped by one call of compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.three_body import ETAS, MOST_EVALUATIONS
from designgym.cost_models.solver_schedule.three_body_episodes import Episodes, Rules
from designgym.envs.solver_schedule.three_body import three_body
from designgym.envs.solver_schedule.three_body_stepping import initial_state, spaces_of_one, trial_metrics

Floats = NDArray[np.float64]
Step = tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class ThreeBodySteppingVector(VectorEnv[Floats, NDArray[np.int64], Any]):
    """num_envs copies of `ThreeBodyStepping`, equal to a `SyncVectorEnv` of it in SAME_STEP mode bit for bit.

    An episode that ends begins anew in the same step: what was observed last is then in infos["final_obs"], what was
    told in infos["final_info"]. Options: those of `ThreeBodyStepping`.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's own type)

    def __init__(
        self,
        num_envs: int = 1,
        init: str = "",
        bound: float = 1e-4,
        most_evaluations: int = MOST_EVALUATIONS,
        reward: str = "published",
        stop_at: float = 0.1,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}. Raise it.")
        self.problem = three_body(init=init, bound=bound, most_evaluations=most_evaluations)
        self.num_envs = num_envs
        self.init = init
        self.single_action_space, self.single_observation_space = spaces_of_one()
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._episodes = Episodes(num_envs, Rules(reward, bound, stop_at, most_evaluations))
        self._generators: list[np.random.Generator] = []

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin all episodes. seed: copy i begins with seed + i, or with its own of a sequence.

        options["reset_mask"], bool (num_envs,): begin these alone.
        """
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed must be one for each of {self.num_envs} copies, got {len(seeds)}. Give one int.")
        mask = (options or {}).get("reset_mask")
        rows = range(self.num_envs) if mask is None else np.flatnonzero(mask).tolist()
        if not self._generators:
            if len(rows) < self.num_envs:
                raise ValueError(f"the first reset must begin all {self.num_envs} copies, got {len(rows)}. Begin all.")
            self._generators = [seeding.np_random(one)[0] for one in seeds]
        else:
            for row in rows:
                if seeds[row] is not None:
                    self._generators[row] = seeding.np_random(seeds[row])[0]
        for row in rows:
            self._begin(row)
        return self._episodes.observations(), {}

    def _begin(self, row: int) -> None:
        self._episodes.begin(row, initial_state(self._generators[row], self.init))

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Carry all episodes an interval on; actions: (num_envs,)."""
        actions = np.asarray(actions)
        if not self._generators:
            raise ValueError("episodes must be running to take a step, got none. Call reset() first.")
        if actions.shape != (self.num_envs,) or not ((actions >= 0) & (actions < len(ETAS))).all():
            raise ValueError(f"actions must be {self.num_envs} in [0, {len(ETAS)}), got {actions!r}. Correct them.")
        taken = self._episodes.step(actions.astype(np.int64))
        told = {"force_evals": taken.evaluations, "energy_error": self._episodes.error}
        infos: dict[str, Any] = {}
        if taken.ended.any():
            final = np.full(self.num_envs, None, dtype=object)
            observed, rows = self._episodes.observations(), np.flatnonzero(taken.ended)
            for row in rows.tolist():
                final[row] = observed[row]
            last = told | {
                "metrics": masked(trial_metrics(self._episodes), taken.ended),
                "violation": np.zeros(self.num_envs),
            }
            infos = {"final_obs": final, "_final_obs": taken.ended.copy()}
            infos |= {"final_info": masked(last, taken.ended), "_final_info": taken.ended.copy()}
            for row in rows.tolist():
                self._begin(row)
        if not taken.ended.all():
            infos |= masked(told, ~taken.ended)
        never = np.zeros(self.num_envs, bool)
        return self._episodes.observations(), taken.reward, taken.ended, never, infos


def masked(told: dict[str, Any], rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Return infos as Gymnasium joins them: zeros in the rows that it does not hold for, and the mask beside each."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        if name.startswith("_"):
            continue
        found[name] = value if isinstance(value, dict) else np.where(rows, value, np.zeros_like(value))
        found[f"_{name}"] = rows.copy()
    return found
