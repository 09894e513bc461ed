"""The designs of one run that are under way: asked by its agent's thread, priced elsewhere, logged as they finish.

The agent's thread calls `price` and `result`; whoever hands designs to an executor calls `next_waiting`, `deliver` and
`take_rows`. A trial's number is its place in the order asked; what an earlier part of the run logged is answered from
the log by that number.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem, Evaluations
from designgym.envs.problem import Fidelity, checked
from designgym.experiments.handover import Abandoned
from designgym.experiments.replay import check_same
from designgym.experiments.rows import Heard, designs_of, evaluations_of
from designgym.experiments.watch import Ends

if TYPE_CHECKING:
    import pyarrow as pa


class Flight:
    """One run's evaluations under way. logged: its rows, sorted by number. wake: called when there is something to do.

    seconds: time within the run after which nothing more is handed out. asleep: whether the agent waits for a result.
    """

    def __init__(
        self,
        problem: DesignProblem,
        logged: pa.Table | None,
        wake: Callable[[], None],
        seconds: float | None = None,
    ) -> None:
        self.problem, self._wake = problem, wake
        self._ends = Ends(seconds, None)
        self._seconds = seconds
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Columns]] = deque()
        self._asks: dict[int, tuple[Columns, int]] = {}  # design and ask of what is under way
        self._results: dict[int, Evaluations] = {}
        self._finished: deque[int] = deque()
        self._rows: list[tuple[int, Heard]] = []
        self._error: Exception | None = None
        self._abandoned = self.asleep = False
        self._begun: float | None = None
        self._before = 0.0
        self._logged: dict[int, int] = {}
        if logged is not None and logged.num_rows:
            self._logged = {number: row for row, number in enumerate(logged.column("index").to_pylist())}
            self._logged_designs = designs_of(logged, problem.space)
            self._logged_evaluations = evaluations_of(logged, problem)
            self._before = float(logged.column("elapsed_s").to_numpy().max())

    # -- the agent's side ----------------------------------------------------------------------------------------------

    def price(self, design: Columns, number: int, ask: int, fidelity: Fidelity = "faithful") -> None:
        """Answer a design, a batch of one, from the log; else at once where that is cheap; else put it in the queue."""
        row = self._logged.get(number)
        outside = row is None and not self.problem.space.contains(design)[0]
        with self._changed:
            self._stop_if_over()
            if row is not None:
                check_same(design, self._logged_designs, slice(row, row + 1))
                self._found(number, self._logged_evaluations.take(slice(row, row + 1)))
                return
            self._begun = self._begun or time.perf_counter()
            if not outside and fidelity == "faithful":
                self._asks[number] = design, ask
                self._waiting.append((number, design))
        if outside or fidelity != "faithful":
            self.add(number, design, self.problem.evaluate(design, fidelity), ask, fidelity)
        self._wake()

    def note(
        self,
        design: Columns,
        number: int,
        evaluations: Evaluations,
        ask: int,
        fidelity: Fidelity = "faithful",
        fresh: bool = False,
    ) -> None:
        """Log a repeat, or what the cheap model priced, unless it is logged."""
        row = self._logged.get(number)
        if row is not None:
            check_same(design, self._logged_designs, slice(row, row + 1))
            return
        with self._changed:
            told = None if fresh else np.zeros(1, bool)
            heard = Heard(design, evaluations, fidelity, ask, self.elapsed(), told)
            self._rows.append((number, heard))

    def result(self, number: int) -> Evaluations:
        """Wait for a trial, and return what it came to, a batch of one."""
        with self._changed:
            self._wait(lambda: number in self._results)
            return self._results[number]

    def next_finished(self) -> int:
        """Wait for any trial that was not returned here before, the soonest first, and return its number."""
        with self._changed:
            self._wait(lambda: bool(self._finished))
            return self._finished.popleft()

    def forget_finished(self) -> None:
        """Leave out what has finished so far from `next_finished`."""
        with self._changed:
            self._finished.clear()

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait, at most until the run's time is up: TimeUp."""
        if not ready():
            self.asleep = True
            self._wake()
            left = None if self._seconds is None else max(0.0, self._seconds - self.elapsed())
            self._changed.wait_for(lambda: ready() or self._error is not None or self._abandoned, left)
            self.asleep = False
        self._stop_if_over()
        if not ready():
            raise self._ends.time_up()

    @property
    def late(self) -> bool:
        """Whether the run's time is up."""
        return bool(self._ends.late(self.elapsed()))

    def _stop_if_over(self) -> None:
        if self._abandoned:
            raise Abandoned
        if self._error is not None:
            raise self._error

    def elapsed(self) -> float:
        """Seconds within the run; it goes on from the log once something new is asked."""
        return self._before + (0.0 if self._begun is None else time.perf_counter() - self._begun)

    def land(self) -> None:
        """Drop what waits to be handed out, and wait for what was."""
        with self._changed:
            for number, _ in self._waiting:
                del self._asks[number]
            self._waiting.clear()
            self._changed.wait_for(lambda: not self._asks or self._abandoned)
            if self._abandoned:
                raise Abandoned

    # -- the other side ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Designs that wait to be handed out."""
        return len(self._waiting)

    def next_waiting(self) -> tuple[int, Columns] | None:
        """Return the design to hand out next, and its number."""
        with self._changed:
            return self._waiting.popleft() if self._waiting and not self.late else None

    def deliver(self, number: int, metrics: Columns) -> None:
        """Take what a design came to. A broken contract ends the run in its agent's thread."""
        design, ask = self._asks[number]
        try:
            sound = checked(self.problem.cost_model, metrics, design, self.problem.space, 1)
            evaluations = self.problem.objective(sound)
        except Exception as error:  # the run fails, not the sweep
            with self._changed:
                del self._asks[number]
                self._error = error
                self._changed.notify_all()
            return
        self.add(number, design, evaluations, ask)

    def add(
        self, number: int, design: Columns, evaluations: Evaluations, ask: int, fidelity: Fidelity = "faithful"
    ) -> None:
        """Take a trial that is priced."""
        with self._changed:
            self._asks.pop(number, None)
            self._rows.append((number, Heard(design, evaluations, fidelity, ask, self.elapsed())))
            self._found(number, evaluations)

    def _found(self, number: int, evaluations: Evaluations) -> None:
        self._results[number] = evaluations
        self._finished.append(number)
        self._changed.notify_all()

    def take_rows(self) -> list[tuple[int, Heard]]:
        """Return the trials to log, in the order finished, each once."""
        with self._changed:
            rows, self._rows = self._rows, []
            return rows

    def abandon(self) -> None:
        """Nobody prices this run's designs any more."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()


def numbered(rows: list[tuple[int, Heard]]) -> tuple[Any, list[Heard]]:
    """Return the numbers of rows, and the rows."""
    return np.array([number for number, _ in rows], np.int64), [heard for _, heard in rows]
