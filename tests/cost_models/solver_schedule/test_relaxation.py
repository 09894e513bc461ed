"""What relaxation costs: against tables of somebody else's, and what becomes of systems that it does not solve."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.linear_systems import (
    Systems,
    asymptotic_omega,
    jacobi_radius,
    least_shift,
    poisson_systems,
)
from designgym.cost_models.solver_schedule.relaxation import OMEGAS, Relaxation
from designgym.cost_models.solver_schedule.relaxation_solvers import sweeps
from designgym.cost_models.solver_schedule.relaxation_validate import validate

FOLDER = Path(__file__).parents[2] / "reference" / "solver_schedule"
TABLE, SEQUENCE = FOLDER / "solver_sor_omega.csv", FOLDER / "solver_sor_sequence.csv"
TRIALS = range(5)
DISTRIBUTIONS = {"high": "high_variance", "low": "low_variance"}


def told(distribution: str, policy: str) -> float:
    with SEQUENCE.open() as file:
        rows = {(row["distribution"], row["policy"]): row for row in csv.DictReader(file)}
    return float(rows[DISTRIBUTIONS[distribution], policy]["mean_iterations_per_solve"])


def test_iterations_of_the_table() -> None:
    agreement = validate(TABLE)
    assert agreement["rows"] == 606
    unshifted = agreement["quantities"]["iterations at c = 0"]
    assert unshifted["rows"] == 303
    assert unshifted["worst_difference"] <= 1
    assert agreement["quantities"]["iterations"]["worst_difference"] <= 1


@pytest.mark.parametrize(("distribution", "best", "omega"), [("high", 103.7, 1.8), ("low", 59.1, 1.65)])
def test_the_best_fixed_omega_of_the_table(distribution: str, best: float, omega: float) -> None:
    around = [OMEGAS[OMEGAS.index(omega) + k] for k in (-1, 0, 1)]
    means = [Relaxation(distribution=distribution, seed=k).costs(omegas=around).mean(axis=0) for k in TRIALS]
    found = np.mean(means, axis=0)
    assert found.argmin() == 1
    assert found[1] == pytest.approx(best, rel=0.02)
    assert found == pytest.approx([told(distribution, f"fixed_{one:.2f}") for one in around], abs=1e-3)


@pytest.mark.parametrize(("distribution", "mean"), [("high", 56.1), ("low", 41.7)])
def test_the_closed_form_of_the_table(distribution: str, mean: float) -> None:
    found = []
    for k in TRIALS:
        systems = poisson_systems(10, distribution, 5000, k)
        found.append(sweeps(systems, np.arange(5000), asymptotic_omega(systems.shift, 10), 10_000).mean())
    assert np.mean(found) == pytest.approx(mean, rel=0.02)
    assert np.mean(found) == pytest.approx(told(distribution, "asymptotic_omega_opt(c)"), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_all_fixed_omegas_and_hindsight_of_the_table(distribution: str) -> None:
    costs = [Relaxation(distribution=distribution).costs(seed=k) for k in TRIALS]
    means = np.mean([own.mean(axis=0) for own in costs], axis=0)
    assert means == pytest.approx([told(distribution, f"fixed_{omega:.2f}") for omega in OMEGAS], abs=1e-3)
    best = np.mean([own.min(axis=1).mean() for own in costs])
    assert best == pytest.approx(told(distribution, "instance_best_of_20"), abs=1e-3)


def plain_sweeps(shift: float, right: np.ndarray, omega: float) -> int:
    """Count sweeps one unknown at a time, as a textbook has them."""
    n, diagonal = len(right), 4.0 + shift
    x = np.zeros((n + 2, n + 2))
    for count in range(1, 10_001):
        for i in range(1, n + 1):
            for j in range(1, n + 1):
                around = x[i - 1, j] + x[i + 1, j] + x[i, j - 1] + x[i, j + 1]
                x[i, j] += omega * ((right[i - 1, j - 1] + around) / diagonal - x[i, j])
        inner = x[1:-1, 1:-1]
        residual = right + x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - diagonal * inner
        if np.linalg.norm(residual) < 1e-8 * np.linalg.norm(right):
            return count
    return 10_001


def test_sweeps_are_a_textbooks() -> None:
    systems = poisson_systems(5, "high", 40, 3)
    omega = np.tile([1.0, 1.3, 1.55, 1.8], 10)
    found = sweeps(systems, np.arange(40), omega, 10_000)
    expected = [plain_sweeps(systems.shift[k], systems.residual[k].reshape(5, 5), omega[k]) for k in range(len(omega))]
    assert found.tolist() == expected
    assert len(set(expected)) > 10


def test_a_system_is_solved_alike_alone_and_among_others() -> None:
    systems = poisson_systems(4, "high", 1500, 0)
    omega = np.random.default_rng(0).uniform(1.0, 1.9, 1500)
    together = sweeps(systems, np.arange(1500), omega, 10_000)
    alone = [sweeps(systems, np.array([k]), omega[k : k + 1], 10_000)[0] for k in range(0, 1500, 11)]
    assert together[::11].tolist() == alone


def test_draws_are_those_of_one_row_after_another() -> None:
    rng = np.random.default_rng(107)
    shift = -0.15 + 0.6 * rng.beta(2.0, 6.0, 30)
    rows = []
    while len(rows) < 30:
        row = rng.standard_normal(100)
        if row @ row <= 100:
            rows.append(row)
    systems = poisson_systems(10, "low", 30, 7)
    assert systems.shift == pytest.approx(shift, abs=1e-15)
    assert systems.residual.tolist() == np.array(rows).tolist()


def test_the_lower_end_of_shifts_keeps_every_grid_definite() -> None:
    assert least_shift(10) == pytest.approx(-0.15)
    sides = np.arange(2, 65)
    radii = np.array([jacobi_radius(least_shift(n), n) for n in sides])
    assert (radii < 1).all()
    assert jacobi_radius(-0.15, 40) > 1


def test_what_is_given_up_is_counted_as_unsolved() -> None:
    systems = poisson_systems(10, "high", 64, 0)
    enough = sweeps(systems, np.arange(64), np.full(64, 1.2), 10_000)
    few = sweeps(systems, np.arange(64), np.full(64, 1.2), 300)
    assert few.tolist() == np.where(enough <= 300, enough, 301).tolist()
    assert 0 < (few == 301).sum() < 64
    model = Relaxation(n=2, instances=400, lowest=-2.0 + 1e-6)
    found = model.evaluate({"omega": np.array([1.0, 1.9])})
    assert found["violation"].tolist() == [0.0, 0.0]
    assert 0 < found["unsolved"][0] < 0.1
    counts = model.costs(omegas=(1.0,))
    assert counts.max() == 10_000
    assert found["iterations"][0] == counts.mean()


def test_indefinite_systems_are_a_violation() -> None:
    model = Relaxation(n=2, instances=50, lowest=-2.01)
    design = {"omega": np.array([1.5])}
    found = model.evaluate(design)
    assert found["violation"][0] == pytest.approx(jacobi_radius(model.systems().shift, 2).max() - 1)
    assert found["violation"][0] > 0
    assert np.isnan(found["iterations"][0])
    assert "must be definite" in model.reason(design)
    shift = model.systems().shift
    bad, good = int(np.argmin(shift)), int(np.argmax(shift))
    assert model.solved(bad, 1.5)["violation"] > 0
    assert model.solved(good, 1.5)["violation"] == 0
    assert model.costs(omegas=(1.5,))[bad, 0] == 10_000


def test_omegas_that_do_not_converge_are_a_violation() -> None:
    model = Relaxation(n=3, instances=5)
    found = model.evaluate({"omega": np.array([-0.5, 0.0, 1.0, 2.0, 2.5])})
    assert (found["violation"] > 0).tolist() == [True, True, False, True, True]
    assert found["violation"][4] == pytest.approx(0.5)
    assert model.reason({"omega": np.array([2.0])}) == "omega must be above 0 and below 2 to converge, got 2"
    assert model.reason({"omega": np.array([1.0])}) == ""


@pytest.mark.parametrize("equation", ["poisson", "heat"])
def test_the_picture_shows_what_one_omega_costs_beside_the_best(equation: str) -> None:
    model = Relaxation(equation, n=6, instances=40)
    (picture,) = model.pictures({"omega": np.array([1.0, 1.7])}, ("one", "another"))
    shown = {series.name: series for series in picture.marks}
    order = np.argsort(model.systems().context, kind="stable")
    costs = model.costs()[order]
    assert shown["one"].x.tolist() == model.systems().context[order].tolist()
    assert shown["one"].y.tolist() == costs[:, OMEGAS.index(1.0)].tolist()
    assert shown["another"].y.tolist() == costs[:, OMEGAS.index(1.7)].tolist()
    assert shown["the best omega of each system"].y.tolist() == costs.min(axis=1).tolist()
    assert ("Young's omega" in shown) == (equation == "poisson")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"equation": "poison"}, "unknown equation 'poison'. Did you mean 'poisson'?"),
        ({"distribution": "hi"}, "unknown distribution 'hi'. Did you mean 'high'?"),
        ({"n": 1}, "n must be an integer from 2 to 64, got 1. Choose one."),
        ({"n": "ten"}, "n must be an integer from 2 to 64, got 'ten'. Choose one."),
        ({"instances": 0}, "instances must be an integer from 1 to 1000000, got 0. Choose one."),
        ({"seed": -1}, "seed must be an integer from 0 to"),
        ({"lowest": -4.0}, "lowest must be above -4, where diagonals are positive, got -4.0. Raise it."),
        ({"equation": "heat", "seed": 1}, "seed must be left out for the heat equation"),
        ({"equation": "heat", "distribution": "low"}, "distribution must be left out for the heat equation"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Relaxation(**options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("10,-0.2,1.5,90", "row 2: c must be above -0.162028, so that it converges, got -0.2. Correct it."),
        ("10,0,2.0,90", "row 2: omega must be above 0 and below 2, got 2. Correct it."),
        ("10,0,much,90", "row 2: omega must be a number or empty, got 'much'. Correct it."),
        ("1,0,1.5,90", "row 2: n must be an integer >= 2, got '1'. Correct it."),
        ("100,0,1.5,90", "row 2: n must be at most 64, got 100. Leave the row out."),
    ],
)
def test_a_row_that_can_not_be_priced_is_named(tmp_path: Path, row: str, message: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(f"n,c,omega,iterations\n{row}\n")
    with pytest.raises(ValueError) as caught:
        validate(table)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_validation_sees_what_differs(tmp_path: Path) -> None:
    rows = TABLE.read_text().splitlines()
    n, c, omega, iterations = rows[150].split(",")
    table = tmp_path / "wrong.csv"
    table.write_text("\n".join([rows[0], rows[100], f"{n},{c},{omega},{int(iterations) + 7}"]))
    found = validate(table)["quantities"]["iterations"]
    assert found["rows"] == 2
    assert found["worst_difference"] in (6, 7, 8)


def test_right_sides_that_differ_are_solved_apart() -> None:
    right = np.random.default_rng(1).standard_normal((2, 16))
    limit = 1e-8 * np.sqrt((right**2).sum(axis=1))
    systems = Systems(4, np.array([0.0, 0.3]), right, limit, np.zeros(2))
    one, other = sweeps(systems, np.array([0, 1]), np.array([1.2, 1.2]), 10_000)
    assert [one, other] == [plain_sweeps(c, b.reshape(4, 4), 1.2) for c, b in zip((0.0, 0.3), right, strict=True)]
    assert sweeps(systems, np.array([1, 0, 1]), np.full(3, 1.2), 10_000).tolist() == [other, one, other]
