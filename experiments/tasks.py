"""What a worker is told of a run, and the last word that comes back of it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from designgym.agents.base import Agent
from designgym.agents.sequential import SequentialAgent
from designgym.cost_models.base import Columns
from designgym.envs import BrokenCostModel, ReplayDiffers, SequentialEnv

if TYPE_CHECKING:
    from designgym.experiments.runs import RunSpec


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a run, besides its problem and what is logged of it already.

    stop_loss: the feasible loss at or below which the run ends. start: designs priced and told first. environment: the
    sequential environment that is played, if one is; it is sent whole, for a worker may not know its id. checkpoint_s:
    age at which a checkpoint of the agent makes way for the next; None: none is made. keeps_policy: whether its policy
    is handed over at the end.
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
    checkpoint_s: float | None = None
    keeps_policy: bool = False

    @property
    def makes_checkpoints(self) -> bool:
        """Whether any are wanted of an agent that can be taken up again; a told one goes on from its log."""
        return self.checkpoint_s is not None and self.agent.checkpoints and not self.agent.told


def task_of(run: RunSpec, keeping: bool = False) -> Task:
    """Return what a worker needs to know of a run. keeping: whether to hand over what is kept besides its trials."""
    return Task(
        run.key, run.agent.cls, dict(run.agent.hyperparameters), run.seed, run.budget, run.problem.start,
        run.seconds, run.stop_loss, run.problem.environment(), run.checkpoint_s if keeping else None,
        keeping and run.keeps_policy,
    )  # fmt: skip


def searcher(task: Task) -> type[Agent]:
    """Return the agent's class of a task that searches designs."""
    assert issubclass(task.agent, Agent), task.agent
    return task.agent


@dataclass(frozen=True)
class Ended:
    """A run's last word. elapsed_s: time within the run. asked: designs asked; repeats: those of them priced before.

    agent_s: time in the agent's own ask and tell, pricing left out. timed: designs asked meanwhile: all of them, but
    for an agent that was told its log, or taken up from a checkpoint: its earlier asks are not made again.
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
