"""Compare integrations with a table of somebody else's, row by row: evaluations, and the error at the end.

The table's form is that of tests/reference/solver_schedule/solver_ivp_scipy.csv: problem, method, rtol.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.reference_table import Cells, agreement, given, measured, read_rows
from designgym.cost_models.solver_schedule.ode_integrator import SCIPY_METHODS, scipy_design
from designgym.cost_models.solver_schedule.ode_tolerance import OdeTolerance

QUANTITIES = {"rhs_evals_incl_fd_jacobian": "work", "scaled_endpoint_rms": "error"}
ATOL_OVER_RTOL = 1e-3
ENOUGH = 10**8  # evaluations


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", "within_0.1pct", ..., "worst_error"}}}.

    problem: one of `ode_problem`, or vdp_mu1, vdp_mu1000 and so on. method: RK23 or RK45 of scipy's; rows of its other
    methods are passed over, as are those whose status is there and not ok. atol is a column, or rtol / 1000. Errors are
    |model - table| / table. ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    file = Path(table)
    rows = [(n, cells) for n, cells in read_rows(file, ("problem", "method", "rtol"), "integrations") if _ours(cells)]
    if not rows:
        raise ValueError(f"{file}: the table must have at least one row of RK23 or RK45, got none. Add one.")
    found = [_priced(file, number, cells) for number, cells in rows]
    return {
        "rows": len(rows),
        "quantities": {
            column: agreement(
                np.array([one[metric] for one in found]),
                np.array([measured(file, number, cells, column) for number, cells in rows]),
            )
            for column, metric in QUANTITIES.items()
        },
    }


def _ours(cells: Cells) -> bool:
    ok = not given(cells, "status") or (cells["status"] or "").strip() == "ok"
    return ok and (cells["method"] or "").strip() in SCIPY_METHODS


def _priced(file: Path, row: int, cells: Cells) -> dict[str, float]:
    """Return the metrics of one row; ValueError where it can not be priced."""
    name = (cells["problem"] or "").strip()
    of_mu = re.fullmatch(r"vdp_mu(\d+(?:\.\d+)?)", name)
    rtol = measured(file, row, cells, "rtol")
    atol = measured(file, row, cells, "atol") if given(cells, "atol") else ATOL_OVER_RTOL * rtol
    if not (0 < rtol < 1 and 0 < atol < np.inf):
        raise ValueError(f"{file} row {row}: rtol must be in (0, 1) and atol above 0, got {rtol:g} and {atol:g}.")
    try:
        ode, mu = ("van_der_pol", float(of_mu[1])) if of_mu else (name, 1.0)
        model = OdeTolerance(ode, mu, most_evaluations=ENOUGH)
        design = scipy_design(cells["method"].strip(), rtol, atol)
        return {metric: float(column[0]) for metric, column in model.evaluate(design).items()}
    except ValueError as error:
        raise ValueError(f"{file} row {row}: {error}") from None
