"""A cost model that draws keeps the contract of pictures, and the suite says what is wrong with one that does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from planted import assert_says

from designgym.cost_models import Columns, Metric
from designgym.cost_models.base import Draws
from designgym.cost_models.pictures import Axis, Cells, Image, Picture, Series
from designgym.cost_models.testing import check_cost_model

DESIGNS = {"x": np.arange(300) % 7 + 1.0}
COUNT = count()


@dataclass(frozen=True)
class Drawing:
    """Right as it is. fault: by its name, what it does to a picture, or to all that is returned."""

    fault: str = ""
    version = "1"
    metrics = (Metric("latency_s", "s", "lower", "time"),)

    def evaluate(self, designs: Columns) -> Columns:
        return {"latency_s": 1.0 * designs["x"], "violation": np.where(designs["x"] > 5, 1.0, 0.0)}

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        if (designs["x"] > 5).any():
            raise ValueError("only what can be built is drawn")
        marks: list[Series | Image] = [
            Series(name, np.array([1.0, 2.0]), designs["x"][[i]] * np.array([1.0, 2.0]), "lines", labels=("a", ""))
            for i, name in enumerate(names)
        ]
        marks.append(Image("map", np.array([[0.0, 1.0]]), panel=1))
        panels = ("own", "map")
        picture = Picture("Growth", "A line is a design.", tuple(marks), Axis("n"), Axis("size", log=True), panels)
        if self.fault in WHOLE:
            return WHOLE[self.fault][0](designs, (picture,))
        return (FAULTS[self.fault][0](picture) if self.fault else picture,)


def first(picture: Picture, **changes: Any) -> Picture:
    """Return the picture with its first mark changed."""
    return replace(picture, marks=(replace(picture.marks[0], **changes), *picture.marks[1:]))


def last(picture: Picture, **changes: Any) -> Picture:
    return replace(picture, marks=(*picture.marks[:-1], replace(picture.marks[-1], **changes)))


def spoil(designs: Columns, found: Any) -> Any:
    designs["x"] *= 2
    return found


def at_random(picture: Picture) -> Picture:
    return first(picture, y=np.array([1.0, 2.0 + next(COUNT)]))


FAULTS: dict[str, tuple[Callable[[Picture], Picture], str]] = {
    "no title": (lambda p: replace(p, title=""), "its title must say what is seen"),
    "no meaning": (lambda p: replace(p, meaning=""), "its meaning must say what is seen"),
    "no marks": (lambda p: replace(p, marks=()), "must show something, got no marks"),
    "a panel too many": (lambda p: first(p, panel=2), "panel must be one of its 2 panels, got 2"),
    "a negative panel": (lambda p: first(p, panel=-1), "panel must be one of its 2 panels, got -1"),
    "lengths": (lambda p: first(p, x=np.ones(3)), "x and y must be of one length, got 3 and 2"),
    "labels": (lambda p: first(p, labels=("a",)), "labels must be one a point, or none, got 1 for 2"),
    "NaN": (lambda p: first(p, x=np.array([1.0, np.nan])), "x must be finite, got NaN or inf"),
    "inf in an image": (lambda p: last(p, values=np.array([[np.inf]])), "values must be finite"),
    "0 on a logarithmic axis": (lambda p: first(p, y=np.array([0.0, 1.0])), "y must be above 0"),
    "no such place": (lambda p: replace(p, x=Axis(names=("a", "b"))), "x must be a place among the axis's 2 names"),
    "a list": (lambda p: first(p, x=[1.0, 2.0]), "x must be an array of float64 of 1 dimension"),
    "integers": (lambda p: first(p, x=np.array([1, 2])), "x must be an array of float64"),
    "no points": (lambda p: first(p, x=np.zeros(0), y=np.zeros(0), labels=()), "not empty"),
    "an image of three dimensions": (lambda p: last(p, values=np.ones((2, 2, 2))), "of 2 dimension"),
    "another name": (lambda p: first(p, name="the best"), "must show every design by the name it was given"),
    "at random": (at_random, "must be the same of the same designs"),
}
WHOLE: dict[str, tuple[Callable[[Columns, tuple[Picture, ...]], Any], str]] = {
    "none": (lambda designs, found: (), ""),
    "a list of pictures": (lambda designs, found: list(found), "must return a tuple of Picture, got list"),
    "something else": (lambda designs, found: (1,), "must return a tuple of Picture"),
    "designs changed": (spoil, "must leave the designs as they are"),
    "an error": (lambda designs, found: 1 / 0, "must draw any designs that can be built, got ZeroDivisionError"),
}


def test_a_right_drawing_passes_and_none_are_fine() -> None:
    assert isinstance(Drawing(), Draws)
    check_cost_model(Drawing(), {"x": DESIGNS["x"].copy()})
    check_cost_model(Drawing("none"), {"x": DESIGNS["x"].copy()})
    check_cost_model(Drawing(), {"x": np.array([7.0, 6.0])})  # nothing that can be built is nothing to draw


@pytest.mark.parametrize("fault", [fault for fault in (*FAULTS, *WHOLE) if fault != "none"])
def test_faults_of_pictures_are_named(fault: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_cost_model(Drawing(fault), {"x": DESIGNS["x"].copy()})
    assert_says(caught.value, (FAULTS | WHOLE)[fault][1])


# -- tables of cells --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table(Drawing):
    """Shows cells in place of lines. fault: by its name, what it does to the picture."""

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        marks = tuple(
            Cells(name, np.array([[0.0, 1.0], [0.5, designs["x"][i] / 5]]), (("a", "b"), ("c", "")), ("u", "v"), i)
            for i, name in enumerate(names)
        )
        picture = Picture("Layers", "A cell is a layer.", marks, Axis(names=("one", "two\nlarger")), panels=names)
        return (OF_CELLS[self.fault][0](picture) if self.fault else picture,)


LINE = Series("line", np.zeros(1), np.zeros(1))
OF_CELLS: dict[str, tuple[Callable[[Picture], Picture], str]] = {
    "levels beyond 1": (lambda p: first(p, levels=np.full((2, 2), 1.5)), "levels must be from 0 to 1, got 1.5 to 1.5"),
    "levels of NaN": (lambda p: first(p, levels=np.full((2, 2), np.nan)), "levels must be finite"),
    "a row without a name": (lambda p: first(p, rows=("u",)), "as many as have names, (1, 2), got (2, 2)"),
    "columns without names": (lambda p: replace(p, x=Axis()), "as many as have names, (2, 0), got (2, 2)"),
    "a text too few": (lambda p: first(p, texts=(("a", "b"), ("c",))), "one a cell, 2 in each of 2 rows, got [2, 1]"),
    "a line beside them": (lambda p: replace(p, marks=(*p.marks, LINE)), "cells must stand by themselves"),
    "two in a panel": (lambda p: last(p, panel=0), "a panel must have one table of cells, got panels [0, 0]"),
}


def test_a_right_table_passes() -> None:
    check_cost_model(Table(), {"x": DESIGNS["x"].copy()})


@pytest.mark.parametrize("fault", OF_CELLS)
def test_faults_of_tables_are_named(fault: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_cost_model(Table(fault), {"x": DESIGNS["x"].copy()})
    assert_says(caught.value, OF_CELLS[fault][1])
