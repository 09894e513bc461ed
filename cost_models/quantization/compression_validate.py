"""Compare patterns of zeros and lower ranks with a table of somebody else's: one setting in one network a row.

The form is that of tests/reference/quantization/quant_sparsity_lowrank.csv: net, family (nm or svd), method, setting,
stored_weights, and accuracy and nll on validation and test examples.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.cost_models.quantization.accuracy_table import network_of, with_difference
from designgym.cost_models.quantization.low_rank import METHODS, LowRank
from designgym.cost_models.quantization.structured_sparsity import PATTERNS, SALIENCIES, StructuredSparsity
from designgym.cost_models.reference_table import Cells, measured, read_rows

COLUMNS = ("net", "family", "method", "setting")
SPLITS = {"validation": "val", "test": "test"}
QUANTITIES = {"accuracy": "acc", "nll": "nll"}
FRACTION = "rank_frac="

Priced = tuple[str, dict[str, Columns]]  # the method, and what the model says on each split


def validate_sparsity(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", ..., "worst_error", "worst_difference"}}}.

    Of rows of family nm whose setting is one of StructuredSparsity's patterns: weights stored, and accuracy and nll of
    both splits by saliency. Errors are |model - table| / table, worst_difference is in the quantity's own unit.
    ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    return _compared(Path(table), "nm", "nonzeros", _sparse)


def validate_low_rank(table: str | Path) -> dict[str, Any]:
    """The same of rows of family svd, whose setting is rank_frac=F: a layer has F of its largest rank, rounded."""
    return _compared(Path(table), "svd", "stored_weights", _of_rank)


def _compared(
    path: Path, family: str, stored: str, price: Callable[[Path, int, Cells, str], Priced | None]
) -> dict[str, Any]:
    rows = read_rows(path, COLUMNS, "compressed networks")
    taken: list[tuple[int, Cells, Priced]] = []
    for number, cells in rows:
        if cells["family"].strip() != family:
            continue
        priced = price(path, number, cells, network_of(path, number, cells["net"].strip()))
        if priced is not None:
            taken.append((number, cells, priced))
    if not taken:
        raise ValueError(f"{path}: the table must have a row of family {family} that is in the space. Add one.")
    ours = np.array([priced["validation"][stored][0] for *_, (_, priced) in taken])
    theirs = np.array([measured(path, number, cells, "stored_weights") for number, cells, _ in taken])
    quantities = {"stored weights": with_difference(ours, theirs)}
    for method in dict.fromkeys(method for *_, (method, _) in taken):
        for name, short in QUANTITIES.items():
            pairs = np.array([
                (priced[split][name][0], measured(path, number, cells, f"{own}_{short}"))
                for number, cells, (by, priced) in taken if by == method for split, own in SPLITS.items()
            ])  # fmt: skip
            quantities[f"{name}, {method}"] = with_difference(pairs[:, 0], pairs[:, 1])
    return {"rows": len(rows), "quantities": quantities}


def _sparse(path: Path, row: int, cells: Cells, network: str) -> Priced | None:
    """Price a pattern in every layer; None where the space has no such pattern."""
    saliency, setting = _method(path, row, cells, SALIENCIES), cells["setting"].strip()
    kept, _, group = setting.partition(":")
    pattern = "dense" if kept == group else setting
    if pattern not in PATTERNS:
        return None
    places = PATTERNS.index(pattern), 0 if pattern == "dense" else SALIENCIES.index(saliency)
    found = {}
    for split in SPLITS:
        model = StructuredSparsity(network, split)
        design = {name: np.array([place]) for pair in model.columns for name, place in zip(pair, places, strict=True)}
        found[split] = model.evaluate(design)
    return saliency, found


def _of_rank(path: Path, row: int, cells: Cells, network: str) -> Priced:
    method, setting = _method(path, row, cells, METHODS), cells["setting"].strip()
    try:
        fraction = float(setting.removeprefix(FRACTION))
    except ValueError:
        fraction = 0.0
    if not setting.startswith(FRACTION) or not 0 < fraction <= 1:
        raise ValueError(f"{path} row {row}: setting must be {FRACTION}.5, say, got {setting!r}. Correct it.")
    found = {}
    for split in SPLITS:
        model = LowRank(network, method, split)
        ranks = zip(model.columns, model.full_ranks, strict=True)
        found[split] = model.evaluate({name: np.array([max(1, round(fraction * full))]) for name, full in ranks})
    return method, found


def _method(path: Path, row: int, cells: Cells, known: tuple[str, ...]) -> str:
    method = cells["method"].strip()
    if method not in known:
        raise ValueError(f"{path} row {row}: method must be one of {', '.join(known)}, got {method!r}. Correct it.")
    return method
