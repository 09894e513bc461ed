"""One run of a slow cost model in this process, without Ray and without files: what `designgym run` does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from designgym.agents.registry import agent_class
from designgym.agents.search import Trials
from designgym.cost_models.base import Columns, Failure
from designgym.envs import Answer, DesignProblem, Evaluations
from designgym.experiments.executor import Id, Threads
from designgym.experiments.flight import Flight, numbered
from designgym.experiments.results import Remembering, Results
from designgym.experiments.rows import Heard
from designgym.experiments.slow import ORDERS, AgentThread
from designgym.experiments.tasks import Ended, Failed, Task

WAIT_S = 0.2


def trials_here(
    problem: DesignProblem,
    task: Task,
    in_flight: int,
    order: str = ORDERS[0],
    workers: int = 1,
    logged: Any = None,
    results: Results | None = None,
    failed: Callable[[int, Failure], None] | None = None,
) -> Iterator[tuple[int, Heard] | Ended | Failed]:
    """Yield a run's new trials as they finish, each with its number, then how the run ended.

    workers: designs priced at a time, by threads. logged: table of the trials that an earlier part of the run left.
    results: what simulators came to before. failed: called with a trial's number and why its evaluation failed.
    """
    something = threading.Event()
    flight = Flight(problem, logged, something.set, task.seconds)
    thread = AgentThread(flight, task, in_flight, order, logged, something.set)
    threads = Threads({"": problem.cost_model}, workers, something.set)
    executor = Remembering(threads, {"": problem}, results, something.set)
    thread.start()
    running = 0
    try:
        while True:
            while running < workers and (found := flight.next_waiting()) is not None:
                executor.submit(Id("", task.key, found[0]), found[1])
                running += 1
            something.wait(WAIT_S)
            something.clear()
            for id, metrics in executor.finished():
                running -= 1
                failure = executor.errors.pop(id, None)
                if failure is not None and failed is not None:
                    failed(id.number, failure)
                flight.deliver(id.number, metrics)
            last = thread.last  # before the rows: an agent that has ended adds none
            yield from flight.take_rows()
            if last is not None:
                yield last
                return
    finally:
        flight.abandon()
        threads.close()


def search_here(
    problem: DesignProblem,
    agent: str = "local_search",
    budget: int = 1000,
    seed: int = 0,
    workers: int = 1,
    in_flight: int | None = None,
    start: Columns | None = None,
    listener: Callable[[Answer], None] | None = None,
    results: Results | None = None,
    failed: Callable[[int, Failure], None] | None = None,
    **hyperparameters: Any,
) -> Trials:
    """Let an agent price at most `budget` distinct designs of a slow problem; as `designgym.agents.search` otherwise.

    in_flight: designs asked ahead of what the agent was told; one with one worker, else 8 for each. results, failed: as
    in `trials_here`.
    """
    task = Task("run", agent_class(agent), hyperparameters, seed, budget, start)
    rows: list[tuple[int, Heard]] = []
    ended = ""
    ahead = in_flight or (1 if workers == 1 else 8 * workers)
    for item in trials_here(problem, task, ahead, workers=workers, results=results, failed=failed):
        if isinstance(item, Failed):
            assert item.raised is not None
            raise item.raised
        if isinstance(item, Ended):
            ended = item.reason
            break
        rows.append(item)
        if listener is not None:
            heard = item[1]
            fresh = np.ones(1, bool) if heard.fresh is None else heard.fresh
            listener(Answer(heard.designs, heard.evaluations, fresh, heard.fidelity, heard.ask))
    return _trials(problem, rows, ended)


def _trials(problem: DesignProblem, rows: list[tuple[int, Heard]], ended: str) -> Trials:
    space = problem.space
    priced = [row for row in rows if row[1].fresh is None]
    cheap = sum(heard.fidelity == "cheap" for _, heard in priced)
    numbers, heard = numbered([row for row in priced if row[1].fidelity == "faithful"])
    heard = [heard[place] for place in np.argsort(numbers)]
    if not heard:
        nothing = {name: np.empty(0, dtype) for name, dtype in space.dtypes.items()}
        return Trials(space, nothing, problem.evaluate(nothing), ended, cheap)
    designs = {name: np.concatenate([one.designs[name] for one in heard]) for name in space.columns}
    return Trials(space, designs, Evaluations.concatenate([one.evaluations for one in heard]), ended, cheap)
