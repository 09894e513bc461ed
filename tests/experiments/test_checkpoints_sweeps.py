"""Sweeps go on from checkpoints: where a driver was killed, where a worker died, and where they cannot be used."""

import json
import os
import pickle
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import played_problems
import pyarrow as pa
import pytest
import tiny_problems
from processes import PATIENCE_S, kill_group, started, trials_in, wait_until
from runs_in_process import assert_as_undisturbed, kept, spec_of

from designgym.experiments import load_sweep
from designgym.experiments.checkpoints import read_checkpoint, write_checkpoint
from designgym.experiments.driver import sweep
from designgym.experiments.handover import Checkpoint
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import RunFiles
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import load_spec

CROSS = {"name": "cross_entropy", "hyperparameters": {"population": 4, "episodes": 2}}


@pytest.fixture(autouse=True)
def _names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)
    played_problems.registered(monkeypatch)


def cut_off(out: Path, run: RunSpec, rows: pa.Table, checkpoint: Checkpoint | None) -> RunFiles:
    """Leave behind what a driver does that was killed."""
    directory = SweepDirectory(out)
    files = directory.run(run.key)
    writer = files.next_part(rows.schema, {"versions": {}})
    writer.append(rows.combine_chunks().to_batches()[0])
    writer.close()
    if checkpoint is not None:
        write_checkpoint(files.checkpoint, run.key, checkpoint)
    directory.close()
    return files


def timed(out: Path) -> list[int]:
    return [run.timed for run in load_sweep(out).runs]


def test_a_sweep_goes_on_from_checkpoints_that_are_whole(ray, tmp_path, capsys) -> None:
    spec = spec_of(problems=["SlowWalks"], agents=[CROSS], budget=40, seeds=4, checkpoint_s=0)
    all_runs, out = runs(spec), tmp_path / "out"
    whole, torn, foreign, ahead = all_runs
    for run in all_runs:
        rows, asides, _ = kept(run)
        files = cut_off(out, run, rows[:30], asides[34] if run is ahead else asides[24])
        if run is torn:
            files.checkpoint.write_bytes(files.checkpoint.read_bytes()[:-7])
        if run is foreign:
            files.checkpoint.write_bytes(RunFiles(out, whole.key).checkpoint.read_bytes())
    outcome = sweep(spec, out, workers=1)
    assert (outcome.failed, outcome.finished) == ((), 4)
    assert_as_undisturbed(out, all_runs)
    assert timed(out) == [15, 40, 40, 40]
    said = capsys.readouterr().err
    assert f"{whole.title}: its checkpoint" not in said
    assert f"{torn.title}: its checkpoint is not used, for it is damaged" in said
    assert f"{foreign.title}: its checkpoint is not used, for it is that of another run" in said
    assert f"{ahead.title}: its checkpoint is not used, for it stands at trial 35, and the log holds 30" in said
    assert not list(out.rglob("checkpoint*")), "a finished run needs none"


def test_a_run_whose_worker_dies_goes_on_from_its_checkpoint(ray, tmp_path, capsys) -> None:
    trap = tmp_path / "trap"
    entry = {"id": "SlowWalks", "options": {"trap": str(trap)}}
    spec = spec_of(problems=[entry], agents=[CROSS], budget=40, checkpoint_s=0)
    (run,), out = runs(spec), tmp_path / "out"
    rows, asides, _ = kept(run)
    cut_off(out, run, rows[:30], asides[24])
    trap.touch()
    outcome = sweep(spec, out, workers=1)
    assert not trap.exists(), "the worker died"
    assert outcome.failed == ()
    assert "again: " in capsys.readouterr().err
    assert_as_undisturbed(out, [run])
    assert timed(out) == [15]


class Deadly:
    """Ends the process that loads it."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


def test_a_checkpoint_that_kills_whoever_loads_it_is_left_in_the_end(ray, tmp_path, capsys) -> None:
    spec, out = spec_of(problems=["SlowWalks"], agents=[CROSS], budget=40, checkpoint_s=0), tmp_path / "out"
    (run,) = runs(spec)
    rows, asides, _ = kept(run)
    cut_off(out, run, rows[:30], replace(asides[24], state=pickle.dumps(Deadly())))
    outcome = sweep(spec, out, workers=1)
    assert outcome.failed == ()
    assert capsys.readouterr().err.count("again: ") == 2
    assert_as_undisturbed(out, [run])
    assert timed(out) == [40]


def test_without_a_key_a_sweep_goes_on_without_checkpoints(ray, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", os.devnull)
    spec = spec_of(problems=["SlowWalks"], agents=[CROSS], budget=20, checkpoint_s=0)
    outcome = sweep(spec, tmp_path / "out", workers=1)
    assert outcome.failed == ()
    assert_as_undisturbed(tmp_path / "out", runs(spec))
    assert capsys.readouterr().err.count("no checkpoints: ") == 1


SPEC = """
name: killed
problems:
- {id: SlowWalks-v0, options: {step_s: 0.003, paid: PAID}}
agents:
- {name: cross_entropy, hyperparameters: {population: 4, episodes: 2}}
seeds: 2
budget: 150
checkpoint_s: 0.2
"""


def settled_size(path: Path) -> int:
    """Return the size of a file once nobody writes to it: workers outlive their driver for a moment."""
    deadline, before = time.monotonic() + PATIENCE_S, -1
    while path.stat().st_size != before:
        assert time.monotonic() < deadline
        before = path.stat().st_size
        time.sleep(0.5)
    return before


def test_a_driver_killed_outright_goes_on_from_the_last_checkpoints(ray, tmp_path, monkeypatch) -> None:
    file, out, paid = tmp_path / "sweep.yaml", tmp_path / "out", tmp_path / "paid"
    file.write_text(SPEC.replace("PAID", json.dumps(str(paid))))
    killed = started(file, out)
    try:
        wait_until(killed, lambda: trials_in(out) > 150 and len(list(out.rglob("checkpoint"))) == 2)
    finally:
        kill_group(killed)
    assert killed.wait() == -signal.SIGKILL
    places = {}
    for run in load_sweep(out).runs:
        found = read_checkpoint(RunFiles(out, run.key).checkpoint, run.key, run.trials)
        assert isinstance(found, Checkpoint)
        places[run.key] = found.rows
    steps = settled_size(paid)
    assert sweep(load_spec(file), out, workers=2).failed == ()
    again = {run.key: run.timed for run in load_sweep(out).runs}
    assert again == {key: 150 - rows for key, rows in places.items()}
    # A step aside is taken by each run that begins, before its clock starts.
    assert paid.stat().st_size - steps == 6 * sum(again.values()) + 2
    assert not list(out.rglob("checkpoint*"))
    paid.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(played_problems.time, "sleep", lambda _: None)
        assert_as_undisturbed(out, runs(load_spec(file)))
