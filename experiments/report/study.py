"""What one problem of a sweep came to: its runs, its agents, its best designs, what its parameters matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments import statistics as stats
from designgym.experiments.importance import Importance, parameter_importance
from designgym.experiments.report.palette import SLOTS
from designgym.experiments.report.steps import Steps
from designgym.experiments.report.trials import Trials
from designgym.experiments.report.truth import Truth

if TYPE_CHECKING:
    from designgym.cost_models.base import Metric
    from designgym.cost_models.pictures import Picture
    from designgym.envs.optimum import Optimum
    from designgym.experiments.agreement import Agreement
    from designgym.experiments.log import LoggedProblem, LoggedRun
    from designgym.experiments.report.digest import Digest
    from designgym.experiments.verified import Comparison
    from designgym.experiments.verified_changes import Change

MOST_BEST = 10
MOST_FRONT = 20
TOLERANCES = (0.01, 0.05)


@dataclass(frozen=True)
class Run:
    """One run with its curves as steps, each (m,), at steps.number and steps.elapsed_s.

    best: loss so far (one objective). regret: so far; before the first step nothing feasible was found, and it is 1.
    """

    logged: LoggedRun
    steps: Steps
    best: NDArray[np.float64]
    regret: NDArray[np.float64]

    @property
    def finished(self) -> bool:
        """Whether it ran to its end."""
        return self.logged.state == "finished"

    @property
    def trials(self) -> int:
        """Designs priced."""
        return self.steps.trials

    def reach(self, curve: NDArray[np.float64], target: float) -> tuple[float, float]:
        """Return designs priced and seconds until a falling curve was at most `target`; inf where it never was."""
        reached = np.flatnonzero(curve <= target)
        if not len(reached):
            return np.inf, np.inf
        return float(self.steps.number[reached[0]]), float(self.steps.elapsed_s[reached[0]])


def needed(run: Run, truth: Truth, tolerance: float) -> tuple[float, float]:
    """Return designs priced and seconds until a run was within a tolerance of the optimum's loss, or of its volume."""
    if truth.volume > 0:
        return run.reach(run.regret, tolerance)
    return run.reach(run.best, stats.target_loss(truth.loss, tolerance))


@dataclass(frozen=True)
class AgentStudy:
    """One agent on one problem. counted: the runs behind its figures, the finished ones if there are any.

    reach, reach_s: designs priced and seconds until within 1 % and 5 %, each (runs,), inf where never.
    """

    label: str
    slot: int
    runs: tuple[LoggedRun, ...]
    counted: tuple[Run, ...]
    reach: dict[float, NDArray[np.float64]]
    reach_s: dict[float, NDArray[np.float64]]

    @property
    def whole(self) -> bool:
        """Whether its figures rest on finished runs."""
        return bool(self.counted) and all(run.finished for run in self.counted)

    @cached_property
    def final_regret(self) -> NDArray[np.float64]:
        """Regret at the end of each run, (runs,)."""
        return np.array([run.regret[-1] if len(run.regret) else 1.0 for run in self.counted])

    @cached_property
    def final_best(self) -> NDArray[np.float64]:
        """Best loss at the end of each run, (runs,); inf where nothing feasible was found."""
        return np.array([run.best[-1] if len(run.best) else np.inf for run in self.counted])

    @property
    def seconds(self) -> float:
        """Median time of a run."""
        return float(np.median([run.logged.elapsed_s for run in self.counted]))

    @property
    def designs_per_second(self) -> float:
        """Designs priced over time spent, all counted runs together."""
        seconds = sum(run.logged.elapsed_s for run in self.counted)
        return sum(run.trials for run in self.counted) / seconds if seconds > 0 else float("inf")

    def order(self) -> tuple[float, ...]:
        """Sort key, the agent that found the best designs soonest first."""
        first, second = (self.reach[t] for t in TOLERANCES)
        reached = -stats.share_reached(first), -stats.share_reached(second)
        final = float(stats.interquartile_mean(self.final_regret))
        return stats.median_reached(first), reached[0], stats.median_reached(second), reached[1], final


@dataclass(frozen=True)
class BestDesign:
    """One of the best designs, and in how many runs of which agent it was found."""

    losses: NDArray[np.float64]
    design: dict[str, Any]
    metrics: dict[str, float]
    found_by: dict[str, int]
    first: tuple[str, int, int]  # agent, seed, number of the design within the run


@dataclass(frozen=True)
class Line:
    """One design of the figure of parallel coordinates: values by column, None where idle."""

    losses: NDArray[np.float64]
    design: dict[str, Any]


@dataclass(frozen=True)
class Verified:
    """What the best designs of a problem came to under options that search did not see, see `experiments.verified`.

    designs: those of all agents together, by the numbers of their rows. changes: of each comparison, the metrics that
    are others then; agreements: how another cost model agrees, if one priced them. damage: why it
    cannot be read, if it cannot.
    """

    comparisons: tuple[Comparison, ...] = ()
    designs: dict[int, BestDesign] = field(default_factory=dict)
    changes: tuple[tuple[Change, ...], ...] = ()
    agreements: tuple[tuple[Agreement, ...], ...] = ()
    damage: str = ""


@dataclass(frozen=True)
class ProblemStudy:
    """One problem of a sweep, studied.

    digest: what is kept of its trials. good: the trials with the least losses, or those that no other one dominates.
    best: the best designs found, or some of the `front_designs` designs that no other found dominates. errors: of the
    failed and damaged runs by their keys. lines: more of the best designs, or of those on the front, in order.
    pictures: what the cost model shows of the best design of each agent in colour; no_pictures: why it could not be
    asked, if so. known_fronts: stored ones of all designs of its space, by whatever metrics.
    """

    logged: LoggedProblem
    runs: tuple[LoggedRun, ...]
    digest: Digest
    good: Trials | None
    truth: Truth
    agents: tuple[AgentStudy, ...]
    best: tuple[BestDesign, ...]
    front_designs: int
    errors: dict[str, str]
    lines: tuple[Line, ...] = ()
    verified: Verified | None = None
    pictures: tuple[Picture, ...] = ()
    no_pictures: str = ""
    known_fronts: tuple[Optimum, ...] = ()

    @property
    def single(self) -> bool:
        """Whether there is one objective."""
        return len(self.objectives) == 1

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the metrics wanted, in the order of the losses' columns."""
        return self.digest.objectives

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the design columns."""
        return self.digest.columns

    @property
    def priced(self) -> int:
        """Designs priced in all runs."""
        return self.digest.priced

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics by name."""
        return {metric.name: metric for metric in self.logged.metrics}

    @cached_property
    def signs(self) -> NDArray[np.float64]:
        """A loss times its sign is the metric: -1 where the metric is maximised, (k,)."""
        maximised = self.logged.objective.get("maximize") or ()
        return np.array([-1.0 if name in maximised else 1.0 for name in self.objectives])

    @cached_property
    def parameter_of(self) -> dict[str, dict[str, Any]]:
        """The parameter that owns each column."""
        owners = {c: parameter for parameter in self.logged.parameters for c in parameter.get("columns", ())}
        return {name: owners.get(name, {"name": name}) for name in self.columns}

    @property
    def budget(self) -> int:
        """The largest budget of its runs."""
        return max((run.budget for run in self.runs), default=0)

    @property
    def ranked(self) -> list[AgentStudy]:
        """The agents that priced anything, the one that found the best designs soonest first."""
        return sorted((agent for agent in self.agents if agent.counted), key=AgentStudy.order)

    @cached_property
    def shown(self) -> tuple[AgentStudy, ...]:
        """The agents that figures draw in colours, in the order of the sweep: all, or the first eight of `ranked`."""
        chosen = {agent.label for agent in self.ranked[:SLOTS]}
        return tuple(agent for agent in self.agents if agent.label in chosen)

    @cached_property
    def others(self) -> tuple[AgentStudy, ...]:
        """The agents with runs that figures draw in grey."""
        chosen = {agent.label for agent in self.shown}
        return tuple(agent for agent in self.agents if agent.counted and agent.label not in chosen)

    @property
    def yardstick(self) -> str:
        """What distances are measured from, in words."""
        known = self.truth.known
        if self.single:
            return "optimum" if known else "best known"
        return "true front's hypervolume" if known else "best known hypervolume"

    def distance(self, loss: Any) -> Any:
        """Return by what share of the optimum's size losses of the one objective lie above it; inf for inf."""
        return (np.asarray(loss) - self.truth.loss) / (abs(self.truth.loss) or 1.0)

    @cached_property
    def importances(self) -> dict[str, Importance]:
        """What each parameter matters for each objective, where it can be learned."""
        sample = self.digest.sample.trials()
        if sample is None:
            return {}
        rows = np.sort(np.unique(sample.codes, axis=0, return_index=True)[1])
        groups: dict[str, list[NDArray[Any]]] = {}
        for column in self.columns:
            values = sample.values(column, rows)
            if (values != values[0]).any():
                groups.setdefault(str(self.parameter_of[column]["name"]), []).append(values)
        found = {}
        for name, sign, loss in zip(self.objectives, self.signs, sample.losses.T, strict=True):
            learned = parameter_importance(groups, sign * loss[rows]) if groups else None
            if learned is not None:
                found[name] = learned
        return found
