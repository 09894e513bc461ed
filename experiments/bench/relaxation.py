"""How fast sequences of linear systems are solved on all cores: every omega on 5,000 systems, and one at a time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from designgym.cost_models.solver_schedule.linear_systems import Systems
from designgym.cost_models.solver_schedule.relaxation import OMEGAS, Relaxation
from designgym.envs.solver_schedule.relaxation_sequence import RelaxationSequence
from designgym.experiments.bench.core import Row

WANTED_S = 15.0  # for all omegas on 5,000 systems of ten by ten unknowns
STEPS = 300
CASES = {
    "poisson, high variance": Relaxation(),
    "poisson, low variance": Relaxation(distribution="low"),
    "heat": Relaxation("heat"),
}


def relaxation() -> dict[str, Any]:
    """Time tables of costs, each once after compiling, steps of the sequence, and plain NumPy beside them."""
    from numba import get_num_threads

    rows: list[Row] = []
    for name, model in CASES.items():
        model.costs(seed=None, omegas=(1.001, 1.002))  # compiles, draws the systems
        begun = time.perf_counter()
        counts = model.costs()
        seconds = time.perf_counter() - begun
        n, total = model.side, int(counts.sum())
        what = f"{name}: {len(OMEGAS)} omegas on {model.instances:,} systems of {n} x {n}"
        wanted = model.equation == "poisson"
        rows.append((what, seconds, "s", WANTED_S / seconds if wanted else None, f"{WANTED_S:g} s" if wanted else ""))
        rows.append((f"{name}: iterations", total / seconds, "1/s", None, ""))
    plain = _plain(Relaxation().systems())
    rows.append(("poisson: sweeps in plain NumPy, one system", plain, "1/s", None, ""))
    for name, model in CASES.items():
        rows.append((f"{name}: a step of RelaxationSequence-v0, omega 1.8", 1e6 * _step(model), "µs", None, ""))
    return {"notes": [f"{get_num_threads()} threads; tables are timed once, after compiling"], "rows": rows}


def _step(model: Relaxation) -> float:
    """Return the seconds that a step takes, the mean of several."""
    env = RelaxationSequence(model.equation, model.distribution, model.n, model.instances)
    env.reset(seed=0)
    action = np.int64(OMEGAS.index(1.8))
    env.step(action)
    begun = time.perf_counter()
    for _ in range(STEPS):
        env.step(action)
    return (time.perf_counter() - begun) / STEPS


def _plain(systems: Systems) -> float:
    """Return the sweeps a second of Gauss-Seidel's loop over unknowns, rows sliced where they can be."""
    n = systems.n
    x, right = np.zeros((n + 2, n + 2)), systems.residual[0].reshape(n, n)
    diagonal, omega, count = 4.0 + systems.shift[0], 1.8, 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < 0.2:
        for i in range(1, n + 1):
            around = right[i - 1] + x[i - 1, 1:-1] + x[i + 1, 1:-1] + x[i, 2:]
            kept = (1.0 - omega) * x[i, 1:-1] + omega / diagonal * around
            for j in range(1, n + 1):
                x[i, j] = kept[j - 1] + omega / diagonal * x[i, j - 1]
        residual = right + x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - diagonal * x[1:-1, 1:-1]
        np.linalg.norm(residual)
        count += 1
    return count / (time.perf_counter() - begun)
