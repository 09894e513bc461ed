"""A problem priced by a dataset: its numbers, its draws, what does not fit, and agents on it without the simulator."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from small_problem import (
    NAME,
    SPACE,
    SmallModel,
    origin_of,
    registered,
    small,
    small_dataset,
    together,
)

from designgym.agents import search
from designgym.cost_models.dataset_file import write_dataset
from designgym.envs import DesignSpace, Float, Integer, Objective, make_problem, reason_of
from designgym.envs.testing import check_faces, check_problem


@pytest.fixture(autouse=True)
def _known(monkeypatch) -> None:
    registered(monkeypatch)


@pytest.fixture
def data(tmp_path):
    return write_dataset(small_dataset(), tmp_path / "data")


@pytest.fixture
def offline(data, tmp_path):
    return make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}")


def ranks(designs) -> set[int]:
    return set(SPACE.rank(designs).tolist())


def test_rows_are_priced_as_they_were_and_the_objective_is_the_problems_own(data, offline) -> None:
    got, truth = offline.evaluate(data.designs), small().evaluate(data.designs)
    for name in ("losses", "violation", "feasible", "reward"):
        assert np.array_equal(getattr(got, name), getattr(truth, name), equal_nan=name == "losses"), name
    assert (truth.violation > data.violation).any(), "some break the objective's constraint alone"
    assert (truth.violation == data.violation).any()
    energy = make_problem(NAME, cost_model=offline.cost_model, objective="area_mm2")
    assert energy.objective.minimize == ("area_mm2",)


def test_sample_draws_rows_only_and_all_of_them_feasible_or_not(data, offline) -> None:
    drawn = offline.space.sample(20_000, np.random.default_rng(0))
    assert ranks(drawn) == ranks(data.designs)
    assert not data.feasible.all()
    counts = np.unique(SPACE.rank(drawn), return_counts=True)[1]
    assert counts.max() < 2 * 20_000 / len(data), "each row is as likely"
    again = pickle.loads(pickle.dumps(offline)).space.sample(50, np.random.default_rng(0))
    assert all(np.array_equal(column[:50], again[name]) for name, column in drawn.items())
    # Everything else of the space is as it was.
    assert offline.space.size == SPACE.size
    assert offline.space.count_valid() == SPACE.count_valid()
    unit = np.random.default_rng(1).random((100, len(SPACE.cardinalities)))
    assert ranks(offline.space.decode(unit)) == ranks(SPACE.decode(unit))
    assert offline.space != SPACE
    assert offline.space == pickle.loads(pickle.dumps(offline.space))


def test_what_is_not_in_the_dataset_is_infeasible_with_the_reason(data, offline) -> None:
    missing = sorted(ranks(next(SPACE.enumerate(10_000))) - ranks(data.designs))[:50]
    others = SPACE.unrank(np.array(missing))
    got = offline.evaluate(others)
    assert (got.violation == 1.0).all()
    assert not got.feasible.any()
    one = {name: column[:1] for name, column in others.items()}
    assert reason_of(offline, one, got.take([0])) == "not in the dataset"


def test_the_contract_of_a_problem_and_of_its_faces(offline) -> None:
    check_problem(offline)
    check_faces(offline, 300)


@pytest.mark.parametrize("agent", ["random", "local_search", "genetic", "quasi_random"])
def test_agents_search_without_touching_the_true_cost_model(data, offline, agent, monkeypatch) -> None:
    def touched(self, designs):
        raise AssertionError("the true cost model was asked")

    monkeypatch.setattr(SmallModel, "evaluate", touched)
    trials = search(offline, agent, budget=120, seed=1)
    assert len(trials) == 120
    assert trials.best is not None, "the first designs are rows, and most of these are feasible"
    found = ranks({name: column[trials.evaluations.feasible] for name, column in trials.designs.items()})
    assert found <= ranks(data.designs)


def test_of_several_workloads_the_one_with_the_problems_options_is_taken(tmp_path) -> None:
    both = write_dataset(together(small_dataset(100), small_dataset(150, 1, workload="b")), tmp_path / "both")
    for place, options in enumerate(({}, {"workload": "b"})):
        problem = make_problem(NAME, cost_model=f"dataset:{tmp_path / 'both'}", **options)
        own = both.take(both.problem == place)
        assert ranks(problem.space.sample(5000, np.random.default_rng(0))) == ranks(own.designs)
        own = own.take(own.feasible)
        assert np.array_equal(problem.evaluate(own.designs).metrics["latency_s"], own.metrics["latency_s"])
    said = (
        r"of OfflineSmall-v0 with these options, but of OfflineSmall-v0 \(workload 'a' there and 'c' here\); "
        r"OfflineSmall-v0\(workload=b\) \(workload 'b' there and 'c' here\)"
    )
    with pytest.raises(ValueError, match=said):
        make_problem(NAME, cost_model=f"dataset:{tmp_path / 'both'}", workload="c")


def test_an_option_that_came_after_the_dataset_stood_at_its_default(data, tmp_path) -> None:
    origin = data.origins[0]
    before = {name: value for name, value in origin.options.items() if name != "factor"}
    write_dataset(replace(data, origins=(replace(origin, options=before),)), tmp_path / "data")
    given = f"dataset:{tmp_path / 'data'}"
    assert len(make_problem(NAME, cost_model=given).cost_model.rows) == len(data)
    with pytest.raises(ValueError, match=r"\(factor 1\.0 there and 2\.0 here\)\. Set its options"):
        make_problem(NAME, cost_model=given, factor=2.0)


def test_one_problem_priced_by_several_cost_models_is_ambiguous(tmp_path) -> None:
    one, other = small_dataset(50), small_dataset(50, 1)
    other = replace(other, origins=(replace(origin_of(small(), cost_model="Other"), label="the other"),))
    write_dataset(together(one, other), tmp_path / "data")
    with pytest.raises(ValueError, match=r"priced by several cost models: OfflineSmall-v0; the other\. Gather the one"):
        make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}")


def changed(data, parameter: str, **fields):
    parameters = tuple({**one, **(fields if one["name"] == parameter else {})} for one in data.origins[0].parameters)
    return replace(data, origins=(replace(data.origins[0], parameters=parameters),))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: changed(d, "rows", high=64), "rows has high 64 there and 32 here"),
        (lambda d: changed(d, "rows", unit="MAC"), "rows has unit MAC there and PE here"),
        (lambda d: changed(d, "stages", default=3), "stages has default 3 there and None here"),
        (lambda d: replace(d, declared=(replace(d.declared[0], unit="ms"), d.declared[1])),
         "latency_s is in ms there and in s here"),
        (lambda d: replace(d, declared=(d.declared[0], replace(d.declared[1], better="higher"))),
         "higher area_mm2 is better there and lower here"),
    ],
)  # fmt: skip
def test_what_differs_is_said(data, tmp_path, change, said) -> None:
    write_dataset(change(data), tmp_path / "data")
    with pytest.raises(ValueError, match=f"{tmp_path / 'data'} does not fit {NAME}: {said}\\. Gather"):
        make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}")


def test_a_parameter_more_is_said_and_its_meaning_is_nobodys_business(data, tmp_path) -> None:
    write_dataset(changed(data, "rows", meaning="height"), tmp_path / "data")
    assert make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}").space.drawn_from is not None
    origin = data.origins[0]
    more = {"kind": "Integer", "name": "extra", "low": 1, "high": 2, "columns": ["extra"]}
    write_dataset(replace(data, origins=(replace(origin, parameters=(*origin.parameters, more)),)), tmp_path / "data")
    with pytest.raises(ValueError, match="it has a parameter extra, which is not here"):
        make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}")


def test_a_metric_that_the_objective_needs_must_be_there(data, tmp_path) -> None:
    lacking = replace(data, declared=data.declared[1:], metrics={"area_mm2": data.metrics["area_mm2"]})
    write_dataset(lacking, tmp_path / "data")
    with pytest.raises(ValueError, match="latency_s"):
        make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}")
    only = Objective(minimize=("area_mm2",))
    problem = make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}", objective=only)
    assert problem.evaluate(data.designs).losses.shape == (len(data), 1)


def test_rows_outside_the_space_are_left_out(data, tmp_path) -> None:
    broken = {name: column.copy() for name, column in data.designs.items()}
    broken["rows"][:], broken["sram_kb"][:] = 32, 64
    keep = np.unique(SPACE.rank(broken), return_index=True)[1]
    outside = replace(data, designs=broken).take(keep)
    outside = replace(
        outside, violation=np.ones(len(keep)), metrics={k: v * np.nan for k, v in outside.metrics.items()}
    )
    assert not SPACE.contains(outside.designs).any()
    mixed = together(data, replace(outside, origins=()))
    write_dataset(replace(mixed, problem=np.zeros(len(mixed), np.int64)), tmp_path / "data")
    problem = make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}")
    assert ranks(problem.space.sample(5000, np.random.default_rng(0))) == ranks(data.designs)
    write_dataset(replace(outside, problem=np.zeros(len(keep), np.int64)), tmp_path / "none")
    with pytest.raises(ValueError, match="holds no design of OfflineSmall-v0 that keeps the constraints"):
        make_problem(NAME, cost_model=f"dataset:{tmp_path / 'none'}")


def test_cheap_rows_stand_in_only_where_there_are_no_others(data, tmp_path) -> None:
    cheap = replace(data, fidelity=np.full(len(data), "cheap"), metrics={k: v * 0.5 for k, v in data.metrics.items()})
    both = together(data, replace(cheap, origins=()))
    write_dataset(replace(both, problem=np.zeros(len(both), np.int64)), tmp_path / "data")
    write_dataset(cheap, tmp_path / "cheap")
    row = {name: column[data.feasible][:1] for name, column in data.designs.items()}
    truth = small().evaluate(row).metrics["latency_s"]
    problem = make_problem(NAME, cost_model=f"dataset:{tmp_path / 'data'}", cheap=f"dataset:{tmp_path / 'cheap'}")
    assert problem.evaluate(row).metrics["latency_s"] == truth
    assert problem.evaluate(row, "cheap").metrics["latency_s"] == 0.5 * truth


def test_a_missing_dataset_is_one_line(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"holds no dataset: it has no data.parquet"):
        make_problem(NAME, cost_model=f"dataset:{tmp_path}")


def test_drawing_from_refuses_what_is_not_in_the_space() -> None:
    space = DesignSpace(Integer("n", 1, 4), Float("x", 0.0, 1.0))
    rows = {"n": np.array([1, 2]), "x": np.array([0.5, -0.0])}
    assert set(space.drawing_from(rows).sample(50, np.random.default_rng(0))["x"].tolist()) == {0.0, 0.5}
    with pytest.raises(ValueError, match=r"must be designs of the space, got 1 of 2 that are not"):
        space.drawing_from({**rows, "n": np.array([1, 9])})
    with pytest.raises(ValueError, match="got none"):
        space.drawing_from({"n": np.empty(0, np.int64), "x": np.empty(0)})
