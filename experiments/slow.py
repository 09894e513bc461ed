"""One run of a slow cost model: its agent asks ahead while its designs are priced elsewhere, and is told in order.

Ask m is made exactly after trial m - in_flight was told, so the trials follow from the seed and in_flight alone, not
from which evaluation ends first. With order "completion" results are told as they come, which nothing can replay.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from designgym.agents.base import Agent, run
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Answer, DesignSpace, Evaluations, MeteredProblem, Objective, RunOver
from designgym.envs.choice_features import ChoiceFeatures, choice_features_of
from designgym.envs.problem import Fidelity
from designgym.envs.ranking import rows_of
from designgym.experiments.flight import Flight
from designgym.experiments.handover import Abandoned
from designgym.experiments.rows import designs_of, evaluations_of
from designgym.experiments.tasks import Ended, Failed, Task, failure, searcher
from designgym.experiments.watch import Ends, TimeUp

if TYPE_CHECKING:
    import pyarrow as pa

ORDERS = ("asked", "completion")
T = TypeVar("T")


def search_slow(flight: Flight, task: Task, in_flight: int, order: str, logged: pa.Table | None) -> Ended:
    """Run the agent to its end, in its own thread. An agent with a search of its own waits for each batch it asks."""
    if task.agent.search is not Agent.search:
        return _search_itself(flight, task)
    return _Pilot(flight, task, in_flight, order, logged).fly()


class AgentThread(threading.Thread):
    """Runs `search_slow`; `last` is then how the run ended. wake: called once it has. It ends when its flight does."""

    def __init__(
        self,
        flight: Flight,
        task: Task,
        in_flight: int,
        order: str,
        logged: pa.Table | None,
        wake: Callable[[], None],
    ) -> None:
        super().__init__(name=f"run {task.key}", daemon=True)
        self._flight, self._wake = flight, wake
        self._given = task, in_flight, order, logged
        self.last: Ended | Failed | None = None

    def run(self) -> None:
        with suppress(Abandoned):
            try:
                last: Ended | Failed = search_slow(self._flight, *self._given)
            except Abandoned:
                raise
            except BaseException as error:  # the thread's only way to report SystemExit and its like
                last = failure(error)
                self._flight.land()  # what is being priced is still logged
            self.last = last
        self._wake()


class _Door:
    """What both problems below show of the one behind them."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self.number = self.ask = 0  # of the next trial, and of the ask it belongs to

    @property
    def space(self) -> DesignSpace:
        """The designs."""
        return self._flight.problem.space

    @property
    def objective(self) -> Objective:
        """What is wanted."""
        return self._flight.problem.objective

    @property
    def choice_features(self) -> ChoiceFeatures | None:
        """What its stepwise face tells and closes."""
        return choice_features_of(self._flight.problem)


class _Numbers(_Door):
    """Sends a design off, and answers with its trial's number as a loss: the meter then knows repeats by number."""

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        if fidelity != "faithful":
            return self._flight.problem.evaluate(designs, fidelity)
        n = batch_length(designs)  # one, or none
        if n:
            self._flight.price(designs, self.number, self.ask)
        zeros = np.zeros(n)
        return Evaluations({}, np.full((n, 1), float(self.number)), zeros, zeros > 0, zeros)


class _Waiting(_Door):
    """Sends a batch off, and waits for all of it."""

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        n = batch_length(designs)
        if not n:
            return self._flight.problem.evaluate(designs, fidelity)
        numbers = range(self.number, self.number + n)
        self.number += n
        for row, number in enumerate(numbers):
            self._flight.price(rows_of(designs, slice(row, row + 1)), number, self.ask, fidelity)
        return Evaluations.concatenate([self._flight.result(number) for number in numbers])


def _search_itself(flight: Flight, task: Task) -> Ended:
    ends = Ends(task.seconds, task.stop_loss)
    waiting = _Waiting(flight)

    def hear(answer: Answer) -> None:
        waiting.ask = answer.ask + 1
        if ends.close(answer.evaluations, answer.fidelity == "faithful").any():
            raise ends.close_enough(answer)
        if flight.late:
            raise ends.time_up(answer)

    metered = MeteredProblem(waiting, task.budget, hear)
    agent = searcher(task)(metered, np.random.default_rng(task.seed), **task.hyperparameters)
    begun = time.perf_counter()
    reason = run(agent, task.start)
    agent_s = time.perf_counter() - begun - metered.evaluating_s
    flight.land()
    return Ended(reason, flight.elapsed(), metered.asked, metered.repeats_total, agent_s, metered.asked)


@dataclass(frozen=True)
class _Asked:
    """A design asked and not yet told. trial: the number of the trial that prices it; number: its own row's."""

    design: Columns
    trial: int
    number: int
    fresh: bool
    ask: int


class _Pilot:
    """Keeps up to in_flight designs asked ahead of what the agent was told."""

    def __init__(self, flight: Flight, task: Task, in_flight: int, order: str, logged: pa.Table | None) -> None:
        self._flight, self._task, self._in_flight = flight, task, in_flight
        self._in_order = order == ORDERS[0]
        self._ends = Ends(task.seconds, task.stop_loss)
        self._numbers = _Numbers(flight)
        self._metered = MeteredProblem(self._numbers, task.budget, self._hear)
        done = 0 if logged is None else logged.num_rows
        # With results told as they come, a continued run cannot draw again what it drew; it must not try.
        again = done > 0 and not self._in_order and not task.agent.told
        rng = np.random.default_rng([task.seed, done] if again else task.seed)
        self._agent = searcher(task)(self._metered, rng, **task.hyperparameters)
        self._metered.patience = max(self._metered.patience, 10 * self._agent.population)
        self._asked: deque[_Asked] = deque()
        self._known: set[int] = set()  # trials told, where results are told as they come
        self._over = ""
        self._agent_s = 0.0
        self._fed = 0
        if done:
            self._go_on(logged)

    def fly(self) -> Ended:
        """Ask and tell until the run is over and all that was asked is told."""
        try:
            while self._ask_ahead() or self._asked:
                self._tell(self._next())
        except TimeUp:
            self._over = TimeUp.reason
        self._flight.land()
        metered = self._metered
        timed = metered.asked - self._fed
        return Ended(self._over, self._flight.elapsed(), metered.asked, metered.repeats_total, self._agent_s, timed)

    # -- asking --------------------------------------------------------------------------------------------------------

    def _ask_ahead(self) -> bool:
        """Ask while there is room and something to ask; return whether the run goes on."""
        while not self._over and len(self._asked) < self._in_flight:
            if self._flight.late:
                raise self._ends.time_up()
            if self._metered.finished:
                self._over = "complete" if self._metered.exhausted else "budget"
            elif not self._ask():
                # An agent may have nothing to ask before it is told more.
                self._over = "" if self._asked else "done"
                break
        return not self._over

    def _ask(self) -> bool:
        """Ask once, or take the user's designs first; return whether there was anything."""
        start = self._task.start
        if start is not None and not self._numbers.ask:
            designs = start
            self._agent.asked += batch_length(start)
        else:
            try:
                designs = self._timed(lambda: self._agent.ask_on(1))
            except RunOver as over:  # of the cheap model's budget: the agent had nothing to ask without it
                self._over = over.reason
                return True
        n = batch_length(designs)
        try:
            for row in range(n):
                self._metered.evaluate(rows_of(designs, slice(row, row + 1)))
        except RunOver as over:
            self._over = over.reason
        self._numbers.ask += 1
        return n > 0

    def _hear(self, answer: Answer) -> None:
        """Number a design that was asked: every one has a row where the agent is told its log, else the priced ones."""
        if answer.fidelity != "faithful":
            self._hear_cheap(answer)
            return
        fresh = bool(answer.fresh[0])
        trial, number = int(answer.evaluations.losses[0, 0]), self._numbers.number
        self._asked.append(_Asked(answer.designs, trial, number, fresh, self._numbers.ask))
        self._numbers.number += int(fresh or self._task.agent.told)

    def _hear_cheap(self, answer: Answer) -> None:
        """Number what the cheap model priced while the agent was at work: it is answered already."""
        for row in np.flatnonzero(answer.fresh).tolist():
            one = slice(row, row + 1)
            design, evaluations = rows_of(answer.designs, one), answer.evaluations.take(one)
            self._flight.note(design, self._numbers.number, evaluations, self._numbers.ask, answer.fidelity, fresh=True)
            self._numbers.number += 1

    # -- telling -------------------------------------------------------------------------------------------------------

    def _next(self) -> _Asked:
        """Wait for the design to tell next."""
        if self._in_order:
            self._flight.result(self._asked[0].trial)
            return self._asked.popleft()
        one = next((one for one in self._asked if not one.fresh and one.trial in self._known), None)
        if one is None:
            trial = self._flight.next_finished()
            self._known.add(trial)
            one = next(one for one in self._asked if one.fresh and one.trial == trial)
        self._asked.remove(one)
        return one

    def _tell(self, one: _Asked) -> None:
        evaluations = self._flight.result(one.trial)
        if self._task.agent.told and not one.fresh:
            self._flight.note(one.design, one.number, evaluations, one.ask)
        self._timed(lambda: self._agent.tell(one.design, evaluations))
        self._look(evaluations)

    def _look(self, evaluations: Evaluations) -> None:
        """See whether a trial ends the run; what is asked already belongs to it."""
        if self._ends.close(evaluations).any():
            self._over = self._ends.close_enough().reason

    def _timed(self, work: Callable[[], T]) -> T:
        begun = time.perf_counter()
        done = work()
        self._agent_s += time.perf_counter() - begun
        return done

    # -- going on ------------------------------------------------------------------------------------------------------

    def _go_on(self, logged: Any) -> None:
        """Take up what is logged: an agent that is asked again finds it by itself."""
        if not self._in_order:
            self._feed(logged, logged.num_rows, 0, int(logged.column("ask").to_numpy().max()) + 1)
            self._flight.forget_finished()
            self._known.update(range(logged.num_rows))
        elif self._task.agent.told:
            numbers, asks = logged.column("index").to_numpy(), logged.column("ask").to_numpy()
            whole = int(np.argmin(np.append(numbers == np.arange(len(numbers)), False)))  # rows without a gap
            if whole:
                # The last ask may be incomplete: it is asked again, and the log answers what it holds of it.
                asked = int(np.searchsorted(asks[:whole], asks[whole - 1]))
                self._feed(logged, asked, self._in_flight - 1, int(asks[whole - 1]))

    def _feed(self, logged: Any, rows: int, untold: int, ask: int) -> None:
        """Have the first rows of the log asked, and all but the last of those told, at once.

        What the cheap model priced is priced again: its meter starts anew.
        """
        space = self._flight.problem.space
        first = logged[:rows]
        designs, asks = designs_of(first, space), first.column("ask").to_numpy()
        fidelities = first.column("fidelity").to_pylist()
        for row in range(rows):
            self._numbers.ask = int(asks[row])
            self._metered.evaluate(rows_of(designs, slice(row, row + 1)), fidelities[row])
        faithful = np.flatnonzero(np.array(fidelities) == "faithful")
        asked = len(faithful)
        self._numbers.ask, self._agent.asked, self._fed = ask, asked, asked
        told = max(0, asked - untold)
        if told:
            evaluations = evaluations_of(first.take(faithful[:told]), self._flight.problem)
            self._agent.tell(rows_of(designs, faithful[:told]), evaluations)
            self._look(evaluations)
        for _ in range(told):
            self._asked.popleft()
