"""Sweeps on Ray: what they log and say, runs that break, workers that die."""

import io
import socket

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
import tiny_problems
from rich.console import Console
from runs_in_process import AGENTS, assert_as_undisturbed, spec_of, undisturbed

from designgym.experiments import load_sweep, load_trials, progress
from designgym.experiments.cli import main
from designgym.experiments.cluster import ClusterError, StartError, _start_here
from designgym.experiments.driver import sweep
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import LogError, RunFiles
from designgym.experiments.runs import runs


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


# -- what a person sees -----------------------------------------------------------------------------------------------


def test_progress_tells_rate_time_left_and_best_with_units(monkeypatch, capsys) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    first, second = runs(spec_of(seeds=2))
    rows, _ = undisturbed(first)
    with progress.Progress([first, second], workers=1) as seen:
        assert "0 of 2 runs, 0 of 120 designs, starting" in seen._status()
        batch = rows[:30].to_batches()[0]
        seen.priced(first, batch.set_column(6, "elapsed_s", pa.array(np.linspace(0.2, 6.0, 30))), 30)
        # 6 s for 30 designs, and 90 are left for one worker.
        assert "30 of 120 designs" in seen._status()
        assert "about 18.0 s left" in seen._status()
        seen.finished(first)
        seen.failed(second, "failed: it broke")
    said = capsys.readouterr().err
    best = 1e3 * min(rows[:30].filter(pa.compute.field("feasible")).column("metric.latency_s").to_pylist())
    assert f"best on Tiny-v0: latency_s {best:.4g} ms" in said
    assert "1 of 2 runs" in said
    assert "failed: it broke" in said
    with progress.Progress([first], workers=1, silent=True) as silent:
        silent.priced(first, rows.to_batches()[0], 60)
        silent.failed(first, "failed: it broke")
    assert capsys.readouterr().err == ""


def test_a_surrogate_that_is_asked_too_far_out_is_said_once(capsys) -> None:
    first, second = runs(spec_of(seeds=2))
    rows = undisturbed(first)[0].to_batches()[0]

    def told(outside: int) -> pa.RecordBatch:
        return rows.append_column("metric.in_domain", pa.array((np.arange(rows.num_rows) >= outside) * 1.0))

    with progress.Progress([first, second], workers=1) as seen:
        for run, batch in ((first, rows), (first, told(0)), (first, told(3)), (second, told(9))):
            seen.priced(run, batch, batch.num_rows)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"Tiny-v0: the surrogate is asked for designs outside of what it was trained on (3 of {rows.num_rows}): no"
    )


def test_the_bar_has_a_line_for_each_thing() -> None:
    (run,) = runs(spec_of())
    rows, _ = undisturbed(run)
    seen = progress.Progress([run], workers=1, silent=True)
    seen.priced(run, rows[:30].to_batches()[0], 30)
    page = io.StringIO()
    Console(file=page, width=80, force_terminal=False).print(seen._renderable())
    bar, status, best = page.getvalue().splitlines()
    assert set(bar.strip()) <= set("━╸╺ ")
    assert "30 of 60 designs" in status
    assert best.startswith("best on Tiny-v0: latency_s ")


# -- sweeps on Ray ----------------------------------------------------------------------------------------------------


def test_a_sweep_logs_what_its_runs_come_to(ray, tmp_path, capsys) -> None:
    spec = spec_of(problems=["Tiny", "TinyTwo"], agents=AGENTS, seeds=2)
    outcome = sweep(spec, tmp_path / "out", workers=2)
    assert (outcome.runs, outcome.finished, outcome.failed, outcome.interrupted) == (20, 20, (), False)
    assert outcome.trials == 20 * 60 == load_trials(tmp_path / "out").num_rows
    assert_as_undisturbed(tmp_path / "out", runs(spec))
    assert not list((tmp_path / "out").rglob("*.arrow"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "runs").iterdir()}
    again = sweep(spec, tmp_path / "out")
    assert (again.finished, again.trials) == (20, 1200)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "runs").iterdir()} == before
    assert again.seconds < 5
    more = sweep(spec_of(problems=["Tiny", "TinyTwo"], agents=AGENTS, seeds=3), tmp_path / "out")
    assert (more.runs, more.finished) == (30, 30)
    assert {p: p.stat().st_mtime_ns for p in before} == before, "finished runs are not run again"
    assert capsys.readouterr().out == ""


def test_a_run_that_breaks_is_named_and_tried_again(ray, tmp_path, capsys) -> None:
    trap = tmp_path / "trap"
    trap.touch()
    spec = spec_of(problems=[{"id": "Tiny", "options": {"trap": str(trap)}}, "TinyTwo"])
    outcome = sweep(spec, tmp_path / "out")
    broken = next(run for run in runs(spec) if run.problem.id == "Tiny-v0")
    assert outcome.failed == (broken.title,)
    assert outcome.finished == 1
    files = RunFiles(tmp_path / "out", broken.key)
    assert "tiny_problems.py" in files.error.read_text()
    said = capsys.readouterr().err
    assert broken.title in said
    assert "ArithmeticError: the model fell into its trap" in said
    assert str(files.error) in said
    assert {run.state for run in load_sweep(tmp_path / "out").runs} == {"failed", "finished"}
    trap.unlink()
    outcome = sweep(spec, tmp_path / "out", silent=True)
    assert (outcome.failed, outcome.finished) == ((), 2)
    assert not files.error.exists()
    assert_as_undisturbed(tmp_path / "out", runs(spec))
    assert capsys.readouterr().err == ""


def test_a_run_whose_worker_dies_goes_on(ray, tmp_path, capsys) -> None:
    """Half of the run is logged; then its worker dies once, and the run is handed out again with what is logged."""
    trap = tmp_path / "trap"
    spec = spec_of(problems=[{"id": "Tiny", "options": {"trap": str(trap), "dies": True}}])
    (run,) = runs(spec)
    whole, _ = undisturbed(run)
    directory = SweepDirectory(tmp_path / "out")
    writer = directory.run(run.key).next_part(whole.schema, {"versions": {}})
    writer.append(whole[:31].to_batches()[0])
    writer.close()
    directory.close()
    trap.touch()
    outcome = sweep(spec, tmp_path / "out")
    assert not trap.exists(), "the worker died"
    assert outcome.failed == ()
    assert "again: " in capsys.readouterr().err
    assert_as_undisturbed(tmp_path / "out", [run])


def test_a_run_whose_trials_are_not_its_own_stops_and_names_the_versions(ray, tmp_path, capsys) -> None:
    spec = spec_of(agents=["random"])
    (run,) = runs(spec)
    (other,) = runs(spec_of(agents=["random"], seeds=[5]))
    foreign, _ = undisturbed(other)
    directory = SweepDirectory(tmp_path / "out")
    writer = directory.run(run.key).next_part(foreign.schema, {"versions": {"numpy": "1.0"}})
    writer.append(foreign[:20].to_batches()[0])
    writer.close()
    directory.close()
    outcome = sweep(spec, tmp_path / "out")
    assert outcome.failed == (run.title,)
    said = capsys.readouterr().err
    assert "differs from the logged one" in said
    assert f"numpy 1.0, now {np.__version__}" in said


def test_a_damaged_log_fails_its_run_in_one_line(tmp_path) -> None:
    spec = spec_of()
    (run,) = runs(spec)
    directory = SweepDirectory(tmp_path / "out")
    directory.run(run.key).parquet.write_bytes(b"not a log")
    directory.close()
    outcome = sweep(spec, tmp_path / "out")
    assert outcome.failed == (run.title,)
    assert "parquet is damaged" in outcome.errors[0]
    assert directory.run(run.key).parquet.read_bytes() == b"not a log"


def test_no_cluster_at_the_address(tmp_path) -> None:
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        sweep(spec_of(), tmp_path / "out", workers=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ClusterError, match=f"no Ray cluster could be joined at 127.0.0.1:{port}: connection refused"):
        sweep(spec_of(), tmp_path / "out", address=f"127.0.0.1:{port}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("slow_starts", [2, 3])
def test_a_machine_too_busy_to_start_ray_at_once(monkeypatch, slow_starts) -> None:
    """Ray's node gives up by a bare exception; the third time that it does, there is one line."""
    outcomes = [Exception("The current node timed out during startup.\nThis could happen")] * slow_starts + [None]

    def init(**_) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr("ray.shutdown", lambda: None)
    if slow_starts < 3:
        _start_here({})
        assert not outcomes
        return
    with pytest.raises(StartError, match="Make the machine less busy: the same command goes on") as stopped:
        _start_here({})
    assert "\n" not in str(stopped.value)
    assert stopped.value.exit_code == 1


def test_a_damaged_index_stops_its_sweep_in_one_line(tmp_path) -> None:
    (tmp_path / "sweep.json").write_text('{"format": 1}')
    with pytest.raises(LogError, match=r"sweep.json is damaged"):
        sweep(spec_of(), tmp_path)


def test_a_damaged_index_is_mended_as_its_message_says(tmp_path) -> None:
    assert sweep(spec_of(), tmp_path, silent=True).failed == ()
    (tmp_path / "report.html").write_text("")
    (tmp_path / "sweep.json").unlink()
    outcome = sweep(spec_of(), tmp_path, silent=True)
    assert outcome.finished == outcome.runs


def test_a_sweep_that_cannot_start_leaves_nothing(tmp_path, monkeypatch) -> None:
    def fails(*_):
        raise ClusterError("no Ray today.")

    monkeypatch.setattr("designgym.experiments.cluster.cluster", fails)
    (tmp_path / "mine").mkdir()
    for out in (tmp_path / "folder" / "out", tmp_path / "mine"):
        with pytest.raises(ClusterError):
            sweep(spec_of(), out)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_a_model_that_breaks_its_contract_is_bad_input(ray, tmp_path, monkeypatch, capsys) -> None:
    """A NaN without a violation: the sweep names the model and the design, and leaves with exit code 2."""
    file = tmp_path / "sweep.yaml"
    file.write_text("{name: nan, problems: [TinyNan], agents: [random], seeds: 1, budget: 60}")
    words = ["designgym", "sweep", str(file), "--out", str(tmp_path / "out")]
    for more in ([], ["--json"]):
        monkeypatch.setattr("sys.argv", words + more)
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert all(part in line for part in ("TinyNan-v0, random, seed 0", "NanModel", "latency_s", "dataflow=ws")), (
            line
        )
