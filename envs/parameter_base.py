"""What every kind of parameter is: how its values map to columns, to digits, to ranks and to names.

A parameter owns one or more *columns* (what a batch of designs stores) and one or more *digits* (what the unit cube,
Gymnasium and Optuna see): digit j takes 0 ... cardinalities[j] - 1, every digit string decodes to a value, and every
value is decoded from equally many strings.
"""

import difflib
import keyword
import numbers
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import ColumnSpec

Array = NDArray[Any]


@dataclass(frozen=True)
class Parameter(ABC):
    """One knob. when=(name, values) makes it matter only while the parameter `name` has one of `values`.

    default: the value it takes while it does not matter and when it wakes; its first value if None.
    """

    name: str
    unit: str = field(default="", kw_only=True)
    meaning: str = field(default="", kw_only=True)
    default: Any = field(default=None, kw_only=True)
    when: tuple[str, Collection[Any]] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or keyword.iskeyword(self.name):
            raise ValueError(f"a parameter's name must be a Python identifier and no keyword, got {self.name!r}.")
        if self.when is not None:
            parent, values = self.when
            if isinstance(values, str) or not isinstance(values, Collection) or not values:
                raise ValueError(f"{self.name}: when=({parent!r}, values) needs a set of values, got {values!r}.")
            # In one order whatever a set's is, so that equal parameters print alike.
            object.__setattr__(self, "when", (parent, tuple(sorted(set(values), key=repr))))
        self._check()
        if self.default is not None:
            self.parse(self.default)

    @abstractmethod
    def _check(self) -> None: ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it owns."""
        return (self.name,)

    @property
    @abstractmethod
    def count(self) -> int | float:
        """Number of values, an exact Python int; inf for a Float."""

    @property
    @abstractmethod
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each digit; (0,) for a Float."""

    @abstractmethod
    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        """Columns, each (n,), to digits, each int64 (n,). Undefined for values that are not `legal`."""

    @abstractmethod
    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        """Digits, each int64 (n,) inside its cardinality, to columns."""

    @abstractmethod
    def legal(self, columns: Sequence[Array]) -> NDArray[np.bool_]:
        """Where the columns hold one of the parameter's values, (n,)."""

    @abstractmethod
    def parse(self, value: Any) -> tuple[Any, ...]:
        """One value as a person writes it, to one number a column. ValueError says what is allowed."""

    @abstractmethod
    def specs(self) -> tuple[ColumnSpec, ...]:
        """What a learned model may know of each column."""

    def describe(self, columns: Sequence[Array]) -> list[list[Any]]:
        """Columns to plain Python values, one list a column: a category by its name, a permutation by its items."""
        return [column.tolist() for column in columns]

    def rank(self, columns: Sequence[Array]) -> Array:
        """Columns to value numbers in range(count): int64 (n,), Python ints where count passes 2**63."""
        return self.to_digits(columns)[0]

    def unrank(self, ranks: Array) -> list[Array]:
        """Inverse of rank."""
        return self.from_digits([ranks.astype(np.int64, copy=False)])

    @cached_property
    def default_columns(self) -> tuple[Any, ...]:
        """The default, one number a column."""
        if self.default is not None:
            return self.parse(self.default)
        return tuple(column[0] for column in self.from_digits([np.zeros(1, np.int64)] * len(self.cardinalities)))

    def _refuse(self, value: Any, allowed: str, known: Sequence[str] = ()) -> ValueError:
        near = difflib.get_close_matches(str(value), known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return ValueError(f"{self.name} must be {allowed}, got {value!r}.{hint}")


def number_in(value: Any) -> int | float:
    """Return the number that a person wrote, "16" as an int; TypeError or ValueError where it is none."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return float(value)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{value!r} is no number")
    return value if isinstance(value, int) else float(value)


def whole(value: Any) -> int:
    """Return the integer that a person wrote: 8, 8.0, "8" or "8e0"; TypeError, ValueError or OverflowError else."""
    number = number_in(value)
    if number != int(number):
        raise ValueError(f"{value!r} is no integer")
    return int(number)
