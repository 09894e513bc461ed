"""Compare sweeps of over-relaxation with a table of somebody else's, row by row.

The table's form is that of tests/reference/solver_schedule/solver_sor_omega.csv: n, c, omega, iterations.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.reference_table import Cells, agreement, measured, read_rows, whole
from designgym.cost_models.solver_schedule.linear_systems import TOLERANCE, Systems, jacobi_radius
from designgym.cost_models.solver_schedule.relaxation import MOST_ITERATIONS, MOST_SIDE
from designgym.cost_models.solver_schedule.relaxation_solvers import sweeps

Floats = NDArray[np.float64]


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": m, "quantities": {name: {"rows", "exact", ..., "worst_error", "worst_difference"}}}.

    n: unknowns a side. c: shift of the diagonal. Every row of one n has the right side
    `default_rng(0).standard_normal(n * n)`. Quantities: iterations of all rows, and of those with c = 0; errors are
    |model - table| / table, worst_difference is in iterations. ValueError in one line names the file, the row (the
    header is row 1) and what is wrong.
    """
    file = Path(table)
    rows = read_rows(file, ("n", "c", "omega"), "solves")
    if not rows:
        raise ValueError(f"{file}: the table must have at least one row, got none. Add one.")
    given = np.array([_solve(file, number, cells) for number, cells in rows])
    n, c, omega = given[:, 0].astype(np.int64), given[:, 1], given[:, 2]
    told = np.array([measured(file, number, cells, "iterations") for number, cells in rows])
    found = np.empty(len(rows))
    for side in np.unique(n):
        found[n == side] = solved(int(side), c[n == side], omega[n == side])
    quantities = {"iterations": np.ones(len(rows), bool), "iterations at c = 0": c == 0}
    return {
        "rows": len(rows),
        "quantities": {name: _agreement(found[there], told[there]) for name, there in quantities.items()},
    }


def solved(n: int, c: Floats, omega: Floats) -> Floats:
    """Return the sweeps that solve systems of one standard normal right side, (m,), 10,000 where these do not."""
    right = np.random.default_rng(0).standard_normal(n * n)
    limit = np.full(len(c), TOLERANCE * np.sqrt(np.sum(right * right)))
    systems = Systems(n, c, np.tile(right, (len(c), 1)), limit, c)
    found: Floats = np.minimum(sweeps(systems, np.arange(len(c)), omega, MOST_ITERATIONS), MOST_ITERATIONS)
    return found


def _agreement(found: Floats, told: Floats) -> dict[str, Any]:
    difference = np.abs(found - told)[np.isfinite(told)]
    return {**agreement(found, told), "worst_difference": float(difference.max()) if len(difference) else math.nan}


def _solve(file: Path, row: int, cells: Cells) -> tuple[float, float, float]:
    """Return n, c and omega of one row; ValueError where nothing converges."""
    n, c, omega = whole(file, row, cells, "n", 2), measured(file, row, cells, "c"), measured(file, row, cells, "omega")
    if n > MOST_SIDE:
        raise ValueError(f"{file} row {row}: n must be at most {MOST_SIDE}, got {n}. Leave the row out.")
    if not (c > -4 and jacobi_radius(c, n) < 1):
        least = 4.0 * math.cos(math.pi / (n + 1)) - 4.0
        raise ValueError(f"{file} row {row}: c must be above {least:.6g}, so that it converges, got {c:g}. Correct it.")
    if not 0 < omega < 2:
        raise ValueError(f"{file} row {row}: omega must be above 0 and below 2, got {omega:g}. Correct it.")
    return float(n), c, omega
