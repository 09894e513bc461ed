"""A design space: parameters, which of them matter when, and constraints between their columns.

It maps between columns (what cost models take), the unit cube (what searchers take), ranks (what counts and
remembers designs) and names (what people read).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length
from designgym.cost_models.registry import nearest
from designgym.envs.conditions import Conditions
from designgym.envs.constraints import Constraint
from designgym.envs.names import describe, parse
from designgym.envs.parameters import LARGEST_TABLE, Array, Categorical, Float, Parameter
from designgym.envs.ranking import rows_of
from designgym.envs.single import OneDesign

if TYPE_CHECKING:
    import gymnasium

    from designgym.envs.bridges import OptunaSpace

Predicate = Callable[[Columns], NDArray[np.bool_]]


class DesignSpace:
    """All choices of the parameters that satisfy the constraints.

    constraints: short texts over column names ("tile_m * tile_n <= 4096"), or functions at module level that take
    columns and return where the constraint holds, bool (n,), or frozen objects that are called so, whose
    `reason(design)`, where they have one, says in words why one design breaks it. They see an idle parameter's default.
    drawn_from: the designs that `sample` draws from, all valid ones if None; see `drawing_from`.
    """

    drawn_from: Columns | None = None

    def __init__(self, *parameters: Parameter, constraints: tuple[str | Predicate, ...] = ()) -> None:
        self.parameters = parameters
        self.constraints = tuple(constraints)
        self._by_name = {p.name: p for p in parameters}
        self.columns = tuple(name for p in parameters for name in p.columns)
        if len(set(self.columns)) < len(self.columns) or len(self._by_name) < len(parameters):
            raise ValueError(f"parameters must have different names, got {self.columns}.")
        self.cardinalities = tuple(c for p in parameters for c in p.cardinalities)
        self._conditions = Conditions(parameters)
        self._wakes = self._conditions.wakes
        self._texts = tuple(
            Constraint(c, self.columns, self._categories) for c in self.constraints if isinstance(c, str)
        )
        self._forest = self._conditions.forest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.parameters, self.constraints, self.drawn_from)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DesignSpace):
            return NotImplemented
        same = (self.parameters, self.constraints) == (other.parameters, other.constraints)
        if not same or self.drawn_from is None or other.drawn_from is None:
            return same and self.drawn_from is other.drawn_from
        return all(np.array_equal(column, other.drawn_from[name]) for name, column in self.drawn_from.items())

    def __hash__(self) -> int:
        return hash((self.columns, self.constraints))

    def __repr__(self) -> str:
        return f"DesignSpace({', '.join(map(repr, self.parameters))}, constraints={self.constraints!r})"

    def __getitem__(self, name: str) -> Parameter:
        if name not in self._by_name:
            raise KeyError(f"unknown parameter {name!r}. {nearest(name, list(self._by_name))}")
        return self._by_name[name]

    @cached_property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        """Dtype of each column: float64 for a Float and for an Ordinal of fractions, else int64."""
        zeros = [np.zeros(1, np.float64 if c == 0 else np.int64) for c in self.cardinalities]
        return {name: column.dtype for name, column in self.from_digits(zeros).items()}

    @cached_property
    def _places(self) -> list[tuple[Parameter, tuple[str, ...], slice]]:
        """Each parameter with its columns and where its digits stand among all."""
        counts = [len(p.cardinalities) for p in self.parameters]
        stops = np.cumsum(counts).tolist()
        slices = [slice(stop - count, stop) for count, stop in zip(counts, stops, strict=True)]
        return [(p, p.columns, own) for p, own in zip(self.parameters, slices, strict=True)]

    @cached_property
    def _tables(self) -> tuple[Array, ...] | None:
        """Values of each column by index, where each parameter is one digit of few values that always matters."""
        if self._wakes or len(self.cardinalities) > len(self.parameters) or len(self.columns) > len(self.parameters):
            return None
        if not all(0 < c <= LARGEST_TABLE for c in self.cardinalities):
            return None
        return tuple(p.from_digits([np.arange(p.cardinalities[0])])[0] for p in self.parameters)

    @cached_property
    def _one(self) -> OneDesign:
        return OneDesign(self.parameters, self.dtypes, self._conditions, self._forest)

    @property
    def _categories(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple((p.name, p.choices) for p in self.parameters if isinstance(p, Categorical))

    # -- counting -------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int | float:
        """Canonical designs before constraints, an exact Python int; inf with a Float."""
        return self._forest.size

    @cached_property
    def _valid_count(self) -> int:
        if not self.constraints:
            return int(self.size)
        return sum(batch_length(chunk) for chunk in self.enumerate())

    def count_valid(self) -> int:
        """Valid designs, counted by enumeration where there are constraints. ValueError with a Float."""
        self._refuse_floats("count_valid")
        return self._valid_count

    def rank(self, designs: Columns) -> Array:
        """Canonical designs to their numbers in range(size): int64 (n,), Python ints where size passes 2**63."""
        self._refuse_floats("rank")
        return self._forest.rank(designs)

    def unrank(self, ranks: Array) -> Columns:
        """Inverse of rank."""
        self._refuse_floats("unrank")
        ranks = np.asarray(ranks, object if self.size >= 2**63 else np.int64)
        if len(ranks) and not (ranks.min() >= 0 and ranks.max() < self.size):
            raise ValueError(f"ranks must be in [0, {self.size}), got {ranks.min()} to {ranks.max()}.")
        out: Columns = {}
        self._forest.unrank(ranks, out)
        return {name: out[name] for name in self.columns}

    def enumerate(self, chunk: int = 100_000) -> Iterator[Columns]:
        """Yield each valid design once, in rank order, in batches of at most `chunk` designs."""
        from designgym.envs.drawing import enumerate_valid

        return enumerate_valid(self, self._forest, chunk)

    def sample(self, n: int, rng: np.random.Generator) -> Columns:
        """Draw n independent designs, uniform over the valid canonical ones (a Float uniform over its range).

        Uniform over `drawn_from`, where that is given. RuntimeError when fewer than about one draw in a million
        satisfies the constraints.
        """
        from designgym.envs.drawing import sample_valid

        if self.drawn_from is not None:
            return rows_of(self.drawn_from, rng.integers(batch_length(self.drawn_from), size=n))
        return sample_valid(self, self._forest, n, rng)

    def drawing_from(self, designs: Columns) -> DesignSpace:
        """Return this space with `sample` drawing from these designs, each as likely; all else is as it is.

        ValueError for none, and for one that is not in the space.
        """
        from designgym.envs.drawing import rows_to_draw

        return _rebuild(self.parameters, self.constraints, rows_to_draw(self, designs))

    # -- encodings ------------------------------------------------------------------------------------------------

    @cached_property
    def has_floats(self) -> bool:
        """Whether a Float takes part: then there are no ranks, no enumeration, no neighbours."""
        return 0 in self.cardinalities

    @cached_property
    def _signed(self) -> tuple[str, ...]:
        """Columns in which 0 may stand with either sign."""
        floats = [p for p in self.parameters if isinstance(p, Float) and p.low <= 0 <= p.high]
        return tuple(p.name for p in floats)

    def _refuse_floats(self, what: str) -> None:
        if self.has_floats:
            floats = [p.name for p in self.parameters if p.cardinalities == (0,)]
            raise ValueError(f"{what} needs a space without Float, got {', '.join(floats)}. Use an Ordinal instead.")

    def digits(self, designs: Columns) -> list[Array]:
        """Columns to digits, each (n,): int64 inside its cardinality, for a Float its place in [0, 1)."""
        digits: list[Array] = []
        for parameter in self.parameters:
            digits += parameter.to_digits([designs[name] for name in parameter.columns])
        return digits

    def from_digits(self, digits: list[Array]) -> Columns:
        """Inverse of digits; entries of idle parameters are ignored."""
        if self._tables is not None:
            return {name: table[digit] for name, table, digit in zip(self.columns, self._tables, digits, strict=True)}
        columns: Columns = {}
        for parameter, names, own in self._places:
            columns.update(zip(names, parameter.from_digits(digits[own]), strict=True))
        return self._conditions.settled(columns)

    def one_from_digits(self, digits: list[int]) -> Columns:
        """Return from_digits of one design, in a few microseconds where parameters are plain lists of values."""
        if self._tables is None:
            return self.from_digits([np.array([digit]) for digit in digits])
        columns = zip(self.columns, self._tables, digits, strict=True)
        return {name: table[digit : digit + 1].copy() for name, table, digit in columns}

    def decode(self, unit: NDArray[np.float64]) -> Columns:
        """Unit cube, float64 (n, d) in [0, 1), to columns; every value is reached, uniformly in its index."""
        unit = np.asarray(unit, np.float64)
        if unit.ndim != 2 or unit.shape[1] != len(self.cardinalities):
            raise ValueError(f"unit must have shape (n, {len(self.cardinalities)}), got {unit.shape}.")
        if not ((unit >= 0) & (unit < 1)).all():
            raise ValueError("unit must lie in [0, 1). Clip it, or map your action there first.")
        digits: list[Array] = []
        for column, cardinality in zip(unit.T, self.cardinalities, strict=True):
            # The product can round up to the cardinality itself just below 1.
            index = np.minimum((column * cardinality).astype(np.int64), cardinality - 1) if cardinality else column
            digits.append(index)
        return self.from_digits(digits)

    def encode(self, designs: Columns) -> NDArray[np.float64]:
        """Columns to the unit cube, float64 (n, d): each index at the middle of its interval."""
        unit = np.empty((batch_length(designs), len(self.cardinalities)))
        for j, (digit, cardinality) in enumerate(zip(self.digits(designs), self.cardinalities, strict=True)):
            unit[:, j] = (digit + 0.5) / cardinality if cardinality else digit
        return unit

    # -- membership -----------------------------------------------------------------------------------------------

    def active(self, designs: Columns) -> dict[str, NDArray[np.bool_]]:
        """For each parameter with a `when`, where it matters, bool (n,)."""
        return self._conditions.active(designs)

    def canonical(self, designs: Columns) -> Columns:
        """Return the designs in their one spelling: every idle parameter at its default, -0.0 as 0.0.

        Columns get their own dtype where that loses nothing; those that are no parameter's are dropped.
        """
        self._need_columns(designs)
        columns = {name: _cast(np.asarray(designs[name]), dtype) for name, dtype in self.dtypes.items()}
        for name in self._signed:
            columns[name] = columns[name] + 0.0
        return self._conditions.settled(columns)

    def one_inside(self, designs: Columns) -> tuple[Columns, int | None] | None:
        """Return the columns and the rank of a batch of one design that is canonical and valid, in microseconds.

        The rank is None where the space has none below 2**63; the whole is None where the design is another, or where
        telling takes the batched methods.
        """
        found = self._one.key(designs)
        if found is None or (self.constraints and self.constraint_violation(found[0]).item()):
            return None
        return found

    def _need_columns(self, designs: Columns) -> None:
        missing = [name for name in self.columns if name not in designs]
        if missing:
            raise ValueError(f"designs lack the columns {', '.join(missing)}; they need {', '.join(self.columns)}.")

    def illegal(self, designs: Columns) -> NDArray[np.int64]:
        """Count, for each design, the parameters whose columns hold no value of theirs, (n,)."""
        self._need_columns(designs)
        count = np.zeros(batch_length(designs), np.int64)
        with np.errstate(invalid="ignore"):
            for parameter in self.parameters:
                legal = parameter.legal([designs[name] for name in parameter.columns])
                if not legal.all():
                    count += ~legal
        return count

    def violation(self, designs: Columns) -> NDArray[np.float64]:
        """0 inside the space, float64 (n,); else 1 per illegal parameter or broken function, a text's scaled excess."""
        illegal = self.illegal(designs)
        if not illegal.any():
            return self.constraint_violation(designs)
        violation = illegal.astype(np.float64)
        violation[illegal == 0] += self.constraint_violation(rows_of(designs, illegal == 0))
        return violation

    def constraint_violation(self, designs: Columns) -> NDArray[np.float64]:
        """The same for designs whose values are known to be legal: what the constraints alone say."""
        violation = np.zeros(batch_length(designs))
        for text in self._texts:
            violation += text.violation(designs)
        for function in self.constraints:
            if not isinstance(function, str):
                violation += ~np.asarray(function(designs), bool)
        return violation

    def contains(self, designs: Columns) -> NDArray[np.bool_]:
        """Where a design is legal, canonical and satisfies every constraint, bool (n,)."""
        inside = self.violation(designs) == 0
        if self._wakes and inside.any():
            legal = rows_of(designs, inside)
            canonical = self.canonical(legal)
            inside[inside] = np.all([legal[name] == canonical[name] for name in self.columns], axis=0)
        return inside

    # -- neighbours, names, bridges -------------------------------------------------------------------------------

    def neighbours(self, design: Columns) -> Columns:
        """Return the valid designs one step from this batch of one; see `designgym.envs.neighbours`."""
        from designgym.envs.neighbours import neighbours

        return neighbours(self, design)

    def describe(self, designs: Columns) -> dict[str, list[Any]]:
        """Columns to names, one list a column; None where a parameter is idle."""
        return describe(self, designs)

    def parse(self, names: Mapping[str, Any]) -> Columns:
        """Names to columns; see `designgym.envs.names`."""
        return parse(self, names)

    def specs(self) -> tuple[ColumnSpec, ...]:
        """What a learned model may know of each column."""
        return tuple(spec for parameter in self.parameters for spec in parameter.specs())

    def to_gymnasium(self) -> gymnasium.spaces.MultiDiscrete | gymnasium.spaces.Box:
        """MultiDiscrete of indices; with a Float Box(0, 1, (d,))."""
        from designgym.envs.bridges import to_gymnasium

        return to_gymnasium(self)

    def to_optuna(self) -> OptunaSpace:
        """Bridge to Optuna's define-by-run trials."""
        from designgym.envs.bridges import OptunaSpace

        return OptunaSpace(self)


def _cast(column: Array, dtype: np.dtype[Any]) -> Array:
    """Return the column as dtype, or as it is where that would change a value."""
    if column.dtype == dtype:
        return column
    with np.errstate(invalid="ignore"):
        cast = column.astype(dtype)
    return cast if (cast == column).all() else column


def _rebuild(
    parameters: tuple[Parameter, ...], constraints: tuple[str | Predicate, ...], drawn_from: Columns | None = None
) -> DesignSpace:
    space = DesignSpace(*parameters, constraints=constraints)
    space.drawn_from = drawn_from
    return space
