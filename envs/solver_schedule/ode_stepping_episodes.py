"""Episodes of `OdeStepping`, many side by side: what an action does, what is observed, what is rewarded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.registry import nearest
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, scipy_design
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem, ode_problem
from designgym.cost_models.solver_schedule.ode_stepping import Integrations
from designgym.cost_models.solver_schedule.ode_tolerance import LEAST_VIOLATION

Floats = NDArray[np.float64]

CONTROLS = ("step", "tolerance")
STEP_DECADES, TOLERANCE_DECADES = 1.0, 2.0  # what an action of 1 multiplies by, in decades
PER_DECADE = 10.0  # of reward, for an error above the bound
EVALUATIONS = 100.0  # that a reward of -1 stands for
FAR = 16.0  # decades; what is observed is cut off there
SEEN = 8
MOST_EVALUATIONS = 2000  # by default fewer than `OdeTolerance` allows: who learns meets many that lead nowhere


@dataclass(frozen=True)
class Rules:
    """The options of `OdeStepping`, which says what they are."""

    ode: str = "lotka_volterra"
    mu: float = 1.0
    control: str = "step"
    method: str = "dp54"
    rtol: float = 1e-6
    atol: float = 1e-9
    bound: float = 1e-5
    starts: int = 64
    most_evaluations: int = MOST_EVALUATIONS

    def __post_init__(self) -> None:
        for what, value, allowed in (("control", self.control, CONTROLS), ("method", self.method, METHODS)):
            if value not in allowed:
                raise ValueError(f"unknown {what} {value!r}. {nearest(value, allowed)}")
        for what, number in (("rtol", self.rtol), ("atol", self.atol), ("bound", self.bound)):
            if not number > 0.0:
                raise ValueError(f"{what} must be above 0, got {number:g}. Raise it.")
        if self.starts < 0:
            raise ValueError(f"starts must be an integer of at least 0, got {self.starts}. Raise it.")

    @property
    def equation(self) -> OdeProblem:
        """What is integrated."""
        return ode_problem(self.ode, self.mu)


class Episodes:
    """count episodes side by side; row i depends on episode i alone, so one alone is the same to the last bit."""

    def __init__(self, count: int, rules: Rules) -> None:
        self._rules, self._ones = rules, np.ones(count)
        self.integrations = Integrations(
            count, rules.equation, rules.mu, rules.method, rules.rtol, rules.atol, rules.most_evaluations
        )
        self._scipys = {name: column[0].item() for name, column in scipy_design().items()}

    def begin(self, row: int, rng: np.random.Generator, options: dict[str, Any] | None) -> int:
        """Begin an episode from an initial state that is drawn, or options["start"]; return its number."""
        start = 1 + int(rng.integers(self._rules.starts)) if self._rules.starts else 0
        if options and "start" in options:
            start = int(options["start"])
        self.integrations.begin(row, start)
        return start

    def step(self, actions: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Try a step in each episode; return rewards, and which episodes have ended, all (count,).

        actions: in [-1, 1], (count,).
        """
        now = self.integrations
        if self._rules.control == "tolerance":
            spent = now.step(now.controller_factors(self._scipys), 10.0 ** (TOLERANCE_DECADES * actions))
        else:
            spent = now.step(10.0 ** (STEP_DECADES * actions), self._ones)
        rewards, ended = -spent / EVALUATIONS, ~now.running
        if ended.any():
            metrics, violation = self.outcomes()
            error = np.where(violation > 0.0, 1.0, metrics["error"])
            missed = PER_DECADE * np.maximum(0.0, np.log10(error / self._rules.bound))
            rewards = np.where(ended, rewards - missed, rewards)
        return rewards, ended

    def observations(self) -> Floats:
        """Return what is observed, in [-FAR, FAR], (count, SEEN); see `OdeStepping`."""
        now = self.integrations
        seen = np.empty((len(self._ones), SEEN))
        decades = seen[:, :5]
        decades[:, :3], decades[:, 3] = now.sizes.T, now.h * now.stiffness
        decades[:, 4] = now.h / now.problem.end
        with np.errstate(divide="ignore"):
            np.log10(decades, out=decades)
        np.maximum(np.fmin(decades, FAR), -FAR, out=decades)  # no number counts as far too large
        seen[:, 5:7] = now.rejected.T
        seen[:, 7] = np.minimum(np.maximum(now.left, 0.0), 1.0)
        return seen

    def outcomes(self) -> tuple[Columns, Floats]:
        """Return metrics and violations of episodes that have ended, each (count,)."""
        now = self.integrations
        given_up = ~now.finished
        metrics = {name: np.where(given_up, np.nan, column) for name, column in now.metrics().items()}
        return metrics, np.where(given_up, np.maximum(now.left, LEAST_VIOLATION), 0.0)
