"""What each layer of a network is given, as a strip of cells: number formats, patterns of zeros, ranks.

Any cost model that chooses something layer by layer can show its designs so; see `Draws`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from designgym.cost_models.pictures import Axis, Cells, Picture
from designgym.cost_models.quantization.networks import Layer

TITLE = "What each layer is given"


@dataclass(frozen=True)
class Row:
    """One respect in which layers differ, such as the format of weights.

    A layer each: levels, from 0 to 1, how strong its cell's colour is, 1 for what costs most; texts, short: "4", "2:4".
    """

    label: str
    levels: Sequence[float]
    texts: Sequence[str]


def strips(
    names: Sequence[str], layers: Sequence[Layer], rows: Sequence[Sequence[Row]], meaning: str
) -> tuple[Picture, ...]:
    """Return one picture, with a strip for each design. rows: of each design. meaning: what shades and texts stand for.

    A layer's head says what share of the network's multiply-accumulates it has.
    """
    marks = tuple(_cells(name, own, panel) for panel, (name, own) in enumerate(zip(names, rows, strict=True)))
    told = f"{meaning} Under a layer’s name is its share of the network’s multiply-accumulates."
    return (Picture(TITLE, told, marks, Axis(names=heads(layers)), panels=tuple(names)),)


def heads(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the name of each layer and, in a second line, its share of the multiply-accumulates."""
    whole = sum(layer.macs for layer in layers)
    return tuple(f"{layer.name}\n{_percent(layer.macs / whole)} of MACs" for layer in layers)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%" if share >= 0.01 else "<\u00a01\u00a0%"


def _cells(name: str, rows: Sequence[Row], panel: int) -> Cells:
    levels = np.array([row.levels for row in rows], np.float64)
    texts = tuple(tuple(row.texts) for row in rows)
    return Cells(name, levels, texts, tuple(row.label for row in rows), panel)
