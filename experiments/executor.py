"""Where the designs of a slow cost model are priced: in this process by threads, or as Ray tasks.

An executor knows no run, no budget and no log. A model that raises has failed on that design, and so has one whose
process dies: the violation is inf and every metric NaN. Whoever submits designs decides how many to submit.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from designgym.cost_models.base import Columns, CostModel, batch_length

LOST = 3  # times that an evaluation is handed out again after its machine was lost; then it has failed


class Id(NamedTuple):
    """Which evaluation: the label of its problem, the key of its run, the trial's number within it."""

    problem: str
    run: str
    number: int


class Executor(Protocol):
    """Prices designs elsewhere. errors: why evaluations failed; whoever reports one takes it out."""

    errors: dict[Id, str]

    def submit(self, id: Id, designs: Columns) -> None:
        """Begin to price a batch, or put it in the queue. designs: columns of the problem's space, each (n,)."""

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished since, without waiting: every metric and "violation", each (n,)."""


def failed(model: CostModel, n: int) -> Columns:
    """Return what n failed evaluations come to."""
    return {metric.name: np.full(n, np.nan) for metric in model.metrics} | {"violation": np.full(n, np.inf)}


def attempt(model: CostModel, designs: Columns) -> tuple[Columns, str]:
    """Price designs; return what they came to, and why that failed, "" where it did not."""
    try:
        return model.evaluate(designs), ""
    except Exception as error:  # whatever a simulator's wrapper may raise is one failed trial
        return failed(model, batch_length(designs)), _line(error)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


class Threads:
    """Prices in this process, at most `workers` at a time. wake: called when something has finished."""

    def __init__(self, models: Mapping[str, CostModel], workers: int, wake: Callable[[], None]) -> None:
        self._models, self._wake = models, wake
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="evaluation")
        self._done: deque[tuple[Id, Future[tuple[Columns, str]]]] = deque()
        self.errors: dict[Id, str] = {}

    def submit(self, id: Id, designs: Columns) -> None:
        """Begin, or queue."""

        def done(future: Future[tuple[Columns, str]]) -> None:
            self._done.append((id, future))
            self._wake()

        self._pool.submit(attempt, self._models[id.problem], designs).add_done_callback(done)

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished."""
        while self._done:
            id, future = self._done.popleft()
            columns, error = future.result()
            if error:
                self.errors[id] = error
            yield id, columns

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class RayTasks:
    """Prices as Ray tasks, one core each; Ray itself retries none. wake: called when something has finished.

    A task whose machine is lost is handed out again; one whose process dies has failed, for it may kill any process.
    """

    def __init__(self, models: Mapping[str, CostModel], wake: Callable[[], None]) -> None:
        import ray

        self._models, self._wake = models, wake
        self._there = {label: ray.put(model) for label, model in models.items()}
        self._task = ray.remote(num_cpus=1, max_retries=0)(attempt)
        self._running: dict[Id, tuple[Any, Columns, int]] = {}
        self._done: deque[tuple[Id, Any]] = deque()
        self.errors: dict[Id, str] = {}

    def __len__(self) -> int:
        return len(self._running)

    def submit(self, id: Id, designs: Columns) -> None:
        """Hand a batch to Ray."""
        self._hand_out(id, designs, 0)

    def _hand_out(self, id: Id, designs: Columns, losses: int) -> None:
        task = self._task.remote(self._there[id.problem], designs)
        self._running[id] = task, designs, losses

        def done(future: Any) -> None:
            self._done.append((id, future))
            self._wake()

        task.future().add_done_callback(done)

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished, in that order."""
        import ray

        while self._done:
            id, future = self._done.popleft()
            _, designs, losses = self._running.pop(id)
            try:
                columns, error = future.result()
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as death:
                columns, error = failed(self._models[id.problem], batch_length(designs)), _line(death)
            except ray.exceptions.RayError as loss:
                logging.getLogger(__name__).debug("%s: %s", id, loss)
                if losses < LOST:
                    self._hand_out(id, designs, losses + 1)
                    continue
                columns, error = failed(self._models[id.problem], batch_length(designs)), _line(loss)
            if error:
                self.errors[id] = error
            yield id, columns

    def close(self) -> None:
        """Stop what still runs."""
        import ray

        for task, _, _ in self._running.values():
            ray.cancel(task, force=True)
        self._running.clear()
