"""From log to dataset: which trials are in, which are not, what disagrees, and agents on what came together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from small_problem import NAME, SPACE, SmallModel, registered, small
from small_sweep import log_sweep, register

from designgym.cost_models.dataset_file import read_dataset, write_dataset
from designgym.envs import make_problem
from designgym.experiments.dataset import gather, space_of
from designgym.experiments.log import load_sweep
from designgym.experiments.parts import RunFiles
from designgym.experiments.trials import load_trials

SWEEP = {"name": "s", "problems": [NAME], "agents": ["random", "genetic"], "seeds": 2, "budget": 150}


@pytest.fixture(autouse=True)
def _known(monkeypatch) -> None:
    register()  # for good, before the names of this test are there for a while
    registered(monkeypatch)


def swept(directory: Path, priced: dict[int, int] | None = None, options: dict | None = None, **keys) -> Path:
    problems = {} if options is None else {"problems": [{"id": NAME, "options": options}]}
    return log_sweep(directory, {**SWEEP, **problems, **keys}, priced)


def ranks(designs) -> list[int]:
    return SPACE.rank(designs).tolist()


def logged_ranks(directory: Path, status: tuple[str, ...] = ("ok", "infeasible")) -> list[int]:
    rows = load_trials(directory).to_pylist()
    names = [{n: row[f"design.{n}"] for n in SPACE.columns} for row in rows if row["status"] in status]
    return [int(SPACE.rank(SPACE.parse(one))[0]) for one in names]


def test_one_row_a_distinct_design_with_what_the_model_says_of_it(tmp_path) -> None:
    found = gather([swept(tmp_path / "s")])
    data = found.dataset
    logged = logged_ranks(tmp_path / "s")
    assert sorted(ranks(data.designs)) == sorted(set(logged))
    assert len(data) < len(logged) == found.trials == 600, "runs found the same designs"
    assert found.repeated == 600 - len(data)
    truth = SmallModel().evaluate(data.designs)
    own = truth.pop("violation")
    assert np.array_equal(data.feasible, own == 0), "the objective's area_mm2 <= 1.2 is not in it"
    assert np.allclose(data.violation, own, rtol=1e-12, atol=0), "taking its excess away leaves rounding"
    for name, column in truth.items():
        assert np.array_equal(data.metrics[name], column, equal_nan=True)
    assert 0 < data.feasible.mean() < 1
    assert (data.metrics["area_mm2"][data.feasible] > 1.2).any()
    origin = data.origins[0]
    assert (origin.label, origin.id, origin.cost_model, origin.version) == (NAME, NAME, "SmallModel", "1")
    assert origin.options["workload"] == "a"
    assert data.sources == (str(tmp_path / "s"),)
    assert set(data.fidelity) == {"faithful"}


def test_the_agent_and_run_are_those_that_needed_the_fewest_designs(tmp_path) -> None:
    data = gather([swept(tmp_path / "s")]).dataset
    first: dict[int, tuple[int, int]] = {}
    runs = [run.key for run in load_sweep(tmp_path / "s").runs]
    for row, rank in zip(load_trials(tmp_path / "s").to_pylist(), logged_ranks(tmp_path / "s"), strict=True):
        first[rank] = min(first.get(rank, (10**9, 0)), (row["index"], runs.index(row["run"])))
    labels = {run.key: run.label for run in load_sweep(tmp_path / "s").runs}
    for row, rank in enumerate(ranks(data.designs)):
        assert (data.index[row], data.run[row]) == (first[rank][0], runs[first[rank][1]])
        assert data.agent[row] == labels[data.run[row]]
    assert {"random", "genetic"} == set(data.agent)


def test_order_and_number_of_directories_change_no_row(tmp_path) -> None:
    one, other = swept(tmp_path / "one"), swept(tmp_path / "other", seeds=[5, 6])
    forth, back = gather([one, other]), gather([other, one, one])
    hashes = [write_dataset(found.dataset, tmp_path / "data").sha256 for found in (forth, back)]
    assert hashes[0] == hashes[1]
    assert forth.trials == back.trials == 1200
    both = set(logged_ranks(one)) | set(logged_ranks(other))
    assert sorted(ranks(forth.dataset.designs)) == sorted(both)


def test_runs_under_way_are_in_and_those_not_begun_are_not(tmp_path) -> None:
    whole = gather([swept(tmp_path / "whole")]).dataset
    part = gather([swept(tmp_path / "part", priced={1: 1, 2: 0})])
    assert [run.state for run in load_sweep(tmp_path / "part").runs] == ["finished", "started", "waiting", "finished"]
    assert 300 < part.trials < 600
    assert set(ranks(part.dataset.designs)) < set(ranks(whole.designs))
    assert sorted(ranks(part.dataset.designs)) == sorted(set(logged_ranks(tmp_path / "part")))


def test_failed_trials_are_not_in(tmp_path) -> None:
    found = gather([swept(tmp_path / "s", options={"fails": 7})])
    failed = logged_ranks(tmp_path / "s", ("failed",))
    assert found.failed == len(failed) > 0
    assert not set(failed) & set(ranks(found.dataset.designs))
    assert np.isfinite(found.dataset.violation).all()
    assert sorted(ranks(found.dataset.designs)) == sorted(set(logged_ranks(tmp_path / "s")))


def test_what_verify_priced_again_is_not_in(tmp_path) -> None:
    from designgym.experiments.verify import verify

    before = gather([swept(tmp_path / "s")]).dataset
    verify(tmp_path / "s", {"factor": 3.0}, top=5)
    assert (tmp_path / "s" / "verified.parquet").exists()
    assert write_dataset(before, tmp_path / "a").sha256 == write_dataset(
        gather([tmp_path / "s"]).dataset, tmp_path / "b"
    ).sha256  # fmt: skip


def rewritten(directory: Path, number: int, change) -> Path:
    """Change the rows of a finished run, whole and with sound checksums, and return its file."""
    files = RunFiles(directory, load_sweep(directory).runs[number].key)
    rows, meta = files.read()
    files.finish(change(rows), meta)
    return files.parquet


def scaled(name: str, row: int, factor: float):
    def change(rows: pa.Table) -> pa.Table:
        column = rows.column(name).to_numpy().copy()
        column[row] *= factor
        return rows.set_column(rows.schema.get_field_index(name), name, pa.array(column))

    return change


def test_conflicting_duplicates_name_both_files_and_the_design(tmp_path) -> None:
    swept(tmp_path / "one", agents=["random"], seeds=1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert gather([tmp_path / "one", tmp_path / "two"]).repeated == 150
    rows = load_trials(tmp_path / "two").to_pylist()
    row = next(i for i, one in enumerate(rows) if one["status"] == "ok")
    changed = rewritten(tmp_path / "two", 0, scaled("metric.latency_s", row, 1 + 2.0**-52))
    with pytest.raises(ValueError, match="price one design of OfflineSmall-v0 differently") as caught:
        gather([tmp_path / "one", tmp_path / "two"])
    said = str(caught.value)
    key = load_sweep(tmp_path / "one").runs[0].key
    assert str(changed) in said
    assert str(tmp_path / "one" / "runs" / f"{key}.parquet") in said
    assert f"rows={rows[row]['design.rows']}, sram_kb={rows[row]['design.sram_kb']}" in said
    assert f"dataflow={rows[row]['design.dataflow']}" in said
    assert f"latency_s {rows[row]['metric.latency_s']!r} in the first" in said
    assert said.endswith("in the second. Gather them apart.")
    assert "\n" not in said
    assert gather([tmp_path / "one"]).trials == 150


def test_a_model_that_says_something_else_each_time_is_not_to_be_gathered_apart(tmp_path) -> None:
    swept(tmp_path / "s", agents=["random"], seeds=[1, 2], budget=400)
    rows = load_trials(tmp_path / "s").to_pylist()
    seen = [tuple(row[f"design.{name}"] for name in SPACE.columns) for row in rows]
    twice = next(i for i in range(400, 800) if seen[i] in seen[:400] and rows[i]["status"] == "ok")
    rewritten(tmp_path / "s", 1, scaled("metric.latency_s", twice - 400, 1.01))
    with pytest.raises(ValueError, match=r"in the second\. Make the cost model say the same each time, and run the"):
        gather([tmp_path / "s"])


def test_a_design_that_one_run_could_build_and_another_not_is_a_conflict(tmp_path) -> None:
    swept(tmp_path / "one", agents=["random"], seeds=1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    rows = load_trials(tmp_path / "one").to_pylist()
    row = next(i for i, one in enumerate(rows) if np.isnan(one["metric.latency_s"]))
    rewritten(tmp_path / "two", 0, scaled("violation", row, 2.0))
    with pytest.raises(ValueError, match=r"has violation 0\.\d+ in the first and 0\.\d+ in the second"):
        gather([tmp_path / "one", tmp_path / "two"])


def test_other_objectives_are_the_same_problem(tmp_path) -> None:
    swept(tmp_path / "one")
    objective = {"minimize": ["area_mm2"], "subject_to": ["latency_s <= 0.01", "area_mm2 <= 1.1"]}
    swept(tmp_path / "two", options={"objective": objective})
    data = gather([tmp_path / "one", tmp_path / "two"]).dataset
    back = gather([tmp_path / "two", tmp_path / "one"]).dataset
    assert write_dataset(data, tmp_path / "data").sha256 == write_dataset(back, tmp_path / "data").sha256
    assert len(data.origins) == 1
    assert "objective" not in data.origins[0].options
    assert np.allclose(data.violation, SmallModel().evaluate(data.designs)["violation"], rtol=1e-12, atol=0)
    assert np.array_equal(data.violation == 0, SmallModel().evaluate(data.designs)["violation"] == 0)


def test_a_bound_of_zero_hides_no_violation_of_the_model(tmp_path) -> None:
    # The excess over a bound of 0 is a million million times the metric: most digits of the model's own are lost in it.
    bounded = {"objective": {"minimize": ["latency_s"], "subject_to": ["area_mm2 <= 0"]}}
    swept(tmp_path / "one", budget=60)
    swept(tmp_path / "two", options=bounded, budget=60)
    exact = gather([tmp_path / "one"]).dataset
    assert (exact.violation > 0).any()
    assert np.allclose(gather([tmp_path / "two"]).dataset.violation, truth_of(tmp_path / "two"), atol=0.1)
    forth, back = (gather([tmp_path / name for name in names]) for names in (("one", "two"), ("two", "one")))
    assert forth.repeated > 0
    hashes = [write_dataset(found.dataset, tmp_path / "data").sha256 for found in (forth, back)]
    assert hashes[0] == hashes[1]
    kept = dict(zip(ranks(forth.dataset.designs), forth.dataset.violation, strict=True))
    assert all(kept[rank] == own for rank, own in zip(ranks(exact.designs), exact.violation, strict=True))


def truth_of(directory: Path):
    return SmallModel().evaluate(gather([directory]).dataset.designs)["violation"]


def test_workloads_of_one_space_come_together(tmp_path) -> None:
    problems = [{"id": NAME, "options": {"workload": workload}} for workload in ("b", "a")]
    data = gather([swept(tmp_path / "s", problems=problems)]).dataset
    assert [origin.label for origin in data.origins] == [f"{NAME}(workload=a)", f"{NAME}(workload=b)"]
    for place, workload in enumerate("ab"):
        own = data.take(data.problem == place)
        truth = SmallModel(workload).evaluate(own.designs)
        assert np.array_equal(own.metrics["latency_s"], truth["latency_s"], equal_nan=True)
    chosen = gather([tmp_path / "s"], f"{NAME}(workload=b)").dataset
    assert len(chosen) == (data.problem == 1).sum()
    assert chosen.origins[0].options["workload"] == "b"


def test_different_spaces_need_a_choice(tmp_path) -> None:
    problems = [NAME, {"id": NAME, "options": {"most_rows": 16}}]
    swept(tmp_path / "s", problems=problems)
    with pytest.raises(ValueError, match=r"must share their space and metrics, got .*most_rows=16\) there and .*"
                       r"most_rows=32\) here: rows has high 16 there and 32 here\. Choose with --problem"):  # fmt: skip
        gather([tmp_path / "s"])
    assert gather([tmp_path / "s"], f"{NAME}(most_rows=16)").dataset.designs["rows"].max() <= 16
    with pytest.raises(ValueError, match=r"--problem must be one of the sweeps, got 'Offline'"):
        gather([tmp_path / "s"], "Offline")


def test_versions_that_differ_name_the_directories(tmp_path, monkeypatch) -> None:
    swept(tmp_path / "one")
    monkeypatch.setattr("small_problem.SmallModel.__init__", _second_version(SmallModel.__init__))
    swept(tmp_path / "two")
    with pytest.raises(ValueError, match=f"must be priced by one cost model, got version 1 in {tmp_path / 'one'} "
                       f"and 2 in {tmp_path / 'two'}"):  # fmt: skip
        gather([tmp_path / "one", tmp_path / "two"])
    assert gather([tmp_path / "two"]).dataset.origins[0].version == "2"


def _second_version(init):
    return lambda self, workload="a", version="1", fails=-1, factor=1.0: init(self, workload, "2", fails, factor)


def test_a_model_of_one_version_and_other_contents_is_another(tmp_path) -> None:
    swept(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    index = json.loads((tmp_path / "two" / "sweep.json").read_text())
    for run in index["runs"]:
        run["definition"]["cost_model_fields"] = "another workload file of the same name"
    (tmp_path / "two" / "sweep.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"version 1 with one content in .*one and with another in .*two"):
        gather([tmp_path / "one", tmp_path / "two"])


def test_two_fidelities_are_two_rows(tmp_path, monkeypatch) -> None:
    import tiny_problems

    tiny_problems.registered(monkeypatch)
    log_sweep(tmp_path / "s", {**SWEEP, "problems": ["TinyCheap"], "agents": ["screener"], "seeds": 1})
    data = gather([tmp_path / "s"]).dataset
    assert set(data.fidelity) == {"faithful", "cheap"}
    cheap, faithful = (tiny_problems.SPACE.rank(data.take(data.fidelity == one).designs) for one in
                       ("cheap", "faithful"))  # fmt: skip
    assert set(faithful) <= set(cheap), "the screener prices by the faithful model what it has screened"
    assert len(set(cheap)) == len(cheap)
    assert data.origins[0].cheap == "1"
    assert write_dataset(data, tmp_path / "data") is not None


def test_played_trials_and_offline_sweeps_are_left_out_with_a_word(tmp_path, monkeypatch) -> None:
    write_dataset(gather([swept(tmp_path / "one")]).dataset, tmp_path / "data")
    swept(tmp_path / "off", options={"cost_model": f"dataset:{tmp_path / 'data'}"})
    found = gather([tmp_path / "one", tmp_path / "off"])
    assert found.trials == 600
    why = "it was priced by a dataset, which has all that was priced"
    assert [line.rpartition(": ")[2] for line in found.left_out] == [why]
    with pytest.raises(ValueError, match=r"there is nothing to gather: .*it was priced by a dataset"):
        gather([tmp_path / "off"])
    index = json.loads((tmp_path / "one" / "sweep.json").read_text())
    for problem in index["problems"].values():
        problem["played"] = True
    (tmp_path / "one" / "sweep.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"there is nothing to gather: .*it was played"):
        gather([tmp_path / "one"])


def test_damaged_runs_are_left_out_by_name_and_empty_sweeps_refused(tmp_path, recwarn) -> None:
    swept(tmp_path / "s")
    file = RunFiles(tmp_path / "s", load_sweep(tmp_path / "s").runs[0].key).parquet
    file.write_bytes(file.read_bytes()[:-100])
    found = gather([tmp_path / "s"])
    assert found.trials == 450
    assert [str(file) in line for line in found.left_out] == [True]
    assert not [one for one in recwarn if "left out" in str(one.message)], "said once, by whoever prints the result"
    with pytest.raises(ValueError, match=r"no trials of OfflineSmall-v0 are there yet\. Run the sweep first"):
        gather([swept(tmp_path / "empty", priced=dict.fromkeys(range(4), 0))])


def test_a_log_of_parameters_makes_the_space_again() -> None:
    from priced_rows import SPACE as KINDS
    from priced_rows import origin
    from small_problem import origin_of

    assert space_of(origin().parameters) == KINDS
    assert space_of(origin_of(small()).parameters).parameters == SPACE.parameters


def test_agents_are_compared_on_what_came_together_without_the_true_cost_model(tmp_path, monkeypatch) -> None:
    from designgym.experiments.report import write_report

    write_dataset(gather([swept(tmp_path / "one", budget=400, seeds=3)]).dataset, tmp_path / "data")

    def touched(self, designs):
        raise AssertionError("the true cost model was asked")

    monkeypatch.setattr(SmallModel, "evaluate", touched)
    offline = {"cost_model": f"dataset:{tmp_path / 'data'}"}
    swept(tmp_path / "off", options=offline, agents=["random", "genetic", "local_search"])
    data = read_dataset(tmp_path / "data")
    good = data.feasible & (data.metrics["area_mm2"] <= 1.2)
    trials = load_trials(tmp_path / "off").to_pandas()
    assert len(trials) == 6 * 150
    assert (trials[trials.agent == "random"].violation != 1.0).all(), "the random agent draws rows"
    found = trials[trials.feasible].groupby("agent")["loss.latency_s"].min()
    assert set(found.index) == {"random", "genetic", "local_search"}
    assert (found >= data.metrics["latency_s"][good].min()).all()
    assert found.min() < np.median(data.metrics["latency_s"][good])
    page = write_report(tmp_path / "off").read_text()
    assert "local_search" in page
    assert "dataset:" in page
    runs = load_sweep(tmp_path / "off").runs
    assert {run.definition["cost_model"] for run in runs} == {f"dataset sha256 {data.sha256[:16]}"}
    problem = make_problem(NAME, **offline)
    row = data.take(np.flatnonzero(good)[:1])
    assert problem.evaluate(row.designs).losses[0, 0] == row.metrics["latency_s"][0]
