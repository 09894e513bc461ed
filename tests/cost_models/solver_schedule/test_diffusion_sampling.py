"""The cost model of samplers: one design alone or in a batch, what the grids are, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models import kernels
from designgym.cost_models.solver_schedule import _denoising_kernel as kernel
from designgym.cost_models.solver_schedule.diffusion_sampling import DiffusionSampling, even, left_of
from designgym.cost_models.solver_schedule.diffusion_validate import validate
from designgym.cost_models.solver_schedule.distances import frechet2, quantiles, sliced_w2
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import PATHS, path_of
from designgym.cost_models.solver_schedule.sampler import matrices, reference
from designgym.envs import make_problem, reason_of
from designgym.envs.solver_schedule.diffusion_sampling import space_of

RNG = np.random.default_rng(0)


def rows_of(designs, row):
    return {name: column[row : row + 1] for name, column in designs.items()}


@pytest.mark.parametrize("grid", ["free", "parametric", "karras7"])
@pytest.mark.parametrize("path", PATHS)
def test_a_design_is_priced_alone_as_in_a_batch(path: str, grid: str) -> None:
    model = DiffusionSampling("gmm8d", path, 5, grid, points=50)
    designs = space_of(model).sample(60, RNG)
    priced = model.evaluate(designs)
    assert (priced["violation"] == 0).all()
    assert (priced["rms"] > 0).all()
    assert (priced["evaluations"] == 5).all()
    for row in range(0, 60, 7):
        alone = model.evaluate(rows_of(designs, row))
        assert all(alone[name][0] == column[row] for name, column in priced.items())


def test_patterns_that_begin_alike_share_their_evaluations_to_the_last_bit() -> None:
    problem = make_problem("SolverPattern-v0", evaluations=4, points=40, solvers="ddim,heun,deis1,dpmpp2m,unipc2")
    designs = next(iter(problem.space.enumerate(10_000)))
    rms, order = problem.cost_model.evaluate(designs)["rms"], RNG.permutation(len(designs["solver_1"]))
    assert len(rms) == problem.cost_model.patterns.count() == 68
    shuffled = problem.cost_model.evaluate({name: column[order] for name, column in designs.items()})["rms"]
    assert (shuffled == rms[order]).all()
    made = matrices(path_of("vp"), [problem.cost_model.schedule(rows_of(designs, row)) for row in range(len(rms))])
    assert kernel.begun_alike(*made).mean() > 2, "most of the four evaluations are those of the one before"
    with pytest.raises(ValueError, match="grid must be a fixed one, got 'free'"):
        make_problem("SolverPattern-v0", grid="free")


def test_one_thread_gives_the_same_bits_as_all(monkeypatch) -> None:
    model = DiffusionSampling("gmm8d", "flow", 5, points=70, noise_seed=9)
    designs = space_of(model).sample(100, RNG)
    all_threads = model.evaluate(designs)["rms"]
    reference.cache_clear()
    monkeypatch.setattr(kernels, "_forked", True)
    assert (model.evaluate(designs)["rms"] == all_threads).all()


def test_default_fractions_are_the_even_grid_and_uniform_ones_make_all_grids_alike() -> None:
    model = DiffusionSampling(evaluations=6)
    space = space_of(model)
    design = space.parse({parameter.name: parameter.default for parameter in space.parameters})
    assert model.schedule(design).times == pytest.approx(path_of("vp").grid("logsnr", 6), rel=1e-3)
    assert left_of(even(4), 4) == pytest.approx(4 / 5)
    left = np.array([np.cumprod([left_of(u, 4 - i) for i, u in enumerate(row)]) for row in RNG.random((20_000, 4))])
    parts = -np.diff(np.column_stack([np.ones(20_000), left, np.zeros(20_000)]), axis=1)
    assert parts.mean(axis=0) == pytest.approx(np.full(5, 0.2), abs=0.005)
    assert parts.std(axis=0) == pytest.approx(np.full(5, np.sqrt(4 / 150)), rel=0.02)


def test_a_heun_step_skips_the_time_between_its_evaluations() -> None:
    model = DiffusionSampling(evaluations=4)
    space = space_of(model)
    given = {f"solver_{i}": name for i, name in enumerate(("heun", "heun_end", "deis1", "ddim"), 1)}
    design = space.parse({**given, "fraction_2": 0.5, "fraction_3": 0.5})
    schedule = model.schedule(design)
    assert schedule.solvers == ("heun", "deis1", "ddim")
    assert len(schedule.times) == 4
    assert space.describe(design)["fraction_1"] == [None]


def test_what_is_no_pattern_is_infeasible_and_says_why() -> None:
    problem = make_problem("DiffusionSampling-v0", evaluations=3, points=20)
    design = problem.space.parse({"solver_1": "ddim", "solver_2": "heun", "solver_3": "ddim"})
    evaluation = problem.evaluate(design)
    assert not evaluation.feasible[0]
    assert "heun and heun_end must follow one another" in reason_of(problem, design, evaluation)
    assert np.isnan(problem.cost_model.evaluate(design)["rms"][0])


def test_distances_are_priced_where_an_objective_asks() -> None:
    plain = make_problem("DiffusionSampling-v0", evaluations=3, points=50)
    assert "sliced_w2" not in [metric.name for metric in plain.cost_model.metrics]
    asked = make_problem("DiffusionSampling-v0", evaluations=3, points=50, objective="sliced_w2,frechet2")
    evaluation = asked.evaluate(asked.space.sample(5, RNG))
    assert (evaluation.metrics["sliced_w2"] > 0).all()
    bound = make_problem(
        "DiffusionSampling-v0", points=50, objective={"minimize": ["rms"], "subject_to": ["frechet2 <= 1"]}
    )
    assert bound.cost_model.distances
    with pytest.raises(ValueError, match="no metric 'wasserstein'"):
        make_problem("DiffusionSampling-v0", objective="wasserstein")


def test_distances_of_the_mixtures_own_samples_are_small() -> None:
    model, n = mixture("ring2d"), 4_000
    picked = RNG.choice(8, n, p=model.weights)
    own = (model.means[picked] + model.stds[picked, None] * RNG.normal(size=(n, 2))).T
    assert sliced_w2(own, "ring2d") < 0.1
    assert frechet2(own, model) < 0.01
    moved = own + np.array([[0.3], [0.4]])
    assert frechet2(moved, model) == pytest.approx(0.25, abs=0.07)
    middle = quantiles("ring2d", 4_000)[0, 2_000]
    assert np.mean(own[0] < middle) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evaluations": 2}, r"evaluations must be in \[3, 20\], got 2. Choose one of them."),
        ({"points": 1}, "points must be at least 2, got 1. Raise it."),
        ({"grid": "cosine"}, "grid must be one of free, parametric, uniform_t, .*, got 'cosine'. Choose one of them."),
        ({"path": "cosine"}, "path must be one of vp, ve, flow, got 'cosine'. Choose one of them."),
        ({"model": "moons"}, "a mixture must be one of ring2d, gmm8d, digits, digits_network, or the path of a .csv"),
        ({"solvers": "rk45"}, "solvers must be some of euler, .*, got rk45. Correct them."),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DiffusionSampling(**options)
    assert "\n" not in str(caught.value)


def test_a_mixture_of_a_users_own(tmp_path) -> None:
    table = tmp_path / "two.csv"
    table.write_text("weight,std,mu0,mu1,mu2\n1,.2,1,0,0\n3,.1,-1,0,.5\n")
    own = mixture(str(table))
    assert own.weights.tolist() == [0.25, 0.75]
    assert own.means.shape == (2, 3)
    problem = make_problem("DiffusionSampling-v0", model=str(table), points=20, evaluations=3)
    assert problem.evaluate(problem.space.sample(4, RNG)).feasible.all()
    for text, message in (
        ("weight,mu0\n1,1\n", "the header must name std. Add what is missing."),
        ("weight,std,mu0\n1,0,1\n", "weight and std must be above 0"),
        ("weight,std,mu0\n1,x,1\n", "row 2: std must be a number, got 'x'. Correct it."),
    ):
        bad = tmp_path / f"{len(message)}.csv"
        bad.write_text(text)
        with pytest.raises(ValueError) as caught:
            mixture(str(bad))
        assert message in str(caught.value)


@pytest.mark.parametrize("path", ["vp", "ve", "flow"])
def test_parametric_grids_are_different_ones(path: str) -> None:
    space = make_problem("DiffusionSampling-v0", path=path, grid="parametric", evaluations=5, points=32).space
    (grids,) = (parameter.choices for parameter in space.parameters if parameter.name == "grid")
    made = PATHS[path]
    times = {
        (name, p): made.grid(name, 4, p) for name in grids for p in ((None,) if name == "logsnr" else (1.0, 2.0, 7.0))
    }
    found = np.array(list(times.values()))
    away = np.abs(found[:, None] - found[None]).max(axis=2)
    assert away[~np.eye(len(found), dtype=bool)].min() > 1e-6


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("noise_seed", -1, "noise_seed must be at least 0, got -1"),
        ("noise_seed", 1.5, "option noise_seed must be a whole number, such as 2, got 1.5"),
        ("points", 10.5, "option points must be a whole number"),
        ("evaluations", True, "option evaluations must be a whole number"),
    ],
)
def test_options_that_are_no_such_numbers_are_refused_by_name(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_problem("DiffusionSampling-v0", **{name: value})


def test_a_table_row_that_steps_to_where_there_is_no_noise_is_named(tmp_path: Path) -> None:
    table = tmp_path / "flow.csv"
    table.write_text("problem,solver,grid,nfe,path\nring2d,ddim,uniform_t,4,flow\nring2d,heun,uniform_t,4,flow\n")
    with pytest.raises(ValueError, match=r"flow.csv row 3: heun can not step to where there is no noise"):
        validate(table)
