"""Designs one step away: an adjacent value, any other category, one adjacent swap, one element of a subset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from designgym.cost_models.base import Columns
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Array, Categorical, Parameter

if TYPE_CHECKING:
    from designgym.envs.space import DesignSpace


def neighbours(space: DesignSpace, design: Columns) -> Columns:
    """Return the valid neighbours of one canonical design, each once.

    Parameters that wake take their defaults. Symmetric, except where a step puts a parameter to sleep.
    ValueError for a space with a Float, or a batch that is not of one design.
    """
    space._refuse_floats("neighbours")
    inside = space.contains(design)
    if len(inside) != 1:
        raise ValueError(f"neighbours needs one design, got {len(inside)}. Ask for one after another.")
    if not inside[0]:
        names = {name: values[0] for name, values in space.describe(design).items()}
        raise ValueError(
            f"neighbours needs a valid, canonical design, got {names}. Apply space.canonical, or repair it."
        )
    design = space.canonical(design)
    active = space.active(design)
    found: list[Columns] = []
    for parameter in space.parameters:
        if parameter.name not in active or active[parameter.name][0]:
            steps = _steps(parameter, [design[name] for name in parameter.columns])
            columns = {name: np.repeat(column, len(steps[0])) for name, column in design.items()}
            found.append(space.canonical(columns | dict(zip(parameter.columns, steps, strict=True))))
    joined = {name: np.concatenate([columns[name] for columns in found]) for name in space.columns}
    valid = space.violation(joined) == 0
    return {name: column[valid] for name, column in joined.items()}


def _steps(parameter: Parameter, columns: list[Array]) -> list[Array]:
    if isinstance(parameter, Permutation):
        order = parameter.order(columns[0])[0]
        swapped = np.tile(order, (len(order) - 1, 1))
        for j, row in enumerate(swapped):
            row[j], row[j + 1] = order[j + 1], order[j]
        return [parameter.rank_of_order(swapped)]
    if isinstance(parameter, Subset):
        members = np.concatenate(columns)
        others = np.setdiff1d(np.arange(parameter.n), members)
        changed = np.tile(members, (parameter.k * len(others), 1))
        rows = np.arange(len(changed))
        changed[rows, rows // max(len(others), 1)] = np.tile(others, parameter.k)
        return list(np.sort(changed, axis=1).T.copy())
    (digit,), (cardinality,) = parameter.to_digits(columns), parameter.cardinalities
    here = int(digit[0])
    if isinstance(parameter, Categorical):
        there = [index for index in range(cardinality) if index != here]
    else:
        there = [index for index in (here - 1, here + 1) if 0 <= index < cardinality]
    return parameter.from_digits([np.array(there, np.int64)])
