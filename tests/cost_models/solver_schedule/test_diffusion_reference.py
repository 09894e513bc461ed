"""Samplers against tables that nobody here computed: see tests/reference/solver_schedule/README.md."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.solver_schedule import diffusion_validate
from designgym.cost_models.solver_schedule.diffusion_validate import validate
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import path_of
from designgym.cost_models.solver_schedule.sampler import Schedule, errors, noises, reference, sampled, summary
from designgym.cost_models.solver_schedule.solvers import pattern

REFERENCE = Path(__file__).parents[2] / "reference" / "solver_schedule"
VP = path_of("vp")


def test_rms_and_distances_agree_with_the_stock_table_to_its_digits() -> None:
    agreement = validate(REFERENCE / "solver_gmm_stock.csv")
    assert agreement["rows"] == 386
    for name in ("rms_endpoint", "sliced_w2", "frechet2"):
        assert agreement["quantities"][name]["rows"] == 386
        assert agreement["quantities"][name]["worst_error"] < 5e-6, name
    assert agreement["quantities"]["median_endpoint"]["rows"] == 0


def test_medians_and_flips_agree_with_the_table_of_orders() -> None:
    truth, model, noise = reference(VP, "gmm8d", 512, 1), mixture("gmm8d"), noises(8, 512, 1)
    with (REFERENCE / "solver_gmm_order.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    for row in rows:
        found = []
        for steps in (80, 160, 320):
            solvers = pattern(row["solver"], 2 * steps if row["solver"] == "heun" else steps)
            samples = sampled(VP, model, [Schedule(VP.grid(row["grid"], steps), solvers)], noise)
            got = summary(errors(samples, truth))
            assert got["median"][0] == pytest.approx(float(row[f"median_{steps}"]), rel=5e-4), (row["solver"], steps)
            assert round(512 * got["flip_fraction"][0]) == int(row[f"flips_{steps}"]), (row["solver"], steps)
            found.append(got["median"][0])
        assert np.log2(found[1] / found[2]) == pytest.approx(float(row["median_slope_160"]), abs=0.01)


@pytest.mark.parametrize(
    ("solver", "least", "most"),
    [("ddim", 0.85, 1.15), ("dpmpp2m", 1.85, 2.15), ("deis1", 1.85, 2.15), ("heun", 1.85, 2.15), ("deis2", 2.65, 3.15),
     ("unip3", 2.85, 3.3), ("unipc1", 1.85, 2.15), ("unipc2", 2.85, 3.3), ("unipc2_noise", 2.85, 3.3)],
)  # fmt: skip
def test_medians_fall_by_each_solvers_order(solver: str, least: float, most: float) -> None:
    truth, model, noise = reference(VP, "gmm8d", 512, 1), mixture("gmm8d"), noises(8, 512, 1)
    medians = []
    for steps in (160, 320):
        solvers = pattern(solver, 2 * steps if solver == "heun" else steps)
        samples = sampled(VP, model, [Schedule(VP.grid("logsnr", steps), solvers)], noise)
        medians.append(summary(errors(samples, truth))["median"][0])
    assert least < np.log2(medians[0] / medians[1]) < most


@pytest.mark.parametrize("name", ["ve", "flow"])
def test_many_steps_come_to_the_reference_on_the_other_paths(name: str) -> None:
    path, model, noise = path_of(name), mixture("ring2d"), noises(2, 256, 3)
    truth, medians = reference(path, "ring2d", 256, 3), []
    grid = "uniform_t" if name == "flow" else "karras7"
    for steps in (100, 200):
        samples = sampled(path, model, [Schedule(path.grid(grid, steps), pattern("deis1", steps))], noise)
        medians.append(summary(errors(samples, truth))["median"][0])
    assert medians[1] < 2e-3
    assert np.log2(medians[0] / medians[1]) == pytest.approx(2.0, abs=0.2)


def test_times_are_used_as_printed(tmp_path) -> None:
    table = tmp_path / "times.csv"
    grids = {name: " ".join(f"{t:.17g}" for t in VP.grid(name, 5)) for name in ("karras7", "logsnr")}
    with (REFERENCE / "solver_gmm_stock.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["nfe"] == "5" and row["grid"] in grids and row["solver"] != "heun"
        ]
    lines = [f"{r['problem']},{r['solver']},{grids[r['grid']]},5,{r['rms_endpoint']}" for r in rows]
    table.write_text("\n".join(["problem,solver,times,nfe,rms_endpoint", *lines]))
    agreement = validate(table)
    assert agreement["quantities"]["rms_endpoint"]["rows"] == len(rows) > 20
    assert agreement["quantities"]["rms_endpoint"]["worst_error"] < 5e-6


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("ring2d,ddim,logsnr,,four", "nfe must be an integer >= 1, got 'four'. Correct it."),
        ("ring2d,rk45,logsnr,,4", "solver must be one of euler, "),
        ("ring2d,ddim,cosine,,4", "grid must be one of uniform_t, "),
        ("ring3d,ddim,logsnr,,4", "a mixture must be one of ring2d, gmm8d, digits, digits_network, or the path"),
        ("ring2d,ddim,,1 .5 .7 .2 .001,4", "times must be 5 numbers parted by blanks, from about 1 to about 0.001"),
        ("ring2d,ddim,,1 .5 .001,4", "times must be 5 numbers"),
    ],
)
def test_a_row_that_can_not_be_priced_is_named(tmp_path, row: str, message: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(f"problem,solver,grid,times,nfe\n{row}\n")
    with pytest.raises(ValueError, match="row 2: ") as caught:
        validate(table)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_digits_of_the_table_are_every_image(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(diffusion_validate, "DIGITS_POINTS", 8)
    monkeypatch.setattr(diffusion_validate, "DIGITS_STEPS", 20)
    table = tmp_path / "digits.csv"
    table.write_text("problem,solver,grid,nfe,rms_endpoint\ndigits_kde,dpmpp2m,karras7,10,1\n")
    assert validate(table)["quantities"]["rms_endpoint"]["rows"] == 1
    assert len(mixture("digits").weights) == 1797
