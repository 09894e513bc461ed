"""What a cost model shows of its designs: pictures as plain data, which whoever can draw them draws in their own style.

A picture is marks on one pair of axes, or on several panels of it; nothing here knows a library that draws.
"""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Kind = Literal["points", "lines", "steps"]


@dataclass(frozen=True)
class Axis:
    """An axis. log: logarithmic. names: what 0, 1, 2, ... stand for where it is no scale; of y, from the top."""

    title: str = ""
    log: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Series:
    """Points that belong together. x, y: float64 (n,), finite; above 0 on an axis that is logarithmic.

    name: that of a design, as it was given, or of something beside them, such as a reference. panel: place among the
    picture's panels. labels: a text a point, () for none; "" for a point without. quiet: faint, behind all others.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[Any]
    kind: Kind = "points"
    panel: int = 0
    labels: tuple[str, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Image:
    """Grey values, float64 (rows, columns), finite: the first row is at the top, the lowest value is the paper's."""

    name: str
    values: NDArray[Any]
    panel: int = 0


@dataclass(frozen=True, eq=False)
class Cells:
    """A table of short texts on coloured cells, such as what each layer of a network is given. It stands by itself.

    levels: float64 (rows, columns), from 0, the paper's colour, to 1. texts: of each cell, row by row. rows: what each
    row is called, the first at the top. The columns are the names of the picture's x axis; of one with two lines the
    second is less important. A panel has one table.
    """

    name: str
    levels: NDArray[Any]
    texts: tuple[tuple[str, ...], ...]
    rows: tuple[str, ...]
    panel: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture. title: a few words. meaning: in sentences, what is seen and how to read it. panels: their titles.

    marks: series and images, or cells alone. equal: one unit is as long on both axes. written: labels are written
    beside their points, not only shown when one points at them.
    """

    title: str
    meaning: str
    marks: tuple[Series | Image | Cells, ...]
    x: Axis = Axis()
    y: Axis = Axis()
    panels: tuple[str, ...] = ("",)
    equal: bool = False
    written: bool = False
