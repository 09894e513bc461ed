"""Compare integrations of three bodies with a table of somebody else's: evaluations, and errors where these are told.

The table's form is that of tests/reference/solver_schedule/solver_threebody_fixed.csv: seed, method, parameter.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.reference_table import Cells, agreement, given, measured, read_rows, whole
from designgym.cost_models.solver_schedule.three_body import ETAS, METHODS, integrations
from designgym.cost_models.solver_schedule.three_body_starts import drawn, of_table

QUANTITIES = {  # columns of the table, and what they are called here
    "force_evals": "force_evals",
    "final_abs_rel_energy_error": "energy_error",
    "max_abs_rel_energy_error": "largest_error",
    "return_r5": "published_return",
}
LEAST_TOLD_ETA = 0.00999  # errors below it, and of steps of one length, are chaotic
PRINTED = np.concatenate([ETAS, np.logspace(-5.0, -1.0, 9)])  # what a parameter printed to seven digits stands for
ENOUGH = 10**9  # evaluations

Floats = NDArray[np.float64]


def validate(table: str | Path, init: str | Path | None = None) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", "within_0.1pct", ..., "worst_error"}}}.

    Each row is an integration: its seed, its method, one of METHODS, and its parameter, eta or dt in years. init: a
    table of initial states by seed, see `of_table`; without it they are drawn by `default_rng(seed)`. Evaluations of
    all rows are compared, errors and returns of Hermite's steps of eta >= .01. Errors are |model - table| / table.
    ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    file = Path(table)
    rows = read_rows(file, ("seed", "method", "parameter"), "integrations of three bodies")
    if not rows:
        raise ValueError(f"{file}: the table must have at least one row with an integration, got none. Add one.")
    known = None if init is None else of_table(init)
    asked = [_asked(file, number, cells, known, init) for number, cells in rows]
    found = _priced(asked)
    told = np.array([method == 0 and parameter >= LEAST_TOLD_ETA for _, method, parameter in asked])
    quantities = {}
    for column, name in QUANTITIES.items():
        theirs = np.array([measured(file, number, cells, column) for number, cells in rows])
        quantities[column] = agreement(
            found[name], theirs if column == "force_evals" else np.where(told, theirs, np.nan)
        )
    return {"rows": len(rows), "quantities": quantities}


def _asked(
    file: Path, row: int, cells: Cells, known: dict[int, Floats] | None, init: str | Path | None
) -> tuple[Floats, int, float]:
    """Return the initial state, the place of the method and the parameter of a row."""
    for name in ("seed", "method", "parameter"):
        if not given(cells, name):
            raise ValueError(f"{file} row {row}: {name} must be there, got nothing. Fill it in.")
    seed, method = whole(file, row, cells, "seed", least=0), cells["method"].strip()
    if known is not None and seed not in known:
        raise ValueError(f"{file} row {row}: seed {seed} must be in {init}, but is not. Add its initial state.")
    if method not in METHODS:
        raise ValueError(f"{file} row {row}: method must be one of {', '.join(METHODS)}, got {method!r}. Correct it.")
    parameter = measured(file, row, cells, "parameter")
    if not 1e-7 <= parameter <= 10.0:
        raise ValueError(f"{file} row {row}: parameter must be in [1e-7, 10], got {parameter:g}. Correct it.")
    near = PRINTED[np.argmin(np.abs(np.log(PRINTED / parameter)))]
    if abs(parameter / near - 1.0) < 5e-7:
        parameter = float(near)
    state = drawn(np.random.default_rng(seed)) if known is None else known[seed]
    return state, METHODS.index(method), parameter


def _priced(asked: list[tuple[Floats, int, float]]) -> dict[str, Floats]:
    """Return what the integrations came to, each (rows,): all rows of one plan together."""
    plans: dict[tuple[int, float], list[int]] = {}
    for row, (_, method, parameter) in enumerate(asked):
        plans.setdefault((method, parameter), []).append(row)
    found = {name: np.empty(len(asked)) for name in QUANTITIES.values()}
    for (method, parameter), own in plans.items():
        states = np.array([asked[row][0] for row in own])
        priced = integrations([method], np.array([[parameter]]), states, ENOUGH)
        for name, column in found.items():
            column[own] = priced[name][0]
    return found
