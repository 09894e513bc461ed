"""Choose the time steps of three bodies as they move: an eta for each tenth of a year."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.three_body import ETAS, MOST_EVALUATIONS, ThreeBody
from designgym.cost_models.solver_schedule.three_body_episodes import LIMITS, Episodes, Rules
from designgym.cost_models.solver_schedule.three_body_starts import drawn, file_states
from designgym.envs.sequential import Always, Baseline, SequentialEnv, Trial
from designgym.envs.solver_schedule.three_body import three_body
from designgym.envs.space import DesignSpace

Observation = NDArray[np.float64]


class ThreeBodyStepping(SequentialEnv[Observation, np.int64]):
    """Ten years of three suns in a hundred intervals, Hermite's steps of one of ten eta chosen for each.

    The action is the place of eta among ten from 1e-4 to 1e-1, spaced evenly in the logarithm. The observation, (13,):
    positions / 10 AU, velocities / (sqrt 3 2 pi AU / yr), and -log10 of the relative error of the energy, 0 at a reset.
    reward="published": that of Saz Ulibarrena and Portegies Zwart (doi:10.1016/j.cnsns.2025.108723), within +-1,000.
    reward="evaluations": minus the thousands of force evaluations, and minus 10 and the decades above `bound` where the
    error at the end breaks it. An error above `stop_at` ends the episode, as do `most_evaluations` that do not suffice;
    such an episode counts as an error of 1 at least. `reset(seed=k)` begins from the initial state of seed k that
    `ThreeBody` has, or with `init`, a file of initial states, from one of these.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own type)
    trial: ClassVar[Trial] = "episode"
    chosen: DesignSpace = DesignSpace()

    def __init__(
        self,
        init: str = "",
        bound: float = 1e-4,
        most_evaluations: int = MOST_EVALUATIONS,
        reward: str = "published",
        stop_at: float = 0.1,
    ) -> None:
        self.problem = three_body(init=init, bound=bound, most_evaluations=most_evaluations)
        self.init = init
        self.rules = Rules(reward, bound, stop_at, most_evaluations)
        self.action_space = spaces.Discrete(len(ETAS))
        self.observation_space = spaces.Box(-LIMITS, LIMITS, dtype=np.float64)
        self._episodes = Episodes(1, self.rules)
        self._running = False

    def baselines(self) -> Mapping[str, Baseline]:
        """Return the ten eta, each for all intervals."""
        return {f"eta = {eta:.3g}": Always(np.int64(place)) for place, eta in enumerate(ETAS)}

    def vectors(self, count: int) -> VectorEnv[Any, Any, Any]:
        """Return copies that one call of compiled code steps."""
        from designgym.envs.solver_schedule.three_body_vector import ThreeBodySteppingVector

        return ThreeBodySteppingVector(count, self.init, **vars(self.rules))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        self._episodes.begin(0, initial_state(self.np_random, self.init))
        self._running = True
        return self._episodes.observations()[0], {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Go on for a tenth of a year. info: this interval's force_evals and the energy_error after it."""
        if not self._running:
            raise ValueError("an episode must be running to take a step, got none. Call reset() first.")
        if not 0 <= action < len(ETAS):
            raise ValueError(f"an action must be in [0, {len(ETAS)}), got {action}. Choose one of these.")
        taken = self._episodes.step(np.array([action], np.int64))
        self._running = not taken.ended.item()
        info: dict[str, Any] = {
            "force_evals": taken.evaluations.item(), "energy_error": self._episodes.error.item()
        }  # fmt: skip
        if not self._running:
            metrics = trial_metrics(self._episodes)
            info |= {"metrics": {name: column.item() for name, column in metrics.items()}, "violation": 0.0}
        return self._episodes.observations()[0], taken.reward.item(), not self._running, False, info


def initial_state(rng: np.random.Generator, init: str) -> Observation:
    """Return the initial state that a generator draws, or one of a file's that it picks, (12,)."""
    if not init:
        return drawn(rng)
    states = file_states(init)
    return states[rng.integers(len(states))]


def trial_metrics(episodes: Episodes) -> Columns:
    """Return the metrics of each episode by itself, as of one initial state, each (n,)."""
    model = ThreeBody(1, bound=episodes.rules.bound)
    metrics = model.summary({name: column[:, None] for name, column in episodes.outcomes().items()})
    return {name: column for name, column in metrics.items() if name != "violation"}
