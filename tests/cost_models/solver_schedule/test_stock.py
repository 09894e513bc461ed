"""Stock samplers: each once, legal in the space that is searched, and those of the reference's fair comparison."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import PATHS, path_of
from designgym.cost_models.solver_schedule.patterns import Patterns
from designgym.cost_models.solver_schedule.sampler import Schedule, errors, noises, reference, sampled, summary
from designgym.cost_models.solver_schedule.solvers import pattern
from designgym.cost_models.solver_schedule.stock import slots, spelled, stock, stock_solvers, tuned

FAIR = Path(__file__).parents[2] / "reference" / "solver_schedule" / "solver_gmm_fair.csv"
ROWS = [row for row in csv.DictReader(FAIR.open()) if row["arm"] in ("stock", "tuned1")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("evaluations", [3, 6, 7])
def test_stock_solvers_are_different_designs_of_the_searched_space(path: str, evaluations: int) -> None:
    solvers = stock_solvers(path_of(path), evaluations)
    patterns = Patterns(path, evaluations)
    assert len(set(solvers.values())) == len(solvers) >= 5
    for steps in solvers.values():
        names = slots(steps)
        column = {f"solver_{i}": np.array([patterns.choices(i).index(n)]) for i, n in enumerate(names, 1)}
        assert patterns(column).all()


def test_another_spelling_is_the_same_sampler() -> None:
    path, noise = path_of("vp"), noises(2, 64, 0)
    steps = pattern("dpm3m", 6)
    assert spelled(steps) != steps
    times = path.grid("karras7", 6)
    one, other = sampled(path, mixture("ring2d"), [Schedule(times, steps), Schedule(times, spelled(steps))], noise)
    assert np.abs(one - other).max() < 1e-12


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['problem']}-{row['nfe']}-{row['arm']}")
def test_the_fair_comparisons_own_choices_come_to_its_figures(row: dict[str, str]) -> None:
    path, evaluations, model = path_of("vp"), int(row["nfe"]), row["problem"]
    power = row["grid"].startswith("tpow")
    steps = pattern(row["solver"], evaluations)
    times = path.grid("power", len(steps), float(row["grid"][4:])) if power else path.grid(row["grid"], len(steps))
    for seed, column in ((2, "train"), (1, "test1"), (11, "test11")):
        noise = noises(mixture(model).dimensions, 2048, seed)
        samples = sampled(path, mixture(model), [Schedule(times, steps)], noise)
        found = summary(errors(samples, reference(path, model, 2048, seed)))
        assert found["rms"][0] == pytest.approx(float(row[f"{column}_rms"]), abs=6e-6)
        if column != "train":
            assert found["median"][0] == pytest.approx(float(row[f"{column}_median"]), abs=6e-6)
            assert found["flip_fraction"][0] == pytest.approx(float(row[f"{column}_flip_fraction"]), abs=6e-6)


def test_the_tuned_grids_fill_a_budget_and_hold_the_stock_ones() -> None:
    path = path_of("vp")
    found = tuned(path, 5, 1000)
    assert 900 < len(found) <= 1000
    assert {"quadratic_t", "power 1", "power 6", "karras 1", "karras 20"} <= {sampler.grid for sampler in found}
    assert len(stock(path, 5)) == 4 * len(stock_solvers(path, 5))
    with pytest.raises(ValueError, match="budget must be at least"):
        tuned(path, 5, 10)
