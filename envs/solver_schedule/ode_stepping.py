"""Choose the steps of an adaptive integration as it goes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from designgym.cost_models.registry import nearest
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, scipy_design
from designgym.cost_models.solver_schedule.ode_problems import ode_problem
from designgym.cost_models.solver_schedule.ode_stepping import Integration, controller_factor
from designgym.cost_models.solver_schedule.ode_tolerance import LEAST_VIOLATION
from designgym.envs.objective import Objective
from designgym.envs.problem import DesignProblem
from designgym.envs.sequential import SequentialEnv, Trial
from designgym.envs.solver_schedule.ode_tolerance import WORK_AND_PRECISION, ode_tolerance
from designgym.envs.space import DesignSpace

Observation = NDArray[np.float64]
CONTROLS = ("step", "tolerance")
STEP_DECADES, TOLERANCE_DECADES = 1.0, 2.0  # what an action of 1 multiplies by, in decades
PER_DECADE = 10.0  # of reward, for an error above the bound
EVALUATIONS = 100.0  # that a reward of -1 stands for
FAR = 16.0  # decades; what is observed is cut off there
SEEN = 8
MOST_EVALUATIONS = 2000  # by default fewer than `OdeTolerance` allows: who learns meets many that lead nowhere


def fixed_policies(
    ode: str = "lotka_volterra",
    mu: float = 1.0,
    start: int = 0,
    most_evaluations: int = MOST_EVALUATIONS,
    objective: Objective = WORK_AND_PRECISION,
) -> DesignProblem:
    """Choose a controller and tolerances for all of an integration: `ode_tolerance`, with fewer evaluations allowed."""
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
    one alone).
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
        for what, value, allowed in (("control", control, CONTROLS), ("method", method, METHODS)):
            if value not in allowed:
                raise ValueError(f"unknown {what} {value!r}. {nearest(value, allowed)}")
        for what, number in (("rtol", rtol), ("atol", atol), ("bound", bound)):
            if not number > 0.0:
                raise ValueError(f"{what} must be above 0, got {number:g}. Raise it.")
        if starts < 0:
            raise ValueError(f"starts must be an integer of at least 0, got {starts}. Raise it.")
        self.problem: DesignProblem = fixed_policies(ode, mu, most_evaluations=most_evaluations)
        self._ode, self._mu, self._control, self._method = ode_problem(ode, mu), mu, control, method
        self._rtol, self._atol, self._bound, self._starts, self._most = rtol, atol, bound, starts, most_evaluations
        self._fixed = {name: column[0].item() for name, column in scipy_design().items()}
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)
        low, high = np.full(SEEN, -FAR), np.full(SEEN, FAR)
        low[5:], high[5:] = 0.0, 1.0
        self.observation_space = spaces.Box(low, high, dtype=np.float64)
        self.integration: Integration | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an integration. options: {"start": k} for the initial state of that number, see `ode_tolerance`."""
        super().reset(seed=seed)
        start = 1 + int(self.np_random.integers(self._starts)) if self._starts else 0
        if options and "start" in options:
            start = int(options["start"])
        self.integration = Integration(self._ode, self._mu, start, self._method, self._rtol, self._atol)
        self._running = True
        return self._observation(self.integration), {"start": start}

    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Try one step."""
        now = self.integration
        if now is None or not self._running:
            raise ValueError("an episode must be running to take a step, got none. Call reset() first.")
        chosen = float(np.asarray(action).reshape(-1)[0])
        if not -1.0 <= chosen <= 1.0:
            raise ValueError(f"an action must lie in [-1, 1], got {chosen:g}. Clip it.")
        before = now.evaluations
        stuck = now.rejected and not self._next_step(now, chosen) >= now.least
        if not stuck and now.evaluations + now.price <= self._most:
            looser = 10.0 ** (TOLERANCE_DECADES * chosen) if self._control == "tolerance" else 1.0
            now.step(self._next_step(now, chosen), looser)
            self._running = not now.finished
        else:
            self._running = False
        reward = (before - now.evaluations) / EVALUATIONS
        info: dict[str, Any] = {}
        if not self._running:
            ending, info = self._ended(now)
            reward += ending
        return self._observation(now), reward, not self._running, False, info

    def _next_step(self, now: Integration, chosen: float) -> float:
        first = now.evaluations == 2
        if self._control == "tolerance":
            return now.h if first else now.h * controller_factor(now, self._fixed)
        return now.h * 10.0 ** (STEP_DECADES * chosen)

    def _ended(self, now: Integration) -> tuple[float, dict[str, Any]]:
        """Return the last part of the reward, and what a trial that has ended came to."""
        if now.finished:
            metrics, violation = now.metrics(), 0.0
            error = metrics["error"]
        else:
            metrics = {metric.name: math.nan for metric in self.problem.cost_model.metrics}
            violation, error = max(1.0 - now.t / self._ode.end, LEAST_VIOLATION), 1.0
        ending = -PER_DECADE * max(0.0, math.log10(error / self._bound))
        return ending, {"metrics": metrics, "violation": violation}

    def _observation(self, now: Integration) -> Observation:
        apart = [now.size, *now.past, now.h * now.stiffness, now.h / self._ode.end]
        with np.errstate(divide="ignore"):
            decades = np.nan_to_num(np.log10(np.array(apart)), nan=FAR, posinf=FAR, neginf=-FAR)
        left = min(max(1.0 - now.t / self._ode.end, 0.0), 1.0)
        return np.array([*np.clip(decades, -FAR, FAR), float(now.rejected), float(now.rejected_before), left])
