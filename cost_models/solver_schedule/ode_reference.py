"""Solutions to compare with, at uniform times: as near to the exact ones as double precision lets them.

Each piece between two times is integrated by itself, so that nothing is interpolated. What is not stiff is left to
scipy's DOP853 (Hairer, Norsett and Wanner, section II.5); what is stiff to RODAS, far below the tolerances of designs.
"""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, SAMPLES, scipy_design, steps_taken
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem, ode_problem

RTOL, ATOL = 3e-14, 1e-18
STIFF_RTOL, STIFF_ATOL = 3e-14, 1e-18
MOST_EVALUATIONS = 1_000_000  # of a piece

Floats = NDArray[np.float64]


@functools.lru_cache(1024)
def reference(ode: str, mu: float, start: int) -> tuple[Floats, Floats]:
    """Return the solution at the SAMPLES times, (times, d), and each component's largest size from start to end, (d,).

    Error at the end, over these sizes: 2e-14 for what is not stiff, 2e-12 for what is, 1e-10 on Arenstorf's orbit, of
    which the last bit of the initial state makes as much. test_ode_reference.py holds it to published digits and to
    long doubles.
    """
    problem = ode_problem(ode, mu)
    truth, scale = solution(problem, problem.initial(start))
    truth.flags.writeable = scale.flags.writeable = False
    return truth, scale


def solution(problem: OdeProblem, start: Floats, pieces: int = SAMPLES) -> tuple[Floats, Floats]:
    """Return the states at so many uniform times, the last of them the problem's end, and the largest sizes met.

    (pieces, d) and (d,).
    """
    carry = _by_rodas if problem.stiff else _by_dop853
    states, largest, first = [start], np.abs(start), None
    for _ in range(pieces):
        passed, first = carry(problem, states[-1], problem.end / pieces, first)
        states.append(passed[-1])
        largest = np.maximum(largest, np.abs(passed).max(axis=0))
    return np.array(states[1:]), largest


def tight_rodas() -> Columns:
    """Return the design that stiff references are integrated by."""
    design = scipy_design(rtol=STIFF_RTOL, atol=STIFF_ATOL)
    return design | {"method": np.array([METHODS.index("rodas43")])}


@functools.cache
def _compiled_right_side() -> Callable[..., None]:
    """Return `right_side` compiled: the network's reference takes a third of the time."""
    from numba import njit

    from designgym.cost_models.solver_schedule._ode_right_sides_kernel import right_side

    # All that it reads is in its own file, which Numba's cache looks at.
    compiled: Callable[..., None] = njit(cache=True, error_model="numpy")(right_side)
    return compiled


def _by_rodas(problem: OdeProblem, state: Floats, end: float, first: float | None) -> tuple[Floats, None]:
    """Return the states after each step until `end`, (steps, d)."""
    return steps_taken(problem, tight_rodas(), state, end, MOST_EVALUATIONS)[1], None


def _by_dop853(problem: OdeProblem, state: Floats, end: float, first: float | None) -> tuple[Floats, float]:
    """Return the states after each step until `end`, (steps, d), and the first step, which suits the next piece too."""
    from scipy.integrate import DOP853

    parameters, right_side = problem.table, _compiled_right_side()

    def slope(t: float, y: Floats) -> Floats:
        f = np.empty_like(y)
        right_side(problem.number, parameters, y, f)
        return f

    solver = DOP853(slope, 0.0, state, end, rtol=RTOL, atol=ATOL, first_step=None if first is None else min(first, end))
    passed, taken = [], []
    while solver.status == "running":
        message = solver.step()
        passed.append(solver.y)
        taken.append(solver.step_size)
    if solver.status != "finished":
        raise ValueError(f"{problem.name} has no reference from {state.tolist()}: {message}. Choose another start.")
    return np.array(passed), taken[0]
