"""A sweep that is stopped by Ctrl-C, killed outright, and started again with the same command ends as if undisturbed.

One story, told by a fixture with real processes; the tests look at its stages. Ray starts three times in it.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny_problems
from runs_in_process import assert_as_undisturbed

from designgym.experiments import load_sweep, load_trials
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import load_spec

FOLDER = Path(__file__).parent
SPEC = """
name: story
problems:
- {id: Tiny-v0, options: {design_s: 0.01}}
agents:
- random
- local_search
- {name: genetic, hyperparameters: {population: 16}}
- optuna_tpe
seeds: 2
budget: 90
start:
- {rows: 8, dataflow: ws, stages: 2}
"""
PATIENCE_S = 120


@dataclass
class Stage:
    """What a stage of the story left behind: exit status, stderr, and a copy of the directory."""

    status: int
    said: str
    directory: Path


@dataclass
class Story:
    runs: tuple[RunSpec, ...]
    refused: Stage
    interrupted: Stage
    killed: Stage
    finished: Stage
    ray_left: list[int]


def started(file: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, str(FOLDER / "sweep_script.py"), str(file), str(out)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip


def hear_ctrl_c() -> None:
    """A shell's job in the background, such as these tests may be, ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def ended(process: subprocess.Popen, out: Path, copy: Path) -> Stage:
    _, said = process.communicate(timeout=PATIENCE_S)
    shutil.copytree(out, copy)
    return Stage(process.returncode, said, copy)


def wait_until(process: subprocess.Popen, reached) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the sweep makes no progress"
        time.sleep(0.05)


def trials_in(out: Path) -> int:
    return sum(run.trials for run in load_sweep(out).runs) if (out / "sweep.json").exists() else 0


def half_way(out: Path) -> bool:
    """Whether a run is finished, and another far from it."""
    found = load_sweep(out).runs
    return any(run.state == "finished" for run in found) and any(0 < run.trials < 60 for run in found)


def descendants(pid: int) -> list[int]:
    """Processes started by this one, by those, and so on."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def is_agent(pid: int) -> bool:
    """Whether this is one of Ray's two idle agents: they go a minute later, after asking in vain for their server."""
    try:
        return b"Agent" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    file, out = folder / "sweep.yaml", folder / "out"
    file.write_text(SPEC)

    process = started(file, out)
    wait_until(process, lambda: trials_in(out) >= 60)
    refused = ended(started(file, out), out, folder / "refused")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group, Ray's processes too
    interrupted = ended(process, out, folder / "interrupted")

    process = started(file, out)
    before = trials_in(interrupted.directory)
    wait_until(process, lambda: trials_in(out) >= before + 60 and half_way(out))
    ray_processes = [pid for pid in descendants(process.pid) if not is_agent(pid)]
    process.kill()
    killed = ended(process, out, folder / "killed")
    deadline = time.monotonic() + 30
    while any(map(alive, ray_processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    ray_left = [pid for pid in ray_processes if alive(pid)]

    finished = ended(started(file, out), out, folder / "finished")
    with pytest.MonkeyPatch.context() as patch:
        tiny_problems.registered(patch)
        made = runs(load_spec(file))
    return Story(made, refused, interrupted, killed, finished, ray_left)


def test_a_second_sweep_on_the_directory_is_refused_in_one_line(story) -> None:
    assert story.refused.status == 2
    (line,) = story.refused.said.splitlines()
    assert "is in use by another sweep (process " in line


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(story) -> None:
    stage = story.interrupted
    assert stage.status == 130
    assert "The same command goes on from here." in stage.said
    assert "Traceback" not in stage.said
    trials = load_trials(stage.directory)
    assert f"{trials.num_rows:,} trials" in stage.said, "what it says is what is there"
    assert 60 <= trials.num_rows < 720


def test_kill_loses_what_was_under_way_only(story) -> None:
    stage = story.killed
    assert stage.status == -signal.SIGKILL
    sweep = load_sweep(stage.directory)
    assert load_trials(stage.directory).num_rows == sum(run.trials for run in sweep.runs) < 720
    states = [run.state for run in sweep.runs]
    assert "started" in states, "the kill came while runs were under way"
    assert "finished" in states
    logged_before = {run.key: run.trials for run in load_sweep(story.interrupted.directory).runs}
    assert all(run.trials >= logged_before[run.key] for run in sweep.runs)


def test_no_run_goes_on_without_its_driver(story) -> None:
    assert not story.ray_left


def test_the_same_command_ends_as_if_undisturbed(story, monkeypatch) -> None:
    monkeypatch.setattr(tiny_problems.time, "sleep", lambda _: None)  # the truth need not dawdle
    stage = story.finished
    assert stage.status == 0, stage.said
    assert_as_undisturbed(stage.directory, story.runs)
    assert len(load_sweep(stage.directory).sessions) == 3
    assert not list(stage.directory.rglob("*.arrow"))
    assert not list(stage.directory.rglob("*.tmp"))


def test_finished_runs_were_not_touched(story) -> None:
    for run in load_sweep(story.killed.directory).runs:
        if run.state == "finished":
            name = f"runs/{run.key}.parquet"
            assert (story.killed.directory / name).read_bytes() == (story.finished.directory / name).read_bytes()


def test_logged_trials_are_not_computed_again(story) -> None:
    """The continued runs keep the times of the trials that were logged before."""
    for run in load_sweep(story.killed.directory).runs:
        if run.state == "started":
            before = load_trials(story.killed.directory).filter(run_is(run.key)).column("elapsed_s").to_pylist()
            after = load_trials(story.finished.directory).filter(run_is(run.key)).column("elapsed_s").to_pylist()
            assert after[: len(before)] == before


def run_is(key: str):
    import pyarrow.compute as pc

    return pc.field("run") == key
