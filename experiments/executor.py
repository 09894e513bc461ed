"""Where the designs of a slow cost model are priced: here by threads, on Ray by `designgym.experiments.ray_workers`.

An executor knows no run, no budget and no log. A model that raises has failed on that design, and so has a simulator
that says so: the violation is inf and every metric NaN. Whoever submits designs decides how many to submit.
`designgym.experiments.results` keeps what has been priced on disk.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np

from designgym.cost_models.base import Columns, CostModel, Failure, ReportsFailures, batch_length


class Id(NamedTuple):
    """Which evaluation: the label of its problem, the key of its run, the trial's number within it."""

    problem: str
    run: str
    number: int


class Executor(Protocol):
    """Prices designs elsewhere. errors: why evaluations failed; whoever reports one takes it out."""

    errors: dict[Id, Failure]

    def submit(self, id: Id, designs: Columns) -> None:
        """Begin to price a batch, or put it in the queue. designs: columns of the problem's space, each (n,)."""

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished since, without waiting: every metric and "violation", each (n,)."""


def failed(model: CostModel, n: int) -> Columns:
    """Return what n failed evaluations come to."""
    return {metric.name: np.full(n, np.nan) for metric in model.metrics} | {"violation": np.full(n, np.inf)}


def attempt(model: CostModel, designs: Columns) -> tuple[Columns, Failure | None]:
    """Price designs; return what they came to, and why the first of them failed, None where none did."""
    try:
        if isinstance(model, ReportsFailures):
            columns, failures = model.evaluate_reporting(designs)
            return columns, next((failure for failure in failures if failure is not None), None)
        return model.evaluate(designs), None
    except Exception as error:  # whatever a simulator's wrapper may raise is one failed trial
        trace = "".join(traceback.format_exception(error))
        return failed(model, batch_length(designs)), Failure(line(error), trace)


def line(error: BaseException) -> str:
    """Say an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class Threads:
    """Prices in this process, at most `workers` at a time. wake: called when something has finished."""

    def __init__(self, models: Mapping[str, CostModel], workers: int, wake: Callable[[], None]) -> None:
        self._models, self._wake = models, wake
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="evaluation")
        self._done: deque[tuple[Id, Future[tuple[Columns, Failure | None]]]] = deque()
        self.errors: dict[Id, Failure] = {}

    def submit(self, id: Id, designs: Columns) -> None:
        """Begin, or queue."""

        def done(future: Future[tuple[Columns, Failure | None]]) -> None:
            self._done.append((id, future))
            self._wake()

        self._pool.submit(attempt, self._models[id.problem], designs).add_done_callback(done)

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished."""
        while self._done:
            id, future = self._done.popleft()
            columns, failure = future.result()
            if failure is not None:
                self.errors[id] = failure
            yield id, columns

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
