"""Solutions to compare with, at uniform times: as near to the exact ones as double precision lets them.

Each piece between two times is integrated by itself, so that nothing is interpolated. What is not stiff is left to
scipy's DOP853 (Hairer, Norsett and Wanner, section II.5); what is stiff to RODAS, far below the tolerances of designs.
"""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, SAMPLES, end_state, scipy_design
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem, ode_problem

RTOL, ATOL = 3e-14, 1e-18
STIFF_RTOL, STIFF_ATOL = 3e-14, 1e-18

Floats = NDArray[np.float64]


@functools.lru_cache(1024)
def reference(ode: str, mu: float, start: int) -> tuple[Floats, Floats]:
    """Return the solution at the SAMPLES times, (times, d), and each component's largest size there and at 0, (d,).

    Error at the end, over these sizes: 2e-14 for what is not stiff, 2e-12 for what is, 1e-10 on Arenstorf's orbit, of
    which the last bit of the initial state makes as much. test_ode_reference.py holds it to published digits and to
    long doubles.
    """
    problem = ode_problem(ode, mu)
    truth = solution(problem, problem.initial(start))
    scale = np.maximum(np.abs(truth).max(axis=0), np.abs(problem.initial(start)))
    truth.flags.writeable = scale.flags.writeable = False
    return truth, scale


def solution(problem: OdeProblem, start: Floats, pieces: int = SAMPLES) -> Floats:
    """Return the states at so many uniform times, the last of them the problem's end, (pieces, d)."""
    carry = _by_rodas if problem.stiff else _by_dop853
    states = [start]
    first = None
    for _ in range(pieces):
        state, first = carry(problem, states[-1], problem.end / pieces, first)
        states.append(state)
    return np.array(states[1:])


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
    return end_state(problem, tight_rodas(), state, end), None


def _by_dop853(problem: OdeProblem, state: Floats, end: float, first: float | None) -> tuple[Floats, float]:
    """Return the state at the end, and the first step taken, which suits the next piece too."""
    from scipy.integrate import DOP853

    parameters, right_side = problem.table, _compiled_right_side()

    def slope(t: float, y: Floats) -> Floats:
        f = np.empty_like(y)
        right_side(problem.number, parameters, y, f)
        return f

    solver = DOP853(slope, 0.0, state, end, rtol=RTOL, atol=ATOL, first_step=None if first is None else min(first, end))
    taken = []
    while solver.status == "running":
        message = solver.step()
        taken.append(solver.step_size)
    if solver.status != "finished":
        raise ValueError(f"{problem.name} has no reference from {state.tolist()}: {message}. Choose another start.")
    return solver.y, taken[0]
