"""Count, rank, unrank and draw canonical designs of parameters that form a forest.

A parameter that matters only under another's value hangs below it. A subtree's size is the sum over the root's values
of the product of the sizes of the children that wake; a forest's is the product of its roots'. Ranks are mixed radix,
the first parameter most significant, so consecutive ranks differ in the last parameters.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.parameter_base import Array, Parameter

INT64 = 2**63
LARGEST_BRANCHING = 2**20  # values of a parameter on which another depends


def product(sizes: Iterable[int | float]) -> int | float:
    """Multiply exact sizes; inf where one is: a Python int past 2**1024 times inf overflows."""
    sizes = list(sizes)
    return math.inf if math.inf in sizes else math.prod(sizes)


@dataclass(frozen=True)
class Branch:
    """A parameter with the branches that hang below it, each with the value numbers of this one that wake it."""

    parameter: Parameter
    children: tuple[tuple["Branch", frozenset[int]], ...] = ()

    def __post_init__(self) -> None:
        if self.children and self.parameter.count > LARGEST_BRANCHING:
            raise ValueError(
                f"{self.parameter.name} must have at most {LARGEST_BRANCHING} values for others to depend on it, "
                f"got {self.parameter.count}."
            )

    @cached_property
    def size(self) -> int | float:
        """Canonical designs of this subtree, exact; inf with a Float."""
        if not self.children:
            return self.parameter.count
        return math.inf if math.inf in self.sizes else sum(self.sizes)

    @cached_property
    def sizes(self) -> list[Any]:
        """Canonical designs under each value of the parameter."""
        return [
            product(child.size for child, wakes in self.children if v in wakes)
            for v in range(int(self.parameter.count))
        ]

    @cached_property
    def _starts(self) -> Array:
        """Rank of the first design under each value, and the size behind the last."""
        starts = [0]
        for size in self.sizes:
            starts.append(starts[-1] + size)
        return np.array(starts, np.int64 if starts[-1] < INT64 else object)

    @cached_property
    def _wakes(self) -> list[NDArray[np.bool_]]:
        """For each child, whether each value of the parameter wakes it."""
        return [np.isin(np.arange(int(self.parameter.count)), list(wakes)) for _, wakes in self.children]

    def rank(self, designs: Columns) -> Array:
        """Canonical designs to ranks in range(size), (n,)."""
        value = self.parameter.rank([designs[name] for name in self.parameter.columns])
        if not self.children:
            return value
        within: Array = np.zeros(len(value), self._starts.dtype)
        for (child, _), wakes in zip(self.children, self._wakes, strict=True):
            awake = wakes[value]
            if awake.any():
                within[awake] = within[awake] * child.size + child.rank(rows_of(designs, awake))
        return self._starts[value] + within

    def unrank(self, ranks: Array, out: Columns) -> None:
        """Write the columns of the designs of these ranks, (n,), into out; idle children take their defaults."""
        if not self.children:
            out.update(zip(self.parameter.columns, self.parameter.unrank(ranks), strict=True))
            return
        value = np.searchsorted(self._starts, ranks, side="right") - 1
        out.update(zip(self.parameter.columns, self.parameter.unrank(value), strict=True))
        rest = ranks - self._starts[value]
        for (child, _), wakes in reversed(list(zip(self.children, self._wakes, strict=True))):
            awake = wakes[value]
            inner: Columns = {}
            if awake.any():
                child.unrank(rest[awake] % child.size, inner)
                rest[awake] //= child.size
            child.spread(inner, awake, out)

    def draw(self, n: int, rng: np.random.Generator, out: Columns) -> None:
        """Write n designs, uniform over this subtree's, into out. A Float counts as one value."""
        value = self._draw_value(n, rng, out)
        for (child, _), wakes in zip(self.children, self._wakes, strict=True):
            awake = wakes[value]
            inner: Columns = {}
            if awake.any():
                child.draw(int(awake.sum()), rng, inner)
            child.spread(inner, awake, out)

    def _draw_value(self, n: int, rng: np.random.Generator, out: Columns) -> Array:
        parameter = self.parameter
        if self.children:
            # Divided as Python ints: sizes may pass the largest float64.
            shares = [weight / self.drawing_weight for weight in self._drawing_weights]
            value = rng.choice(len(shares), size=n, p=shares)
            digits: list[Array] = [value]
        else:
            digits = [rng.random(n) if c == 0 else rng.integers(0, c, n) for c in parameter.cardinalities]
            value = digits[0]
        out.update(zip(parameter.columns, parameter.from_digits(digits), strict=True))
        return value

    @cached_property
    def _drawing_weights(self) -> list[int]:
        return [
            math.prod(child.drawing_weight for child, wakes in self.children if v in wakes)
            for v in range(int(self.parameter.count))
        ]

    @cached_property
    def drawing_weight(self) -> int:
        """Its size, a Float counted as one value."""
        if self.children:
            return sum(self._drawing_weights)
        return 1 if self.parameter.cardinalities == (0,) else int(self.parameter.count)

    def spread(self, inner: Columns, rows: NDArray[np.bool_], out: Columns) -> None:
        """Put the columns of the awake rows in their places among the defaults of the idle ones."""
        names, defaults = self.parameter.columns, self.parameter.default_columns
        for name, default in zip(names, defaults, strict=True):
            dtype = inner[name].dtype if name in inner else np.array(default).dtype
            column = np.full(len(rows), default, dtype)
            if name in inner:
                column[rows] = inner[name]
            out[name] = column
        for child, _ in self.children:
            child.spread(inner, rows, out)


def rows_of(designs: Columns, rows: Any) -> Columns:
    """Return the rows of an index, a mask or a slice."""
    return {name: column[rows] for name, column in designs.items()}


@dataclass(frozen=True)
class Forest:
    """Independent branches; the ranks of the last vary fastest."""

    roots: tuple[Branch, ...]

    @cached_property
    def size(self) -> int | float:
        """Canonical designs, exact; inf with a Float."""
        return product(root.size for root in self.roots)

    def rank(self, designs: Columns) -> Array:
        """Canonical designs to ranks, int64 (n,), Python ints where the size passes 2**63."""
        ranks: Array | None = None
        for root in self.roots:
            inner = root.rank(designs)
            if ranks is None:
                ranks = inner.astype(object) if self.size >= INT64 else inner
            else:
                ranks = ranks * root.size + inner
        assert ranks is not None
        return ranks

    def unrank(self, ranks: Array, out: Columns) -> None:
        """Write the columns of the designs of these ranks into out."""
        unrank_roots(self.roots, ranks, out)

    def draw(self, n: int, rng: np.random.Generator, out: Columns) -> None:
        """Write n independent uniform designs into out."""
        for root in self.roots:
            root.draw(n, rng, out)

    def split(self, limit: int) -> tuple[int, int]:
        """Return (roots in front, size of the block behind them): the longest tail of at most limit designs."""
        block, front = 1, len(self.roots)
        while front and block * self.roots[front - 1].size <= limit:
            front -= 1
            block *= int(self.roots[front].size)
        return front, block


def unrank_roots(roots: Sequence[Branch], ranks: Array, out: Columns) -> None:
    """Mixed-radix digits of the ranks, last root fastest, each unranked by its branch."""
    rest = ranks
    for i, root in reversed(list(enumerate(roots))):
        inner = rest % root.size if i else rest
        rest = rest // root.size if i else rest
        narrow = inner.astype(np.int64) if inner.dtype == object and root.size < INT64 else inner
        root.unrank(narrow, out)
