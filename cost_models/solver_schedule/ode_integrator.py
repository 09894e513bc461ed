"""Adaptive integrations by designs: method, tolerances, controller, first step; a whole batch in compiled code.

scipy's `solve_ivp` is one design, `scipy_design`. Sources: `_ode_steps_kernel`, `_ode_integration_kernel`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, batch_length
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem

METHODS = ("bs32", "dp54", "tsit54", "rodas43")
CONTROLLERS = ("i", "pi", "pid")
FIRST_STEPS = ("automatic", "given")
SCIPY_METHODS = {"RK23": "bs32", "RK45": "dp54"}
SAMPLES = 200  # uniform times at which a solution is compared, the last of them the end
PARALLEL_FROM = 128  # designs: an integration takes some 50 microseconds
NO_RECORD = np.empty((0, 0))
FOUND = (
    "error", "largest_error", "evaluations", "jacobians", "steps", "rejected", "local_error", "stiffness", "ended",
    "time",
)  # fmt: skip

Floats = NDArray[np.float64]


def scipy_design(method: str = "RK45", rtol: float = 1e-3, atol: float = 1e-6) -> Columns:
    """Return the design, a batch of one, that takes the steps of `solve_ivp(method=...)`, RK23 or RK45."""
    if method not in SCIPY_METHODS:
        raise ValueError(f"method must be one of {', '.join(SCIPY_METHODS)}, got {method!r}. Choose one of them.")
    values = {
        "method": METHODS.index(SCIPY_METHODS[method]), "rtol": rtol, "atol": atol, "controller": 0, "gain_i": 1.0,
        "gain_p": 0.2, "gain_d": 0.1, "safety": 0.9, "min_factor": 0.2, "max_factor": 10.0, "first_step": 0,
        "first_fraction": 1e-4,
    }  # fmt: skip
    return {name: np.array([value]) for name, value in values.items()}


def integrations(
    problem: OdeProblem,
    designs: Columns,
    start: Floats,
    truth: Floats,
    scale: Floats,
    most_evaluations: int,
    record: Floats = NO_RECORD,
    end: float | None = None,
) -> dict[str, Floats]:
    """Integrate from one initial state by each design; return the columns FOUND, each (n,).

    designs: the columns of `scipy_design`. start: (d,). truth: the solution at uniform times, (times, d). scale: of
    each component, (d,). record, end: see `integrated`; the problem's own end by default.
    """
    from designgym.cost_models.solver_schedule import _ode_integration_kernel as kernel

    whole = problem.end if end is None else end
    controller = np.asarray(designs["controller"])
    first = np.where(np.asarray(designs["first_step"]) == 1, designs["first_fraction"] * whole, 0.0)
    plain: list[Any] = [np.asarray(designs["method"]).astype(np.int64)]
    plain += [np.asarray(designs[name], np.float64) for name in ("rtol", "atol", "gain_i")]
    plain += [np.where(controller > 0, designs["gain_p"], 0.0), np.where(controller > 1, designs["gain_d"], 0.0)]
    plain += [np.asarray(designs[name], np.float64) for name in ("safety", "min_factor", "max_factor")]
    run = kernel.integrated.serial
    if batch_length(designs) >= PARALLEL_FROM and _threads() > 1:
        run = kernel.integrated.parallel
    found = run(
        *plain, first, problem.number, problem.table, start[None, :], whole, truth, scale[None, :], most_evaluations,
        record,
    )  # fmt: skip
    return dict(zip(FOUND, found, strict=True))


def steps_taken(
    problem: OdeProblem, design: Columns, start: Floats, end: float | None = None, most: int = 1_000_000
) -> tuple[Floats, Floats]:
    """Return the times after each accepted step, (steps,), and the states there, (steps, d), of one design.

    end: the problem's own by default. ValueError where it does not come there within so many evaluations.
    """
    d, whole = len(start), problem.end if end is None else end
    record = np.empty((most // 3 + 1, 1 + d))  # a step takes three evaluations or more
    found = integrations(problem, design, start, np.zeros((1, d)), np.ones(d), most, record, whole)
    if found["ended"][0] != 0:
        raise ValueError(
            f"the integration must come to time {whole:g}, got to {found['time'][0]:g} in "
            f"{found['evaluations'][0]:.0f} evaluations. Loosen the tolerances, or allow more."
        )
    record = record[: int(found["steps"][0])].copy()
    return record[:, 0], record[:, 1:]


def _threads() -> int:
    import numba

    return int(numba.get_num_threads())
