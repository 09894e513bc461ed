"""The kinds of parameter a design space is made of, and how each maps its values to digits.

A parameter owns one or more *columns* (what a batch of designs stores) and one or more *digits* (what the unit cube,
Gymnasium and Optuna see): digit j takes 0 ... cardinalities[j] - 1, every digit string decodes to a value, and every
value is decoded from equally many strings. A permutation is its Lehmer code (Knuth, TAOCP 4A, 7.2.1.2).
"""

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import ColumnSpec

Array = NDArray[Any]
LARGEST_CARDINALITY = 2**52  # above it, (index + 1/2) / cardinality no longer survives a float64
LARGEST_TABLE = 2**16  # entries of a direct table from value to index: six times faster than a binary search


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
        if not self.name.isidentifier():
            raise ValueError(f"a parameter's name must be a Python identifier, got {self.name!r}.")
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


@dataclass(frozen=True)
class Integer(Parameter):
    """low, low + step, ... up to high (inclusive, where step meets it). log: a hint to searchers."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def _check(self) -> None:
        if self.step < 1 or self.high < self.low:
            raise ValueError(f"{self.name}: needs low <= high and step >= 1, got {self.low}, {self.high}, {self.step}.")
        if self.count > LARGEST_CARDINALITY:
            raise ValueError(f"{self.name} must have at most 2**52 values, got {self.count}. Raise step.")
        if self.log and self.low < 1:
            raise ValueError(f"{self.name}: log needs low >= 1, got {self.low}.")

    @property
    def count(self) -> int:
        return (self.high - self.low) // self.step + 1

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return (self.count,)

    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        offset = columns[0].astype(np.int64, copy=False) - self.low
        return [offset if self.step == 1 else offset // self.step]

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return [digits[0] * self.step + self.low]

    def legal(self, columns: Sequence[Array]) -> NDArray[np.bool_]:
        column = columns[0]
        inside = (column >= self.low) & (column <= self.high)
        if self.step > 1 or column.dtype.kind == "f":
            inside &= (column - self.low) % self.step == 0
        return inside

    def parse(self, value: Any) -> tuple[Any, ...]:
        step = "" if self.step == 1 else f" in steps of {self.step}"
        allowed = f"an integer in [{self.low}, {self.high}]{step}"
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self._refuse(value, allowed) from None
        if not number.is_integer() or not self.legal([np.array([int(number)])])[0]:
            raise self._refuse(value, allowed)
        return (int(value) if isinstance(value, int) else int(number),)

    def specs(self) -> tuple[ColumnSpec, ...]:
        high = self.low + (self.count - 1) * self.step
        return (ColumnSpec(self.name, "integer", self.low, high, self.log, self.count),)


@dataclass(frozen=True)
class Ordinal(Parameter):
    """Ordered numbers, such as 16, 32, 64; a column holds the number itself."""

    values: tuple[float, ...]

    def _check(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values or any(a >= b for a, b in zip(self.values, self.values[1:], strict=False)):
            raise ValueError(f"{self.name}: values must be increasing numbers, got {self.values}.")

    @cached_property
    def _table(self) -> Array:
        integral = all(isinstance(value, int | np.integer) for value in self.values)
        return np.array(self.values, np.int64 if integral else np.float64)

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return (self.count,)

    @cached_property
    def _index_at(self) -> Array | None:
        """Index of each integer from the lowest value to the highest, -1 between them; None where that is no table."""
        low, high = self._table[0], self._table[-1]
        if self._table.dtype != np.int64 or high - low > LARGEST_TABLE:
            return None
        index_at = np.full(int(high - low) + 1, -1)
        index_at[self._table - low] = np.arange(self.count)
        return index_at

    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        if self._index_at is not None and columns[0].dtype == np.int64:
            return [self._index_at.take(columns[0] - self._table[0], mode="clip")]
        return [np.searchsorted(self._table, columns[0])]

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return [self._table[digits[0]]]

    def legal(self, columns: Sequence[Array]) -> NDArray[np.bool_]:
        if self._index_at is not None and columns[0].dtype == np.int64:
            return self._table.take(self.to_digits(columns)[0], mode="clip") == columns[0]
        index = np.minimum(np.searchsorted(self._table, columns[0]), self.count - 1)
        return self._table[index] == columns[0]

    def parse(self, value: Any) -> tuple[Any, ...]:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if number not in self.values:
            raise self._refuse(value, f"one of {', '.join(map(str, self.values))}")
        return (self.values[self.values.index(number)],)

    def specs(self) -> tuple[ColumnSpec, ...]:
        low, high = self.values[0], self.values[-1]
        # Values that grow by factors (16, 32, 64) are read on a logarithmic axis.
        log = low > 0 and self.count > 2 and high / low > self.count
        return (ColumnSpec(self.name, "ordinal", low, high, log, self.count),)


@dataclass(frozen=True)
class Categorical(Parameter):
    """Unordered names; a column holds the index of the name."""

    choices: tuple[str, ...]

    def _check(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        if not self.choices or len(set(self.choices)) < len(self.choices):
            raise ValueError(f"{self.name}: choices must be different names, got {self.choices}.")

    @property
    def count(self) -> int:
        return len(self.choices)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return (self.count,)

    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        return [columns[0].astype(np.int64, copy=False)]

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return [digits[0]]

    def legal(self, columns: Sequence[Array]) -> NDArray[np.bool_]:
        column = columns[0]
        inside = (column >= 0) & (column < self.count)
        return inside & (column % 1 == 0) if column.dtype.kind == "f" else inside

    def parse(self, value: Any) -> tuple[Any, ...]:
        if value not in self.choices:
            raise self._refuse(value, f"one of {', '.join(self.choices)}", self.choices)
        return (self.choices.index(value),)

    def specs(self) -> tuple[ColumnSpec, ...]:
        return (ColumnSpec(self.name, "categorical", 0, self.count - 1, False, self.count),)

    def describe(self, columns: Sequence[Array]) -> list[list[Any]]:
        return [[self.choices[int(index)] for index in columns[0]]]


@dataclass(frozen=True)
class Float(Parameter):
    """A real number in [low, high]; log: uniform in its logarithm. The unit cube's [0, 1) covers the range."""

    low: float
    high: float
    log: bool = False

    def _check(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{self.name}: needs finite low < high, got {self.low}, {self.high}.")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.name}: log needs low > 0, got {self.low}.")

    @property
    def count(self) -> float:
        return math.inf

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return (0,)

    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        """Columns to the unit interval, float64 (n,)."""
        column = columns[0].astype(np.float64, copy=False)
        if self.log:
            unit = np.log(column / self.low) / math.log(self.high / self.low)
        else:
            unit = (column - self.low) / (self.high - self.low)
        return [np.clip(unit, 0.0, np.nextafter(1.0, 0.0))]

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        """Unit interval, float64 (n,), to columns."""
        unit = np.asarray(digits[0], np.float64)
        if self.log:
            column = self.low * np.exp(unit * math.log(self.high / self.low))
        else:
            column = self.low + unit * (self.high - self.low)
        return [np.clip(column, self.low, self.high)]

    def legal(self, columns: Sequence[Array]) -> NDArray[np.bool_]:
        return (columns[0] >= self.low) & (columns[0] <= self.high)

    def parse(self, value: Any) -> tuple[Any, ...]:
        allowed = f"a number in [{self.low:g}, {self.high:g}]"
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self._refuse(value, allowed) from None
        if not self.low <= number <= self.high:
            raise self._refuse(value, allowed)
        return (number,)

    def rank(self, columns: Sequence[Array]) -> Array:
        raise ValueError(f"{self.name} is a Float and has no rank. Use an Ordinal of the values you want to count.")

    def unrank(self, ranks: Array) -> list[Array]:
        return [self.rank([ranks])]

    def specs(self) -> tuple[ColumnSpec, ...]:
        return (ColumnSpec(self.name, "float", self.low, self.high, self.log),)
