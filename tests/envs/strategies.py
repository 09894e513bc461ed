"""Hypothesis strategies: random design spaces of all six kinds, with conditions and constraints, and their designs.

`spaces()` draws spaces small enough to be enumerated; `spaces(floats=True)` may hold Floats, `spaces(large=True)`
parameters of many values.
"""

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Parameter, Permutation, Subset

NAMES = ("a", "b", "c", "d", "e")
LETTERS = ("ka", "kb", "kc", "kd", "ke")
MOST_DESIGNS = 1500  # of a space that is searched by brute force


def even_sum(designs: Columns) -> NDArray[np.bool_]:
    """A constraint as a function at module level: the sum of all columns is even."""
    return np.sum([np.floor(np.asarray(column, float)) for column in designs.values()], axis=0) % 2 == 0


def first_is_not_last(designs: Columns) -> NDArray[np.bool_]:
    """Another: the first column differs from the last, where there are several."""
    columns = list(designs.values())
    return (columns[0] != columns[-1]) | (len(columns) == 1)


@st.composite
def integers(draw: st.DrawFn, name: str, most: int = 6, **named: Any) -> Parameter:
    low, step, count = draw(st.integers(-9, 9)), draw(st.integers(1, 3)), draw(st.integers(1, most))
    slack = draw(st.integers(0, step - 1))  # high need not be met by a step
    return Integer(name, low, low + step * (count - 1) + slack, step, **named)


@st.composite
def ordinals(draw: st.DrawFn, name: str, most: int = 5, **named: Any) -> Parameter:
    kind = draw(st.sampled_from([st.integers(-20, 200_000), st.sampled_from([-1.5, -0.25, 0.0, 0.5, 2.0, 8.0, 1e9])]))
    values = draw(st.lists(kind, min_size=1, max_size=most, unique=True))
    return Ordinal(name, tuple(sorted(values)), **named)


@st.composite
def categoricals(draw: st.DrawFn, name: str, most: int = 4, **named: Any) -> Parameter:
    return Categorical(name, LETTERS[: draw(st.integers(1, most))], **named)


@st.composite
def permutations(draw: st.DrawFn, name: str, most: int = 4, **named: Any) -> Parameter:
    return Permutation(name, LETTERS[: draw(st.integers(2, most))], **named)


@st.composite
def subsets(draw: st.DrawFn, name: str, most: int = 5, **named: Any) -> Parameter:
    n = draw(st.integers(1, most))
    return Subset(name, n, draw(st.integers(1, min(n, 3))), **named)


@st.composite
def floats(draw: st.DrawFn, name: str, **named: Any) -> Parameter:
    if draw(st.booleans()):
        low = draw(st.floats(1e-30, 1e30))
        return Float(name, low, low * draw(st.floats(1.001, 1e30)), log=True, **named)
    low = draw(st.floats(-1e6, 1e6))
    return Float(name, low, low + draw(st.floats(1e-3, 1e9)), **named)


@st.composite
def large(draw: st.DrawFn, name: str, **named: Any) -> Parameter:
    """A parameter with many values, up to the most that its kind allows."""
    kind = draw(st.sampled_from(["integer", "stepped", "permutation", "subset"]))
    if kind == "integer":
        count = draw(st.integers(2**40, 2**52))
        low = draw(st.integers(-(2**40), 2**40))
        return Integer(name, low, low + count - 1, **named)
    if kind == "stepped":
        return Integer(name, 0, 3 * draw(st.integers(2**30, 2**50)), 3, **named)
    if kind == "permutation":
        return Permutation(name, tuple(f"i{j}" for j in range(draw(st.integers(12, 20)))), **named)
    return Subset(name, draw(st.integers(60, 1000)), draw(st.integers(8, 12)), **named)


def with_default(parameter: Parameter, value: int) -> Parameter:
    """The same parameter with one of its values, by number, as its default."""
    if parameter.count == math.inf:
        columns: list[NDArray[Any]] = parameter.from_digits([np.array([0.25 + 0.01 * (value % 50)])])
    else:
        columns = parameter.unrank(np.array([value % int(parameter.count)], object))
    named = {name: getattr(parameter, name) for name in parameter.__dataclass_fields__}
    described = [values[0] for values in parameter.describe(columns)]
    default = tuple(described) if isinstance(parameter, Subset) else described[0]
    return type(parameter)(**(named | {"default": default}))


def values_of(parameter: Parameter) -> list[Any]:
    """Every value of a small discrete parameter, as a person writes it."""
    columns = parameter.unrank(np.arange(int(parameter.count)))
    lists = parameter.describe(columns)
    return [tuple(row) for row in zip(*lists, strict=True)] if isinstance(parameter, Subset) else lists[0]


@st.composite
def conditions(draw: st.DrawFn, before: list[Parameter]) -> tuple[str, frozenset[Any]] | None:
    """When a parameter matters: always, or under some values of one declared before it."""
    parents = [p for p in before if len(p.cardinalities) == 1 and 1 <= p.cardinalities[0] <= 10]
    if not parents or draw(st.integers(0, 2)) == 0:
        return None
    parent = draw(st.sampled_from(parents))
    values = draw(st.sets(st.sampled_from(values_of(parent)), min_size=1, max_size=3))
    return parent.name, frozenset(values)


@st.composite
def texts(draw: st.DrawFn, parameters: list[Parameter]) -> str:
    """A constraint over columns that leaves something of most spaces."""
    columns = [name for p in parameters for name in p.columns]
    one, other = draw(st.sampled_from(columns)), draw(st.sampled_from(columns))
    categories = [p for p in parameters if isinstance(p, Categorical)]
    if categories and draw(st.booleans()):
        category = draw(st.sampled_from(categories))
        assert isinstance(category, Categorical)
        return f"{category.name} {draw(st.sampled_from(['==', '!=']))} {draw(st.sampled_from(category.choices))!r}"
    right = draw(st.sampled_from([f"{draw(st.integers(-3, 20))}", other, f"2 * {other} + 1", f"max({other}, 3)"]))
    return f"{one} {draw(st.sampled_from(['<=', '>=', '<', '>', '!=']))} {right}"


@st.composite
def spaces(
    draw: st.DrawFn,
    floats_too: bool = False,
    large_too: bool = False,
    constrained: bool = True,
    most: int = 4,
) -> DesignSpace:
    """A random space of at most `most` parameters; without floats or large ones of at most some thousand designs."""
    kinds: list[Any] = [integers, ordinals, categoricals, permutations, subsets]
    kinds += [floats] * floats_too + [large] * large_too
    count = draw(st.integers(1, most))
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=count, max_size=count))
    # A parameter of the wanted kinds takes part.
    if floats_too or large_too:
        chosen[draw(st.integers(0, len(chosen) - 1))] = floats if floats_too else large
    parameters: list[Parameter] = []
    for name, kind in zip(NAMES, chosen, strict=False):
        parameter = draw(kind(name, when=draw(conditions(parameters))))
        countable = not (floats_too or large_too)
        if countable and math.prod(int(p.count) for p in (*parameters, parameter)) > MOST_DESIGNS:
            break
        default = draw(st.none() | st.integers(0, 100))
        parameters.append(parameter if default is None else with_default(parameter, default))
    constraints: list[Any] = []
    if constrained and draw(st.booleans()):
        constraints += draw(st.lists(texts(parameters), max_size=2))
        constraints += draw(st.lists(st.sampled_from([even_sum, first_is_not_last]), max_size=1))
    return DesignSpace(*parameters, constraints=tuple(constraints))


@st.composite
def designs_of(draw: st.DrawFn, space: DesignSpace, n: int = 8) -> Columns:
    """n canonical designs, before constraints, uniform in the unit cube."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return space.decode(rng.random((n, len(space.cardinalities))))


def brute_force(space: DesignSpace) -> list[tuple[Any, ...]]:
    """Every canonical design before constraints, a tuple of column values, found from the declarations alone.

    Walks the product of all parameters' values and puts each that does not matter at its default.
    """
    every = [list(zip(*[c.tolist() for c in p.unrank(np.arange(int(p.count)))], strict=True)) for p in space.parameters]
    named = [[describe_value(p, value) for value in values] for p, values in zip(space.parameters, every, strict=True)]
    place = {p.name: i for i, p in enumerate(space.parameters)}
    found: dict[tuple[Any, ...], None] = {}
    for choice in itertools.product(*[range(len(values)) for values in every]):
        matters: dict[str, bool] = {}
        row: list[Any] = []
        for p, values, index in zip(space.parameters, every, choice, strict=True):
            matters[p.name] = p.when is None
            if p.when is not None:
                parent, waking = p.when
                at = place[parent]
                matters[p.name] = matters[parent] and named[at][choice[at]] in waking
            row += values[index] if matters[p.name] else [np.asarray(v).item() for v in p.default_columns]
        found[tuple(row)] = None
    return list(found)


def describe_value(parameter: Parameter, value: tuple[Any, ...]) -> Any:
    """One value, a number a column, as a person writes it."""
    lists = parameter.describe([np.array([number]) for number in value])
    return tuple(names[0] for names in lists) if isinstance(parameter, Subset) else lists[0][0]


def rows(designs: Columns) -> list[tuple[Any, ...]]:
    """Designs as tuples of column values."""
    return list(zip(*[column.tolist() for column in designs.values()], strict=True))


def columns_of(space: DesignSpace, found: list[tuple[Any, ...]]) -> Columns:
    """Tuples of column values as columns."""
    return {name: np.array([row[j] for row in found], space.dtypes[name]) for j, name in enumerate(space.columns)}


def equal(a: Columns, b: Columns) -> bool:
    return list(a) == list(b) and all((a[name] == b[name]).all() for name in a)


def take(designs: Columns, keep: object) -> Columns:
    return {name: column[keep] for name, column in designs.items()}  # type: ignore[index]


def valid_rows(space: DesignSpace) -> list[tuple[object, ...]]:
    """Valid designs by brute force: constraints asked one by one."""
    found = brute_force(space)
    designs = columns_of(space, found)
    keep = np.ones(len(found), bool)
    for constraint in space.constraints:
        if isinstance(constraint, str):
            keep &= text_holds(space, constraint, designs)
        else:
            keep &= constraint(designs)
    return [row for row, kept in zip(found, keep, strict=True) if kept]


def text_holds(space: DesignSpace, text: str, designs: Columns) -> list[bool]:
    """What Python itself says of the text; names stand for categories."""
    names = {p.name: p for p in space.parameters}
    out = []
    for row in rows(designs):
        scope = dict(zip(designs, row, strict=True))
        if "'" in text:
            scope = {k: names[k].choices[v] if isinstance(names.get(k), Categorical) else v for k, v in scope.items()}  # type: ignore[union-attr]
        out.append(bool(eval(text, {"max": max}, scope)))
    return out
