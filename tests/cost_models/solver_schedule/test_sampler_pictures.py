"""Pictures of samplers: what they show is what the cost models compute, and what others printed."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.picture_checks import check_pictures
from designgym.cost_models.pictures import Image, Picture, Series
from designgym.cost_models.solver_schedule import pictures as module
from designgym.cost_models.solver_schedule.diffusion_sampling import DiffusionSampling
from designgym.cost_models.solver_schedule.flow_step_sizes import FlowStepSizes
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import PATHS, path_of
from designgym.cost_models.solver_schedule.pictures import stock_samplers
from designgym.cost_models.solver_schedule.sampler import noises, reference, sampled
from designgym.envs import make_problem

REFERENCE = Path(__file__).parents[2] / "reference" / "solver_schedule"
NAMES = ("one", "two")


def drawn(id: str, **options: object) -> tuple[object, dict, tuple[Picture, ...]]:
    """Return a cost model, two designs, and its pictures of them."""
    problem = make_problem(id, **options)
    designs = problem.space.sample(2, np.random.default_rng(3))
    return problem.cost_model, designs, problem.cost_model.pictures(designs, NAMES)


def series(picture: Picture, name: str) -> Series:
    (found,) = (mark for mark in picture.marks if mark.name == name)
    assert isinstance(found, Series)
    return found


@pytest.mark.parametrize("grid", ["free", "parametric", "karras7"])
@pytest.mark.parametrize("path", PATHS)
def test_pictures_keep_the_contract(path: str, grid: str) -> None:
    model, designs, (times, _, error) = drawn("DiffusionSampling-v0", path=path, grid=grid, points=40, evaluations=6)
    check_pictures("DiffusionSampling", model, designs)
    assert isinstance(model, DiffusionSampling)
    for row, name in enumerate(NAMES):
        schedule = model.schedule({key: column[[row]] for key, column in designs.items()})
        own = series(times, name)
        assert own.labels == (*schedule.solvers, "")
        inner = path_of(path).log_snr(schedule.times[1:-1])
        assert own.x[1:-1] == pytest.approx(inner)
        assert (np.diff(own.x) >= 0).all()
        assert times.y.names[int(own.y[0])] == name
        assert series(error, name).y[0] == pytest.approx(model.evaluate(designs)["rms"][row])
        assert series(error, name).x.tolist() == [6.0]
    if grid == "karras7":
        assert all(name.endswith(" on karras7") or name in NAMES for name in {mark.name for mark in error.marks})


@pytest.mark.parametrize("model", ["ring2d", "gmm8d"])
def test_stock_samplers_have_the_errors_that_others_printed(model: str) -> None:
    designs = make_problem("DiffusionSampling-v0", model=model, evaluations=4).space.sample(2, np.random.default_rng(0))
    _, _, error = DiffusionSampling(model, evaluations=4, points=2048, noise_seed=1).pictures(designs, NAMES)
    with (REFERENCE / "solver_gmm_stock.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["problem"] == model]
    checked = 0
    for row in rows:
        name = f"{row['solver']} on {row['grid']}"
        for mark in error.marks:
            there = np.flatnonzero(mark.x == float(row["nfe"])) if mark.name == name else []
            for place in there:
                assert mark.y[place] == pytest.approx(float(row["rms_endpoint"]), rel=1e-5), (name, row["nfe"])
                checked += 1
    assert checked >= 15


@pytest.mark.parametrize("evaluations", [3, 4, 7, 20])
@pytest.mark.parametrize("path", PATHS)
def test_every_stock_sampler_ends_somewhere(path: str, evaluations: int) -> None:
    stock = stock_samplers(path_of(path), "", evaluations)
    assert len(stock) >= 4
    ends = sampled(path_of(path), mixture("ring2d"), list(stock.values()), noises(2, 30, 0))
    assert np.isfinite(ends).all()
    assert all(len(one.times) == len(one.solvers) + 1 for one in stock.values())


def test_the_first_row_is_the_best_stock_sampler() -> None:
    _, _, (times, samples, error) = drawn("SolverPattern-v0", points=100)
    at = {mark.name: mark.y[mark.x == 5.0] for mark in error.marks if mark.name not in NAMES}
    best = min((float(rms[0]), name) for name, rms in at.items() if len(rms))[1]
    assert times.y.names == (best, *NAMES)
    assert samples.panels == ("the exact path", best, *NAMES)


def test_samples_are_where_the_designs_take_the_noise() -> None:
    model, designs, (_, samples, _) = drawn("DiffusionSampling-v0", evaluations=5, points=60)
    truth = reference(path_of("vp"), "ring2d", 60, 2)
    grey = [mark for mark in samples.marks if mark.name == "the exact path"]
    assert [mark.panel for mark in grey] == [0, 1, 2, 3]
    assert [mark.quiet for mark in grey] == [False, True, True, True]
    assert all(np.array_equal([mark.x, mark.y], truth) for mark in grey)
    apart = [series(samples, name) for name in NAMES]
    for row, own in enumerate(apart):
        rms = np.sqrt(np.mean((np.array([own.x, own.y]) - truth) ** 2))
        assert rms == pytest.approx(model.evaluate(designs)["rms"][row])
        assert own.panel == row + 2


def test_eight_dimensions_are_shown_on_the_axes_of_most_variance() -> None:
    _, _, (_, samples, _) = drawn("DiffusionSampling-v0", model="gmm8d", evaluations=8, points=300)
    values = np.linalg.eigvalsh(mixture("gmm8d").covariance())
    truth = next(mark for mark in samples.marks if not mark.quiet)
    spread = np.array([truth.x.var(), truth.y.var()])
    assert spread == pytest.approx(values[[-1, -2]], rel=0.25)
    assert f"{values[-2:].sum() / values.sum():.0%}" in samples.meaning


def test_digits_are_images_and_take_few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORK", 1e8)
    monkeypatch.setattr(module, "FEWEST", 3)
    options = {"model": "digits", "points": 20, "evaluations": 3}
    problem = make_problem("DiffusionSampling-v0", **options)
    model, designs = problem.cost_model, problem.space.sample(2, np.random.default_rng(0))
    times, samples, error = model.pictures(designs, NAMES)
    assert "the first 3 of 20 points" in error.meaning
    assert all(isinstance(mark, Image) for mark in samples.marks)
    truth = reference(path_of("vp"), "digits", 16, 2, 200)
    tiles = samples.marks[0].values
    assert tiles.shape == (35, 35)
    # The sixth image stands in the second row and the second column.
    assert np.array_equal(tiles[9:17, 9:17], np.clip(truth[:, 5].reshape(8, 8), -1, 1))
    assert (tiles[8] == -1).all()
    assert times.written


def test_step_sizes_show_times_and_their_own_truth() -> None:
    model, designs, (times, samples, error) = drawn("FlowStepSizes-v0", points=80)
    assert isinstance(model, FlowStepSizes)
    check_pictures("FlowStepSizes", model, designs)
    priced = model.evaluate(designs)["rms"]
    for row, name in enumerate(NAMES):
        assert series(times, name).x == pytest.approx(model.indices(designs)[row] / 20)
        assert series(error, name).y[0] == pytest.approx(priced[row])
    even = series(error, "even steps")
    assert even.x.tolist() == list(range(2, 20))
    (at_5,) = even.y[even.x == 5]
    path = {f"step_{i}": np.array([place]) for i, place in enumerate((3, 7, 11, 15))}
    assert at_5 == pytest.approx(FlowStepSizes(evaluations=5, points=80).evaluate(path)["rms"][0])
    assert samples.panels[0] == "Euler's method in 20 steps"


def test_two_samplers_of_one_setting_are_drawn_as_one_by_one() -> None:
    model, designs, both = drawn("DiffusionSampling-v0", evaluations=5, points=40)
    alone = model.pictures({name: column[[1]] for name, column in designs.items()}, NAMES[1:])
    for one, two in zip(alone, both, strict=True):
        mine = [mark for mark in one.marks if mark.name == "two"]
        theirs = [mark for mark in two.marks if mark.name == "two"]
        assert np.array_equal(mine[0].x, theirs[0].x)
