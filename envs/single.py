"""One design at a time, in plain Python numbers: is it legal and canonical, and what is its rank?

A step over arrays of one element costs a microsecond each, and there are dozens of them between an agent and a kernel.
What stands here answers only for designs in their one spelling, in columns of their own dtype; any other, legal or
not, is left to the batched methods of `DesignSpace`, which say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from designgym.cost_models.base import Columns
from designgym.envs.conditions import Conditions
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Categorical, Float, Integer, Ordinal, Parameter
from designgym.envs.ranking import INT64, Branch, Forest

Numbering = Callable[[Sequence[Any]], int]  # one value of a parameter to its number; a negative one where it is none


class OneDesign:
    """What a space knows of single designs, worked out once."""

    def __init__(
        self, parameters: Sequence[Parameter], dtypes: Mapping[str, Any], conditions: Conditions, forest: Forest
    ) -> None:
        self._dtypes = tuple(dtypes.items())
        self._ranked = forest.size < INT64
        self._forest = forest
        self._flat = tuple(_numbering(p) for p in parameters) if not conditions.wakes else ()
        self._flat = self._flat if all(len(p.columns) == 1 for p in parameters) else ()
        self._sizes = tuple(p.count for p in parameters)
        wakes = conditions.wakes
        self._rules = tuple(
            (p.name, p.columns, _numbering(p), p.when and p.when[0], wakes.get(p.name, frozenset()), p.default_columns)
            for p in parameters
        )

    def key(self, designs: Columns) -> tuple[Columns, int | None] | None:
        """Return the design's own columns and its rank, None for the rank where it has none of 63 bits.

        None where this is no batch of one, or the design is not legal and canonical in columns of its dtypes.
        """
        own: Columns = {}
        numbers = []
        try:
            for name, dtype in self._dtypes:
                column = designs[name]
                if column.dtype is not dtype or column.shape != (1,):
                    return None
                own[name] = column
                numbers.append(column.item())
        except (KeyError, AttributeError):  # a column missing, or no array
            return None
        rank = self._flat_rank(numbers) if self._flat else self._rank(dict(zip(own, numbers, strict=True)))
        return None if rank is not None and rank < 0 else (own, rank)

    def _flat_rank(self, numbers: list[Any]) -> int | None:
        rank = 0
        for value, number_of, size in zip(numbers, self._flat, self._sizes, strict=True):
            number = number_of((value,))
            if number < 0:
                return -1
            if self._ranked:
                rank = rank * size + number  # type: ignore[assignment]  # a ranked space has whole sizes
        return rank if self._ranked else None

    def _rank(self, values: dict[str, Any]) -> int | None:
        numbers: dict[str, int] = {}  # of the parameters that matter
        for name, columns, number_of, parent, wakes, defaults in self._rules:
            own = [values[column] for column in columns]
            if parent is None or numbers.get(parent, -1) in wakes:
                numbers[name] = number_of(own)
                if numbers[name] < 0:
                    return -1
            elif any(value != default for value, default in zip(own, defaults, strict=True)):
                return -1
        if not self._ranked:
            return None
        rank = 0
        for root in self._forest.roots:
            rank = rank * int(root.size) + _branch_rank(root, numbers)
        return rank


def _branch_rank(branch: Branch, numbers: Mapping[str, int]) -> int:
    value = numbers[branch.parameter.name]
    if not branch.children:
        return value
    within = 0
    for child, wakes in branch.children:
        if value in wakes:
            within = within * int(child.size) + _branch_rank(child, numbers)
    return int(branch._starts[value]) + within


def _numbering(parameter: Parameter) -> Numbering:
    """Return a function from one value, a number a column, to its number in range(count); -1 where it is illegal."""
    if isinstance(parameter, Integer):
        low, step, count = parameter.low, parameter.step, parameter.count

        def of_integer(value: Sequence[Any]) -> int:
            number, rest = divmod(value[0] - low, step)
            return number if not rest and number < count else -1

        return of_integer
    if isinstance(parameter, Ordinal):
        index = {value: i for i, value in enumerate(parameter.values)}
        return lambda value: index.get(value[0], -1)
    if isinstance(parameter, Float):
        lowest, highest = parameter.low, parameter.high
        # A zero may be the negative one, which has another spelling.
        return lambda value: 0 if lowest <= value[0] <= highest and value[0] else -1
    if isinstance(parameter, Categorical | Permutation):
        values = int(parameter.count)
        return lambda value: value[0] if value[0] < values else -1
    if isinstance(parameter, Subset):
        return _of_subset(parameter)
    return lambda value: -1  # a kind of parameter that this module does not know


def _of_subset(parameter: Subset) -> Numbering:
    binomials = [row.tolist() for row in parameter._binomials]

    def of_subset(members: Sequence[Any]) -> int:
        before, number = -1, 0
        for member, row in zip(members, binomials, strict=True):
            if not before < member < len(row):
                return -1
            before, number = member, number + row[member]
        return number

    return of_subset
