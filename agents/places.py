"""Where designs lie, for models of distance: numbers in which unlike values are as far apart as they are unlike.

An ordered parameter is its place in [0, 1] (in the logarithm where it says so), a category the number of its label, the
same in every parameter that has it, a permutation the place of each item (the L1 distance is then Spearman's footrule),
a subset one 0 or 1 an element. A difference above 1 counts as 1, so that any two categories are equally far apart.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Permutation, Subset
from designgym.envs.parameters import LARGEST_TABLE, Array, Categorical, Float, Integer, Parameter

MOST_MEMBERS = 64  # elements of a subset that get a number each; a larger one is known by its members


class Places:
    """Designs of a space as rows of numbers, (n, width). group: the parameter that each number belongs to, (width,).

    flat: whether each parameter is one digit that always matters; then `tables` is what `places_of` takes. labels: how
    many labels the categories have, if some are of several of them; 0 if none is.
    """

    def __init__(self, space: DesignSpace) -> None:
        numbers = _numbers(space)
        shared = len(numbers) < sum(len(p.choices) for p in space.parameters if isinstance(p, Categorical))
        self.labels = len(numbers) if shared else 0
        self._parts = [(p.columns, _placing(p, numbers)) for p in space.parameters]
        widths = [_width(p) for p in space.parameters]
        self.group = np.repeat(np.arange(len(widths)), widths)
        self.flat = all(_is_plain(p) for p in space.parameters)
        if self.flat:
            tables = [_table(p, placing) for p, (_, placing) in zip(space.parameters, self._parts, strict=True)]
            firsts = np.cumsum([0, *(len(table) for table in tables[:-1])])
            self.tables = np.concatenate(tables), firsts, np.array([c == 0 for c in space.cardinalities])

    def of(self, designs: Columns) -> NDArray[np.float64]:
        """Return the places of designs in columns."""
        return np.concatenate([placing([designs[name] for name in names]) for names, placing in self._parts], axis=1)

    def of_digits(self, digits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the same for rows of digits, (n, parameters), of a space that is `flat`: one digit a parameter."""
        from designgym.agents import _pool_kernel as kernel

        return kernel.places_of(digits, *self.tables)


class PlaceSet:
    """A set of places with batched look-up; two rows of which one part in 2^64 hash alike count as one."""

    def __init__(self) -> None:
        from designgym.agents import _pool_kernel as kernel

        self._kernel = kernel
        self._table = np.zeros(1024, np.uint64)
        self._count = 0
        self._added: list[NDArray[np.float64]] = []  # not in the table yet

    def add(self, places: NDArray[np.float64]) -> None:
        """Add places, (n, width), C order."""
        self._added.append(places)

    @property
    def table(self) -> NDArray[np.uint64]:
        """What was added, for `new_rows`."""
        if self._added:
            places = np.concatenate(self._added)
            self._added.clear()
            while 2 * (self._count + len(places)) > len(self._table):
                bigger = np.zeros(2 * len(self._table), np.uint64)
                self._kernel.rehash(self._table, bigger)
                self._table = bigger
            self._count += self._kernel.add_rows(self._table, places.view(np.uint64))
        return self._table

    def new(self, places: NDArray[np.float64], known: int = 0) -> NDArray[np.int64]:
        """Return the rows of places, (n, width), C order, that were not added, the first of equal ones.

        known: rows at the beginning that are new for sure, and that are left out of the answer.
        """
        return self._kernel.new_rows(self.table, places.view(np.uint64), known)


def _is_plain(parameter: Parameter) -> bool:
    one = len(parameter.cardinalities) == len(parameter.columns) == 1 and not isinstance(parameter, Permutation)
    return one and parameter.when is None and parameter.cardinalities[0] <= LARGEST_TABLE


def _table(parameter: Parameter, placing: Callable[[list[Array]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the place of each value, (count,); one zero for a Float, whose place is its digit."""
    count = parameter.cardinalities[0]
    return placing(parameter.from_digits([np.arange(count)]))[:, 0] if count else np.zeros(1)


def _width(parameter: Parameter) -> int:
    if isinstance(parameter, Permutation):
        return len(parameter.items)
    if isinstance(parameter, Subset):
        return parameter.n if parameter.n <= MOST_MEMBERS else parameter.k
    return 1


def _numbers(space: DesignSpace) -> dict[object, int]:
    """Return a number for each label of the categories, the same wherever a label is one of several parameters'."""
    labels = (label for p in space.parameters if isinstance(p, Categorical) for label in p.choices)
    return {label: number for number, label in enumerate(dict.fromkeys(labels))}


def _placing(parameter: Parameter, numbers: dict[object, int]) -> Callable[[list[Array]], NDArray[np.float64]]:
    """Return a function from a parameter's columns, each (n,), to places, (n, its width)."""
    if isinstance(parameter, Permutation):
        items = len(parameter.items)
        return lambda columns: np.argsort(parameter.order(columns[0]), axis=1) / (items - 1)
    if isinstance(parameter, Subset):
        return lambda columns: _members(parameter, np.stack(columns, axis=1))
    if isinstance(parameter, Categorical):
        table = np.array([numbers[label] for label in parameter.choices], np.float64)
        return lambda columns: table[parameter.to_digits(columns)[0]][:, None]
    if isinstance(parameter, Float):
        return lambda columns: np.asarray(parameter.to_digits(columns)[0], np.float64)[:, None]
    if isinstance(parameter, Integer) and parameter.log:
        low, span = parameter.low, max(float(np.log(parameter.high / parameter.low)), 1e-9)
        return lambda columns: np.log(columns[0] / low)[:, None] / span
    last = max(int(parameter.count) - 1, 1)
    return lambda columns: parameter.to_digits(columns)[0][:, None] / last


def _members(parameter: Subset, members: Array) -> NDArray[np.float64]:
    if parameter.n > MOST_MEMBERS:
        return members / (parameter.n - 1)
    places = np.zeros((len(members), parameter.n))
    places[np.arange(len(members))[:, None], members] = 1.0
    return places
