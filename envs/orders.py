"""Parameters that arrange or pick items: permutations and subsets.

A permutation's column is its lexicographic rank, its digits the Lehmer code (Knuth, TAOCP 4A, 7.2.1.2). A subset's
columns are its members in increasing order; digit j picks the next member among those not picked yet, so all k! orders
of picking give one subset. Ranks of subsets are the combinatorial number system (Knuth, TAOCP 4A, 7.2.1.3).
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from designgym.cost_models.base import ColumnSpec
from designgym.cost_models.permutations import digits_of_picks, take_among_rest
from designgym.envs.parameter_base import Array, Parameter, whole

LARGEST_PERMUTATION = 20  # 20! is the last factorial below 2**63


@dataclass(frozen=True)
class Permutation(Parameter):
    """An order of the items, at most 20."""

    items: tuple[str, ...]

    def _check(self) -> None:
        object.__setattr__(self, "items", tuple(self.items))
        if not 2 <= len(self.items) <= LARGEST_PERMUTATION or len(set(self.items)) < len(self.items):
            raise ValueError(f"{self.name}: items must be 2 to 20 different names, got {self.items}.")
        if any("," in item for item in self.items):
            raise ValueError(f"{self.name}: an item's name must not hold a comma, got {self.items}.")

    @property
    def count(self) -> int:
        return math.factorial(len(self.items))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return tuple(range(len(self.items), 1, -1))

    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        rest, digits = columns[0].astype(np.int64, copy=False), []
        for cardinality in reversed(self.cardinalities):
            rest, digit = np.divmod(rest, cardinality)
            digits.append(digit)
        return digits[::-1]

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        rank = np.zeros(len(digits[0]), np.int64)
        for digit, cardinality in zip(digits, self.cardinalities, strict=True):
            rank = rank * cardinality + digit
        return [rank]

    def order(self, ranks: Array) -> Array:
        """Ranks, (n,), to item indices in order, int64 (n, items)."""
        ranks = np.asarray(ranks)
        digits = self.to_digits([ranks])
        return take_among_rest([*digits, np.zeros(len(ranks), np.int64)], len(self.items))

    def rank_of_order(self, order: Array) -> Array:
        """Inverse of order."""
        return self.from_digits(digits_of_picks(np.asarray(order))[:-1])[0]

    def rank(self, columns: Sequence[Array]) -> Array:
        return columns[0].astype(np.int64, copy=False)

    def unrank(self, ranks: Array) -> list[Array]:
        return [ranks.astype(np.int64, copy=False)]

    def legal(self, columns: Sequence[Array]) -> Array:
        column = columns[0]
        inside = (column >= 0) & (column < self.count)
        return inside & (column % 1 == 0) if column.dtype.kind == "f" else inside

    def parse(self, value: Any) -> tuple[Any, ...]:
        names = value.split(",") if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
        if sorted(map(str, names)) != sorted(self.items):
            raise self._refuse(value, f"an order of {','.join(self.items)}", [",".join(self.items)])
        order = np.array([[self.items.index(name) for name in names]])
        return (int(self.rank_of_order(order)[0]),)

    def describe(self, columns: Sequence[Array]) -> list[list[Any]]:
        legal = self.legal(columns)
        orders = self.order(np.where(legal, columns[0], 0)).tolist()
        texts = [",".join([self.items[i] for i in order]) for order in orders]
        return [[text if ok else rank for text, ok, rank in zip(texts, legal, columns[0].tolist(), strict=True)]]

    def specs(self) -> tuple[ColumnSpec, ...]:
        return (ColumnSpec(self.name, "permutation", 0, self.count - 1, False, self.count),)


@dataclass(frozen=True)
class Subset(Parameter):
    """k of the integers 0 ... n - 1, in increasing columns name_0 ... name_{k-1}."""

    n: int
    k: int

    def _check(self) -> None:
        if not 1 <= self.k <= self.n:
            raise ValueError(f"{self.name}: needs 1 <= k <= n, got k = {self.k}, n = {self.n}.")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"{self.name}_{j}" for j in range(self.k))

    @property
    def count(self) -> int:
        return math.comb(self.n, self.k)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return tuple(self.n - j for j in range(self.k))

    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        # Picked in increasing order, all j earlier members are smaller.
        return [column.astype(np.int64, copy=False) - j for j, column in enumerate(columns)]

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return list(np.sort(take_among_rest(digits, self.n), axis=1).T.copy())

    @cached_property
    def _binomials(self) -> list[Array]:
        """Row j - 1 holds C(x, j) for x = 0 ... n - 1."""
        dtype = np.int64 if self.count < 2**63 else object
        rows = []
        for j in range(1, self.k + 1):
            # Only x <= n - k + j - 1 can be the j-th smallest member; larger binomials may pass 2**63.
            rows.append(np.array([math.comb(x, j) for x in range(self.n - self.k + j)], dtype))
        return rows

    def rank(self, columns: Sequence[Array]) -> Array:
        ranks: Array = np.zeros(len(columns[0]), self._binomials[0].dtype)
        for row, column in zip(self._binomials, columns, strict=True):
            ranks += row[column.astype(np.int64, copy=False)]
        return ranks

    def unrank(self, ranks: Array) -> list[Array]:
        rest = ranks.astype(self._binomials[0].dtype, copy=True)
        columns = []
        for row in reversed(self._binomials):
            member = np.searchsorted(row, rest, side="right") - 1
            rest = rest - row[member]
            columns.append(member.astype(np.int64))
        return columns[::-1]

    def legal(self, columns: Sequence[Array]) -> Array:
        stack = np.stack(columns)
        inside = ((stack >= 0) & (stack < self.n) & (stack % 1 == 0)).all(axis=0)
        return inside & (np.diff(stack, axis=0) > 0).all(axis=0)

    def parse(self, value: Any) -> tuple[Any, ...]:
        allowed = f"{self.k} increasing integers in [0, {self.n - 1}]"
        try:
            members = [whole(v) for v in (value.split(",") if isinstance(value, str) else value)]
        except (TypeError, ValueError, OverflowError):
            raise self._refuse(value, allowed) from None
        increasing = all(a < b for a, b in itertools.pairwise(members))
        if len(members) != self.k or not increasing or members[0] < 0 or members[-1] >= self.n:
            raise self._refuse(value, allowed)
        return tuple(members)

    def specs(self) -> tuple[ColumnSpec, ...]:
        return tuple(
            ColumnSpec(name, "integer", j, self.n - self.k + j, False, self.n - self.k + 1)
            for j, name in enumerate(self.columns)
        )
