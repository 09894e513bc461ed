"""One run, where it is computed: an agent searches in a thread while a generator hands out its trials as they come.

Nothing here writes a file, and nothing but `run_remotely` knows Ray: `run_trials` is an ordinary generator.
"""

from __future__ import annotations

import copy
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.agents.base import Agent, ToldBefore, run, tell_again
from designgym.agents.sequential import SequentialAgent, play, player_rng
from designgym.cost_models.base import Columns
from designgym.envs import (
    BrokenCostModel,
    DesignProblem,
    MeteredEpisodes,
    MeteredProblem,
    ReplayDiffers,
    SequentialEnv,
)
from designgym.experiments.handover import Abandoned, Buffer
from designgym.experiments.packets import rows_of
from designgym.experiments.replay import answered_by, told_before
from designgym.experiments.rows import FIDELITIES, designs_of, evaluations_of, to_batch
from designgym.experiments.watch import Watch, of_fidelity

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.experiments.runs import RunSpec


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a run, besides its problem and what is logged of it already.

    stop_loss: the feasible loss at or below which the run ends. start: designs priced and told first. environment: the
    sequential environment that is played, if one is; it is sent whole, for a worker may not know its id.
    """

    key: str
    agent: type[Agent] | type[SequentialAgent]
    hyperparameters: Mapping[str, Any]
    seed: int
    budget: int
    start: Columns | None = None
    seconds: float | None = None
    stop_loss: float | None = None
    environment: SequentialEnv[Any, Any] | None = None


def task_of(run: RunSpec) -> Task:
    """Return what a worker needs to know of a run."""
    return Task(
        run.key, run.agent.cls, dict(run.agent.hyperparameters), run.seed, run.budget, run.problem.start,
        run.seconds, run.stop_loss, run.problem.environment(),
    )  # fmt: skip


def searcher(task: Task) -> type[Agent]:
    """Return the agent's class of a task that searches designs."""
    assert issubclass(task.agent, Agent), task.agent
    return task.agent


@dataclass(frozen=True)
class Ended:
    """A run's last word. elapsed_s: time within the run. asked: designs asked; repeats: those of them priced before.

    agent_s: time in the agent's own ask and tell, pricing left out. timed: designs asked meanwhile: all of them, but
    for a told agent that was continued, whose earlier asks are not made again.
    """

    reason: str
    elapsed_s: float
    asked: int = 0
    repeats: int = 0
    agent_s: float = 0.0
    timed: int = 0


@dataclass(frozen=True)
class Failed:
    """A run's last word when it broke. error: one line.

    replay: whether it asked other designs than the log holds. model: whether its cost model broke its contract.
    raised: the exception, in the process where it was raised.
    """

    error: str
    traceback: str
    replay: bool = False
    model: bool = False
    raised: BaseException | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> Any:
        """Leave the exception itself behind: not every one of them pickles."""
        return Failed, (self.error, self.traceback, self.replay, self.model)


def failure(error: BaseException) -> Failed:
    """Return the last word of a run that this error broke; to be called where the error is handled."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    kinds = isinstance(error, ReplayDiffers), isinstance(error, BrokenCostModel)
    return Failed(text, traceback.format_exc(), *kinds, error)


def run_remotely(problem: DesignProblem, task: Task, *logged: pa.Buffer) -> Iterator[bytes | Ended | Failed]:
    """Run as a Ray task: yield record batches, each an Arrow IPC stream of its own, then how the run ended.

    logged: what is logged of it already, in such streams.
    """
    import pyarrow as pa

    rows = rows_of(logged)
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
            last.append(failure(error))
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
            buffer.made()
            yield batch
        thread.join()
        yield last[0]
    finally:
        buffer.abandon()


def _search(problem: DesignProblem, task: Task, logged: Any, buffer: Buffer) -> Ended:
    """Run the agent to its end; what is logged answers in place of the cost model.

    The agent is asked again from the start, or told what is logged.
    """
    watch = Watch(problem, task, logged, buffer)
    if issubclass(task.agent, SequentialAgent):
        return _play(task.agent, task, watch)
    metered, told = _metered(problem, task, logged, watch)
    agent = searcher(task)(metered, np.random.default_rng(task.seed), **task.hyperparameters)
    _load_kernels(problem)
    watch.start()
    if told is not None:
        tell_again(agent, told)
    begun, evaluating, before = time.perf_counter(), metered.evaluating_s, metered.asked
    reason = run(agent, task.start if told is None else None)
    agent_s = time.perf_counter() - begun - (metered.evaluating_s - evaluating)
    return Ended(
        watch.ended or reason, watch.elapsed(), metered.asked, metered.repeats_total, agent_s, metered.asked - before
    )


def _play(agent_class: type[SequentialAgent], task: Task, watch: Watch) -> Ended:
    """Play the sequential environment to the end of the run, from its start even where an earlier part is logged."""
    assert task.environment is not None
    _load_environment(task.environment)
    metered = MeteredEpisodes(task.environment, task.budget, watch.hear, task.seed)
    agent = agent_class(metered, player_rng(task.seed), **task.hyperparameters)
    watch.start()
    begun = time.perf_counter()
    reason = play(agent)
    agent_s = time.perf_counter() - begun - metered.evaluating_s
    return Ended(watch.ended or reason, watch.elapsed(), metered.asked, 0, agent_s, metered.asked)


def _metered(problem: DesignProblem, task: Task, logged: Any, watch: Watch) -> tuple[MeteredProblem, ToldBefore | None]:
    """Return the problem with its budget and what is logged, and what a told agent was told before."""
    if logged is None or not logged.num_rows:
        return MeteredProblem(problem, task.budget, watch.hear), None
    if task.agent.told:
        answered: Any = answered_by(problem, logged)
        return MeteredProblem(answered, task.budget, watch.hear), told_before(logged, problem.space)
    faithful = of_fidelity(logged, FIDELITIES[0])
    replayed = designs_of(faithful, problem.space), evaluations_of(faithful, problem)
    return MeteredProblem(problem, task.budget, watch.hear, replayed), None


def _load_environment(environment: SequentialEnv[Any, Any]) -> None:
    """Take a step aside, so that a run's clock does not count the loading of compiled code."""
    aside = copy.deepcopy(environment)
    aside.reset(seed=0)
    aside.step(aside.action_space.sample())


def _load_kernels(problem: DesignProblem) -> None:
    """Price one design aside, so that a run's clock does not count the loading of compiled code."""
    if not getattr(problem.cost_model, "slow", False):
        MeteredProblem(problem, 1).evaluate(problem.space.parse({}))
