"""What a space holds, what it refuses, and what it says of itself."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import designs_of, even_sum, rows, spaces, valid_rows

from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset

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
