"""Compare L-Mul's relative errors with a table of somebody else's: one multiplier on one law of operands a row.

The form is that of tests/reference/quantization/quant_lmul_error.csv. Its errors are means over random operands, and so
are these, over others: they agree to what a sample is worth.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.accuracy_table import with_difference
from designgym.cost_models.quantization.lmul import MOST_MANTISSA_BITS, l_mul, relative_errors, to_bits
from designgym.cost_models.reference_table import Cells, measured, read_rows, whole

Floats = NDArray[np.float64]

SAMPLE = 400_000
LAWS = ("uniform[1,2)", "normal(0,1)", "loguniform")
MULTIPLIERS = {
    "lmul_int_adder": "L-Mul, adder form", "lmul_formula": "L-Mul, formula form", "fp_exact_product": "floats",
    "fp_rounded_product": "floats, product rounded",
}  # fmt: skip
ERRORS = ("mean_abs_rel_err", "rms_rel_err")  # the signed mean is about 0, where a relative difference says nothing


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", ..., "worst_error", "worst_difference"}}}.

    operands: uniform[1,2), normal(0,1) or loguniform (2^-8 to 2^8), rounded to mantissa_bits; errors are relative to
    the product of what was not rounded. Quantities: mean absolute and root mean square relative error, by multiplier;
    worst_difference is in these. ValueError in one line names the file, the row (the header is row 1) and its fault.
    """
    path = Path(table)
    rows = read_rows(path, ("operands", "multiplier", "mantissa_bits"), "errors of products")
    if not rows:
        raise ValueError(f"{path}: the table must have at least one row, got none. Add one.")
    drawn = {law: _operands(law) for law in LAWS}
    found = [_errors(path, number, cells, drawn) for number, cells in rows]
    kinds = np.array([cells["multiplier"].strip() for _, cells in rows])
    quantities = {}
    for kind in dict.fromkeys(kinds.tolist()):
        for name in ERRORS:
            told = np.array([measured(path, number, cells, name) for number, cells in rows])
            ours = np.array([own[name] for own in found])
            quantities[f"{name}, {MULTIPLIERS[kind]}"] = with_difference(ours[kinds == kind], told[kinds == kind])
    return {"rows": len(rows), "quantities": quantities}


def _operands(law: str) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(5)
    if law == "uniform[1,2)":
        return rng.uniform(1, 2, SAMPLE), rng.uniform(1, 2, SAMPLE)
    if law == "normal(0,1)":
        return rng.normal(size=SAMPLE), rng.normal(size=SAMPLE)
    return np.exp2(rng.uniform(-8, 8, SAMPLE)), np.exp2(rng.uniform(-8, 8, SAMPLE))


def _errors(path: Path, row: int, cells: Cells, drawn: dict[str, tuple[Floats, Floats]]) -> dict[str, float]:
    law, kind = cells["operands"].strip(), cells["multiplier"].strip()
    for name, value, known in (("operands", law, LAWS), ("multiplier", kind, MULTIPLIERS)):
        if value not in known:
            raise ValueError(f"{path} row {row}: {name} must be one of {', '.join(known)}, got {value!r}. Correct it.")
    bits = whole(path, row, cells, "mantissa_bits")
    if bits > MOST_MANTISSA_BITS:
        raise ValueError(
            f"{path} row {row}: mantissa_bits must be at most {MOST_MANTISSA_BITS}, got {bits}. Correct it."
        )
    x, y = drawn[law]
    if kind.startswith("lmul"):
        form = "adder" if kind == "lmul_int_adder" else "formula"
        products = l_mul(x, y, bits, whole(path, row, cells, "l", 0), form)  # type: ignore[arg-type]
    else:
        products = to_bits(x, bits) * to_bits(y, bits)
        products = to_bits(products, bits) if kind == "fp_rounded_product" else products
    return relative_errors(products, x * y)
