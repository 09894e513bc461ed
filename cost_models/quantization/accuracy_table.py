"""Tables of what rounded networks come to, made by somebody else: one number format in one network a row.

The form is that of tests/reference/quantization/quant_uniform_digits.csv. Networks there may be of another training
than the package's, so that scores are compared as they differ from each one's own float network.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.formats import Format, format_of
from designgym.cost_models.quantization.networks import forward
from designgym.cost_models.quantization.scores import scores
from designgym.cost_models.reference_table import Cells, agreement, measured, read_rows, whole

NETWORKS = {"mlp3": "mlp", "cnn4": "cnn", **{name: name for name in ("mlp", "cnn", "breast_cancer", "wine")}}
SPLITS = {"val": "validation", "validation": "validation", "test": "test"}
HOW = {"quantised": ("w", "a", "wa"), "scale_rule": ("mse", "absmax", "power_of_two")}
COLUMNS = ("net", "bits", "format", "quantised", "scale_rule", "split", "accuracy")
WIDE = 4  # bits from which formats are told apart from narrower ones
SCORES = ("accuracy", "nll")

Scores = dict[str, float]


@dataclass(frozen=True)
class Told:
    """A row. net: as the table calls it; network: of the package. quantised: w, a or wa. scores: NaN where blank."""

    net: str
    network: str
    split: str
    form: Format
    quantised: str
    rule: str
    scores: Scores


def network_of(path: Path, row: int, name: str) -> str:
    """Return the package's network by a table's name of it; ValueError for another."""
    if name not in NETWORKS:
        raise ValueError(f"{path} row {row}: net must be one of {', '.join(NETWORKS)}, got {name!r}. Correct it.")
    return NETWORKS[name]


def float_scores(network: str, split: str) -> Scores:
    """Return accuracy and nll of a network before it is rounded."""
    own, data = zoo.network(network), dataset(zoo.DATASETS[network])
    return scores(data.task, forward(own, data.inputs[split]), data.targets[split])


def told_rows(path: Path, taken: Callable[[Told], bool]) -> tuple[int, list[Told]]:
    """Return how many rows a table has, and those that are `taken`, moved by the difference of the float networks.

    A row of format fp32 is that of the float network; of a net without one scores are compared as they are.
    ValueError in one line names the row.
    """
    rows = read_rows(path, COLUMNS, "accuracies of rounded networks")
    whole_of: dict[tuple[str, str], Scores] = {}
    found = []
    for number, cells in rows:
        net, split = cells["net"].strip(), _split(path, number, cells)
        own = {name: measured(path, number, cells, name) for name in SCORES}
        network = network_of(path, number, net)
        if cells["format"].strip() == "fp32":
            whole_of[net, split] = own
            continue
        told = Told(net, network, split, _format(path, number, cells), *_how(path, number, cells), own)
        if taken(told):
            found.append(told)
    return len(rows), [_moved(told, whole_of.get((told.net, told.split))) for told in found]


def _split(path: Path, row: int, cells: Cells) -> str:
    split = cells["split"].strip()
    if split not in SPLITS:
        raise ValueError(f"{path} row {row}: split must be one of {', '.join(SPLITS)}, got {split!r}. Correct it.")
    return SPLITS[split]


def _format(path: Path, row: int, cells: Cells) -> Format:
    name, bits = cells["format"].strip(), whole(path, row, cells, "bits")
    try:
        form = format_of(f"int{bits}" if name == "int" else name)
    except ValueError as error:
        raise ValueError(f"{path} row {row}: {error}") from None
    if form.bits != bits:
        raise ValueError(f"{path} row {row}: {name} has {form.bits} bits, got {bits}. Correct it.")
    return form


def _how(path: Path, row: int, cells: Cells) -> tuple[str, str]:
    for name, known in HOW.items():
        if cells[name].strip() not in known:
            known_ = ", ".join(known)
            raise ValueError(f"{path} row {row}: {name} must be one of {known_}, got {cells[name]!r}. Correct it.")
    return cells["quantised"].strip(), cells["scale_rule"].strip()


def _moved(told: Told, whole_scores: Scores | None) -> Told:
    if whole_scores is None:
        return told
    ours = float_scores(told.network, told.split)
    scores_ = {name: told.scores[name] + ours[name] - whole_scores[name] for name in SCORES}
    return Told(told.net, told.network, told.split, told.form, told.quantised, told.rule, scores_)


def compared(told: Sequence[Told], found: Sequence[Scores], kinds: Sequence[str]) -> dict[str, Any]:
    """Return the agreement of scores by what `kinds` calls the rows and by network, from 4 bits on and below."""
    quantities = {}
    for kind in dict.fromkeys(kinds):
        for net in dict.fromkeys(one.net for one in told):
            for wide in (True, False):
                rows = [i for i, one in enumerate(told)
                        if (kinds[i], one.net, one.form.bits >= WIDE) == (kind, net, wide)]  # fmt: skip
                for name in SCORES if rows else ():
                    what = f"{name} of {net}, {kind}, {f'{WIDE} bits or more' if wide else 'fewer bits'}"
                    ours = np.array([found[i][name] for i in rows])
                    theirs = np.array([told[i].scores[name] for i in rows])
                    quantities[what] = with_difference(ours, theirs)
    return quantities


def with_difference(ours: Any, theirs: Any, tolerance: float = 0.0) -> dict[str, Any]:
    """Return `agreement` and the worst difference in the quantity's own unit, NaN without rows."""
    difference = np.abs(ours - theirs)[np.isfinite(theirs)]
    worst = float(difference.max()) if len(difference) else math.nan
    return {**agreement(ours, theirs, tolerance), "worst_difference": worst}
