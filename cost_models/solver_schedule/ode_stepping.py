"""Adaptive integrations taken step by step, each step's size or tolerance chosen from outside; many side by side.

Source: see `ode_tolerance`, whose steps, counts and metrics these are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule import _ode_stepping_kernel as kernel
from designgym.cost_models.solver_schedule._ode_integration_kernel import LEAST_ERROR
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, SAMPLES
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem
from designgym.cost_models.solver_schedule.ode_reference import reference

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Integrations:
    """count integrations of one equation under way; row i depends on integration i alone, to the last bit.

    All that they are is in tables, which compiled code moves on: `_ode_stepping_kernel` says what their rows are.
    """

    def __init__(
        self, count: int, problem: OdeProblem, mu: float, method: str, rtol: float, atol: float, most_evaluations: int
    ) -> None:
        self.problem, self._mu, self._method, self._most = problem, mu, METHODS.index(method), most_evaluations
        self._tolerances = rtol, atol
        n = len(problem.start)
        self._rows, self._table = np.arange(count), problem.table
        self._numbers = np.ones((len(kernel.NUMBERS), count))
        self._counts = np.zeros((len(kernel.COUNTS), count), np.int64)
        self._vectors, self._jacobi = np.zeros((2 * count, n)), np.zeros((n * count, n))
        self._truth, self._scale = np.zeros((SAMPLES * count, n)), np.ones((count, n))
        self._references: dict[int, int] = {}  # rows whose truth and scale are still to be read, and their starts

    def begin(self, row: int, start: int) -> None:
        """Begin an integration from the initial state of a number, see `OdeProblem.initial`."""
        self._references[row] = start  # 0.1 s each: a row that is begun again before a step needs one alone
        self._vectors[2 * row] = self.problem.initial(start)
        kernel.begun(
            np.array([row]), self._method, *self._tolerances, self.problem.number, self._table, self.problem.end,
            self._numbers, self._counts, self._vectors,
        )  # fmt: skip

    def step(self, factor: Floats, looser: Floats) -> Integers:
        """Try a step in each that runs, factor times the one tried last; return evaluations spent, all (count,).

        looser: what the tolerances are multiplied by for this step. The size is at least what rounding allows, and at
        most what is left. What has run out of evaluations, or down to rounding, stops running.
        """
        for row, start in self._references.items():
            truth, self._scale[row] = reference(self.problem.name, self._mu, start)
            self._truth[SAMPLES * row : SAMPLES * (row + 1)] = truth
        self._references.clear()
        (spent,) = kernel.stepped(
            self._rows, factor, looser, self._method, *self._tolerances, self._most, self.problem.number, self._table,
            self.problem.end, self._truth, self._scale, self._numbers, self._counts, self._vectors, self._jacobi,
        )  # fmt: skip
        return spent.astype(np.int64)

    def controller_factors(self, design: dict[str, Any]) -> Floats:
        """Return what a fixed controller multiplies the latest steps by, (count,): that of `OdeTolerance`.

        design: one, in numbers: controller (its number), gain_i, gain_p, gain_d, safety, min_factor, max_factor.
        """
        gain_p = design["gain_p"] if design["controller"] > 0 else 0.0
        gain_d = design["gain_d"] if design["controller"] > 1 else 0.0
        gains = float(design["gain_i"]), float(gain_p), float(gain_d)
        limits = (float(design[name]) for name in ("safety", "min_factor", "max_factor"))
        return kernel.controlled(self._rows, self._method, *gains, *limits, self._numbers, self._counts)[0]

    @property
    def running(self) -> NDArray[np.bool_]:
        """Which have neither come to their end nor given up, (count,)."""
        return self._counts[kernel.RUNNING] > 0

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which have come to their end, (count,)."""
        return self._numbers[kernel.T] >= self.problem.end

    @property
    def left(self) -> Floats:
        """The share of the interval that is left, (count,)."""
        return 1.0 - self._numbers[kernel.T] / self.problem.end

    @property
    def sizes(self) -> Floats:
        """Sizes of estimated errors, (3, count): the latest, below 1 where its step was taken, and those of the two
        steps taken before the latest one taken, 1 where there are none.
        """
        return self._numbers[kernel.SIZE : kernel.PAST_BEFORE + 1]

    @property
    def h(self) -> Floats:
        """The steps tried last, (count,), at first the automatic ones."""
        return self._numbers[kernel.H]

    @property
    def stiffness(self) -> Floats:
        """Estimated at the latest steps taken, per unit of time, (count,)."""
        return self._numbers[kernel.STIFFNESS]

    @property
    def rejected(self) -> Integers:
        """Whether the latest try failed, and the one before it, (2, count), 0 or 1."""
        return self._counts[kernel.REJECTED : kernel.REJECTED_BEFORE + 1]

    def metrics(self) -> Columns:
        """Return what those came to that have finished, as `OdeTolerance` names it, each (count,)."""
        apart = (self._vectors[::2] - self._truth[SAMPLES - 1 :: SAMPLES]) / self._scale
        error = np.maximum(np.sqrt(np.mean(apart**2, axis=1)), LEAST_ERROR)
        counts = self._counts.astype(np.float64)
        return {
            "error": error, "largest_error": np.maximum(self._numbers[kernel.LARGEST], error),
            "work": counts[kernel.EVALUATIONS] + apart.shape[1] * counts[kernel.JACOBIANS],
            "evaluations": counts[kernel.EVALUATIONS], "jacobians": counts[kernel.JACOBIANS],
            "steps": counts[kernel.STEPS], "rejected": counts[kernel.REJECTIONS],
            "local_error": self._numbers[kernel.LOCAL].copy(), "stiffness": self._numbers[kernel.STIFFEST].copy(),
        }  # fmt: skip
