"""Compare errors of chains for 2^x with a table of somebody else's: one chain, with its constants, a row.

The form is that of tests/reference/quantization/quant_exp2_programs.csv.
"""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.quantization.accuracy_table import with_difference
from designgym.cost_models.quantization.exp_fitting import POINTS, fit_programs
from designgym.cost_models.quantization.straight_line import CHAIN_NAMES, Programs, exact_errors
from designgym.cost_models.reference_table import Cells, given, measured, read_rows

TOLD = "max_rel_err_best_chain_found"
CONSTANTS = "constants_in_order"
X = (np.arange(POINTS) / (POINTS - 1)).tolist()


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", ..., "worst_error", "worst_difference"}}}.

    program: names among +c, *c, c/, sq, +x, *x and x/; constants_in_order: one for each c. Rows without a program are
    passed over. Quantities: the largest error with the row's own constants, worked out exactly, and with the constants
    that are fitted here, which may be less. ValueError in one line names the file, the row (the header is row 1) and
    its fault.
    """
    path = Path(table)
    rows = [row for row in read_rows(path, ("program", TOLD), "chains for 2^x") if given(row[1], "program")]
    if not rows:
        raise ValueError(f"{path}: the table must have at least one row with a program, got none. Add one.")
    told = np.array([measured(path, number, cells, TOLD) for number, cells in rows])
    chains = [_chain(path, number, cells) for number, cells in rows]
    fitted = np.array([fit_programs(chain).errors[0] for chain in chains])
    quantities = {"largest relative error, constants fitted": with_difference(fitted, told)}
    with_constants = [i for i, (_, cells) in enumerate(rows) if given(cells, CONSTANTS)]
    if with_constants:
        own = np.array([_error(path, *rows[i], chains[i]) for i in with_constants])
        quantities["largest relative error, the table's constants"] = with_difference(own, told[with_constants])
    return {"rows": len(rows), "quantities": quantities}


def _chain(path: Path, row: int, cells: Cells) -> Programs:
    names = cells["program"].split()
    for name in names:
        if name not in CHAIN_NAMES:
            raise ValueError(
                f"{path} row {row}: operations must be of {', '.join(CHAIN_NAMES)}, got {name!r}. Mend it."
            )
    return Programs.chains(np.array([[CHAIN_NAMES.index(name) for name in names]]))


def _error(path: Path, row: int, cells: Cells, chain: Programs) -> float:
    """Return the largest error of a chain with the constants of its row."""
    needed = sum("c" in name for name in cells["program"].split())
    try:
        constants = [Decimal(text) for text in cells[CONSTANTS].split()]
    except InvalidOperation:
        raise ValueError(f"{path} row {row}: {CONSTANTS} must be numbers, got {cells[CONSTANTS]!r}. Mend it.") from None
    if len(constants) != needed:
        raise ValueError(f"{path} row {row}: the program has {needed} constants, got {len(constants)}. Mend it.")
    left = iter(constants)
    own = [(next(left),) if "c" in name else () for name in cells["program"].split()]
    return float(np.abs(exact_errors(chain, 0, own, X)).max())
