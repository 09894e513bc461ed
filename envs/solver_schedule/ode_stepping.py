"""Choose the steps of an adaptive integration as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.ode_stepping import Integrations
from designgym.envs.objective import Objective
from designgym.envs.problem import DesignProblem
from designgym.envs.sequential import Baseline, SequentialEnv, Trial
from designgym.envs.solver_schedule.ode_stepping_baselines import tolerances_of
from designgym.envs.solver_schedule.ode_stepping_episodes import FAR, MOST_EVALUATIONS, SEEN, Episodes, Rules
from designgym.envs.solver_schedule.ode_tolerance import WORK_AND_PRECISION, ode_tolerance
from designgym.envs.space import DesignSpace

Observation = NDArray[np.float64]


def fixed_policies(
    ode: str = "lotka_volterra",
    mu: float = 1.0,
    start: int = 0,
    most_evaluations: int = MOST_EVALUATIONS,
    objective: Objective = WORK_AND_PRECISION,
) -> DesignProblem:
    """Choose a controller and tolerances for all of an integration: `ode_tolerance`, with fewer evaluations allowed.

    They are priced from the one initial state `start`, by default the standard one; `OdeStepping` plays many near it.
    """
    return ode_tolerance(ode, mu, start, most_evaluations, objective)


class OdeStepping(SequentialEnv[Observation, Observation]):
    """An adaptive integration in which each step's size, or its tolerance, is chosen.

    The action, in [-1, 1]: control="step" makes the next step 10^action times the one tried last; control="tolerance"
    leaves the step to scipy's controller and makes its tolerances 100^action times `rtol` and `atol`. A step whose
    estimated error is too large is rejected: time stands still. The observation, (8,), in decades where not a share:
    the latest estimated error over what is allowed, those of the two steps taken before, the latest step times the
    estimate of stiffness, the step over the interval, 1 where the latest try was rejected and where the one before was,
    and the share of the interval that is left. Reward: -1 for each hundred evaluations of the right side, and at last
    -10 for each decade that the error exceeds `bound`; an integration that would make more than `most_evaluations`
    gives up, and has an error of 1. `reset(seed=k)` draws one of `starts` initial states near the standard one (0: that
    one alone, which fixed policies are priced from).
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own type)
    trial: ClassVar[Trial] = "episode"
    chosen: DesignSpace = DesignSpace()

    def __init__(
        self,
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
        self.rules = Rules(ode, mu, control, method, rtol, atol, bound, starts, most_evaluations)
        self.problem: DesignProblem = fixed_policies(ode, mu, most_evaluations=most_evaluations)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)
        low, high = np.full(SEEN, -FAR), np.full(SEEN, FAR)
        low[5:], high[5:] = 0.0, 1.0
        self.observation_space = spaces.Box(low, high, dtype=np.float64)
        self._episodes = Episodes(1, self.rules)
        self._running = False

    @property
    def integrations(self) -> Integrations:
        """The one under way, a batch of one."""
        return self._episodes.integrations

    def baselines(self) -> Mapping[str, Baseline]:
        """Return scipy's controller at many tolerances, each for all of an integration."""
        return tolerances_of(self.rules)

    def vectors(self, count: int) -> VectorEnv[Any, Any, Any]:
        """Return copies that one call of compiled code steps."""
        from designgym.envs.solver_schedule.ode_stepping_vector import OdeSteppingVector

        return OdeSteppingVector(count, **vars(self.rules))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an integration. options: {"start": k} for the initial state of that number, see `ode_tolerance`."""
        super().reset(seed=seed)
        start = self._episodes.begin(0, self.np_random, options)
        self._running = True
        return self._episodes.observations()[0], {"start": start}

    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Try one step."""
        if not self._running:
            raise ValueError("an episode must be running to take a step, got none. Call reset() first.")
        chosen = np.asarray(action, np.float64).reshape(-1)[:1]
        if not -1.0 <= chosen[0] <= 1.0:
            raise ValueError(f"an action must lie in [-1, 1], got {chosen[0]:g}. Clip it.")
        rewards, ended = self._episodes.step(chosen)
        self._running = not ended[0]
        info: dict[str, Any] = {}
        if not self._running:
            metrics, violation = self._episodes.outcomes()
            info = {name: column.item() for name, column in metrics.items()}
            info = {"metrics": info, "violation": violation.item()}
        return self._episodes.observations()[0], rewards.item(), not self._running, False, info
