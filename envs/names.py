"""Designs as people read and write them: names in, names out, at the edges only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.cost_models.registry import nearest

if TYPE_CHECKING:
    from designgym.envs.space import DesignSpace


def describe(space: DesignSpace, designs: Columns) -> dict[str, list[Any]]:
    """Columns to plain values, one list a column: a category by its name, None where a parameter is idle."""
    names: dict[str, list[Any]] = {}
    active = space.active(designs)
    for parameter in space.parameters:
        with np.errstate(invalid="ignore"):  # what is no value at all is shown as it is
            lists = parameter.describe([designs[name] for name in parameter.columns])
        if parameter.name in active:
            awake = active[parameter.name]
            lists = [[v if a else None for v, a in zip(values, awake, strict=True)] for values in lists]
        names.update(zip(parameter.columns, lists, strict=True))
    return names


def parse(space: DesignSpace, names: Mapping[str, Any]) -> Columns:
    """One design in names, or lists of names, to columns. A missing or None parameter takes its default.

    Texts are read as a command line gives them. A subset is given by its columns, or whole as name="3,7,9".
    ValueError names what is unknown or not allowed.
    """
    known = [*space.columns, *(p.name for p in space.parameters if p.columns != (p.name,))]
    for name in names:
        if name not in known:
            raise ValueError(f"unknown parameter {name!r}. {nearest(name, known)}")
    lists = {name: value if isinstance(value, list) else [value] for name, value in names.items()}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1:
        raise ValueError(f"names must be lists of one length, got { ({k: len(v) for k, v in lists.items()}) }.")
    count = lengths.pop() if lengths else 1
    rows = [_parse_row(space, {name: values[i] for name, values in lists.items()}) for i in range(count)]
    columns = {name: np.array([row[name] for row in rows], dtype) for name, dtype in space.dtypes.items()}
    return space.canonical(columns)


def _parse_row(space: DesignSpace, row: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for parameter in space.parameters:
        given: Any = row.get(parameter.name)
        if given is None and parameter.columns != (parameter.name,):
            members = [row.get(name) for name in parameter.columns]
            given = None if all(member is None for member in members) else members
        values = parameter.default_columns if given is None else parameter.parse(given)
        out.update(zip(parameter.columns, values, strict=True))
    return out
