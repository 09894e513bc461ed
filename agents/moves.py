"""Changes of designs, many at a time: what local search perturbs and a genetic algorithm mutates and crosses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, batch_length
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Array, Categorical, Float, Parameter
from designgym.envs.space import DesignSpace

FLOAT_STEP = 0.1  # standard deviation of a Float's move, in units of its range


def random_mask(n: int, space: DesignSpace, rate: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which parameters of n designs to change, bool (n, parameters): each at this rate, at least one a row."""
    count = len(space.parameters)
    mask = rng.random((n, count)) < rate
    mask[np.arange(n), rng.integers(0, count, n)] = True
    return mask


def mutate(
    space: DesignSpace, designs: Columns, mask: NDArray[np.bool_], reach: float, rng: np.random.Generator
) -> Columns:
    """Change the masked parameters of each design, canonically; an idle one stays idle.

    reach: of an ordered parameter's moves the share that go anywhere; the others go one or a few steps, 1 + Geometric.
    """
    changed = dict(designs)
    active = space.active(designs)
    for parameter, wanted in zip(space.parameters, mask.T, strict=True):
        rows = np.flatnonzero(wanted & active[parameter.name] if parameter.name in active else wanted)
        if len(rows):
            moved = _moved(parameter, [designs[name][rows] for name in parameter.columns], reach, rng)
            for name, values in zip(parameter.columns, moved, strict=True):
                changed[name] = changed[name].copy()
                changed[name][rows] = values
    return space.canonical(changed)


def _moved(parameter: Parameter, columns: list[Array], reach: float, rng: np.random.Generator) -> list[Array]:
    n = len(columns[0])
    rows = np.arange(n)
    if isinstance(parameter, Permutation):
        order = parameter.order(columns[0])
        i, j = rng.integers(0, order.shape[1], (2, n))
        order[rows, i], order[rows, j] = order[rows, j], order[rows, i]
        return [parameter.rank_of_order(order)]
    if isinstance(parameter, Subset):
        return _exchange_member(parameter, columns, rng)
    if isinstance(parameter, Float):
        unit = parameter.to_digits(columns)[0]
        anywhere = rng.random(n) < reach
        near = np.abs(unit + rng.normal(0.0, FLOAT_STEP, n))
        near = np.where(near >= 1, 2.0 - near, near)  # reflected at the ends
        return parameter.from_digits([np.clip(np.where(anywhere, rng.random(n), near), 0.0, np.nextafter(1.0, 0.0))])
    cardinality = parameter.cardinalities[0]
    if cardinality == 1:
        return columns
    digit = parameter.to_digits(columns)[0]
    elsewhere = (digit + rng.integers(1, cardinality, n)) % cardinality
    if isinstance(parameter, Categorical):
        return parameter.from_digits([elsewhere])
    step = rng.geometric(0.5, n) * (2 * rng.integers(0, 2, n) - 1)
    near = digit + step
    # A step over the end turns around; one that still does not fit goes anywhere else.
    near = np.where((near < 0) | (near >= cardinality), digit - step, near)
    far = (rng.random(n) < reach) | (near < 0) | (near >= cardinality)
    return parameter.from_digits([np.where(far, elsewhere, near)])


def _exchange_member(parameter: Subset, columns: list[Array], rng: np.random.Generator) -> list[Array]:
    """Exchange one member for any other element."""
    members = np.stack(columns, axis=1)
    n, k = members.shape
    if k == parameter.n:
        return columns
    # The r-th element outside the subset: every member at or below it shifts it up by one, smallest first.
    outsider = rng.integers(0, parameter.n - k, n)
    for member in members.T:
        outsider += outsider >= member
    members[np.arange(n), rng.integers(0, k, n)] = outsider
    return list(np.sort(members, axis=1).T.copy())


def cross(space: DesignSpace, mothers: Columns, fathers: Columns, rng: np.random.Generator) -> Columns:
    """Uniform crossover: each parameter whole from either parent, canonical."""
    n = batch_length(mothers)
    children: Columns = {}
    for parameter in space.parameters:
        from_father = rng.random(n) < 0.5
        for name in parameter.columns:
            children[name] = np.where(from_father, fathers[name], mothers[name])
    return space.canonical(children)


def valid_rows(space: DesignSpace, designs: Columns) -> Columns:
    """Return the designs that satisfy the space's constraints."""
    return rows_of(designs, space.violation(designs) == 0) if space.constraints else designs


def rows_of(designs: Columns, rows: Any) -> Columns:
    """Return the rows of an index, a mask or a slice."""
    return {name: column[rows] for name, column in designs.items()}


def joined(*batches: Columns) -> Columns:
    """Return the designs of several batches, at least one, in their order."""
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
