"""Programs for 2^x: somebody else's best chains met, errors worked out again exactly, and what cannot be fitted."""

import csv
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models import make_cost_model
from designgym.cost_models.base import Columns
from designgym.cost_models.picture_checks import check_pictures
from designgym.cost_models.quantization.exp_fitting import POINTS, constants_of, fit_programs
from designgym.cost_models.quantization.exp_program import ExpProgram
from designgym.cost_models.quantization.exp_program_validate import validate
from designgym.cost_models.quantization.exp_straight_line import ExpStraightLine, operands
from designgym.cost_models.quantization.straight_line import (
    CHAIN_NAMES,
    OPERATIONS,
    Programs,
    exact_errors,
    power_of_two,
)

TABLE = Path(__file__).parents[2] / "reference" / "quantization" / "quant_exp2_programs.csv"
with TABLE.open() as opened:
    ROWS = [row for row in csv.DictReader(opened) if row["program"]]
X = (np.arange(POINTS) / (POINTS - 1)).tolist()
SOME = X[::15] + X[-7::3]

# ((p + x) / (p - x))^2, p a function of x^2: 2^x = (1 + w) / (1 - w) with w = tanh(x ln 2 / 2), and half of x.
SYMMETRIC = ("x*x", "r1+c", "c/r2", "c-r3", "r1/r4", "r5+c", "r6+x", "r6-x", "r7/r8", "r9*r9")


def chain(text: str) -> Programs:
    return Programs.chains(np.array([[CHAIN_NAMES.index(name) for name in text.split()]]))


def columns(text: str) -> Columns:
    return {f"op_{i}": np.array([CHAIN_NAMES.index(name)]) for i, name in enumerate(text.split())}


def straight_line(*instructions: str) -> Columns:
    """Read instructions such as r1*x."""
    design: dict[str, int] = {}
    for i, text in enumerate(instructions):
        (op,) = (name for name in OPERATIONS if name in text)
        left, right = text.split(op)
        own = operands(i)
        design |= {f"op_{i}": OPERATIONS.index(op), f"left_{i}": own.index(left), f"right_{i}": own.index(right)}
    return {name: np.array([value]) for name, value in design.items()}


def worst(programs: Programs, points: list[float] = X) -> float:
    """Work the fitted program's largest error out again, exactly."""
    constants = constants_of(programs, fit_programs(programs), 0)
    return float(np.abs(exact_errors(programs, 0, constants, points)).max())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["ops"])
def test_the_tables_constants_have_the_tables_error(row: dict[str, str]) -> None:
    programs, given = chain(row["program"]), iter(row["constants_in_order"].split())
    constants = [(Decimal(next(given)),) if "c" in name else () for name in row["program"].split()]
    errors = exact_errors(programs, 0, constants, X)
    assert np.abs(errors).max() == pytest.approx(float(row["max_rel_err_best_chain_found"]), rel=2e-3)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["ops"])
def test_the_tables_chains_are_fitted_as_well(row: dict[str, str]) -> None:
    programs, known = chain(row["program"]), float(row["max_rel_err_best_chain_found"])
    fitted = fit_programs(programs)
    assert 0.97 * known < fitted.errors[0] < 1.01 * known
    assert worst(programs) == pytest.approx(fitted.errors[0], rel=1e-5)


def test_some_true_optima_are_better_than_the_tables_chains() -> None:
    known = {int(row["ops"]): float(row["max_rel_err_best_chain_found"]) for row in ROWS}
    for text, error in (("+c c/ +c", 8.674e-04), ("+c c/ +c sq +c", 1.162e-05), ("sq +c c/ +c *x +c c/ +c", 5.287e-09)):
        assert worst(chain(text)) == pytest.approx(error, rel=1e-3)
        assert error < 0.75 * known[len(text.split())]


def test_a_straight_line_is_that_of_chebyshev() -> None:
    # (2^x - a - b x) / 2^x levelled at 0, 1 and where its derivative vanishes, the weight included.
    fitted = fit_programs(chain("*c +c"))
    errors = exact_errors(chain("*c +c"), 0, constants_of(chain("*c +c"), fitted, 0), X)
    assert errors[0] == pytest.approx(errors[-1], rel=2e-3)
    assert errors.min() == pytest.approx(-errors.max(), rel=2e-3)
    assert fitted.errors[0] == pytest.approx(np.abs(errors).max(), rel=1e-5)


def test_a_polynomial_is_the_minimax_polynomial() -> None:
    column = "max_rel_err_minimax_polynomial_same_ops"
    known = {int(row["ops"]): float(row[column]) for row in ROWS if row[column]}
    for operations, text in ((4, "*c +c *x +c"), (6, "*c +c *x +c *x +c"), (8, "*c +c *x +c *x +c *x +c")):
        assert fit_programs(chain(text)).errors[0] == pytest.approx(known[operations], rel=3e-3)


def test_squarings_at_the_end_are_a_fit_of_a_root() -> None:
    for text in ("*c +c", "*c +c x/ +c"):
        errors = [fit_programs(chain(text + squarings)).errors[0] for squarings in ("", " sq", " sq sq")]
        assert errors[0] > 1.98 * errors[1] > 1.98**2 * errors[2]
        assert worst(chain(text + " sq sq")) == pytest.approx(errors[2], rel=1e-5)


def test_constants_that_meet_are_one() -> None:
    plain = fit_programs(chain("*c +c x/ +c"))
    for text in ("*c *c +c x/ +c", "*c +c +c x/ +c", "*c +c x/ +c +c"):
        fitted = fit_programs(chain(text))
        assert fitted.errors[0] == plain.errors[0]
        assert fitted.constants[0] == 3
        assert worst(chain(text), SOME) <= plain.errors[0] * (1 + 1e-5)
    turned = ExpStraightLine(6)
    design = straight_line("x*c", "c+r1", "x/r2", "c-r3", "c-r4", "r5-c")
    assert turned.evaluate(design)["constants"][0] == 3
    assert turned.evaluate(design)["max_relative_error"][0] == plain.errors[0]
    errors = exact_errors(turned.programs(design), 0, turned.constants(design), X)
    assert np.abs(errors).max() == pytest.approx(plain.errors[0], rel=1e-5)


def test_what_has_no_constants_is_what_it_is() -> None:
    got = ExpProgram(3).evaluate(columns("sq +x sq"))
    x = np.array(X)
    assert got["max_relative_error"][0] == pytest.approx(np.abs((x * x + x) ** 2 / 2**x - 1).max(), rel=1e-5)
    assert [got[name][0] for name in ("constants", "additions", "multiplications", "divisions")] == [0, 1, 2, 0]
    assert got["digits"][0] == -math.log10(got["max_relative_error"][0])
    assert ExpProgram(2).evaluate(columns("sq sq"))["max_relative_error"][0] == 1.0


def test_poles_are_violations_and_the_sooner_the_larger() -> None:
    model = ExpProgram(4)
    soon, late, none = (model.evaluate(columns(t)) for t in ("c/ +c +c sq", "sq sq *c x/", "+c c/ +c *c"))
    assert soon["violation"][0] > late["violation"][0] > none["violation"][0] == 0
    assert np.isnan(soon["max_relative_error"][0])
    assert "x = 0 whatever" in model.reason(columns("c/ +c +c sq"))
    assert model.reason(columns("+c c/ +c *c")) == ""


def test_a_design_costs_the_same_in_any_batch() -> None:
    model, rng = ExpProgram(7), np.random.default_rng(0)
    designs = {name: rng.integers(0, 7, 60) for name in model.columns}
    whole, turned = model.evaluate(designs), model.evaluate({name: c[::-1] for name, c in designs.items()})
    for row in range(0, 60, 7):
        one = model.evaluate({name: column[[row]] for name, column in designs.items()})
        for name in whole:
            assert np.array_equal(whole[name][row], one[name][0], equal_nan=True)
            assert np.array_equal(whole[name][row], turned[name][59 - row], equal_nan=True)


def test_chains_are_straight_line_programs() -> None:
    chains, general = ExpProgram(6), ExpStraightLine(6)
    design = straight_line("c*x", "c+r1", "x*r2", "r3+c", "x/r4", "r5+c")
    want = chains.evaluate(columns("*c +c *x +c x/ +c"))
    assert {name: v[0] for name, v in general.evaluate(design).items()} == {name: v[0] for name, v in want.items()}
    assert general.text(design).splitlines()[4] == "r5 = x / r4"


def test_instructions_that_nothing_needs_cost_nothing_but_their_count() -> None:
    design = straight_line("c*x", "x/c", "r1+c", "r3*r3")
    got, model = ExpStraightLine(4).evaluate(design), ExpStraightLine(4)
    assert got["max_relative_error"][0] == fit_programs(chain("*c +c sq")).errors[0]
    assert got["constants"][0] == 2
    assert got["divisions"][0] == 1
    assert model.constants(design)[1][0].is_nan()


def test_a_program_of_ten_operations_with_thirteen_digits_is_in_the_space() -> None:
    # p is a quotient of a square and a linear function of x^2, through four points.
    model, design = ExpStraightLine(10), straight_line(*SYMMETRIC)
    with localcontext() as context:
        context.prec = 50
        squares = [Decimal(0.5 - 0.5 * math.cos(math.pi * (i + 0.5) / 4)) for i in range(4)]
        halves = [power_of_two(t.sqrt() / 2) for t in squares]
        wanted = [t.sqrt() * (half + 1) / (half - 1) for t, half in zip(squares, halves, strict=True)]
        rows = [[Decimal(1), t, t * t, -p * t, p] for t, p in zip(squares, wanted, strict=True)]
        p0, p1, p2, q1 = solved(rows)
        c1, whole = q1 / p2, 1 / p2
        c3 = p1 * whole - p0 * c1
        constants = [(), (c3,), (c1 * c3 - whole,), (c1,), (), (p0,), (), (), (), ()]
    errors = exact_errors(model.programs(design), 0, constants, X[::5])
    assert np.abs(errors).max() < 5e-14
    assert model.evaluate(design)["max_relative_error"][0] < 1e-8  # what the fit finds of it


def solved(rows: list[list[Decimal]]) -> list[Decimal]:
    """Solve linear equations, the right side last in each row, by Gauss and Jordan's elimination."""
    for j in range(len(rows)):
        pivot = max(range(j, len(rows)), key=lambda i: abs(rows[i][j]))
        rows[j], rows[pivot] = rows[pivot], rows[j]
        rows = [
            row if i == j else [a - row[j] / rows[j][j] * b for a, b in zip(row, rows[j], strict=True)]
            for i, row in enumerate(rows)
        ]
    return [row[-1] / row[j] for j, row in enumerate(rows)]


def test_it_draws_error_curves() -> None:
    check_pictures("ExpProgram", ExpProgram(4), {n: np.repeat(c, 2) for n, c in columns("*c +c x/ +c").items()})


@pytest.mark.parametrize("model", [ExpProgram, ExpStraightLine])
@pytest.mark.parametrize("operations", [0, 15, -1, True, 8.0, "8"])
def test_wrong_numbers_of_operations_are_refused_in_a_line(model: type, operations: object) -> None:
    with pytest.raises(
        ValueError, match=r"^operations must be an integer from 1 to 14, got .*\. Choose 8 or 10, say\.$"
    ):
        model(operations)


def test_the_registered_models_take_their_option() -> None:
    assert make_cost_model("ExpProgram", operations=5) == ExpProgram(5)
    assert make_cost_model("ExpStraightLine") == ExpStraightLine(8)


def test_the_table_is_validated() -> None:
    told = validate(TABLE)
    fitted, own = told["quantities"].values()
    assert told["rows"] == fitted["rows"] == own["rows"] == len(ROWS) == 11
    assert own["worst_error"] < 2e-3
    assert fitted["worst_error"] < 0.03  # where it differs it is less: see above


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3,1e-2,+c *k,1 2", "row 2: operations must be of .*got '\\*k'"),
        ("3,1e-2,+c *c,1", "row 2: the program has 2 constants, got 1"),
        ("3,1e-2,+c *c,1 two", "row 2: constants_in_order must be numbers, got '1 two'"),
        ("3,,,", "must have at least one row with a program"),
    ],
)
def test_wrong_tables_are_one_line(tmp_path: Path, line: str, message: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"ops,max_rel_err_best_chain_found,program,constants_in_order\n{line}\n")
    with pytest.raises(ValueError, match=message):
        validate(table)


# The best chain of 8 operations and squarings, whose constants take in x / 2: by hand, from those of 8.
SQUARED = {
    "sq +c c/ +c *x +c c/ +c sq": (
        8.262e-11,
        "83.28317854358779007857342 -42.89164630692521362930207 -0.1027939563451222449736321 "
        "3.565209751395572917166115 7.130420659422532088469847 -1.000000324462951940898972",
    ),
    "sq +c c/ +c *x +c c/ +c sq sq": (
        1.291e-12,
        "333.047213085123532800113 -171.4793367449394425922071 -0.1029239028317291257868957 "
        "7.130420623264326040883989 14.26084131884506417693969 -1.0000000101422783349858",
    ),
}


@pytest.mark.parametrize("text", SQUARED)
def test_chains_that_end_in_squarings_can_be_as_good_as_said(text: str) -> None:
    error, constants = SQUARED[text]
    given = iter(constants.split())
    own = [(Decimal(next(given)),) if "c" in name else () for name in text.split()]
    assert np.abs(exact_errors(chain(text), 0, own, X)).max() == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("text", SQUARED)
def test_chains_that_end_in_squarings_are_fitted_nearly_as_well(text: str) -> None:
    assert worst(chain(text)) < 1.13 * SQUARED[text][0]


@pytest.mark.parametrize(
    "text", ["+c *c", "+c c/ +c", "+c c/ +c *x +c", "sq +c c/ +c *x +c", "*c +c *x +c x/ +c", "sq +c c/ +c *x +c c/ +c"]
)
def test_a_squaring_at_the_end_at_most_doubles_the_error(text: str) -> None:
    """With x / 2 taken in by its constants a chain comes as near to 2^(x / 2) as to 2^x on [0, 1 / 2]."""
    errors = [fit_programs(chain(text + " sq" * squarings)).errors[0] for squarings in range(3)]
    assert errors[1] < 2.01 * errors[0]
    assert errors[2] < 2.01 * errors[1]


@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("sq +c c/ +c *x +c c/ +c", "sq +c c/ +c *x *c +c c/ +c"),
        ("+c sq *c +c", "*c +c sq *c +c"),
        ("+c c/ +c *x +c", "+c c/ *c +c *x +c"),
    ],
)
def test_a_factor_that_others_take_in_changes_nothing(text: str, idle: str) -> None:
    with_it, without = fit_programs(chain(idle)), fit_programs(chain(text))
    assert with_it.errors[0] == without.errors[0]
    assert with_it.constants[0] == without.constants[0]
    assert worst(chain(idle)) == pytest.approx(without.errors[0], rel=1e-5)


def test_a_design_with_a_pole_has_no_curve() -> None:
    model = ExpProgram(4)
    designs = {f"op_{i}": np.array([CHAIN_NAMES.index(name), 0]) for i, name in enumerate(("x/", "sq", "sq", "x/"))}
    (picture,) = model.pictures(designs, ["pole", "sums"])
    assert [mark.name for mark in picture.marks] == ["sums"]
