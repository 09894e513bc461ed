"""Listens to a run: passes its new rows on, keeps its clock, and ends it when time or closeness says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Answer, DesignProblem, Evaluations, RunOver
from designgym.experiments.handover import Buffer
from designgym.experiments.replay import check_same
from designgym.experiments.rows import FIDELITIES, Heard, designs_of, evaluations_of

if TYPE_CHECKING:
    from designgym.experiments.tasks import Task


class TimeUp(RunOver):
    """The run has taken the seconds that it was given."""

    reason = "seconds"


class CloseEnough(RunOver):
    """The run's best design is as close to the known optimum as was asked for."""

    reason = "regret"


class Ends:
    """When a run ends before its budget is spent."""

    def __init__(self, seconds: float | None, stop_loss: float | None) -> None:
        self._seconds, self._stop_loss = seconds, stop_loss

    @property
    def possible(self) -> bool:
        """Whether the run may end so at all."""
        return self._seconds is not None or self._stop_loss is not None

    def close(self, evaluations: Evaluations, faithful: Any = True) -> Any:
        """Which rows are as close to the optimum as was asked for, bool (n,). faithful: which rows are."""
        if self._stop_loss is None:
            return np.zeros(len(evaluations), bool)
        return faithful & evaluations.feasible & (evaluations.losses[:, 0] <= self._stop_loss)

    def late(self, elapsed_s: Any) -> Any:
        """Which of these times are too late, bool (n,)."""
        return np.asarray(elapsed_s) >= (np.inf if self._seconds is None else self._seconds)

    def close_enough(self, answer: Answer | None = None) -> CloseEnough:
        """Return how a run ends that is close enough."""
        return CloseEnough("the best design is as close to the optimum as was asked for.", *_carried(answer))

    def time_up(self, answer: Answer | None = None) -> TimeUp:
        """Return how a run ends whose time is up."""
        return TimeUp(f"the run has taken the {self._seconds:g} seconds that it was given.", *_carried(answer))


def _carried(answer: Answer | None) -> tuple[Any, ...]:
    return () if answer is None else (answer.evaluations, answer.designs)


class Watch:
    """Listens to a run: passes new rows on, keeps its clock, and ends it when time or closeness says so.

    begins: the logged row at which its agent begins, where it is taken up from a checkpoint. rows: of the log so far.
    resuming: whether nothing new has come yet to what is logged.
    """

    def __init__(self, problem: DesignProblem, task: Task, logged: Any, buffer: Buffer, begins: int = 0) -> None:
        self._problem, self._buffer = problem, buffer
        # Every trial of a played environment is logged and made again, as every row of a told agent is.
        self._told = task.agent.told or task.environment is not None
        self._played = task.environment is not None
        self._ends = Ends(task.seconds, task.stop_loss)
        self._paused = 0.0
        self._before = 0.0
        self._begun = 0.0
        self.resuming = logged is not None and logged.num_rows > 0
        self.rows = logged.num_rows if self.resuming else 0
        self._over: tuple[RunOver, int] | None = None
        self._to_skip = 0
        self._logged: Columns | None = None
        if self.resuming:
            rest = logged[begins:]
            # A told agent's log holds every row. Of another's, MeteredProblem announces no replayed rows of the
            # faithful model; the cheap ones are priced and announced again.
            self._to_skip = rest.num_rows if self._told else of_fidelity(rest, FIDELITIES[1]).num_rows
            if self._told:
                self._logged = designs_of(logged, problem.space)
            if self._played:
                self._logged = self._with_losses(self._logged or {}, evaluations_of(logged, problem))
            self._before = float(logged.column("elapsed_s")[-1].as_py())
            self._read_end(logged)

    def _read_end(self, logged: Any) -> None:
        """Find whether the logged trials already reach the end, and with which ask: the rest of that ask belongs."""
        if not self._ends.possible:
            return
        asks = logged.column("ask").to_numpy()
        evaluations = evaluations_of(logged, self._problem)
        close = self._ends.close(evaluations, _is_of(logged, FIDELITIES[0]).to_numpy())
        late = self._ends.late(logged.column("elapsed_s").to_numpy())
        ends = [(int(asks[np.argmax(reached)]), over) for reached, over in ((close, "close"), (late, "late"))
                if reached.any()]  # fmt: skip
        if ends:
            ask, what = min(ends)
            self._over = (self._ends.close_enough() if what == "close" else self._ends.time_up()), ask

    def start(self) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()

    def pause(self, seconds: float) -> None:
        """Leave out seconds that were not the run's."""
        self._paused += seconds

    def elapsed(self) -> float:
        """Seconds within the run, without waiting for the log and without asking again what is logged."""
        if self.resuming:
            return self._before
        return self._before + time.perf_counter() - self._begun - self._paused

    def hear(self, answer: Answer) -> None:
        """Pass the fresh rows on; raise RunOver when the run ends here."""
        if self._over is not None and answer.ask > self._over[1]:
            raise self._over[0]
        elapsed = self.elapsed()
        rows = self._new(answer)
        evaluations = answer.evaluations.take(rows)
        if len(rows):
            if self.resuming:
                # The clock goes on from the log once something new is priced.
                self.resuming = False
                self.start()
            designs = {name: column[rows] for name, column in answer.designs.items()}
            heard = Heard(designs, evaluations, answer.fidelity, answer.ask, elapsed, answer.fresh[rows])
            self.rows += len(rows)
            self.pause(self._buffer.put(heard))
        if self._over is not None:
            if answer.ask == self._over[1]:
                raise self._over[0]
            return
        if self._ends.close(evaluations, answer.fidelity == FIDELITIES[0]).any():
            raise self._ends.close_enough(answer)
        if self._ends.late(elapsed):
            raise self._ends.time_up(answer)

    def _new(self, answer: Answer) -> Any:
        """Return the rows to log that are not logged yet: the priced ones, and for a told agent the repeats too."""
        rows = np.arange(len(answer.fresh)) if self._told else np.flatnonzero(answer.fresh)
        if self._to_skip and (self._told or answer.fidelity == FIDELITIES[1]):
            skipped = min(self._to_skip, len(rows))
            if self._logged is not None:
                done = batch_length(self._logged) - self._to_skip
                asked = self._with_losses(answer.designs, answer.evaluations) if self._played else answer.designs
                check_same(asked, self._logged, slice(done, done + skipped))
            self._to_skip -= skipped
            rows = rows[skipped:]
        return rows

    def _with_losses(self, designs: Columns, evaluations: Evaluations) -> Columns:
        """What a played trial must come to again; infeasible ones have no losses."""
        names, losses = self._problem.objective.names, evaluations.losses
        return designs | {f"loss.{name}": np.nan_to_num(losses[:, j], nan=-1.0) for j, name in enumerate(names)}

    @property
    def ended(self) -> str:
        """Why the run had ended already by what is logged; "" where it had not."""
        return self._over[0].reason if self._over is not None else ""


def of_fidelity(rows: Any, fidelity: str) -> Any:
    """Return the rows of one fidelity; where all are, not a copy of them."""
    import pyarrow.compute as pc

    chosen = _is_of(rows, fidelity)
    return rows if pc.all(chosen).as_py() else rows.filter(chosen)


def _is_of(rows: Any, fidelity: str) -> Any:
    import pyarrow.compute as pc

    return pc.equal(rows.column("fidelity").cast("string"), fidelity)
