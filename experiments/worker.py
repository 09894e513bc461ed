"""One run, where it is computed: an agent searches in a thread while a generator hands out its trials as they come.

Nothing here writes a file, and nothing but `run_remotely` knows Ray: `run_trials` is an ordinary generator.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.agents.base import Agent, run
from designgym.cost_models.base import Columns
from designgym.envs import Answer, BrokenCostModel, DesignProblem, Evaluations, MeteredProblem, ReplayDiffers, RunOver
from designgym.experiments.handover import Abandoned, Buffer
from designgym.experiments.rows import FIDELITIES, Heard, designs_of, evaluations_of, to_batch

if TYPE_CHECKING:
    from designgym.experiments.runs import RunSpec


class TimeUp(RunOver):
    """The run has taken the seconds that it was given."""

    reason = "seconds"


class CloseEnough(RunOver):
    """The run's best design is as close to the known optimum as was asked for."""

    reason = "regret"


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a run, besides its problem and what is logged of it already.

    stop_loss: the feasible loss at or below which the run ends. start: designs priced and told first.
    """

    key: str
    agent: type[Agent]
    hyperparameters: Mapping[str, Any]
    seed: int
    budget: int
    start: Columns | None = None
    seconds: float | None = None
    stop_loss: float | None = None


def task_of(run: RunSpec) -> Task:
    """Return what a worker needs to know of a run."""
    return Task(
        run.key, run.agent.cls, dict(run.agent.hyperparameters), run.seed, run.budget, run.problem.start,
        run.seconds, run.stop_loss,
    )  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """A run's last word. elapsed_s: time within the run."""

    reason: str
    elapsed_s: float


@dataclass(frozen=True)
class Failed:
    """A run's last word when it broke. error: one line.

    replay: whether it asked other designs than the log holds. model: whether its cost model broke its contract.
    """

    error: str
    traceback: str
    replay: bool = False
    model: bool = False


def run_remotely(problem: DesignProblem, task: Task, logged: bytes | None) -> Iterator[bytes | Ended | Failed]:
    """Run as a Ray task: yield record batches, each an Arrow IPC stream of its own, then how the run ended."""
    import pyarrow as pa

    rows = None if logged is None else pa.ipc.open_stream(logged).read_all()
    for item in run_trials(problem, task, rows):
        if isinstance(item, Ended | Failed):
            yield item
        else:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, item.schema) as writer:
                writer.write_batch(item)
            yield sink.getvalue().to_pybytes()


def run_trials(problem: DesignProblem, task: Task, logged: Any = None) -> Iterator[Any]:
    """Yield the run's new trials as record batches, gathered for at most 0.2 s, then `Ended` or `Failed`.

    logged: table of the trials that an earlier part of the run left; they are answered from it and not yielded.
    """
    buffer = Buffer()
    last: list[Ended | Failed] = []

    def work() -> None:
        try:
            last.append(_search(problem, task, logged, buffer))
        except Abandoned:
            return
        except BaseException as error:  # the thread's only way to report SystemExit and its like
            text = " ".join(f"{type(error).__name__}: {error}".split())
            kinds = isinstance(error, ReplayDiffers), isinstance(error, BrokenCostModel)
            last.append(Failed(text, traceback.format_exc(), *kinds))
        finally:
            buffer.end()

    thread = threading.Thread(target=work, name=f"run {task.key}", daemon=True)
    thread.start()
    index = 0 if logged is None else logged.num_rows
    try:
        while heard := buffer.take():
            try:
                batch = to_batch(problem, task.key, index, heard)
            except ValueError as error:
                yield Failed(str(error), traceback.format_exc())
                return
            index += batch.num_rows
            yield batch
        thread.join()
        yield last[0]
    finally:
        buffer.abandon()


def _search(problem: DesignProblem, task: Task, logged: Any, buffer: Buffer) -> Ended:
    """Run the agent to its end, from the start; what is logged answers in place of the cost model."""
    watch = _Watch(problem, task, logged, buffer)
    replayed = None
    if logged is not None:
        faithful = _of_fidelity(logged, "faithful")
        replayed = designs_of(faithful, problem.space), evaluations_of(faithful, problem)
    metered = MeteredProblem(problem, task.budget, watch.hear, replayed)
    agent = task.agent(metered, np.random.default_rng(task.seed), **task.hyperparameters)
    _load_kernels(problem)
    watch.start()
    reason = run(agent, task.start)
    return Ended(watch.ended or reason, watch.elapsed())


def _load_kernels(problem: DesignProblem) -> None:
    """Price one design aside, so that a run's clock does not count the loading of compiled code."""
    if not getattr(problem.cost_model, "slow", False):
        MeteredProblem(problem, 1).evaluate(problem.space.parse({}))


def _of_fidelity(rows: Any, fidelity: str) -> Any:
    import pyarrow.compute as pc

    return rows.filter(pc.equal(rows.column("fidelity").cast("string"), fidelity))


class _Watch:
    """Listens to a run: passes new rows on, keeps its clock, and ends it when time or closeness says so."""

    def __init__(self, problem: DesignProblem, task: Task, logged: Any, buffer: Buffer) -> None:
        self._problem, self._task, self._buffer = problem, task, buffer
        self._paused = 0.0
        self._before = 0.0
        self._begun = 0.0
        self._resuming = logged is not None and logged.num_rows > 0
        self._over: tuple[RunOver, int] | None = None
        # MeteredProblem announces no replayed rows of the faithful model; a cheap one is priced and announced again.
        self._cheap_to_skip = 0
        if self._resuming:
            self._cheap_to_skip = _of_fidelity(logged, FIDELITIES[1]).num_rows
            self._before = float(logged.column("elapsed_s")[-1].as_py())
            self._read_end(logged)

    def _read_end(self, logged: Any) -> None:
        """Find whether the logged trials already reach the end, and with which ask: the rest of that ask belongs."""
        asks = logged.column("ask").to_numpy()
        evaluations = evaluations_of(logged, self._problem)
        close = self._close(evaluations, logged.column("fidelity").to_pylist())
        late = self._late(logged.column("elapsed_s").to_numpy())
        ends = [(int(asks[np.argmax(reached)]), over) for reached, over in ((close, "close"), (late, "late"))
                if reached.any()]  # fmt: skip
        if ends:
            ask, what = min(ends)
            self._over = (self._close_enough() if what == "close" else self._time_up()), ask

    def start(self) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds within the run, without waiting for the log and without asking again what is logged."""
        if self._resuming:
            return self._before
        return self._before + time.perf_counter() - self._begun - self._paused

    def hear(self, answer: Answer) -> None:
        """Pass the fresh rows on; raise RunOver when the run ends here."""
        if self._over is not None and answer.ask > self._over[1]:
            raise self._over[0]
        elapsed = self.elapsed()
        fresh = np.flatnonzero(answer.fresh)
        if answer.fidelity == "cheap" and self._cheap_to_skip:
            skipped = min(self._cheap_to_skip, len(fresh))
            self._cheap_to_skip -= skipped
            fresh = fresh[skipped:]
        evaluations = answer.evaluations.take(fresh)
        if len(fresh):
            if self._resuming:
                # The clock goes on from the log once something new is priced.
                self._resuming = False
                self.start()
            designs = {name: column[fresh] for name, column in answer.designs.items()}
            self._paused += self._buffer.put(Heard(designs, evaluations, answer.fidelity, answer.ask, elapsed))
        if self._over is not None:
            if answer.ask == self._over[1]:
                raise self._over[0]
            return
        if self._close(evaluations, answer.fidelity).any():
            raise self._close_enough(answer)
        if self._late(np.array([elapsed])).any():
            raise self._time_up(answer)

    @property
    def ended(self) -> str:
        """Why the run had ended already by what is logged; "" where it had not."""
        return self._over[0].reason if self._over is not None else ""

    def _close(self, evaluations: Evaluations, fidelity: str | list[str]) -> Any:
        if self._task.stop_loss is None:
            return np.zeros(len(evaluations), bool)
        faithful = np.array(fidelity) == "faithful"
        return faithful & evaluations.feasible & (evaluations.losses[:, 0] <= self._task.stop_loss)

    def _late(self, elapsed: Any) -> Any:
        return elapsed >= (np.inf if self._task.seconds is None else self._task.seconds)

    def _close_enough(self, answer: Answer | None = None) -> CloseEnough:
        return CloseEnough("the best design is as close to the optimum as was asked for.", *_carried(answer))

    def _time_up(self, answer: Answer | None = None) -> TimeUp:
        return TimeUp(f"the run has taken the {self._task.seconds:g} seconds that it was given.", *_carried(answer))


def _carried(answer: Answer | None) -> tuple[Any, ...]:
    return () if answer is None else (answer.evaluations, answer.designs)
