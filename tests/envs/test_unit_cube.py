"""The unit cube: every value is reached, equally often, and what was encoded is decoded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    designs_of,
    equal,
    spaces,
    take,
)

from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset


@given(spaces(constrained=False))
def test_each_index_has_an_equal_share_of_the_unit_interval(space: DesignSpace) -> None:
    per_index = 8
    unit = np.zeros((1, len(space.cardinalities)))
    for j, cardinality in enumerate(space.cardinalities):
        grid = np.repeat(unit, cardinality * per_index, axis=0)
        grid[:, j] = (np.arange(len(grid)) + 0.5) / len(grid)
        captured: list[int] = []
        digits = capture_digits(space, grid)[j]
        captured += digits.tolist()
        assert np.bincount(captured, minlength=cardinality).tolist() == [per_index] * cardinality


def capture_digits(space: DesignSpace, unit: np.ndarray) -> list[np.ndarray]:  # type: ignore[type-arg]
    """The digits that decode makes of the unit cube, before they become values."""
    seen: list[list[np.ndarray]] = []  # type: ignore[type-arg]

    class Spy(DesignSpace):
        def from_digits(self, digits):  # type: ignore[no-untyped-def]
            seen.append(digits)
            return super().from_digits(digits)

    Spy(*space.parameters).decode(unit)
    return seen[0]


@pytest.mark.parametrize(
    "parameter",
    [
        Integer("x", -3, 9, 4),
        Ordinal("x", (-1, 0.5, 7)),
        Categorical("x", ("p", "q", "r", "s", "t")),
        Permutation("x", ("p", "q", "r", "s")),
        Subset("x", 5, 3),
        Subset("x", 4, 4),
        Subset("x", 6, 1),
    ],
    ids=repr,
)
def test_every_value_is_decoded_from_equally_many_cells_of_the_cube(parameter) -> None:  # type: ignore[no-untyped-def]
    space = DesignSpace(parameter)
    axes = [(np.arange(c) + 0.5) / c for c in space.cardinalities]
    unit = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    counts = np.bincount(space.rank(space.decode(unit)), minlength=parameter.count)
    assert counts.tolist() == [len(unit) // parameter.count] * parameter.count


@given(spaces(large_too=True), st.data())
def test_decode_inverts_encode(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    unit = space.encode(designs)
    assert unit.shape == (8, len(space.cardinalities))
    assert ((unit >= 0) & (unit < 1)).all()
    assert equal(space.decode(unit), designs)


@given(spaces(floats_too=True), st.data())
def test_decode_inverts_encode_within_1e_12_of_a_floats_range(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    again = space.decode(space.encode(designs))
    for parameter in space.parameters:
        for name in parameter.columns:
            if isinstance(parameter, Float):
                scale = designs[name] if parameter.log else parameter.high - parameter.low
                assert (np.abs(again[name] - designs[name]) <= 1e-12 * scale).all()
            else:
                assert (again[name] == designs[name]).all()


@given(spaces(floats_too=True), st.data())
def test_the_ends_of_a_float_survive(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space, 2))
    for parameter in space.parameters:
        if isinstance(parameter, Float):
            designs[parameter.name] = np.array([parameter.low, parameter.high])
    designs = space.canonical(designs)
    unit = space.encode(designs)
    assert ((unit >= 0) & (unit < 1)).all()
    assert (space.illegal(space.decode(unit)) == 0).all()


@given(st.integers(1, 2**52), st.data())
def test_indices_survive_the_cube_up_to_the_largest_cardinality(count: int, data: st.DataObject) -> None:
    space = DesignSpace(Integer("x", 0, count - 1))
    index = data.draw(st.integers(0, count - 1))
    designs = {"x": np.array([0, index, count - 1])}
    assert equal(space.decode(space.encode(designs)), designs)
    assert space.decode(np.array([[np.nextafter(1, 0)]]))["x"][0] == count - 1
    assert space.decode(np.zeros((1, 1)))["x"][0] == 0


@pytest.mark.parametrize("bad", [1.0, -1e-9, np.nan, np.inf])
def test_decode_refuses_what_lies_outside_the_cube(bad: float) -> None:
    space = DesignSpace(Integer("x", 0, 9), Float("y", 0, 1))
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        space.decode(np.array([[0.5, bad]]))
    with pytest.raises(ValueError, match=r"shape \(n, 2\), got \(2,\)"):
        space.decode(np.array([0.5, 0.5]))


@given(spaces(floats_too=True), st.data())
def test_one_design_decodes_as_in_a_batch(space: DesignSpace, data: st.DataObject) -> None:
    unit = np.random.default_rng(data.draw(st.integers(0, 2**32))).random((5, len(space.cardinalities)))
    together = space.decode(unit)
    for i in range(5):
        assert equal(space.decode(unit[i : i + 1]), take(together, slice(i, i + 1)))


@given(spaces(), st.data())
def test_one_from_digits_is_from_digits(space: DesignSpace, data: st.DataObject) -> None:
    digits = [data.draw(st.integers(0, c - 1)) for c in space.cardinalities]
    batch = space.from_digits([np.array([digit]) for digit in digits])
    one = space.one_from_digits(digits)
    assert equal(one, batch)
    assert {name: column.dtype for name, column in one.items()} == space.dtypes
