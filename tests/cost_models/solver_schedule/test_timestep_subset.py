"""Samplers at some of many training times: the same as DiffusionSampling where their grids meet; blocks left out."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.picture_checks import check_pictures
from designgym.cost_models.solver_schedule.diffusion_sampling import DiffusionSampling
from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture
from designgym.cost_models.solver_schedule.paths import PATHS
from designgym.cost_models.solver_schedule.sampler import noises, sampled
from designgym.cost_models.solver_schedule.timestep_subset import TimestepSubset
from designgym.envs import make_problem
from designgym.envs.solver_schedule.timestep_subset import skipped_name, space_of

REFERENCE = Path(__file__).parents[2] / "reference" / "solver_schedule"
RNG = np.random.default_rng(0)
NETWORK = "digits_network"


def rows_of(designs, row):
    return {name: column[row : row + 1] for name, column in designs.items()}


@pytest.mark.parametrize(("times", "k"), [(100, 5), (1000, 8), (60, 20)])
@pytest.mark.parametrize("solver", ["ddim", "dpmpp2m"])
def test_every_so_many_times_are_the_even_grid(times: int, k: int, solver: str) -> None:
    problem = make_problem("TimestepSubset-v0", times=times, evaluations=k, solver=solver, points=64, noise_seed=4)
    design = problem.space.parse({"time": ",".join(str(times * i // k) for i in range(k))})
    whole = DiffusionSampling(evaluations=k, grid="uniform_t", points=64, noise_seed=4)
    names = ["ddim", *[solver] * (k - 1)]
    wanted = whole.evaluate({
        f"solver_{i}": np.array([whole.patterns.choices(i).index(name)]) for i, name in enumerate(names, 1)
    })  # fmt: skip
    found = problem.cost_model.evaluate(design)
    for name in ("rms", "median", "flip_fraction", "evaluations"):
        assert found[name][0] == pytest.approx(wanted[name][0], rel=1e-12, abs=1e-12)
    assert (problem.cost_model.evaluate(problem.space.parse({}))["rms"] == found["rms"]).all(), "the default is even"


def test_the_noise_is_taken_at_the_first_time_chosen_and_the_last_step_goes_to_the_end() -> None:
    model = TimestepSubset(evaluations=2, points=2, noise_seed=7)
    schedule = model.schedule({"time_0": np.array([30]), "time_1": np.array([80])})
    assert schedule.times == pytest.approx([1 - 0.999 * 0.3, 1 - 0.999 * 0.8, 0.001])
    # DDIM by hand, of one component: D = mean of the data given x.
    ring = mixture("ring2d")
    one = Mixture("one", np.ones(1), ring.stds[:1], ring.means[:1])
    noise = noises(2, 2, 7)
    alphas, sigmas = PATHS["vp"].scales(schedule.times)
    x, mean, square = noise.copy(), one.means[0][:, None], one.stds[0] ** 2
    for i in range(2):
        a, s = alphas[i], sigmas[i]
        data = mean + a * square / (a * a * square + s * s) * (x - a * mean)
        x = alphas[i + 1] * data + sigmas[i + 1] * (x - a * data) / s
    assert sampled(PATHS["vp"], one, [schedule], noise)[0] == pytest.approx(x, rel=1e-12)


@pytest.mark.parametrize("name", ["ring2d", "gmm8d"])
def test_even_times_have_the_errors_that_others_printed(name: str) -> None:
    with (REFERENCE / "solver_gmm_stock.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["problem"], row["grid"]) == (name, "uniform_t")]
    rows = [row for row in rows if row["solver"] != "heun"]
    assert len(rows) == 42
    for row in rows:
        k = int(row["nfe"])
        model = TimestepSubset(name, 5 * k, k, row["solver"], points=2048, noise_seed=1)
        found = model.evaluate({f"time_{i}": np.array([5 * i]) for i in range(k)})
        assert found["rms"][0] == pytest.approx(float(row["rms_endpoint"]), rel=5e-6), row


def test_sizes_are_exact_python_ints() -> None:
    for times, k, skip, blocks in ((100, 8, False, 0), (1000, 20, False, 0), (1000, 20, True, 4)):
        model = TimestepSubset(NETWORK if skip else "ring2d", times, k, skip=skip, points=2)
        size = space_of(model).size
        assert type(size) is int
        assert size == math.comb(times, k) * 2 ** (blocks * k)


def test_twenty_of_a_thousand_times_are_drawn_and_come_back_without_rejection() -> None:
    space = space_of(TimestepSubset(NETWORK, 1000, 20, skip=True, points=2))
    designs = space.sample(500, RNG)
    times = np.stack([designs[f"time_{i}"] for i in range(20)])
    assert (np.diff(times, axis=0) > 0).all()
    assert times.min() >= 0
    assert times.max() <= 999
    # The mean of the i-th of k uniform among n is (n + 1) (i + 1) / (k + 1) - 1.
    assert times.mean(axis=1) == pytest.approx(1001 * np.arange(1, 21) / 21 - 1, abs=35)
    ranks = space.rank(designs)
    assert isinstance(ranks[0], int)
    assert max(ranks) > 2**64
    again = space.unrank(ranks)
    assert all((again[name] == column).all() for name, column in designs.items())
    last = space.unrank(np.array([0, space.size - 1], object))
    assert [last[f"time_{i}"].tolist() for i in (0, 19)] == [[0, 980], [19, 999]]


def test_designs_alone_as_in_a_batch_and_in_any_order() -> None:
    model = TimestepSubset(NETWORK, 40, 4, "dpmpp2m", skip=True, points=33)
    designs = space_of(model).sample(24, RNG)
    designs = {name: np.concatenate([column, column[:5]]) for name, column in designs.items()}
    priced, order = model.evaluate(designs), RNG.permutation(29)
    shuffled = model.evaluate({name: column[order] for name, column in designs.items()})
    assert all((shuffled[name] == column[order]).all() for name, column in priced.items())
    for row in (0, 3, 25):
        alone = model.evaluate(rows_of(designs, row))
        assert all(alone[name][0] == column[row] for name, column in priced.items())


def test_blocks_left_out_cost_less_and_are_told_by_name() -> None:
    problem = make_problem("TimestepSubset-v0", model=NETWORK, skip=True, evaluations=3, points=40, flop_weight=0.25)
    assert problem.objective.minimize == ("penalised_rms",)
    given = {"time": "0,40,70", "skipped_0": "1+3", "skipped_1": "none", "skipped_2": "1+2+3+4"}
    design = problem.space.parse(given)
    whole = problem.space.parse({"time": "0,40,70"})
    assert [design[f"skipped_{i}"][0] for i in range(3)] == [0b0101, 0, 0b1111]
    priced = problem.cost_model.evaluate({name: np.append(column, whole[name]) for name, column in design.items()})
    network = mixture(NETWORK).network
    assert network is not None
    assert priced["flop"].tolist() == [
        network.flop(0b0101) + network.flop() + network.flop(0b1111), 3 * network.flop()
    ]  # fmt: skip
    share = priced["flop"] / (3 * network.flop())
    assert priced["penalised_rms"] == pytest.approx(priced["rms"] + 0.25 * share, rel=1e-12)
    assert priced["rms"][0] > priced["rms"][1]
    plain = make_problem("TimestepSubset-v0", model=NETWORK, evaluations=3, points=40)
    assert plain.cost_model.evaluate(plain.space.parse({"time": "0,40,70"}))["rms"][0] == priced["rms"][1]
    assert skipped_name(0b1010, 4) == "2+4"


@pytest.mark.parametrize("options", [{}, {"model": NETWORK, "skip": True}])
def test_pictures_stand_beside_even_times(options) -> None:
    problem = make_problem("TimestepSubset-v0", times=20, evaluations=4, points=32, **options)
    designs = problem.space.sample(2, RNG)
    check_pictures("TimestepSubset", problem.cost_model, designs)
    times, _, error = problem.cost_model.pictures(designs, ("one", "two"))
    assert [mark.name for mark in times.marks] == ["ddim on even times", "one", "two"]
    rms = problem.cost_model.evaluate(designs)["rms"]
    for name, value in zip(("one", "two"), rms, strict=True):
        (point,) = (mark for mark in error.marks if mark.name == name)
        assert (point.x.tolist(), point.y.tolist()) == ([4.0], [value])


def test_distances_where_an_objective_asks() -> None:
    plain = make_problem("TimestepSubset-v0", points=50)
    assert "frechet2" not in [metric.name for metric in plain.cost_model.metrics]
    asked = make_problem("TimestepSubset-v0", points=50, objective="frechet2,sliced_w2")
    evaluation = asked.evaluate(asked.space.sample(5, RNG))
    assert (evaluation.metrics["frechet2"] > 0).all()
    assert (evaluation.metrics["sliced_w2"] > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evaluations": 1}, r"evaluations must be in \[2, 50\] and below times, times at most 1,000, got 1 and 100."),
        ({"times": 8}, "evaluations must be in .* below times, .* got 8 and 8. Choose others."),
        ({"times": 2000}, "times at most 1,000, got 8 and 2000. Choose others."),
        ({"points": 1}, "points must be at least 2, got 1. Raise it."),
        ({"solver": "heun"}, "solver must evaluate once a step, got 'heun'. Choose ddim"),
        ({"solver": "rk45"}, "solver must be one of euler, .* got 'rk45'. Correct it."),
        ({"flop_weight": -1.0}, "flop_weight must be a number of at least 0, got -1.0. Correct it."),
        ({"flop_weight": math.nan}, "flop_weight must be a number of at least 0, got nan. Correct it."),
        ({"skip": True}, "skip needs a model that has blocks, digits_network, got 'ring2d'. Choose it."),
        ({"model": "moons"}, "a mixture must be one of ring2d, gmm8d, digits, digits_network, or the path"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        TimestepSubset(**options)
    assert "\n" not in str(caught.value)
