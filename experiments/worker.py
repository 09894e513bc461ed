"""One run, where it is computed: an agent searches in a thread while a generator hands out its trials as they come.

Nothing here writes a file, and nothing but `run_remotely` knows Ray: `run_trials` is an ordinary generator.
"""

from __future__ import annotations

import copy
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.agents.base import ToldBefore, run, tell_again
from designgym.agents.sequential import SequentialAgent, play, player_rng
from designgym.envs import DesignProblem, MeteredEpisodes, MeteredProblem, SequentialEnv
from designgym.experiments.checkpoints import CheckpointMaker, Unusable, agent_of, from_the_start
from designgym.experiments.handover import Abandoned, Aside, Buffer, Checkpoint, Note, PolicyFiles
from designgym.experiments.packets import rows_of
from designgym.experiments.replay import answered_by, told_before
from designgym.experiments.rows import FIDELITIES, Heard, designs_of, evaluations_of, to_batch
from designgym.experiments.tasks import Ended, Failed, Task, failure, searcher
from designgym.experiments.watch import Watch, of_fidelity

if TYPE_CHECKING:
    import pyarrow as pa


def run_remotely(
    problem: DesignProblem, task: Task, checkpoint: Checkpoint | None, *logged: pa.Buffer
) -> Iterator[bytes | Aside | Ended | Failed]:
    """Run as a Ray task: yield record batches, each an Arrow IPC stream of its own, and what else `run_trials` does.

    logged: what is logged of it already, in such streams. checkpoint: the last one of it.
    """
    import pyarrow as pa

    rows = rows_of(logged)
    # Arrays that come through Ray's store are read-only, and an environment writes to its own.
    task = replace(task, environment=copy.deepcopy(task.environment))
    for item in run_trials(problem, task, rows, checkpoint):
        if isinstance(item, pa.RecordBatch):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, item.schema) as writer:
                writer.write_batch(item)
            yield sink.getvalue().to_pybytes()
        else:
            yield item


def run_trials(
    problem: DesignProblem, task: Task, logged: Any = None, checkpoint: Checkpoint | None = None
) -> Iterator[Any]:
    """Yield the run's new trials as record batches, gathered for at most 0.2 s, then `Ended` or `Failed`.

    Among the batches come checkpoints, where the task asks for them, each after the trials that it stands at; notes;
    and at the end, where that is asked for, the policy. logged: table of the trials that an earlier part of the run
    left; they are answered from it and not yielded. checkpoint: where that part was at rest, signed by this user; where
    it is of no use, a note says so.
    """
    buffer = Buffer()
    last: list[Ended | Failed] = []

    def work() -> None:
        try:
            last.append(_search(problem, task, logged, checkpoint, buffer))
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
        while taken := buffer.take():
            try:
                items = _in_batches(problem, task.key, index, taken)
            except ValueError as error:
                yield Failed(str(error), traceback.format_exc())
                return
            index += sum(item.num_rows for item in items if not isinstance(item, Aside))
            buffer.made()
            yield from items
        thread.join()
        yield last[0]
    finally:
        buffer.abandon()


def _in_batches(problem: DesignProblem, key: str, index: int, taken: Iterable[Heard | Aside]) -> list[Any]:
    """Return the rows as record batches, as few as what comes among them allows. index: of the first row."""
    items: list[Any] = []
    for aside, group in groupby(taken, lambda one: isinstance(one, Aside)):
        if aside:
            items += group
        else:
            items.append(to_batch(problem, key, index, list(group)))  # type: ignore[arg-type]
            index += items[-1].num_rows
    return items


def _search(problem: DesignProblem, task: Task, logged: Any, checkpoint: Checkpoint | None, buffer: Buffer) -> Ended:
    """Run the agent to its end; what is logged answers in place of the cost model.

    The agent is taken up from a checkpoint, or asked again from the start, or told what is logged.
    """
    agent = _taken_up(problem, task, logged, checkpoint, buffer)
    begins = checkpoint.rows if checkpoint is not None and agent is not None else 0
    watch = Watch(problem, task, logged, buffer, begins)
    maker = CheckpointMaker(task.checkpoint_s or 0.0, watch, buffer) if task.makes_checkpoints else None
    if task.environment is not None:
        _load_environment(task.environment)
        agent = _player(task, watch) if agent is None else agent
        ended = _timed(agent, agent.env, lambda: play(agent), watch, maker)
        if task.keeps_policy:
            buffer.put_aside(PolicyFiles(agent.policy_files()))
        return ended
    _load_kernels(problem)
    told: ToldBefore | None = None
    start = None
    if agent is None:
        fresh, told = _metered(problem, task, logged, watch)
        agent = searcher(task)(fresh, np.random.default_rng(task.seed), **task.hyperparameters)
        start = task.start if told is None else None
    metered: Any = agent.problem
    return _timed(agent, metered, lambda: run(agent, start), watch, maker, told)


def _timed(
    agent: Any,
    metered: MeteredProblem | MeteredEpisodes,
    go: Callable[[], str],
    watch: Watch,
    maker: CheckpointMaker | None,
    told: ToldBefore | None = None,
) -> Ended:
    """Let an agent go on to its end, behind its meter. told: what it is told first of an earlier part of the run."""
    metered.listener = watch.hear
    agent.at_rest = maker
    watch.start()
    if told is not None:
        tell_again(agent, told)
    begun, evaluating, before = time.perf_counter(), metered.evaluating_s, metered.asked
    reason = go()
    agent_s = time.perf_counter() - begun - (metered.evaluating_s - evaluating) - (maker.spent_s if maker else 0.0)
    return Ended(
        watch.ended or reason, watch.elapsed(), metered.asked, metered.repeats_total, agent_s, metered.asked - before
    )


def _player(task: Task, watch: Watch) -> SequentialAgent:
    """Return the agent that plays the task's environment, at the run's start even where an earlier part is logged."""
    assert task.environment is not None
    assert issubclass(task.agent, SequentialAgent)
    metered = MeteredEpisodes(task.environment, task.budget, watch.hear, task.seed)
    return task.agent(metered, player_rng(task.seed), **task.hyperparameters)


def _taken_up(problem: DesignProblem, task: Task, logged: Any, checkpoint: Checkpoint | None, buffer: Buffer) -> Any:
    """Return the agent as it was at a checkpoint, with what is logged; None, with a note, where that is of no use."""
    if checkpoint is None:
        return None
    agent = agent_of(checkpoint)
    if isinstance(agent, Unusable):
        buffer.put_aside(Note(from_the_start(agent.why)))
        return None
    if task.environment is None:
        faithful = of_fidelity(logged, FIDELITIES[0])
        agent.problem.replay(designs_of(faithful, problem.space), evaluations_of(faithful, problem))
    return agent


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
