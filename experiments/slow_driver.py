"""The slow runs of a sweep: agents in threads here, their designs priced by Ray workers, each result logged at once.

At most as many evaluations run as there are workers, over all runs together; the earliest run goes first.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.experiments.executor import Id
from designgym.experiments.files import damaged
from designgym.experiments.flight import Flight, numbered
from designgym.experiments.ledger import Active, Ledger
from designgym.experiments.log import SweepDirectory, read_index
from designgym.experiments.packets import joined
from designgym.experiments.ray_workers import RayWorkers
from designgym.experiments.results import Remembering, Results
from designgym.experiments.retrying import recalled
from designgym.experiments.rows import to_batch
from designgym.experiments.runs import runs
from designgym.experiments.slow import ORDERS, AgentThread
from designgym.experiments.spec import SweepSpec
from designgym.experiments.tasks import Ended, task_of

AHEAD = 8  # designs asked ahead for each worker, where the specification leaves in_flight out
WAIT_S = 0.5
ASKING_S = 0.1  # time after which a run that still asks lets the next one begin, rather than leave workers idle


def settle_in_flight(
    spec: SweepSpec, directory: SweepDirectory, address: str | None, workers: int | None, joined: ExitStack
) -> SweepSpec:
    """Return the specification with in_flight as given, as this sweep had it before, or 8 times the workers.

    Trials depend on it, so it must not change when another machine goes on. joined: holds the cluster, if it had to be
    joined to count its cores.
    """
    if spec.in_flight is not None or not any(run.problem.slow for run in runs(spec)):
        return spec
    known = None
    if (directory.path / "sweep.json").exists():
        spec_then = read_index(directory.path).get("spec")
        if not isinstance(spec_then, dict):
            raise damaged(directory.path / "sweep.json")
        known = spec_then.get("in_flight")
    if known is None:
        from designgym.experiments.cluster import available_cores, cluster

        if workers is None and address is not None:
            workers = joined.enter_context(cluster(address, None))
        known = AHEAD * (workers or available_cores())
    return spec.model_copy(update={"in_flight": known})


@dataclass
class _Run:
    """A run under way, and the thread that its agent is at work in."""

    active: Active
    flight: Flight
    thread: AgentThread
    begun: float


def drive_slow(waiting: Sequence[Active], ledger: Ledger, slots: int, results: Results | None) -> None:
    """Do what is left of these runs. slots: evaluations that run at a time. results: what simulators came to before."""
    if waiting:
        _SlowSession(waiting, ledger, slots, results).work()


class _SlowSession:
    def __init__(self, waiting: Sequence[Active], ledger: Ledger, slots: int, results: Results | None) -> None:
        self._waiting, self._ledger, self._slots = deque(waiting), ledger, slots
        self._something = threading.Event()
        problems = {one.run.problem.label: one.run.problem.problem for one in waiting}
        models = {label: problem.cost_model for label, problem in problems.items()}
        self._workers = RayWorkers(models, slots, self._something.set)
        self._executor = Remembering(self._workers, problems, results, self._something.set)
        self._runs: dict[str, _Run] = {}

    def work(self) -> None:
        if any(one.run.order != ORDERS[0] for one in self._waiting):
            self._ledger.progress.note("order: completion tells results as they come: these runs cannot be replayed")
        try:
            while self._waiting or self._runs:
                self._start_runs()
                self._hand_out()
                self._something.wait(ASKING_S if self._waiting else WAIT_S)
                self._something.clear()
                for id, metrics in self._executor.finished():
                    self._take(id, metrics)
                for slow in list(self._runs.values()):
                    self._write(slow)
        finally:
            for slow in self._runs.values():
                slow.flight.abandon()
                slow.active.close()
            self._workers.close()

    def _start_runs(self) -> None:
        """Begin another run when there is less to hand out than there are workers, and nobody is about to ask more."""
        newest: _Run | None = None
        while self._waiting and self._unsent() < self._slots:
            newest = max(self._runs.values(), key=lambda slow: slow.begun, default=None)
            if newest and not newest.flight.asleep and time.perf_counter() - newest.begun < ASKING_S:
                return
            active = self._waiting.popleft()
            self._executor.known |= recalled(active.files, active.run.problem.problem)
            run, logged = active.run, joined(self._ledger.begin(active))
            flight = Flight(run.problem.problem, logged, self._something.set, run.seconds)
            assert run.in_flight is not None
            assert run.order is not None
            thread = AgentThread(flight, task_of(run), run.in_flight, run.order, logged, self._something.set)
            self._runs[run.key] = _Run(active, flight, thread, time.perf_counter())
            thread.start()

    def _unsent(self) -> int:
        """Designs asked that are not handed out."""
        return sum(len(slow.flight) for slow in self._runs.values())

    def _hand_out(self) -> None:
        for key, slow in self._runs.items():
            while self._workers.takes(self._unsent()) and (found := slow.flight.next_waiting()) is not None:
                number, design = found
                self._executor.submit(Id(slow.active.run.problem.label, key, number), design)

    def _take(self, id: Id, metrics: Any) -> None:
        slow = self._runs.get(id.run)
        if slow is None:
            return  # the run broke meanwhile
        failure = self._executor.errors.pop(id, None)
        if failure is not None:
            slow.active.files.note_failure(id.number, failure)
            self._ledger.progress.note(f"failed trial {id.number} of {slow.active.run.title}: {failure.reason}")
        slow.flight.deliver(id.number, metrics)

    def _write(self, slow: _Run) -> None:
        """Log what has finished; close the run's books when its agent has ended."""
        last = slow.thread.last  # before the rows: an agent that ends adds none
        active, rows = slow.active, slow.flight.take_rows()
        if rows:
            numbers, heard = numbered(rows)
            if active.run.order != ORDERS[0]:
                numbers = active.rows + np.arange(len(rows))  # in the order told
            self._ledger.append(active, to_batch(active.run.problem.problem, active.run.key, numbers, heard))
        if last is None:
            return
        del self._runs[active.run.key]
        if isinstance(last, Ended):
            self._ledger.finish(active, last)
        else:
            self._ledger.give_up(active, last)
