"""An adaptive integration taken step by step, each step's size or tolerance chosen from outside.

Source: see `ode_tolerance`, whose steps, counts and metrics these are.
"""

from typing import Any

import numpy as np

from designgym.cost_models.solver_schedule.ode_integrator import METHODS
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem
from designgym.cost_models.solver_schedule.ode_reference import reference


class Integration:
    """One integration under way. h: the step tried last, at first the automatic one. t: the time reached.

    size: of the latest estimated error, below 1 where its step was taken. past: those of the two steps taken before the
    latest one taken, 1 where there are none. stiffness: estimated at the latest step taken, per unit of time. rejected,
    rejected_before: whether the latest try failed, and the one before it.
    """

    def __init__(self, problem: OdeProblem, mu: float, start: int, method: str, rtol: float, atol: float) -> None:
        from designgym.cost_models.solver_schedule import _ode_integration_kernel as whole
        from designgym.cost_models.solver_schedule import _ode_stepping_kernel as kernel
        from designgym.cost_models.solver_schedule import _ode_steps_kernel as steps

        self._problem, self._method = problem, METHODS.index(method)
        self._least_past, self._least_error = whole.LEAST_PAST, whole.LEAST_ERROR
        self._stages, self._rosenbrock = steps.STAGES[self._method], self._method == steps.RODAS43
        self.order = steps.ESTIMATE_ORDER[self._method]
        self.rtol, self.atol = rtol, atol
        self._truth, self._scale = reference(problem.name, mu, start)
        state = problem.initial(start)
        self._vectors, self._jacobi = np.stack([state, state]), np.zeros((len(state), len(state)))
        self._table = problem.table
        self.t, self.size, self.past, self.stiffness = 0.0, 1.0, (1.0, 1.0), 0.0
        self.rejected, self.rejected_before, self._latest = False, False, 1.0
        self.evaluations, self.jacobians, self.steps, self.rejections = 2, 0, 0, 0
        self._sample, self._largest, self._local, self._stiffest = 0, 0.0, 0.0, 0.0
        tolerances = np.array([rtol]), np.array([atol])
        (first,) = kernel.begun(
            np.array([self._method]), *tolerances, problem.number, self._table, problem.end, self._vectors
        )
        self.h = float(first[0])

    @property
    def price(self) -> int:
        """Evaluations of the right side that the next try costs, none for a Jacobian."""
        return 5 + self._fresh if self._rosenbrock else self._stages - 1

    @property
    def _fresh(self) -> bool:
        return self._rosenbrock and self.steps > 0 and not self.rejected

    @property
    def finished(self) -> bool:
        """Whether the end is reached."""
        return self.t >= self._problem.end

    @property
    def least(self) -> float:
        """The least step that rounding allows here."""
        return float(10.0 * (np.nextafter(self.t, np.inf) - self.t))

    def step(self, h: float, looser: float = 1.0) -> None:
        """Try a step of this size, at tolerances `looser` times the integration's own; take it if its error is small.

        The size is at least what rounding allows, and at most what is left.
        """
        from designgym.cost_models.solver_schedule._ode_stepping_kernel import stepped

        after = min(self.t + max(h, self.least), self._problem.end)
        self.h = after - self.t
        self.evaluations += self.price
        self.jacobians += self._rosenbrock and not self.rejected
        found = stepped(
            np.array([self._method]), np.array([self.rtol * looser]), np.array([self.atol * looser]),
            np.array([self.t]), np.array([self.h]), np.array([int(self._fresh)]), np.array([int(self.rejected)]),
            np.array([self._sample]), self._problem.number, self._table, self._problem.end, self._truth,
            self._scale[None, :], self._vectors, self._jacobi,
        )  # fmt: skip
        size, largest, local, stiffness, sample = (float(column[0]) for column in found)
        self.size, self.rejected_before, self.rejected = size, self.rejected, not size < 1.0
        if self.rejected:
            self.rejections += 1
            return
        self.t, self.steps, self._sample, self.stiffness = after, self.steps + 1, int(sample), stiffness
        self.past, self._latest = (self._latest, self.past[0]), max(size, self._least_past)
        self._largest, self._local = max(self._largest, largest), max(self._local, local)
        self._stiffest = max(self._stiffest, stiffness)

    def metrics(self) -> dict[str, float]:
        """Return what it came to, as `OdeTolerance` names it."""
        apart = (self._vectors[0] - self._truth[-1]) / self._scale
        error = max(float(np.sqrt(np.mean(apart**2))), self._least_error)
        return {
            "error": error, "largest_error": max(self._largest, error),
            "work": float(self.evaluations + len(self._scale) * self.jacobians), "evaluations": float(self.evaluations),
            "jacobians": float(self.jacobians), "steps": float(self.steps), "rejected": float(self.rejections),
            "local_error": self._local, "stiffness": self._stiffest,
        }  # fmt: skip


def controller_factor(integration: Integration, design: dict[str, Any]) -> float:
    """Return what a fixed controller multiplies the latest step by: that of `OdeTolerance`, for one design in numbers.

    design: controller (its number), gain_i, gain_p, gain_d, safety, min_factor, max_factor.
    """
    power = -1.0 / (integration.order + 1.0)
    if integration.rejected:
        factor = design["safety"] * integration.size**power
        return float(factor) if factor > design["min_factor"] else float(design["min_factor"])
    gain_p = design["gain_p"] if design["controller"] > 0 else 0.0
    gain_d = design["gain_d"] if design["controller"] > 1 else 0.0
    factor = design["safety"] * integration.size ** (power * (design["gain_i"] + gain_p + gain_d))
    factor *= integration.past[0] ** (-power * (gain_p + 2.0 * gain_d)) * integration.past[1] ** (power * gain_d)
    factor = max(design["min_factor"], min(design["max_factor"], factor))
    return float(min(1.0, factor) if integration.rejected_before else factor)
