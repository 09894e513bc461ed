"""The design space against brute force, over random spaces with conditions and constraints."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import (
    brute_force,
    columns_of,
    designs_of,
    equal,
    even_sum,
    rows,
    spaces,
    take,
)

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset

CHI2_999_999 = 4.753  # standard normal quantile of 1 - 1e-6


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


# -- membership -------------------------------------------------------------------------------------------------------


@given(spaces())
def test_contains_exactly_the_valid_designs(space: DesignSpace) -> None:
    designs = space.unrank(np.arange(space.size))
    valid = set(valid_rows(space))
    assert space.contains(designs).tolist() == [row in valid for row in rows(designs)]
    assert ((space.violation(designs) == 0) == space.contains(designs)).all()


ALL_KINDS = DesignSpace(
    Integer("i", 2, 11, 3),
    Ordinal("o", (1, 4, 16)),
    Categorical("c", ("p", "q")),
    Permutation("p", ("x", "y", "z")),
    Subset("s", 4, 2),
    Float("f", 0.5, 2.0),
    Ordinal("r", (0.5, 1.5)),
)
GOOD = {"i": 5.0, "o": 4.0, "c": 1.0, "p": 5.0, "s_0": 0.0, "s_1": 3.0, "f": 0.5, "r": 1.5}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("i", [1, 3, 14, 2.5, np.nan, np.inf, -1e300, 1e19]),
        ("o", [0, 2, 17, 4.5, np.nan, np.inf, -np.inf]),
        ("c", [-1, 2, 0.5, np.nan, np.inf]),
        ("p", [-1, 6, 0.5, np.nan, np.inf]),
        ("s_0", [-1, 3, 4, 0.5, np.nan, np.inf]),
        ("s_1", [4, 0, 2.5, np.nan, np.inf]),
        ("f", [0.4999, 2.0001, np.nan, np.inf]),
        ("r", [0.4, 1, 2, np.nan, np.inf]),
    ],
)
def test_an_illegal_value_is_one_violation(name: str, values: list[float]) -> None:
    good = {column: np.full(len(values), value) for column, value in GOOD.items()}
    assert ALL_KINDS.contains(good).all()
    bad = good | {name: np.array(values)}
    assert ALL_KINDS.illegal(bad).tolist() == [1] * len(values)
    assert ALL_KINDS.violation(bad).tolist() == [1.0] * len(values)
    assert not ALL_KINDS.contains(bad).any()
    assert not ALL_KINDS.contains(ALL_KINDS.canonical(bad)).any()
    names = ALL_KINDS.describe(bad)  # a message about such a design must be possible
    assert len(names[name]) == len(values)


@pytest.mark.parametrize("extreme", [-(2**63), 2**63 - 1, 2**62])
@pytest.mark.parametrize("name", ["i", "o", "c", "p", "s_0", "s_1"])
def test_extreme_integers_are_illegal(name: str, extreme: int) -> None:
    good = {column: np.array([value]) if value % 1 else np.array([int(value)]) for column, value in GOOD.items()}
    assert ALL_KINDS.illegal(good | {name: np.array([extreme])}).tolist() == [1]


def test_violations_add_up() -> None:
    space = DesignSpace(Integer("x", 0, 9), Integer("y", 0, 9), constraints=("x <= 4", even_sum, "y <= 2"))
    designs = {"x": np.array([0, 9, 9, 99]), "y": np.array([0, 0, 3, 77])}
    assert space.violation(designs).tolist() == [0.0, 1.25 + 1.0, 1.25 + 0.5, 2.0]


def test_missing_columns_are_named() -> None:
    space = DesignSpace(Categorical("a", ("x", "y")), Integer("b", 0, 3, when=("a", {"y"})))
    for method in (space.canonical, space.violation, space.contains):
        with pytest.raises(ValueError, match="designs lack the columns a; they need a, b"):
            method({"b": np.array([1])})


# -- refusals and values ----------------------------------------------------------------------------------------------


def test_a_float_is_refused_by_name_where_there_are_no_ranks() -> None:
    space = DesignSpace(Integer("x", 0, 9), Float("pressure", 0, 1))
    assert space.size == math.inf
    designs = space.sample(1, np.random.default_rng(0))
    for call in (
        lambda: space.rank(designs),
        lambda: space.unrank([0]),  # type: ignore[arg-type]
        lambda: space.enumerate(),
        lambda: space.neighbours(designs),
        lambda: space.count_valid(),
    ):
        with pytest.raises(ValueError, match="pressure"):
            call()


def test_ranks_outside_the_space_are_refused() -> None:
    space = DesignSpace(Integer("x", 0, 9))
    for bad in ([10], [-1], [0, 10]):
        with pytest.raises(ValueError, match=r"ranks must be in \[0, 10\)"):
            space.unrank(np.array(bad))
    assert rows(space.unrank(np.zeros(0, int))) == []
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        space.enumerate(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Integer("x", 3, 2), "low <= high"),
        (lambda: Integer("x", 0, 9, 0), "step >= 1"),
        (lambda: Integer("x", 0, 2**53), "at most 2\\*\\*52"),
        (lambda: Integer("x", 2**70, 2**70 + 1), "within 2\\*\\*62"),
        (lambda: Integer("x", 0, 4, log=True), "log needs low >= 1"),
        (lambda: Integer("2x", 0, 4), "identifier"),
        (lambda: Integer("lambda", 0, 4), "keyword"),
        (lambda: Integer("x", 0, 4, default=5), r"x must be an integer in \[0, 4\], got 5"),
        (lambda: Ordinal("x", ()), "increasing"),
        (lambda: Ordinal("x", (2, 1)), "increasing"),
        (lambda: Ordinal("x", (1, math.nan)), "increasing"),
        (lambda: Ordinal("x", (1, math.inf)), "increasing"),
        (lambda: Ordinal("x", (1, 2**64)), "increasing"),
        (lambda: Ordinal("x", (0.5, 2**53, 2**53 + 1)), "increasing"),
        (lambda: Ordinal("x", ("a", "b")), "increasing"),  # type: ignore[arg-type]
        (lambda: Categorical("x", ()), "different names"),
        (lambda: Categorical("x", ("a", "a")), "different names"),
        (lambda: Categorical("x", (1, 2)), "different names"),  # type: ignore[arg-type]
        (lambda: Permutation("x", ("a",)), "2 to 20"),
        (lambda: Permutation("x", tuple(map(str, range(21)))), "2 to 20"),
        (lambda: Permutation("x", ("a,b", "c")), "comma"),
        (lambda: Subset("x", 3, 0), "1 <= k <= n"),
        (lambda: Subset("x", 3, 4), "1 <= k <= n"),
        (lambda: Float("x", 1, 1), "low < high"),
        (lambda: Float("x", -1e308, 1e308), "finite"),
        (lambda: Float("x", 0, math.inf), "finite"),
        (lambda: Float("x", math.nan, 1), "finite"),
        (lambda: Float("x", 0, 1, log=True), "low > 0"),
        (lambda: Float("x", 1e-300, 1e300, log=True), "finite high / low"),
        (lambda: Integer("x", 0, 4, when=("y", "on")), "set of values"),
        (lambda: Integer("x", 0, 4, when=("y", ())), "set of values"),
        (lambda: Integer("x", 0, 4, when=("y", 3)), "set of values"),  # type: ignore[arg-type]
        (lambda: DesignSpace(Integer("x", 0, 1), Integer("x", 0, 1)), "different names"),
        (lambda: DesignSpace(Subset("x", 3, 2), Integer("x_0", 0, 1)), "different names"),
        (lambda: DesignSpace(Integer("x", 0, 1, when=("y", {1})), Integer("y", 0, 1)), "declared before it"),
        (lambda: DesignSpace(Float("y", 0, 1), Integer("x", 0, 1, when=("y", {1}))), "discrete"),
        (lambda: DesignSpace(Permutation("y", tuple("abc")), Integer("x", 0, 1, when=("y", {"a,b,c"}))), "discrete"),
        (lambda: DesignSpace(Categorical("mode", ("on",)), Integer("x", 0, 1, when=("mod", {"on"}))), "Did you mean"),
        (
            lambda: DesignSpace(Categorical("mode", ("on",)), Integer("x", 0, 1, when=("mode", {"om"}))),
            "mode must be one of on",
        ),
        (lambda: DesignSpace(Integer("y", 0, 2**21), Integer("x", 0, 1, when=("y", {1}))), "at most 1048576 values"),
        (lambda: DesignSpace(Integer("width", 0, 1), constraints=("widht <= 0",)), "Did you mean 'width'"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(make, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'width'"):
        DesignSpace(Integer("width", 0, 1))["with"]


@given(spaces(floats_too=True))
def test_spaces_pickle_and_compare(space: DesignSpace) -> None:
    list(space.to_optuna().distributions)  # fills every cache
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert hash(again) == hash(space)
    assert repr(again) == repr(space)
    assert space != DesignSpace(*space.parameters, Integer("one_more", 0, 1), constraints=space.constraints)
    assert space != "a space"
    if not space.has_floats:
        assert again.size == space.size


def test_a_condition_prints_alike_whatever_the_order_of_its_set() -> None:
    one = Integer("x", 0, 1, when=("y", ["b", "a"]))
    assert one == Integer("x", 0, 1, when=("y", {"a", "b"}))
    assert hash(one) == hash(Integer("x", 0, 1, when=("y", {"b", "a"})))


@given(spaces(floats_too=True), st.data())
def test_specs_bound_every_column(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    specs = {spec.name: spec for spec in space.specs()}
    assert list(specs) == list(space.columns)
    for name, column in designs.items():
        assert (column >= specs[name].low).all()
        assert (column <= specs[name].high).all()
        assert (specs[name].choices == 0) == (specs[name].kind == "float")
