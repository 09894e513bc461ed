"""Three bodies: evaluations and errors of the reference tables, orders of the methods, a trajectory of scipy's."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from designgym.cost_models.solver_schedule.three_body import ETAS, METHODS, ThreeBody, integrations, steps_taken
from designgym.cost_models.solver_schedule.three_body_starts import COLUMNS, drawn, of_seeds, of_table
from designgym.cost_models.solver_schedule.three_body_validate import validate

TABLES = Path(__file__).parents[2] / "reference" / "solver_schedule"
INIT, FIXED = TABLES / "solver_threebody_init.csv", TABLES / "solver_threebody_fixed.csv"
GRAVITY = 4.0 * math.pi**2


def design_of(**values: Any) -> dict[str, np.ndarray]:
    return {"method": np.array([0]), "eta": np.array([1e-2]), "dt_yr": np.array([1e-2])} | {
        name: np.array([value]) for name, value in values.items()
    }


def test_initial_states_are_those_of_the_table() -> None:
    for seed, state in of_table(INIT).items():
        own = drawn(np.random.default_rng(seed))
        assert own == pytest.approx(state, abs=1e-14)
        assert own.reshape(2, 3, 2).sum(axis=1) == pytest.approx(np.zeros((2, 2)), abs=1e-14)


@pytest.mark.parametrize("init", [INIT, None])
def test_every_row_of_the_table_takes_as_many_evaluations(init: Path | None) -> None:
    quantities = validate(FIXED, init)["quantities"]
    assert quantities["force_evals"]["rows"] == quantities["force_evals"]["exact"] == 280
    errors = quantities["final_abs_rel_energy_error"]
    assert errors["rows"] == errors["within_0.1pct"] == 40  # four eta of .01 and more
    assert quantities["max_abs_rel_energy_error"]["within_0.1pct"] == 40
    assert quantities["return_r5"]["within_0.1pct"] == 40


def test_a_table_of_other_initial_states_is_read_by_seed(tmp_path: Path) -> None:
    """Rows of two seeds, whose numbers in the file of initial states are swapped."""
    rows = list(csv.DictReader(INIT.read_text().splitlines()))
    swapped = {"1": "2", "2": "1"}
    lines = [",".join([swapped[row["seed"]], *(row[name] for name in COLUMNS)]) for row in rows[:2]]
    init, table = tmp_path / "init.csv", tmp_path / "fixed.csv"
    init.write_text("\n".join([",".join(("seed", *COLUMNS)), *lines]))
    told = [row for row in csv.DictReader(FIXED.read_text().splitlines()) if row["method"] == METHODS[0]
            and row["seed"] in swapped and float(row["parameter"]) > 1e-3]  # fmt: skip
    table.write_text("seed,method,parameter,force_evals\n" + "\n".join(
        f"{swapped[row['seed']]},{row['method']},{row['parameter']},{row['force_evals']}" for row in told))  # fmt: skip
    agreed = validate(table, init)["quantities"]["force_evals"]
    assert agreed["rows"] == agreed["exact"] == len(told) == 12
    assert validate(table)["quantities"]["force_evals"]["exact"] < 12


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("11,hermite_fixed_eta,1e-2", "row 2: seed 11 must be in"),
        (
            "1,rk4,1e-2",
            "row 2: method must be one of hermite_fixed_eta, hermite_fixed_dt, leapfrog_fixed_dt, got 'rk4'",
        ),
        ("1,hermite_fixed_eta,0", "row 2: parameter must be in [1e-7, 10], got 0. Correct it."),
        ("1,hermite_fixed_eta,", "row 2: parameter must be there, got nothing. Fill it in."),
        ("x,hermite_fixed_eta,1e-2", "row 2: seed must be an integer >= 0, got 'x'. Correct it."),
    ],
)
def test_a_row_that_can_not_be_priced_is_named(tmp_path: Path, row: str, message: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(f"seed,method,parameter\n{row}\n")
    with pytest.raises(ValueError) as caught:
        validate(table, INIT)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("1" + ",0" * 12, "row 2: bodies must be at three places, in finite numbers. Correct it."),
        ("1,0,0,1,0,0,1,0,0,0,0,0", "row 2: v2y must be a number, got none. Fill it in."),
        ("1,0,0,1,0,0,1,0,0,0,0,0,0\n1,0,0,1,0,0,2,0,0,0,0,0,0", "row 3: seed 1 must be there once, got it again."),
    ],
)
def test_initial_states_that_are_none_are_named(tmp_path: Path, cells: str, message: str) -> None:
    init = tmp_path / "init.csv"
    init.write_text(",".join(("seed", *COLUMNS)) + "\n" + cells + "\n")
    with pytest.raises(ValueError) as caught:
        ThreeBody(init=str(init))
    assert message in str(caught.value)


def two_bodies(eccentricity: float) -> np.ndarray:
    """Return two suns at apocentre of an orbit of half axis 2 AU (two years), and a third body far away."""
    far, speed = 2.0 * (1.0 + eccentricity), math.sqrt(2.0 * GRAVITY / 2.0 * (1 - eccentricity) / (1 + eccentricity))
    x = [[-far / 2.0, 0.0], [far / 2.0, 0.0], [1e6, 1e6]]
    v = [[0.0, -speed / 2.0], [0.0, speed / 2.0], [0.0, 0.0]]
    return np.concatenate([np.ravel(x), np.ravel(v)])


@pytest.mark.parametrize(("method", "order"), [("leapfrog_fixed_dt", 2), ("hermite_fixed_dt", 4)])
def test_the_largest_error_of_the_energy_falls_by_the_methods_order(method: str, order: int) -> None:
    """Along an orbit of eccentricity .5, two years long, at the end of every step; the third body has no mass."""
    masses, start, errors = np.array([[1.0, 1.0, 0.0]]), two_bodies(0.5), []
    for dt in (4e-3, 2e-3, 1e-3):
        _, states = steps_taken(METHODS.index(method), np.array([dt]), start, masses=masses)
        energies = two_body_energy(states[: round(2.0 / dt)])
        errors.append(np.abs(energies / two_body_energy(start) - 1.0).max())
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx([order, order], abs=0.15)


def two_body_energy(states: np.ndarray) -> np.ndarray:
    """Return the energy of the first two bodies, (...,), of states (..., 12)."""
    apart = np.hypot(states[..., 2] - states[..., 0], states[..., 3] - states[..., 1])
    return 0.5 * (states[..., 6:10] ** 2).sum(axis=-1) - GRAVITY / apart


def test_a_trajectory_is_scipys_before_chaos_sets_in() -> None:
    state = of_seeds(3, 1)[0]

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        x, v = y.reshape(2, 3, 2)
        apart = x[None] - x[:, None]
        far = np.sqrt((apart**2).sum(axis=2)) + np.eye(3)
        return np.concatenate([v.ravel(), (GRAVITY * apart / far[..., None] ** 3).sum(axis=1).ravel()])

    lengths, states = steps_taken(0, np.array([1e-3]), state)
    times = np.cumsum(lengths)
    early = np.flatnonzero(times < 5.0)[::500]
    truth = solve_ivp(slope, (0.0, 5.0), state, "DOP853", times[early], rtol=1e-13, atol=1e-13).y[:6].T
    assert states[early, :6] == pytest.approx(truth, abs=1e-9)
    assert times[-1] == pytest.approx(10.0, abs=1e-9)


def test_metrics_are_means_medians_and_shares() -> None:
    model = ThreeBody(bound=1e-5)
    found = model.evaluate(design_of(eta=ETAS[8]))
    alone = [ThreeBody(1, seed).evaluate(design_of(eta=ETAS[8])) for seed in range(1, 11)]
    errors = sorted(one["energy_error"][0] for one in alone)
    assert found["force_evals"][0] == pytest.approx(np.mean([one["force_evals"][0] for one in alone]))
    assert found["energy_error"][0] == 0.5 * (errors[4] + errors[5])
    assert found["energy_error_q90"][0] == errors[8]
    assert found["kept"][0] == np.mean(np.array(errors) <= 1e-5)
    assert 0 < found["kept"][0] < 1
    assert alone[0]["energy_error_q90"] == alone[0]["energy_error"]


@pytest.mark.parametrize("method", range(3))
def test_evaluations_that_do_not_suffice_are_spent_and_break_the_bound(method: int) -> None:
    design = design_of(method=method, dt_yr=1e-3)
    easy = {"starts": 1, "first_seed": 9}
    needed = int(ThreeBody(**easy).evaluate(design)["force_evals"][0])
    just = ThreeBody(**easy, most_evaluations=needed).evaluate(design)
    assert just["force_evals"][0] == needed
    assert just["energy_error"][0] < 0.9
    spent = ThreeBody(**easy, most_evaluations=needed - 1, bound=0.999).evaluate(design)
    assert spent["force_evals"][0] == needed - 1
    assert spent["energy_error"][0] >= 1
    assert spent["kept"][0] == 0


def test_bodies_that_meet_are_a_result() -> None:
    """At rest, in a line: they fall into each other."""
    state = np.array([-1.0, 0.0, 0.0, 0.0, 1.0, 0.0] + [0.0] * 6)
    for method in range(3):
        found = integrations([method], np.array([[0.1]]), state[None])
        assert all(np.isfinite(column).all() for column in found.values())
        assert found["energy_error"][0, 0] > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"starts": 0}, "starts must be an integer of at least 1, got 0. Choose one."),
        ({"first_seed": -1}, "first_seed must be an integer of at least 0, got -1. Choose one."),
        ({"bound": 0.0}, "bound must be above 0, got 0.0. Choose one, such as 1e-4."),
        ({"init": "nowhere.csv"}, "nowhere.csv cannot be read: "),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ThreeBody(**options)
    assert message in str(caught.value)
