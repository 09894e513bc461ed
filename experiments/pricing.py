"""Price many designs outside a search: in large batches, or of a slow cost model several at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from designgym.cost_models.base import Columns, CostModel, Failure, batch_length
from designgym.envs import DesignProblem
from designgym.envs.problem import checked, priced
from designgym.envs.ranking import rows_of
from designgym.experiments.executor import Id, Threads
from designgym.experiments.results import Remembering, Results

FIRST, WORTH_S = 1024, 0.2  # designs of the first slice; time that a slice should take
WAIT_S = 0.5


@dataclass(frozen=True)
class Slowly:
    """How designs of a slow cost model are priced. workers: designs at a time, in threads.

    results: what simulators came to before, which is recalled and added to. heard: called with how many designs are
    priced, and of how many; failed: with a design's number, from 0, and why its evaluation failed.
    """

    workers: int = 1
    results: Results | None = None
    heard: Callable[[int, int], None] = lambda done, of: None
    failed: Callable[[int, Failure], None] = lambda number, why: None


def is_slow(model: CostModel) -> bool:
    """Whether a cost model takes seconds or minutes for one design."""
    return bool(getattr(model, "slow", False))


def joined(parts: list[Columns]) -> Columns:
    """Join batches of the same columns, in order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def priced_at_once(problem: DesignProblem, designs: Columns, report: Callable[[int], None]) -> Columns:
    """Price with a model that takes batches, in slices that grow until one takes long enough to be worth a report."""
    parts, done, size = list[Columns](), 0, FIRST
    while done < batch_length(designs):
        begun, rows = time.perf_counter(), rows_of(designs, slice(done, done + size))
        parts.append(priced(problem.cost_model, rows, problem.space, batch_length(rows)))
        done += batch_length(rows)
        size *= 2 if time.perf_counter() - begun < WORTH_S else 1
        report(done)
    return joined(parts)


def priced_slowly(problem: DesignProblem, designs: Columns, how: Slowly) -> Columns:
    """Price with a slow cost model. Every metric and "violation", each (n,), inf where the evaluation failed."""
    something, n = threading.Event(), batch_length(designs)
    threads = Threads({"": problem.cost_model}, how.workers, something.set)
    executor = Remembering(threads, {"": problem}, how.results, something.set)
    found: dict[int, Columns] = {}
    try:
        for row in range(n):
            executor.submit(Id("", "", row), rows_of(designs, slice(row, row + 1)))
        while len(found) < n:
            something.wait(WAIT_S)
            something.clear()
            for id, got in executor.finished():
                if (why := executor.errors.pop(id, None)) is not None:
                    how.failed(id.number, why)
                one = rows_of(designs, slice(id.number, id.number + 1))
                found[id.number] = checked(problem.cost_model, got, one, problem.space, 1)
                how.heard(len(found), n)
    finally:
        threads.close()
    return joined([found[row] for row in range(n)])
