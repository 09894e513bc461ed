"""The contract of a cost model that draws, a part of `check_cost_model`: what its pictures must hold.

A broken rule is an AssertionError that states the rule, the value found and the remedy.
"""

from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, Draws, batch_length
from designgym.cost_models.pictures import Axis, Cells, Image, Picture, Series
from designgym.cost_models.testing import require

NAMES = ("one of them", "another")


def check_pictures(name: str, model: Draws, designs: Columns) -> None:
    """Check what a model shows of at most two designs that can be built."""
    names = NAMES[: batch_length(designs)]
    if not names:
        return
    pictures = _drawn(name, model, designs, names)
    require(
        isinstance(pictures, tuple) and all(isinstance(picture, Picture) for picture in pictures),
        lambda: f"{name}.pictures must return a tuple of Picture, got {type(pictures).__name__}. Return () for none.",
    )
    for picture in pictures:
        _check_picture(f"{name}.pictures, {picture.title!r}", picture)
    shown = {text for picture in pictures for text in _texts(picture)}
    for one in names if pictures else ():
        require(
            one in shown,
            f"{name}.pictures must show every design by the name it was given, got none called {one!r}. Use it as the "
            "name of its series or images.",
        )
    again = _drawn(name, model, designs, names)
    same = len(again) == len(pictures) and all(map(_alike, pictures, again))
    require(same, f"{name}.pictures must be the same of the same designs, got others. Draw nothing at random.")


def _drawn(name: str, model: Draws, designs: Columns, names: tuple[str, ...]) -> Any:
    given = {key: column.copy() for key, column in designs.items()}
    try:
        pictures = model.pictures(designs, names)
    except Exception as error:
        raise AssertionError(
            f"{name}.pictures must draw any designs that can be built, got {type(error).__name__}: {error}. Let it "
            "work for one design and for several."
        ) from error
    require(
        all(np.array_equal(designs[key], given[key]) for key in given),
        f"{name}.pictures must leave the designs as they are, but it changed them. Work on copies.",
    )
    return pictures


def _check_picture(what: str, picture: Picture) -> None:
    for field, text in (("title", picture.title), ("meaning", picture.meaning)):
        require(text, f"{what}: its {field} must say what is seen, got ''. Give Picture({field}=...).")
    require(picture.marks, f"{what} must show something, got no marks. Leave out a picture with nothing in it.")
    for mark in picture.marks:
        own, count = f"{what}, {mark.name!r}", len(picture.panels)
        require(
            0 <= mark.panel < count,
            f"{own}: panel must be one of its {count} panels, got {mark.panel}. Number panels from 0.",
        )
        if isinstance(mark, Image):
            _check_numbers(own, "values", mark.values, 2)
        elif isinstance(mark, Cells):
            _check_cells(own, mark, picture)
        else:
            _check_series(own, mark, picture.x, picture.y)


def _check_series(what: str, series: Series, x: Axis, y: Axis) -> None:
    for name, values, axis in (("x", series.x, x), ("y", series.y, y)):
        _check_numbers(what, name, values, 1)
        require(
            not axis.log or (values > 0).all(),
            f"{what}: {name} must be above 0 on a logarithmic axis, got {values.min()}. Leave such points out.",
        )
        last = len(axis.names) - 1
        require(
            last < 0 or ((values >= 0) & (values <= last)).all(),
            f"{what}: {name} must be a place among the axis's {last + 1} names, got others. Number names from 0.",
        )
    n = len(series.x)
    require(len(series.y) == n, f"{what}: x and y must be of one length, got {n} and {len(series.y)}. Pair them.")
    require(
        len(series.labels) in (0, n),
        f"{what}: labels must be one a point, or none, got {len(series.labels)} for {n}. Give '' for a point without.",
    )


def _check_cells(what: str, cells: Cells, picture: Picture) -> None:
    _check_numbers(what, "levels", cells.levels, 2)
    require(
        ((cells.levels >= 0) & (cells.levels <= 1)).all(),
        f"{what}: levels must be from 0 to 1, got {cells.levels.min()} to {cells.levels.max()}. Scale them.",
    )
    wanted = (len(cells.rows), len(picture.x.names))
    require(
        cells.levels.shape == wanted,
        f"{what}: levels must be (rows, columns), as many as have names, {wanted}, got {cells.levels.shape}. Name the "
        "rows in `rows`, the columns in the picture's x axis.",
    )
    lengths = [len(row) for row in cells.texts]
    require(
        lengths == [wanted[1]] * wanted[0],
        f"{what}: texts must be one a cell, {wanted[1]} in each of {wanted[0]} rows, got {lengths}. Give '' for none.",
    )
    require(
        all(isinstance(mark, Cells) for mark in picture.marks),
        f"{what}: cells must stand by themselves, got other marks beside them. Make them another picture.",
    )
    panels = [mark.panel for mark in picture.marks]
    require(
        len(set(panels)) == len(panels),
        f"{what}: a panel must have one table of cells, got panels {panels}. Give each its own.",
    )


def _check_numbers(what: str, name: str, values: Any, dimensions: int) -> None:
    good = isinstance(values, np.ndarray) and values.dtype == np.float64 and values.ndim == dimensions and values.size
    require(
        good,
        lambda: (
            f"{what}: {name} must be an array of float64 of {dimensions} dimension(s), not empty, got "
            f"{getattr(values, 'dtype', type(values).__name__)} of shape {np.shape(values)}. Convert it with "
            "np.asarray(..., np.float64)."
        ),
    )
    require(
        np.isfinite(values).all(),
        f"{what}: {name} must be finite, got NaN or inf. Leave out what has no place, and say so in the meaning.",
    )


def _texts(picture: Picture) -> set[str]:
    return {mark.name for mark in picture.marks} | {*picture.panels, *picture.x.names, *picture.y.names}


def _alike(one: Picture, other: Picture) -> bool:
    words = [(p.title, p.meaning, p.x, p.y, p.panels, p.equal, p.written, len(p.marks)) for p in (one, other)]
    return words[0] == words[1] and all(map(_same_mark, one.marks, other.marks))


def _same_mark(one: Series | Image | Cells, other: Series | Image | Cells) -> bool:
    mine, theirs = vars(one), vars(other)
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[key], theirs[key]) for key in mine)
