"""Compare mixed precision with tables of somebody else's: FPGA tables by format, or accuracies at one width throughout.

The forms are those of quant_lut_per_mac_model.csv and quant_uniform_digits.csv in tests/reference/quantization.
"""

from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.quantization.accuracy_table import (
    COLUMNS,
    SCORES,
    Scores,
    Told,
    compared,
    told_rows,
    with_difference,
)
from designgym.cost_models.quantization.formats import Format, format_of
from designgym.cost_models.quantization.luts import LANES, TERMS, luts_per_mac, product_width
from designgym.cost_models.quantization.mixed_precision import BITS, MixedPrecision
from designgym.cost_models.reference_table import Cells, given, header_of, measured, read_rows, whole

LUTS = ("weight_format", "act_format", "luts_per_mac")


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", ..., "worst_error", "worst_difference"}}}.

    Of a table with luts_per_mac: tables of integers and of minifloats, and the product's width where it has
    product_fixed_width; `lanes` and `terms` are 16 and 64 unless there are such columns. The estimate is rounded to as
    many decimals as a cell has, and exact where it then is the cell. Of a table of accuracies: those of integers of one
    width, weights and activations both, from their networks' own float scores, see `accuracy_table`; other rows are
    not looked at. Errors are |model - table| / table, worst_difference is in the quantity's own unit.
    ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    path = Path(table)
    header = header_of(path, "FPGA tables or of accuracies")
    if LUTS[-1] in header:
        return _of_luts(path)
    if "accuracy" in header:
        return _of_accuracies(path)
    known = f"{', '.join(LUTS)}, or {', '.join(COLUMNS)}"
    raise ValueError(f"{path}: the header must name {known}. Add what is missing.")


def _of_accuracies(path: Path) -> dict[str, Any]:
    rows, told = told_rows(path, lambda one: one.form.is_integer and one.quantised == "wa" and one.form.bits in BITS)
    if not told:
        raise ValueError(f"{path}: the table must have a row of integers in weights and activations. Add one.")
    return {"rows": rows, "quantities": compared(told, [_scores(one) for one in told], ["integers"] * len(told))}


def _scores(told: Told) -> Scores:
    model = MixedPrecision(told.network, split=told.split, rule=told.rule)
    found = model.evaluate({name: np.array([told.form.bits]) for pair in model.columns for name in pair})
    return {name: float(found[name][0]) for name in SCORES}


def _of_luts(path: Path) -> dict[str, Any]:
    rows = read_rows(path, LUTS, "FPGA tables")
    pairs = [tuple(_form(path, number, cells, name) for name in LUTS[:2]) for number, cells in rows]
    whole_numbers = np.array([weight.is_integer for weight, _ in pairs])
    told = np.array([measured(path, number, cells, LUTS[2]) for number, cells in rows])
    ours = np.array([_luts(path, *row, *pair) for row, pair in zip(rows, pairs, strict=True)])
    quantities = {
        f"luts_per_mac, {what}": with_difference(ours[there], told[there], 1e-12)
        for what, there in (("integers", whole_numbers), ("minifloats", ~whole_numbers))
    }
    if any(given(cells, "product_fixed_width") for _, cells in rows):
        widths = np.array([measured(path, number, cells, "product_fixed_width") for number, cells in rows])
        quantities["product width"] = with_difference(np.array([float(product_width(*pair)) for pair in pairs]), widths)
    return {"rows": len(rows), "quantities": quantities}


def _form(path: Path, row: int, cells: Cells, name: str) -> Format:
    try:
        return format_of(cells[name].strip())
    except ValueError as error:
        raise ValueError(f"{path} row {row}: {error}") from None


def _luts(path: Path, row: int, cells: Cells, weight: Format, activation: Format) -> float:
    lanes, terms = (
        whole(path, row, cells, name) if given(cells, name) else usual
        for name, usual in (("lanes", LANES), ("terms", TERMS))
    )
    try:
        found = luts_per_mac(weight, activation, lanes, terms)
    except ValueError as error:
        raise ValueError(f"{path} row {row}: {error}") from None
    return round(found, len(cells[LUTS[2]].strip().partition(".")[2]))
