"""Price many designs outside a search: in large batches, or of a slow cost model several at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignProblem
from designgym.envs.problem import checked, priced
from designgym.envs.ranking import rows_of
from designgym.experiments.executor import Id, Threads

FIRST, WORTH_S = 1024, 0.2  # designs of the first slice; time that a slice should take
WAIT_S = 0.5


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


def priced_slowly(
    problem: DesignProblem, designs: Columns, workers: int, report: Callable[[int], None]
) -> tuple[Columns, str]:
    """Price with a slow cost model, several designs at a time, in threads; return also why the first failure was."""
    something, n = threading.Event(), batch_length(designs)
    executor = Threads({"": problem.cost_model}, workers, something.set)
    found: dict[int, Columns] = {}
    try:
        for row in range(n):
            executor.submit(Id("", "", row), rows_of(designs, slice(row, row + 1)))
        while len(found) < n:
            something.wait(WAIT_S)
            something.clear()
            for id, got in executor.finished():
                one = rows_of(designs, slice(id.number, id.number + 1))
                found[id.number] = checked(problem.cost_model, got, one, problem.space, 1)
            report(len(found))
    finally:
        executor.close()
    names = [*(metric.name for metric in problem.cost_model.metrics), "violation"]
    error = next((executor.errors[id].reason for id in sorted(executor.errors)), "")
    return {name: np.concatenate([found[row][name] for row in range(n)]) for name in names}, error
