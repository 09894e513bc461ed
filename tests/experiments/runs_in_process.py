"""What the runs of a sweep come to without Ray, without interruption: the truth that sweeps are held to."""

from typing import Any

import numpy as np
import pyarrow as pa

from designgym.experiments.flight import numbered
from designgym.experiments.handover import Checkpoint
from designgym.experiments.log import load_sweep
from designgym.experiments.parts import RunFiles
from designgym.experiments.rows import checksum, priced_in, to_batch
from designgym.experiments.runs import RunSpec
from designgym.experiments.slow_here import trials_here
from designgym.experiments.spec import SweepSpec, make_spec
from designgym.experiments.tasks import Ended, Failed, task_of
from designgym.experiments.worker import run_trials

AGENTS = ["random", "local_search", "optuna_tpe", {"name": "genetic", "hyperparameters": {"population": 16}}, "counter"]


def spec_of(**keys) -> SweepSpec:
    """A small sweep of one run, but for the keys given."""
    return make_spec({"name": "s", "problems": ["Tiny"], "agents": ["counter"], "seeds": 1, "budget": 60, **keys})


def undisturbed(run: RunSpec, logged: pa.Table | None = None) -> tuple[pa.Table, Ended | Failed]:
    """Return the trials of a run and how it ended. Of a slow model that has its in_flight: in the order asked."""
    if run.problem.slow and run.in_flight is not None:
        *flown, last = trials_here(run.problem.problem, task_of(run), run.in_flight)
        numbers, heard = numbered(flown)
        rows = pa.Table.from_batches([to_batch(run.problem.problem, run.key, numbers, heard)])
        return rows.take(np.argsort(numbers)).combine_chunks(), last
    *batches, last = run_trials(run.problem.problem, task_of(run), logged)
    return pa.Table.from_batches(batches) if batches else None, last


def kept(run: RunSpec, logged: pa.Table | None = None, checkpoint: Checkpoint | None = None) -> tuple[Any, list, Any]:
    """Return new trials, what came among them, and how the run ended, as a driver hears them."""
    *items, ended = run_trials(run.problem.problem, task_of(run, keeping=True), logged, checkpoint)
    batches, asides, rows = [], [], 0 if logged is None else logged.num_rows
    for item in items:
        if isinstance(item, pa.RecordBatch):
            batches.append(item)
            rows += item.num_rows
        else:
            asides.append(item)
            if isinstance(item, Checkpoint):
                assert item.rows == rows, "it comes after the trials that it stands at, and before the next"
    return pa.Table.from_batches(batches) if batches else None, asides, ended


def joined(first: pa.Table, rest: pa.Table | None) -> pa.Table:
    return first if rest is None else pa.concat_tables([first, rest])


def same_trials(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables of one run hold the same trials; elapsed time is exempt."""
    return checksum(one.drop_columns("elapsed_s")) == checksum(other.drop_columns("elapsed_s"))


def assert_as_undisturbed(directory, runs) -> None:
    """Every run of a sweep is there, complete, each trial once, as if nothing had happened."""
    states = {run.key: run for run in load_sweep(directory).runs}
    assert set(states) == {run.key for run in runs}
    for run in runs:
        expected, ended = undisturbed(run)
        found = states[run.key]
        assert (found.state, found.ended, found.trials) == ("finished", ended.reason, priced_in(expected)), run.title
        logged, meta = RunFiles(directory, run.key).read()
        assert logged.column("index").to_pylist() == list(range(expected.num_rows))
        assert same_trials(logged, expected), run.title
        assert meta["seed"] == run.seed
        elapsed = logged.column("elapsed_s").to_pylist()
        assert run.problem.slow or elapsed == sorted(elapsed)
        assert 0 < max(elapsed) <= found.elapsed_s
