"""The designs of a space, counted, ranked, drawn and spelt, against brute force over random spaces."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import brute_force, columns_of, designs_of, equal, rows, spaces, take, valid_rows

from designgym.cost_models.base import batch_length
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset

CHI2_999_999 = 4.753  # standard normal quantile of 1 - 1e-6


# -- counting ---------------------------------------------------------------------------------------------------------


@given(spaces())
def test_size_is_exact(space: DesignSpace) -> None:
    assert space.size == len(brute_force(space))
    assert isinstance(space.size, int)


@given(spaces())
def test_rank_and_unrank_are_a_bijection(space: DesignSpace) -> None:
    ranks = np.arange(space.size)
    designs = space.unrank(ranks)
    assert sorted(rows(designs)) == sorted(brute_force(space))
    assert (space.rank(designs) == ranks).all()
    assert {name: column.dtype for name, column in designs.items()} == space.dtypes


@given(spaces(large_too=True), st.data())
def test_rank_and_unrank_of_spaces_past_64_bits(space: DesignSpace, data: st.DataObject) -> None:
    assert isinstance(space.size, int)
    drawn = [data.draw(st.integers(0, space.size - 1)) for _ in range(6)]
    ranks = np.array([0, space.size - 1, *drawn], object)
    designs = space.unrank(ranks)
    assert space.contains(designs).all() or space.constraints
    assert [int(rank) for rank in space.rank(designs)] == ranks.tolist()
    assert equal(space.unrank(space.rank(designs)), designs)


def test_rank_and_unrank_of_the_largest_kinds() -> None:
    items = tuple(f"i{j}" for j in range(20))
    space = DesignSpace(Permutation("order", items), Subset("chosen", 1000, 10), Integer("x", 0, 2**52 - 1))
    assert space.size == math.factorial(20) * math.comb(1000, 10) * 2**52
    rng = np.random.default_rng(0)
    ranks = np.array([int.from_bytes(rng.bytes(40), "little") % space.size for _ in range(500)], object)
    designs = space.unrank(ranks)
    assert space.contains(designs).all()
    assert (space.rank(designs) == ranks).all()
    assert equal(space.decode(space.encode(designs)), designs)


def test_ranks_of_conditional_subtrees_past_64_bits() -> None:
    space = DesignSpace(
        Categorical("kind", ("none", "some", "all")),
        Subset("chosen", 500, 9, when=("kind", {"some"})),
        Permutation("order", tuple("abcdefghijklmnopqrst"), when=("kind", {"some", "all"})),
    )
    assert space.size == 1 + math.comb(500, 9) * math.factorial(20) + math.factorial(20)
    ranks = np.array([0, 1, 2, space.size // 2, space.size - math.factorial(20), space.size - 1], object)
    assert (space.rank(space.unrank(ranks)) == ranks).all()


@given(spaces(), st.integers(1, 60))
def test_enumerate_yields_each_valid_design_once(space: DesignSpace, chunk: int) -> None:
    found: list[tuple[object, ...]] = []
    for designs in space.enumerate(chunk):
        assert 1 <= batch_length(designs) <= chunk
        assert list(designs) == list(space.columns)
        found += rows(designs)
    assert len(set(found)) == len(found) == space.count_valid()
    assert set(found) == set(valid_rows(space))
    assert (np.diff(space.rank(columns_of(space, found))) > 0).all()


def test_enumerate_starts_on_a_space_past_64_bits() -> None:
    space = DesignSpace(Permutation("order", tuple("abcdefghijklmnopqrst")), Integer("x", 0, 9), Integer("y", 0, 9))
    first = next(space.enumerate(250))
    assert (space.rank(first) == np.arange(200)).all()


# -- sampling ---------------------------------------------------------------------------------------------------------


@given(spaces(), st.integers(0, 2**32))
def test_samples_are_valid_and_canonical(space: DesignSpace, seed: int) -> None:
    assume(space.count_valid() > 0)
    designs = space.sample(50, np.random.default_rng(seed))
    assert batch_length(designs) == 50
    assert space.contains(designs).all()
    assert {name: column.dtype for name, column in designs.items()} == space.dtypes
    assert equal(designs, space.sample(50, np.random.default_rng(seed)))


@given(spaces(floats_too=True, constrained=False), st.integers(0, 2**32))
def test_samples_with_a_float_are_valid(space: DesignSpace, seed: int) -> None:
    assert space.contains(space.sample(50, np.random.default_rng(seed))).all()


@settings(max_examples=30, derandomize=True)
@given(spaces())
def test_samples_are_uniform_over_the_valid_designs(space: DesignSpace) -> None:
    valid = valid_rows(space)
    assume(1 < len(valid) <= 400)
    n = 40 * len(valid)
    counts = dict.fromkeys(valid, 0)
    for row in rows(space.sample(n, np.random.default_rng(1))):
        counts[row] += 1
    chi2 = sum((count - 40) ** 2 / 40 for count in counts.values())
    freedom = len(valid) - 1
    # Wilson and Hilferty's normal approximation of the chi-square distribution, at one in a million.
    limit = freedom * (1 - 2 / (9 * freedom) + CHI2_999_999 * math.sqrt(2 / (9 * freedom))) ** 3
    assert chi2 < limit


def test_a_float_is_sampled_uniformly_over_its_range() -> None:
    space = DesignSpace(Float("x", -2.0, 6.0), Float("y", 1e-3, 1e3, log=True))
    designs = space.sample(20_000, np.random.default_rng(3))
    for share in (np.sort((designs["x"] + 2) / 8), np.sort(np.log10(designs["y"]) / 6 + 0.5)):
        # Kolmogorov's distance; sqrt(n) * distance passes 2.7 once in a million.
        distance = np.abs(share - np.linspace(0, 1, len(share))).max()
        assert math.sqrt(len(share)) * distance < 2.7


def test_sampling_gives_up_aloud() -> None:
    space = DesignSpace(Integer("x", 0, 9), Integer("y", 0, 9), constraints=("x + y > 100",))
    with pytest.raises(RuntimeError, match=r"found 0 of 3 valid designs .*'x \+ y > 100'.*Loosen"):
        space.sample(3, np.random.default_rng(0))


@given(spaces(floats_too=True))
def test_no_designs_can_be_sampled_too(space: DesignSpace) -> None:
    designs = space.sample(0, np.random.default_rng(0))
    assert {name: column.shape for name, column in designs.items()} == dict.fromkeys(space.columns, (0,))


def test_branches_of_sizes_past_a_float_can_be_drawn() -> None:
    space = DesignSpace(
        Categorical("kind", ("small", "large")),
        Subset("chosen", 2000, 900, when=("kind", {"large"})),
        Float("x", 0, 1),
    )
    assert space.size == math.inf
    assert space.sample(5, np.random.default_rng(0))["kind"].tolist() == [1] * 5


# -- one spelling -----------------------------------------------------------------------------------------------------


@given(spaces(), st.data())
def test_two_spellings_of_a_design_are_one(space: DesignSpace, data: st.DataObject) -> None:
    """Idle parameters at any value, and columns as floats: the same canonical design, of the same rank."""
    designs = data.draw(designs_of(space))
    other = data.draw(designs_of(space))
    active = space.active(designs)
    spelt = dict(designs)
    for parameter in space.parameters:
        if parameter.name in active:
            for name in parameter.columns:
                spelt[name] = np.where(active[parameter.name], designs[name], other[name])
    spelt = {name: column.astype(float) for name, column in spelt.items()}
    canonical = space.canonical(spelt | {"unknown": np.zeros(8)})
    assert equal(canonical, designs)
    assert {name: column.dtype for name, column in canonical.items()} == space.dtypes
    assert (space.rank(canonical) == space.rank(designs)).all()
    same = np.all([spelt[name] == designs[name] for name in space.columns], axis=0)
    assert (space.contains(spelt) == (same & space.contains(designs))).all()


def test_an_integer_spelling_of_an_idle_fraction_keeps_the_default() -> None:
    space = DesignSpace(
        Categorical("kind", ("off", "on")), Ordinal("gain", (1, 2.5, 4), default=2.5, when=("kind", {"on"}))
    )
    designs = space.canonical({"kind": np.array([0, 1]), "gain": np.array([4, 4])})
    assert designs["gain"].tolist() == [2.5, 4.0]
    assert space.contains(designs).all()


def test_zero_has_one_sign() -> None:
    space = DesignSpace(Float("x", -1, 1))
    assert not np.signbit(space.canonical({"x": np.array([-0.0])})["x"][0])


def test_a_parameter_under_an_idle_one_is_idle() -> None:
    space = DesignSpace(
        Categorical("a", ("off", "on")),
        Integer("b", 0, 3, default=3, when=("a", {"on"})),
        Integer("c", 0, 5, when=("b", {3})),
    )
    assert space.size == 1 + 3 + 6
    designs = space.canonical({"a": np.array([0]), "b": np.array([1]), "c": np.array([4])})
    assert rows(designs) == [(0, 3, 0)]
    assert space.describe(designs) == {"a": ["off"], "b": [None], "c": [None]}


@given(spaces(large_too=True), st.data())
def test_single_column_parents_of_every_kind_wake_children(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    assert equal(space.canonical(designs), designs)
    for parameter in space.parameters:
        if parameter.when is not None:
            awake = space.active(designs)[parameter.name]
            default = take(designs, ~awake)
            for name, value in zip(parameter.columns, parameter.default_columns, strict=True):
                assert (default[name] == value).all()
