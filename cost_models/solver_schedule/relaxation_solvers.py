"""Solve many linear systems, each under an omega of its own: what counts is after how many iterations it is solved."""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.linear_systems import Systems, jacobi_radius

SYSTEMS_A_CHUNK = 512  # that a thread solves at a time

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def sweeps(systems: Systems, places: Integers, omega: Floats, most: int) -> Integers:
    """Return the sweeps of SOR that solve systems, by their places in the sequence, each under its omega; all (m,).

    most + 1 where that many are not enough, and where a system is indefinite, which is not tried.
    """
    from designgym.cost_models.solver_schedule._relaxation_kernel import relaxed, relaxed_alone

    found = np.full(len(places), most + 1)
    beta = jacobi_radius(systems.shift[places], systems.n)
    # Lanes are done about together, and threads have as much to do, where the slow systems are dealt out first.
    order = np.argsort(-beta, kind="stable")[np.sum(beta >= 1.0) :]
    if len(order) == 0:
        return found
    tasks, omegas = places[order], omega[order]
    chunks = -(-len(order) // SYSTEMS_A_CHUNK)
    table, numbers = np.array([systems.shift[tasks], omegas, systems.limit[tasks]]), np.array([tasks, tasks])
    run = relaxed_alone if len(order) == 1 else relaxed.parallel if chunks > 1 else relaxed
    run(np.arange(chunks), chunks, systems.n, table, numbers, systems.residual, most)
    found[order] = numbers[1]
    return found


def gradient_steps(systems: Systems, places: Integers, omega: Floats, most: int) -> Integers:
    """Return the iterations of conjugate gradients with SSOR that solve systems, as `sweeps` does."""
    from designgym.cost_models.solver_schedule._conjugate_gradients_kernel import conjugate_gradients

    run = conjugate_gradients.parallel if len(places) > SYSTEMS_A_CHUNK else conjugate_gradients
    (found,) = run(
        places, systems.shift[places], omega, systems.limit[places], systems.n, systems.residual, most
    )  # fmt: skip
    return found.astype(np.int64)
