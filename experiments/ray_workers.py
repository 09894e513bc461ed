"""Where a sweep prices the designs of slow models: Ray workers that last, each with a design behind the one at work.

The design behind it saves a worker the way to the driver and back between two evaluations, some milliseconds each. It
is bound to its worker, so none is put there while so few designs wait that another worker may soon want for one.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from designgym.cost_models.base import Columns, CostModel, Failure, batch_length
from designgym.experiments.executor import Id, attempt, failed, line

DEATHS = 3  # of its process or its machine, after which an evaluation has failed
IDLE_S = 0.1  # after which a worker that has nothing to do is asked whether it lives before it gets a design
STARTS = 3  # processes in a row, for each worker, that die before their first evaluation: then the sweep stops


class WorkerError(ValueError):
    """No worker can be started. One line."""

    exit_code = 1


def _why(death: BaseException) -> str:
    """Return what Ray says of a worker's end, without its list of conjectures."""
    return " ".join(str(death).splitlines()[-1].partition(" Some common causes")[0].split())


class _Pricer:
    """What runs in a worker's process. there: the models, as Ray objects, by label."""

    def __init__(self, there: Mapping[str, Any]) -> None:
        import ray

        self._models: dict[str, CostModel] = {label: ray.get(model) for label, model in there.items()}

    def ready(self) -> None:
        """Answer once the process has started."""

    def price(self, label: str, designs: Columns) -> tuple[Columns, Failure | None]:
        """Return what designs came to, and why that failed."""
        return attempt(self._models[label], designs)


@dataclass(eq=False)
class _Call:
    """An evaluation. deaths: of the processes that it was first in. alone: let it have a process to itself.

    sent: its place in the order of all that was sent off. task: Ray's reference, which holds the result.
    """

    id: Id
    designs: Columns
    deaths: int = 0
    alone: bool = False
    sent: int = 0
    task: Any = None


@dataclass(eq=False)
class _Worker:
    """A process, and what it has been sent. lost: what it can answer no more, since it is dead.

    started: whether it ever answered. asked: whether it has yet to say that it lives. heard: when it last answered.
    """

    actor: Any
    started: bool = False
    asked: bool = False
    dead: bool = False
    heard: float = 0.0
    calls: list[_Call] = field(default_factory=list)
    lost: list[_Call] = field(default_factory=list)

    def takes(self, alone: bool, most: int) -> bool:
        """Whether an evaluation may be sent here, to have at most so many."""
        room = 1 if alone or any(call.alone for call in self.calls) else most
        return not self.asked and not self.dead and len(self.calls) < room

    def idle(self) -> bool:
        """Whether it has had nothing to do for so long that it may have died unseen."""
        return not self.calls and time.monotonic() - self.heard > IDLE_S


class RayWorkers:
    """Prices in at most `count` processes, one core each. wake: called when something has finished.

    Where a process or its machine dies, what it had been sent is handed out again: the evaluation at work, which may
    be why, and the one behind it, each then in a process to itself. One that this happens to three times has failed.
    """

    def __init__(self, models: Mapping[str, CostModel], count: int, wake: Callable[[], None]) -> None:
        import ray

        self._models, self._count, self._wake = models, count, wake
        self._there = {label: ray.put(model) for label, model in models.items()}
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Pricer)
        self._workers: list[_Worker] = []
        self._waiting: deque[_Call] = deque()
        self._done: deque[tuple[_Worker, _Call | None, Any]] = deque()
        self._sent = self._stillborn = 0
        self.errors: dict[Id, Failure] = {}

    def takes(self, waiting: int) -> bool:
        """Whether to submit another of so many designs that wait. Starts workers for them."""
        missing = min(waiting + len(self._waiting), self._count)
        missing -= sum(not worker.calls for worker in self._workers)
        for _ in range(min(missing, self._count - len(self._workers))):
            self._start()
        return not self._waiting and self._free(False, 2 if waiting > self._count else 1) is not None

    def submit(self, id: Id, designs: Columns) -> None:
        """Send a batch to the worker that has the least to do, or keep it until there is one."""
        self._waiting.append(_Call(id, designs))
        self._send_off(2)

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished, in that order."""
        import ray

        while self._done:
            worker, call, future = self._done.popleft()
            if call is None:
                self._take_answer(worker, future)
                continue
            worker.calls.remove(call)
            try:
                columns, error = future.result()
            except ray.exceptions.RayTaskError as fault:  # a result that does not pickle, or SystemExit
                columns = failed(self._models[call.id.problem], batch_length(call.designs))
                error = Failure(line(fault), str(fault))
            except ray.exceptions.RayError as death:
                logging.getLogger(__name__).debug("%s: %s", call.id, death)
                self._bury(worker)
                self._ask_idle()
                worker.lost.append(call)
                columns, error = {}, Failure(_why(death), str(death))
            if columns:
                yield self._told(call, columns, error)
            if worker.lost and not worker.calls and (given_up := self._settle(worker)) is not None:
                columns = failed(self._models[given_up.id.problem], batch_length(given_up.designs))
                why = "" if error is None else error.reason
                yield self._told(given_up, columns, Failure(f"its process died {DEATHS} times: {why}"))
        self._send_off(1)

    def close(self) -> None:
        """Stop what still runs."""
        for worker in self._workers:
            self._kill(worker)
        self._workers.clear()

    def _told(self, call: _Call, columns: Columns, error: Failure | None) -> tuple[Id, Columns]:
        if error is not None:
            self.errors[call.id] = error
        return call.id, columns

    # -- handing out ---------------------------------------------------------------------------------------------------

    def _free(self, alone: bool, most: int) -> _Worker | None:
        """Return the worker that has the least to do of those that may be sent an evaluation."""
        free = [worker for worker in self._workers if worker.takes(alone, most)]
        return min(free, key=lambda worker: len(worker.calls), default=None)

    def _send_off(self, most: int) -> None:
        """Send what waits here to the workers that may take it."""
        while self._waiting:
            alone = self._waiting[0].alone
            worker = self._free(alone, most)
            if worker is None:
                return
            if worker.idle():  # its death would be taken for one that this evaluation caused
                self._ask(worker)
                continue
            call = self._waiting.popleft()
            self._sent += 1
            call.sent, call.task = self._sent, worker.actor.price.remote(call.id.problem, call.designs)
            worker.calls.append(call)
            self._await(worker, call, call.task)

    def _await(self, worker: _Worker, call: _Call | None, task: Any) -> None:
        def done(future: Any) -> None:
            worker.heard = time.monotonic()
            self._done.append((worker, call, future))
            self._wake()

        task.future().add_done_callback(done)

    # -- processes that begin and end ----------------------------------------------------------------------------------

    def _start(self) -> None:
        worker = _Worker(self._actor.remote(self._there))
        self._workers.append(worker)
        self._ask(worker)

    def _ask(self, worker: _Worker) -> None:
        """Let a worker say that it lives; until then it gets nothing to do."""
        worker.asked = True
        self._await(worker, None, worker.actor.ready.remote())

    def _ask_idle(self) -> None:
        """Ask the idle after a death: the same machine's processes die together, and an idle one's end goes unseen.

        A design sent to one process after another that was dead before would count as what kills them.
        """
        for worker in self._workers:
            if not worker.calls and not worker.asked:
                self._ask(worker)

    def _take_answer(self, worker: _Worker, future: Any) -> None:
        """Take note that a worker lives, or that it does not. WorkerError where none ever starts."""
        import ray

        try:
            future.result()
        except ray.exceptions.RayError as death:
            self._bury(worker)
            if worker.started:
                return
            self._stillborn += 1
            unloaded = getattr(death, "actor_init_failed", False)  # a model that cannot be loaded there
            if unloaded or self._stillborn >= STARTS * self._count:
                raise WorkerError(f"no worker starts: {_why(death)}. Mend that: the same command goes on.") from None
        else:
            worker.started, worker.asked, self._stillborn = True, False, 0

    def _bury(self, worker: _Worker) -> None:
        """Send a dead worker nothing more."""
        if not worker.dead:
            worker.dead = True
            self._workers.remove(worker)
            self._kill(worker)

    def _kill(self, worker: _Worker) -> None:
        import ray

        ray.kill(worker.actor)

    def _settle(self, worker: _Worker) -> _Call | None:
        """Have done again what a dead worker was sent; return what has failed instead.

        What was sent first was at work when it died; or what is behind it was, if a last answer was lost on its way.
        """
        lost = sorted(worker.lost, key=lambda call: call.sent)
        worker.lost = []
        lost[0].deaths += 1
        for call in lost:
            call.alone = True
        failed_one = lost.pop(0) if lost[0].deaths >= DEATHS else None
        self._waiting.extendleft(reversed(lost))
        return failed_one
