"""The kinds of parameter that take one value: integers, listed numbers, names, real numbers."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import ColumnSpec
from designgym.envs.parameter_base import Array, Parameter, number_in, whole

LARGEST_CARDINALITY = 2**52  # above it, (index + 1/2) / cardinality no longer survives a float64
LARGEST_TABLE = 2**16  # entries of a direct table from value to index: six times faster than a binary search

__all__ = ["LARGEST_TABLE", "Array", "Categorical", "Float", "Integer", "Ordinal", "Parameter"]


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
        if max(-self.low, self.high) > 2**62:
            raise ValueError(f"{self.name}: low and high must be within 2**62 of 0, got {self.low}, {self.high}.")
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
        return [np.asarray(digits[0], np.int64) * self.step + self.low]

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
            number = whole(value)
        except (TypeError, ValueError, OverflowError):
            raise self._refuse(value, allowed) from None
        if not self.low <= number <= self.high or (number - self.low) % self.step:
            raise self._refuse(value, allowed)
        return (number,)

    def specs(self) -> tuple[ColumnSpec, ...]:
        high = self.low + (self.count - 1) * self.step
        return (ColumnSpec(self.name, "integer", self.low, high, self.log, self.count),)


@dataclass(frozen=True)
class Ordinal(Parameter):
    """Ordered numbers, such as 16, 32, 64; a column holds the number itself."""

    values: tuple[float, ...]

    def _check(self) -> None:
        values = tuple(value.item() if isinstance(value, np.generic) else value for value in self.values)
        object.__setattr__(self, "values", values)
        numeric = bool(values) and all(isinstance(value, int | float) for value in values)
        largest = 2**62 if numeric and all(isinstance(value, int) for value in values) else 1e300
        if not numeric or not max(map(abs, values)) <= largest or not (np.diff(self._table) > 0).all():
            raise ValueError(f"{self.name}: values must be increasing numbers of at most {largest:g}, got {values}.")

    @cached_property
    def _table(self) -> Array:
        integral = all(isinstance(value, int) for value in self.values)
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
            index = self.values.index(number_in(value))
        except (TypeError, ValueError):
            raise self._refuse(value, f"one of {', '.join(map(str, self.values))}") from None
        return (self._table[index].item(),)

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
        names = all(isinstance(choice, str) for choice in self.choices)
        if not self.choices or not names or len(set(self.choices)) < len(self.choices):
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
        return [np.array(digits[0], np.int64)]  # a copy: the digits may be a view of somebody's actions

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
        rows = zip(columns[0].tolist(), self.legal(columns).tolist(), strict=True)
        return [[self.choices[int(index)] if legal else index for index, legal in rows]]


@dataclass(frozen=True)
class Float(Parameter):
    """A real number in [low, high]; log: uniform in its logarithm. The unit cube's [0, 1) covers the range."""

    low: float
    high: float
    log: bool = False

    def _check(self) -> None:
        smallest = sys.float_info.min  # below it a float64 loses digits
        if not smallest <= self.high - self.low < math.inf:
            raise ValueError(f"{self.name}: needs finite low < high, got {self.low}, {self.high}.")
        if self.log and not (self.low >= smallest and self.high / self.low < math.inf):
            raise ValueError(f"{self.name}: log needs low > 0 and a finite high / low, got {self.low}, {self.high}.")

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
        except (TypeError, ValueError, OverflowError):
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
