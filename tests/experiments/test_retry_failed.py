"""`--retry-failed`: runs with failed evaluations go on from before the first, and end as if nothing had failed."""

import numpy as np
import pytest
import tiny_problems
from runs_in_process import same_trials

from designgym.envs.ranking import rows_of
from designgym.experiments import load_sweep
from designgym.experiments.driver import sweep
from designgym.experiments.parts import RunFiles
from designgym.experiments.results import key_of
from designgym.experiments.retrying import recalled, reopen
from designgym.experiments.rows import designs_of
from designgym.experiments.runs import runs
from designgym.experiments.spec import make_spec

AGENTS = ["climber", "local_search", "random"]


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def spec_of(flaky, paid, **keys):
    problem = {"id": "TinySlow", "options": {"flaky": str(flaky), "paid": str(paid)}}
    return make_spec({"name": "s", "problems": [problem], "agents": AGENTS, "seeds": 1, "budget": 30, **keys})


def failures(directory):
    return [RunFiles(directory, run.key).failures.exists() for run in load_sweep(directory).runs]


def trials(directory, label):
    (run,) = (run for run in load_sweep(directory).runs if run.label == label)
    return RunFiles(directory, run.key).read()[0]


def kept_of(rows):
    status = rows.column("status").to_pylist()
    return status.index("failed") if "failed" in status else len(status)


def test_a_sweep_whose_evaluations_failed_ends_as_one_without(ray, tmp_path, capsys) -> None:
    flaky, paid = tmp_path / "flaky", tmp_path / "paid"
    flaky.touch()
    spec, out = spec_of(flaky, paid, in_flight=4), tmp_path / "out"
    first = sweep(spec, out)
    assert first.finished == 3, "what fails is a trial, and no lost run"
    broken = {agent: trials(out, agent) for agent in AGENTS}
    assert any("failed" in rows.column("status").to_pylist() for rows in broken.values())
    flaky.unlink()
    sweep(spec, out)
    assert all(same_trials(trials(out, agent), broken[agent]) for agent in AGENTS), "only on request"
    before = paid.read_text().split()
    again = sweep(spec, out, retry_failed=True)
    assert (again.finished, again.failed) == (3, ())
    assert "tried again, with what was asked since" in capsys.readouterr().err
    calm = tmp_path / "calm"
    sweep(spec_of(flaky, tmp_path / "paid calm", in_flight=4), calm)
    for agent in AGENTS:
        apart = ["run", "metric.slept_s"]
        found, wanted = (trials(directory, agent).drop_columns(apart) for directory in (out, calm))
        assert same_trials(found, wanted), agent
        assert not RunFiles(out, next(r.key for r in load_sweep(out).runs if r.label == agent)).retried.exists()
    new = len(paid.read_text().split()) - len(before)
    assert 0 < new <= 90 - sum(kept_of(rows) for rows in broken.values()), "the trials before a failure stay"


def test_a_run_without_failures_is_left_alone(ray, tmp_path) -> None:
    spec = spec_of(tmp_path / "flaky", tmp_path / "paid", agents=["random"], in_flight=4, seeds=[3])
    sweep(spec, tmp_path / "out")
    (run,) = runs(spec)
    files = RunFiles(tmp_path / "out", run.key)
    if "failed" not in files.read()[0].column("status").to_pylist():
        assert reopen(files) == 0
    assert files.parquet.exists()


def test_what_a_reopened_run_had_priced_is_recalled(ray, tmp_path) -> None:
    """Killed between two openings or not: each design that went well is found, with the model's own violation."""
    flaky, paid = tmp_path / "flaky", tmp_path / "paid"
    flaky.touch()
    spec = spec_of(flaky, paid, agents=["random"], in_flight=4)
    sweep(spec, tmp_path / "out")
    (run,) = runs(spec)
    files = RunFiles(tmp_path / "out", run.key)
    rows = files.read()[0]
    status = rows.column("status").to_pylist()
    assert reopen(files) == status.count("failed") > 0
    kept = files.read()[0]
    assert kept is None or kept.num_rows == status.index("failed")
    found = recalled(files, run.problem.problem)
    assert len(found) == len(status) - status.count("failed")
    assert not files.parquet.exists()
    assert reopen(files) == 0, "what is left of it has no failure"
    assert recalled(files, run.problem.problem).keys() == found.keys()
    problem = run.problem.problem
    for row in np.flatnonzero(np.array(status) != "failed").tolist():
        design = rows_of(designs_of(rows, problem.space), slice(row, row + 1))
        columns = found[key_of(problem.cost_model, problem.space, design)]
        priced = tiny_problems.TinyModel().evaluate(design)
        assert columns["violation"] == pytest.approx(priced["violation"], rel=1e-12), "the model's own"
        assert columns["area_mm2"] == priced["area_mm2"]
