"""Compare the systolic array's counts with a table of SCALE-Sim runs, quantity by quantity.

The table's form is that of tests/reference/accelerator/scalesim.csv: one layer on one array a row.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.dram_counted import counted_words
from designgym.cost_models.accelerator.layers import GEOMETRY, Layer
from designgym.cost_models.accelerator.systolic_array import touches
from designgym.cost_models.accelerator.systolic_kernel import DATAFLOWS, count_layers
from designgym.cost_models.reference_table import agreement, given, measured, read_rows, whole

LAYER = ("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w")
SRAMS = ("ifmap_kB", "filter_kB", "ofmap_kB")
ARRAY = ("rows", "cols", "dataflow")
QUANTITIES = {  # name: the table's column, what it is divided by, and the SRAM whose size must be given
    "cycles": ("total_cycles", 1, None),
    "utilization": ("overall_util", 100, None),
    "sram_ifmap_words": ("sram_ifmap_reads", 1, None),
    "sram_filter_words": ("sram_filter_reads", 1, None),
    "sram_ofmap_words": ("sram_ofmap_writes", 1, None),
    "dram_ifmap_words": ("dram_ifmap_reads", 1, "ifmap_kB"),
    "dram_filter_words": ("dram_filter_reads", 1, "filter_kB"),
    "dram_ofmap_words": ("dram_ofmap_writes", 1, "ofmap_kB"),
    "dram_ifmap_words_closed": ("dram_ifmap_reads", 1, "ifmap_kB"),
    "dram_filter_words_closed": ("dram_filter_reads", 1, "filter_kB"),
    "dram_ofmap_words_closed": ("dram_ofmap_writes", 1, "ofmap_kB"),
}


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", "within_0.1pct", ..., "mean_error", "worst_error"}}}.

    Priced as the tool does: psum="scalesim", cycles the index of the last one; DRAM words counted, and closed as well.
    Errors are |model - tool| / tool, NaN for a quantity without rows; exact allows a utilization 1e-9. Empty cells do
    not count, nor do DRAM words of a row whose SRAM size is empty, nor anything of a row that lacks part of its layer
    or array. Arrays and sizes need not lie in any design space.
    ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    path = Path(table)
    rows = read_rows(path, (*LAYER, *ARRAY), "SCALE-Sim runs")
    filled = [(number, cells) for number, cells in rows if all(given(cells, name) for name in (*LAYER, *ARRAY))]
    if not filled:
        raise ValueError(f"{path}: the table must have at least one row with a layer and an array, got none. Add one.")
    priced = _price([_parse(path, number, cells) for number, cells in filled])
    quantities = {}
    for name, (column, divisor, sram) in QUANTITIES.items():
        told = np.array([measured(path, number, cells, column) for number, cells in filled]) / divisor
        if sram:
            told[[not given(cells, sram) for _, cells in filled]] = np.nan
        quantities[name] = agreement(priced[name], told, tolerance=1e-9 if name == "utilization" else 0.0)
    return {"rows": len(rows), "quantities": quantities}


@dataclass(frozen=True)
class _Row:
    """One row's layer and array, as numbers. An SRAM whose size is not given counts as 1 kB."""

    layer: Layer
    rows: int
    cols: int
    dataflow: int
    kb: tuple[int, ...]


def _parse(path: Path, number: int, cells: dict[str, str]) -> _Row:
    dataflow = (cells["dataflow"] or "").strip().lower()
    if dataflow not in DATAFLOWS:
        raise ValueError(
            f"{path} row {number}: dataflow must be one of {', '.join(DATAFLOWS)}, got {dataflow!r}. Correct it."
        )
    sizes = {name: whole(path, number, cells, name) for name in (*LAYER, "rows", "cols")}
    kb = [whole(path, number, cells, name) if given(cells, name) else 1 for name in SRAMS]
    try:
        layer = Layer(cells.get("layer") or f"row {number}", *(sizes[name] for name in LAYER))
    except ValueError as error:
        raise ValueError(f"{path} row {number}: {error}") from None
    return _Row(layer, sizes["rows"], sizes["cols"], DATAFLOWS.index(dataflow), tuple(kb))


def _price(rows: list[_Row]) -> dict[str, NDArray[np.float64]]:
    """Return every quantity of QUANTITIES, (rows,)."""
    array = [np.array([getattr(row, name) for row in rows]) for name in ARRAY]
    height, width, dataflow = array
    kb = [np.array([row.kb[i] for row in rows]) for i in range(3)]
    geometry = [[getattr(row.layer, name) for name in GEOMETRY] for row in rows]
    shapes = [(r.layer.m, r.layer.k, r.layer.n, r.layer.ifmap_words, touches(r.layer)) for r in rows]
    m, k, n, ifmap, touched = np.array(shapes, np.float64).T
    cycles, *sram, _, ifmap_dram, filter_dram, ofmap_dram = count_layers(*array, *kb, m, k, n, ifmap, touched, 0)
    counted = counted_words.parallel(dataflow, height, width, *kb, *np.array(geometry).T)
    with np.errstate(divide="ignore"):  # one MAC on one unit ends in cycle 0
        utilization = m * k * n / ((cycles - 1) * height * width)
    values = [cycles - 1, utilization, *sram, *counted]
    return dict(zip(QUANTITIES, [*values, ifmap_dram, filter_dram, ofmap_dram], strict=True))
