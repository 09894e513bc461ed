"""Constraints as texts: what they mean, and what they refuse."""

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from designgym.cost_models.registry import nearest
from designgym.envs.constraints import Constraint

NAMES = ("a", "b", "c", "max")
numbers = st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if not depth or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(["a", "b", "c"]) | st.integers(0, 9).map(str) | st.just("0.5"))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    kind = draw(st.sampled_from(["+", "-", "*", "-x", "min", "max", "abs", "max3"]))
    forms = {"-x": f"-({left})", "abs": f"abs({left})", "max3": f"max({left}, {right}, a)"}
    if kind in ("min", "max"):
        return f"{kind}({left}, {right})"
    return forms.get(kind, f"({left}) {kind} ({right})")


@given(expressions(), expressions(), st.sampled_from(["<=", ">=", "<", ">", "==", "!="]), st.data())
def test_a_text_means_what_python_means(left: str, right: str, op: str, data: st.DataObject) -> None:
    constraint = Constraint(f"{left} {op} {right}", NAMES)
    columns = {name: data.draw(arrays(float, 5, elements=numbers)) for name in ("a", "b", "c")}
    violation = np.broadcast_to(constraint.violation(columns), 5)
    for i in range(5):
        scope = {name: column[i].item() for name, column in columns.items()}
        one, other = (float(eval(side, {"min": min, "max": max, "abs": abs}, scope)) for side in (left, right))
        assert (violation[i] == 0) == eval(f"one {op} other", {}, {"one": one, "other": other})
        bound = one if constraint.used and not Constraint(f"{left} <= 0", NAMES).used else other
        if violation[i] > 0 and op != "!=":
            excess = abs(one - other) / max(abs(bound), 1e-12)
            assert violation[i] == pytest.approx(max(excess, 1e-12), rel=1e-9)
        alone = constraint.violation({name: column[i : i + 1] for name, column in columns.items()})
        assert alone.tolist() == [violation[i]], "one design is judged as in a batch"


@pytest.mark.parametrize(
    ("text", "a", "violation"),
    [
        ("a <= 10", [9, 10, 11, 30], [0, 0, 0.1, 2]),
        ("a >= 10", [9, 10, 11, -10], [0.1, 0, 0, 2]),
        ("10 >= a", [9, 10, 11, 30], [0, 0, 0.1, 2]),
        ("10 <= a", [9, 10, 11, -10], [0.1, 0, 0, 2]),
        ("a < 10", [9, 10], [0, 1e-12]),
        ("a != 3", [2, 3], [0, 1]),
        ("a == 4", [4, 5], [0, 0.25]),
        ("a <= -10", [-11, -9], [0, 0.1]),
        ("a <= 0", [0, 1], [0, 1e12]),
        ("a % 2 == 0", [4, 5], [0, 1e12]),
        ("a // 2 == 2", [5, 6], [0, 0.5]),
        ("2 ** a <= 8", [3, 4], [0, 1]),
        ("log2(a) <= 2", [4, 8], [0, 0.5]),
        ("sqrt(a) + floor(a / 3) + ceil(a / 3) <= 5", [4, 9], [0, 0.8]),
    ],
)
def test_violation_is_the_excess_over_the_bound(text: str, a: list[float], violation: list[float]) -> None:
    assert Constraint(text, ("a",)).violation({"a": np.array(a)}) == pytest.approx(violation)


def test_arithmetic_does_not_wrap_around() -> None:
    columns = {"a": np.array([2**40, 2**40]), "b": np.array([2**40, -1])}
    assert (Constraint("a * a * b <= 100", ("a", "b")).violation(columns) > 0).tolist() == [True, False]
    assert (Constraint("a ** b < 1", ("a", "b")).violation(columns) > 0).tolist() == [True, False]


@pytest.mark.parametrize("text", ["9 ** 9 ** 9 ** 9 >= a", "a ** 1000 >= a", "a * 1e200 * 1e200 * 1e200 > 0"])
def test_a_huge_power_is_infinite_and_takes_no_time(text: str) -> None:
    assert Constraint(text, ("a",)).violation({"a": np.array([10, 12])}).tolist() == [0.0, 0.0]


def test_no_excess_is_infinite() -> None:
    """An infinite violation says that the evaluation failed, which a broken bound does not."""
    violation = Constraint("a <= 1", ("a",)).violation({"a": np.array([math.inf, 1e308, 1.0])})
    assert violation.tolist() == [1e300, 1e300, 0.0]
    assert Constraint("a <= 1", ("a",)).violation({"a": np.array([math.inf])}).tolist() == [1e300]
    assert Constraint("a < b", ("a", "b")).violation({"a": np.array([math.inf] * 2), "b": np.array([math.inf, -1])})[
        0
    ] == 1.0  # fmt: skip


@pytest.mark.parametrize("n", [1, 2])
def test_a_missing_metric_breaks_nothing_but_arithmetic_without_a_value_does(n: int) -> None:
    columns = {"a": np.full(n, math.nan), "b": np.zeros(n)}
    assert Constraint("a + b <= 0", ("a", "b")).violation(columns).tolist() == [0.0] * n
    assert Constraint("b / b <= 1", ("a", "b")).violation(columns).tolist() == [1.0] * n
    assert Constraint("sqrt(b - 1) <= 1", ("a", "b")).violation(columns).tolist() == [1.0] * n


def test_categories_go_by_name() -> None:
    categories = (("flow", ("os", "ws", "is")),)
    columns = {"flow": np.array([0, 1, 2])}
    for text in ("flow == 'ws'", "'ws' == flow"):
        assert (Constraint(text, ("flow",), categories).violation(columns) == 0).tolist() == [False, True, False]
    assert (Constraint("flow != 'os'", ("flow",), categories).violation(columns) > 0).tolist() == [True, False, False]
    with pytest.raises(ValueError, match=r"flow has no value 'wss'\. Did you mean 'ws'"):
        Constraint("flow == 'wss'", ("flow",), categories)
    with pytest.raises(ValueError, match="no categorical parameter"):
        Constraint("rows == 'ws'", ("rows",), categories)


def test_the_columns_of_a_constraint() -> None:
    constraint = Constraint("max(a, max) + min(b, 2) <= 3", NAMES)
    assert constraint.used == {"a", "b", "max"}
    columns = {name: np.array([1.0, 9.0]) for name in NAMES}
    before = {name: column.copy() for name, column in columns.items()}
    Constraint("max(a, b, c) <= 3", NAMES).violation(columns)
    assert all((columns[name] == before[name]).all() for name in NAMES), "a third argument is no place to write to"


HOSTILE: list[tuple[str, str]] = [
    ("", "not an expression"),
    ("a <=", "not an expression"),
    ("a <= 1; import os", "not an expression"),
    ("a <= 1\0", "null bytes"),
    ("a", "one comparison"),
    ("1 <= a <= 2", "one comparison"),
    ("a <= 1 and b <= 1", "one comparison"),
    ("a is 1", "one comparison"),
    ("a in (1, 2)", "one comparison"),
    ("lambda: a <= 1", "one comparison"),
    ("a := 3", "not an expression"),
    ("(a := 3) <= 4", "not allowed"),
    ("a.__class__ <= 1", "'a.__class__' is not allowed"),
    ("__import__('os').system('true') <= 1", "not allowed"),
    ("eval('1') <= 1", "not allowed"),
    ("abs.__call__(a) <= 1", "not allowed"),
    ("(lambda: 1)() <= 2", "not allowed"),
    ("[x for x in (1,)] <= a", "not allowed"),
    ("{} <= a", "not allowed"),
    ("a[0] <= 1", "not allowed"),
    ("a @ a <= 1", "not allowed"),
    ("a << 9999999 <= 1", "not allowed"),
    ("not a <= 1", "one comparison"),
    ("~a <= 1", "not allowed"),
    ("1j <= a", "not allowed"),
    ("'text' <= a", "not allowed"),
    ("None <= a", "not allowed"),
    ("f'{a}' <= a", "not allowed"),
    ("a if a else b <= 1", "one comparison"),
    ("1e400 <= a", "not allowed"),
    ("abs() <= 1", "abs takes one argument, got 0"),
    ("abs(a, b) <= 1", "abs takes one argument, got 2"),
    ("min(a) <= 1", "min takes two or more arguments, got 1"),
    ("min(a, b, key=abs) <= 1", "not allowed"),
    ("min(a, *b) <= 1", "not allowed"),
    ("print(a) <= 1", "not allowed"),
    ("aa <= 1", "unknown name 'aa'"),
    ("violation <= 1", "unknown name 'violation'"),
    ("-" * 5000 + "a <= 1", "nested too deeply"),
    ("a" + " + a" * 5000 + " <= 1", "nested too deeply"),
    ("abs(" * 150 + "a" + ")" * 150 + " <= 1", "too deeply|too many nested"),
    ("9" * 5000 + " <= a", "not an expression"),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE, ids=[text[:20] for text, _ in HOSTILE])
def test_anything_but_one_comparison_of_arithmetic_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Constraint(text, ("a", "b"))


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown name 'area'\. Did you mean 'area_mm2'"):
        Constraint("area <= 1", ("area_mm2", "power_w"))
    assert nearest("zzz", ["power_w"]) == "Known: power_w."


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("a <= 10", ("a", 10.0, 1.0)), ("a < -0.5", ("a", -0.5, 1.0)), ("2 * 3 >= a", ("a", 6.0, 1.0)),
        ("b >= 1e-3", ("b", 1e-3, -1.0)), ("1 < b", ("b", 1.0, -1.0)),
        ("a == 1", None), ("a != 1", None), ("a <= b", None), ("2 * a <= 1", None), ("abs(a) <= 1", None),
    ],
)  # fmt: skip
def test_a_limit_is_a_name_against_a_number(text: str, limit: tuple[str, float, float] | None) -> None:
    assert Constraint(text, ("a", "b")).limit == limit


def test_constraints_pickle_and_compare() -> None:
    constraint = Constraint("max(a, 3) <= 2 * b", ("a", "b"))
    columns: dict[str, Any] = {"a": np.array([1.0, 9.0]), "b": np.array([1.0, 1.0])}
    expected = constraint.violation(columns)
    again = pickle.loads(pickle.dumps(constraint))
    assert again == constraint
    assert (again.violation(columns) == expected).all()
