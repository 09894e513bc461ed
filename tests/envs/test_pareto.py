"""Pareto sets against their definitions, worked out row by row."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from designgym.envs._pareto_kernel import undominated_by
from designgym.envs.pareto import (
    crowding_distance,
    hypervolume,
    hypervolume_so_far,
    nondominated,
    nondominated_ranks,
)

Losses = NDArray[np.float64]


@st.composite
def losses(draw: st.DrawFn, most: int = 30) -> Losses:
    """Few different values, so that ties and equal rows are common; infinities too."""
    shape = (draw(st.integers(0, most)), draw(st.integers(1, 4)))
    values = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 1.5, 3.0, np.inf])
    return draw(arrays(np.float64, shape, elements=values))


def dominates(a: Losses, b: Losses) -> bool:
    return bool((a <= b).all() and (a < b).any())


def slow_nondominated(rows: Losses) -> list[bool]:
    return [not any(dominates(other, row) for other in rows) for row in rows]


@given(losses())
def test_nondominated_by_definition(rows: Losses) -> None:
    assert nondominated(rows).tolist() == slow_nondominated(rows)


@given(losses(), losses())
def test_undominated_by_another_set(front: Losses, rows: Losses) -> None:
    rows = np.resize(rows, (len(rows), front.shape[1])) if rows.size else np.empty((0, front.shape[1]))
    expected = [not any(dominates(other, row) for other in front) for row in rows]
    assert undominated_by(front.copy(), rows).tolist() == expected


@given(losses())
def test_ranks_peel_front_after_front(rows: Losses) -> None:
    expected = np.full(len(rows), -1)
    for front in itertools.count():
        left = np.flatnonzero(expected < 0)
        if not len(left):
            break
        expected[left[slow_nondominated(rows[left])]] = front
    assert nondominated_ranks(rows).tolist() == expected.tolist()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_more_rows_than_sixteen_bits_count(k: int) -> None:
    rows = np.random.default_rng(k).integers(0, 300, (70_000, k)).astype(float)
    keep = nondominated(rows)
    front = np.unique(rows[keep], axis=0)
    assert ((nondominated_ranks(rows) == 0) == keep).all()
    assert undominated_by(front.copy(), rows).sum() == keep.sum()
    assert slow_nondominated(front) == [True] * len(front)


def slow_crowding(rows: Losses, ranks: NDArray[np.int64]) -> Losses:
    """Algorithm crowding-distance-assignment of the paper, line by line."""
    distance = np.zeros(len(rows))
    for front in set(ranks.tolist()):
        members = np.flatnonzero(ranks == front)
        for j in range(rows.shape[1]):
            order = members[np.argsort(rows[members, j], kind="stable")]
            values = rows[order, j]
            distance[order[0]] = distance[order[-1]] = np.inf
            for i in range(1, len(order) - 1):
                if values[-1] > values[0]:
                    distance[order[i]] += (values[i + 1] - values[i - 1]) / (values[-1] - values[0])
    return distance


@given(losses())
def test_crowding_as_printed(rows: Losses) -> None:
    rows = np.where(np.isinf(rows), 4.0, rows)
    ranks = nondominated_ranks(rows)
    np.testing.assert_allclose(crowding_distance(rows, ranks), slow_crowding(rows, ranks), rtol=1e-12)


def test_crowding_survives_infinite_losses() -> None:
    rows = np.array([[0.0, np.inf], [1.0, 2.0], [2.0, 1.0], [3.0, 0.0]])
    crowding = crowding_distance(rows, nondominated_ranks(rows))
    assert not np.isnan(crowding).any()
    assert np.isinf(crowding[[0, 3]]).all()


@given(losses(12), st.data())
def test_hypervolume_counts_the_grid_cells_below_the_reference(rows: Losses, data: st.DataObject) -> None:
    grid = np.arange(-2.0, 3.5, 0.5)  # every loss and reference lies on it: cells are all in or all out
    values = st.sampled_from(grid.tolist())
    reference = data.draw(arrays(np.float64, rows.shape[1], elements=values))
    cells = np.stack(np.meshgrid(*[grid] * rows.shape[1], indexing="ij"), axis=-1).reshape(-1, rows.shape[1])
    inside = (cells < reference).all(axis=1)
    covered = (rows[:, None] <= cells[None]).all(axis=2).any(axis=0) & inside
    expected = covered.sum() * 0.5 ** rows.shape[1]
    assert hypervolume(rows, reference) == pytest.approx(expected, rel=1e-12)
    so_far = hypervolume_so_far(rows, reference)
    assert so_far.shape == (len(rows),)
    for i in range(len(rows)):
        assert so_far[i] == pytest.approx(hypervolume(rows[: i + 1], reference), rel=1e-12)


def test_hypervolume_of_a_plane_in_three_losses() -> None:
    """n (n + 1) (n + 2) / 6 unit cubes are stacked in a corner of side n."""
    n = 6
    corner = np.array([(i, j, n - 1 - i - j) for i in range(n) for j in range(n - i)], float)
    assert hypervolume(-1.0 - corner, np.zeros(3)) == n * (n + 1) * (n + 2) / 6


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_hypervolume_of_continuous_losses_by_inclusion_and_exclusion(seed: int) -> None:
    gains = np.random.default_rng(seed).random((6, 3))
    expected = sum(
        (-1) ** (size + 1) * np.prod(np.min(rows, axis=0))
        for size in range(1, 7)
        for rows in itertools.combinations(gains, size)
    )
    assert hypervolume(-gains, np.zeros(3)) == pytest.approx(expected, rel=1e-9)


def test_a_row_without_losses_adds_no_volume() -> None:
    rows = np.array([[np.nan, 1.0], [1.0, 1.0], [np.nan, np.nan], [0.0, 0.0]])
    assert hypervolume_so_far(rows, np.array([2.0, 2.0])).tolist() == [0.0, 1.0, 1.0, 4.0]


@pytest.mark.parametrize("function", [nondominated, nondominated_ranks])
def test_nan_is_refused(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="must not be NaN, got 1 such"):
        function(np.array([[1.0, np.nan], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="shape"):
        function(np.zeros(3))
    with pytest.raises(ValueError, match="shape"):
        hypervolume(np.zeros((3, 2)), np.zeros(3))
