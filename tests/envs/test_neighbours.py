"""Neighbours against their definition: one step of one parameter, worked out pair by pair."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import columns_of, rows, spaces

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Parameter, Permutation, Subset

Row = tuple[Any, ...]


def is_one_step(parameter: Parameter, a: list[Any], b: list[Any]) -> bool:
    """Whether two values of one parameter, as people write them, are one step apart."""
    if isinstance(parameter, Permutation):
        one, other = a[0].split(","), b[0].split(",")
        swaps = [[*one[:j], one[j + 1], one[j], *one[j + 2 :]] for j in range(len(one) - 1)]
        return other in swaps
    if isinstance(parameter, Subset):
        return len(set(a) - set(b)) == 1
    if isinstance(parameter, Categorical):
        return bool(a != b)
    if isinstance(parameter, Ordinal):
        return abs(parameter.values.index(a[0]) - parameter.values.index(b[0])) == 1
    assert isinstance(parameter, Integer)
    return abs(a[0] - b[0]) == parameter.step


def described(space: DesignSpace, row: Row) -> dict[str, Any]:
    return {name: values[0] for name, values in space.describe(columns_of(space, [row])).items()}


def step_between(space: DesignSpace, one: Row, other: Row) -> bool:
    """Whether `other` is `one` with one active parameter a step away, and what that wakes or puts to sleep."""
    a, b = described(space, one), described(space, other)
    for parameter in space.parameters:
        mine, theirs = [a[c] for c in parameter.columns], [b[c] for c in parameter.columns]
        if None in mine or None in theirs or not is_one_step(parameter, mine, theirs):
            continue
        # Everything else stays, but for parameters that fall asleep or wake at their default.
        stays = True
        for rest in space.parameters:
            if rest is parameter:
                continue
            default = described_default(rest)
            for column, value in zip(rest.columns, default, strict=True):
                woke = a[column] is None and b[column] == value
                stays &= a[column] == b[column] or b[column] is None or woke
        if stays:
            return True
    return False


def described_default(parameter: Parameter) -> list[Any]:
    return [values[0] for values in parameter.describe([np.array([v]) for v in parameter.default_columns])]


def neighbours_of(space: DesignSpace, row: Row) -> list[Row]:
    return rows(space.neighbours(columns_of(space, [row])))


@given(spaces(), st.data())
def test_neighbours_are_the_valid_designs_one_step_away(space: DesignSpace, data: st.DataObject) -> None:
    assume(0 < space.count_valid() <= 300)
    valid = [row for designs in space.enumerate() for row in rows(designs)]
    row = data.draw(st.sampled_from(valid))
    found = neighbours_of(space, row)
    assert len(set(found)) == len(found)
    assert set(found) == {other for other in valid if step_between(space, row, other)}


@given(spaces(), st.data())
def test_a_step_can_be_taken_back_unless_it_put_a_parameter_to_sleep(space: DesignSpace, data: st.DataObject) -> None:
    assume(0 < space.count_valid() <= 2000)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    (row,) = rows(space.sample(1, rng))
    for other in neighbours_of(space, row):
        before, after = described(space, row), described(space, other)
        slept = any(before[c] is not None and after[c] is None for c in space.columns)
        default = {c: v for p in space.parameters for c, v in zip(p.columns, described_default(p), strict=True)}
        lost = any(after[c] is None and before[c] not in (None, default[c]) for c in space.columns)
        assert (row in neighbours_of(space, other)) == (not lost)
        assert slept or not lost


def test_neighbours_of_a_large_subset_and_permutation() -> None:
    space = DesignSpace(Subset("s", 1000, 10), Permutation("p", tuple(map(str, range(20)))))
    design = space.sample(1, np.random.default_rng(0))
    found = space.neighbours(design)
    assert batch_length(found) == 10 * 990 + 19
    assert space.contains(found).all()
    assert len(set(rows(found))) == 10 * 990 + 19


def test_a_whole_subset_has_no_neighbours_and_a_lone_value_neither() -> None:
    space = DesignSpace(Subset("s", 3, 3), Integer("x", 4, 4), Categorical("c", ("only",)))
    assert batch_length(space.neighbours(space.sample(1, np.random.default_rng(0)))) == 0


def test_the_spelling_of_a_design_does_not_matter() -> None:
    space = DesignSpace(Integer("x", 0, 4), Ordinal("y", (1, 2, 4)))
    found = space.neighbours({"x": np.array([2.0]), "y": np.array([4.0])})
    assert sorted(rows(found)) == [(1, 4), (2, 2), (3, 4)]
    assert {name: column.dtype for name, column in found.items()} == space.dtypes


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"c": [0, 1], "x": [0, 3]}, "one design, got 2"),
        ({"c": [0], "x": [3]}, "valid, canonical design, got {'c': 'off', 'x': None}"),
        ({"c": [7], "x": [0]}, "valid, canonical design"),
        ({"c": [1], "x": [9]}, "valid, canonical design, got {'c': 'on', 'x': 9}"),
    ],
)
def test_only_one_canonical_design_has_neighbours(design: dict[str, list[int]], message: str) -> None:
    space = DesignSpace(Categorical("c", ("off", "on")), Integer("x", 0, 4, when=("c", {"on"})))
    columns: Columns = {name: np.array(values) for name, values in design.items()}
    with pytest.raises(ValueError, match=message):
        space.neighbours(columns)


def test_a_float_is_refused_by_name() -> None:
    space = DesignSpace(Integer("x", 0, 9), Float("pressure", 0, 1))
    with pytest.raises(ValueError, match="pressure"):
        space.neighbours(space.sample(1, np.random.default_rng(0)))
