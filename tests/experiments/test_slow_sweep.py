"""Sweeps of slow models on Ray: killed and continued, at other numbers of workers, with models that kill their process.

The story is told by a fixture with a real process. Every evaluation that ends leaves a line in a file.
"""

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny_problems
from runs_in_process import same_trials
from test_resume import ended, started, trials_in, wait_until

from designgym.experiments import load_sweep, load_trials
from designgym.experiments.driver import sweep
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import LogError, RunFiles
from designgym.experiments.runs import runs
from designgym.experiments.spec import load_spec, make_spec

SPEC = """
name: story
problems:
- {{id: TinySlow-v0, options: {{design_s: 0.05, spread: 1.0, paid: "{paid}"}}}}
agents: [climber, local_search, random]
seeds: 1
budget: 50
"""


@dataclass
class Story:
    killed: Path
    killed_paid: list[str]
    finished: Path
    paid: list[str]


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


@pytest.fixture(scope="module")
def story(ray, tmp_path_factory) -> Story:
    folder = tmp_path_factory.mktemp("slow")
    file, out, paid = folder / "sweep.yaml", folder / "out", folder / "paid"
    file.write_text(SPEC.format(paid=paid))
    process = started(file, out)
    wait_until(process, lambda: trials_in(out) >= 70)
    process.kill()
    killed = ended(process, out, folder / "killed")
    assert killed.status == -signal.SIGKILL
    shutil.copy(paid, folder / "killed_paid")
    with pytest.MonkeyPatch.context() as patch:
        tiny_problems.registered(patch)
        assert sweep(load_spec(file), out, workers=2).failed == ()
    lines = [(folder / name).read_text().split() for name in ("killed_paid", "paid")]
    return Story(killed.directory, lines[0], out, lines[1])


def spec_of(options=None, **keys):
    given = {"name": "s", "problems": [{"id": "TinySlow", "options": options or {}}], "agents": ["local_search"]}
    return make_spec({**given, "seeds": 1, "budget": 30, **keys})


def trials_of(directory, label):
    (run,) = (run for run in load_sweep(directory).runs if run.label == label)
    return RunFiles(directory, run.key).read()[0]


def test_a_killed_sweep_goes_on_to_the_same_trials(story, ray, tmp_path) -> None:
    """Its trials are those of a sweep with other workers and the same in_flight, which nobody disturbed."""
    states = [run.state for run in load_sweep(story.killed).runs]
    assert {"finished", "started"} <= set(states), "the kill came in the middle"
    sweep_file = load_sweep(story.finished)
    assert [run.ended for run in sweep_file.runs] == ["budget"] * 3
    assert sweep_file.spec["in_flight"] == 16, "eight times the two workers"
    given = {**sweep_file.spec, "problems": [{"id": "TinySlow", "options": {"design_s": 0.001, "spread": 1.0}}]}
    outcome = sweep(make_spec(given), tmp_path / "calm", workers=1)
    assert outcome.finished == 3
    for run in sweep_file.runs:
        found, calm = trials_of(story.finished, run.label), trials_of(tmp_path / "calm", run.label)
        apart = ["run", "metric.slept_s"]
        assert same_trials(found.drop_columns(apart), calm.drop_columns(apart)), run.label


def test_no_logged_evaluation_is_paid_again(story) -> None:
    """Lost are the evaluations under way at the kill alone, and those of the moment between an end and its log.

    Each of the two workers has two designs, and gets a third when a result is logged.
    """
    logged = sum(run.trials for run in load_sweep(story.killed).runs)
    assert len(story.killed_paid) - logged <= 4
    assert 150 <= len(story.paid) <= 150 + 4
    assert load_trials(story.finished).column("fresh").to_pylist().count(True) == 150


def test_in_flight_is_remembered(ray, tmp_path) -> None:
    first = sweep(spec_of(), tmp_path, workers=1)
    assert (first.finished, load_sweep(tmp_path).spec["in_flight"]) == (1, 8)
    (key,) = (run.key for run in load_sweep(tmp_path).runs)
    again = sweep(spec_of(), tmp_path, workers=2)
    assert (again.finished, load_sweep(tmp_path).spec["in_flight"]) == (1, 8)
    assert [run.key for run in load_sweep(tmp_path).runs] == [key], "another machine goes on with the same runs"


def test_a_model_that_kills_its_process_has_failed_on_that_design(ray, tmp_path, capsys) -> None:
    calm = sweep(spec_of(in_flight=8), tmp_path / "calm")
    assert calm.finished == 1
    designs = trials_of(tmp_path / "calm", "local_search")
    victim = {name: designs.column(f"design.{name}")[5].as_py() for name in tiny_problems.SPACE.columns}
    rank = int(tiny_problems.SPACE.rank(tiny_problems.SPACE.parse(victim))[0])
    spec = spec_of({"kills": rank}, in_flight=8)
    assert sweep(spec, tmp_path / "out").failed == ()
    rows = trials_of(tmp_path / "out", "local_search")
    assert rows.column("status")[5].as_py() == "failed"
    assert rows.num_rows == 30
    (run,) = runs(spec)
    why = "its process died 3 times: The actor is dead because its worker process has died."
    said = RunFiles(tmp_path / "out", run.key).failures.read_text().splitlines()
    assert [line.startswith(f"trial 5: {why}") for line in said if "died" in line] == [True]
    assert f"failed trial 5 of TinySlow-v0, local_search, seed 0: {why}" in capsys.readouterr().err
    assert sweep(spec, tmp_path / "out").trials == 30, "it is not tried again"


def test_a_run_that_breaks_lets_the_others_go_on(ray, tmp_path) -> None:
    problems = [{"id": "TinySlow", "options": {"kills": -2}}, {"id": "TinySlow"}, "Tiny"]
    spec = make_spec({"name": "s", "problems": problems, "agents": ["random"], "seeds": 1, "budget": 20})
    broken, *_ = runs(spec.model_copy(update={"in_flight": 16}))
    directory = SweepDirectory(tmp_path)
    sweep(spec_of(agents=["random"], seeds=[7], in_flight=16, budget=20), tmp_path / "other")
    (foreign,) = load_sweep(tmp_path / "other").runs
    rows, _ = RunFiles(tmp_path / "other", foreign.key).read()
    writer = directory.run(broken.key).next_part(rows.schema, {"order": "asked", "versions": {}})
    writer.append(rows[:9].combine_chunks().to_batches()[0])
    writer.close()
    directory.close()
    shutil.rmtree(tmp_path / "other")
    outcome = sweep(spec, tmp_path, workers=2, silent=True)
    assert outcome.finished == 2
    assert outcome.failed == (broken.title,)
    assert "differs from the logged one" in outcome.errors[0]


def test_a_missing_part_of_a_slow_run_is_named(ray, tmp_path) -> None:
    spec = spec_of(in_flight=8)
    (run,) = runs(spec)
    sweep(spec, tmp_path)
    files = RunFiles(tmp_path, run.key)
    rows, meta = files.read()
    files.parquet.unlink()
    for half in (rows[15:], rows[:15]):
        writer = files.next_part(half.schema, {**meta, "order": "asked"})
        writer.append(half.combine_chunks().to_batches()[0])
        writer.close()
    found, _ = files.read()
    assert same_trials(found, rows), "parts may hold rows out of order"
    files.parts[0].unlink()
    with pytest.raises(LogError, match="must hold parts 0 to 1, got 1 of them"):
        files.read()


def test_results_told_as_they_come_on_ray(ray, tmp_path) -> None:
    spec = spec_of({"design_s": 0.01, "spread": 1.0}, order="completion", in_flight=12)
    assert sweep(spec, tmp_path).finished == 1
    rows = load_trials(tmp_path)
    assert rows.column("index").to_pylist() == list(range(30))
    elapsed = rows.column("elapsed_s").to_pylist()
    assert elapsed == sorted(elapsed)
