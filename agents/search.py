"""One search in process: the shortest way from a problem to a result."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from designgym.agents.base import run
from designgym.agents.registry import make_agent
from designgym.cost_models.base import Columns
from designgym.envs import Answer, DesignSpace, Evaluations, MeteredProblem, Problem
from designgym.envs.pareto import nondominated
from designgym.envs.registry import make_problem


@dataclass(frozen=True)
class Trial:
    """One priced design: its names, its metrics, and where in the run it came."""

    index: int
    design: dict[str, Any]
    metrics: dict[str, float]
    feasible: bool
    reward: float


@dataclass(frozen=True)
class Trials:
    """Distinct designs of one run in the order priced. ended: why the run ended ("budget", "complete", "repeats").

    cheap: how many designs the problem's cheap cost model priced besides; they are not among these.
    """

    space: DesignSpace
    designs: Columns
    evaluations: Evaluations
    ended: str = ""
    cheap: int = 0

    def __len__(self) -> int:
        return len(self.evaluations)

    def __getitem__(self, index: int) -> Trial:
        row = range(len(self))[index]
        names = self.space.describe({name: column[row : row + 1] for name, column in self.designs.items()})
        metrics = {name: column[row].item() for name, column in self.evaluations.metrics.items()}
        design = {name: values[0] for name, values in names.items()}
        feasible, reward = bool(self.evaluations.feasible[row]), float(self.evaluations.reward[row])
        return Trial(row, design, metrics, feasible, reward)

    @property
    def best(self) -> Trial | None:
        """The feasible trial of highest reward, the first of equal ones; None while nothing feasible was found."""
        if not self.evaluations.feasible.any():
            return None
        return self[int(np.argmax(np.where(self.evaluations.feasible, self.evaluations.reward, -np.inf)))]

    @cached_property
    def front(self) -> "Trials":
        """The feasible trials that no other dominates."""
        rows = np.flatnonzero(self.evaluations.feasible)
        rows = rows[nondominated(self.evaluations.losses[rows])] if len(rows) else rows
        return self.take(rows)

    def take(self, rows: Any) -> "Trials":
        """Return the trials of an index, a mask or a slice."""
        designs = {name: column[rows] for name, column in self.designs.items()}
        return Trials(self.space, designs, self.evaluations.take(rows), self.ended, self.cheap)


def search(
    problem: Problem | str,
    agent: str = "local_search",
    budget: int = 1000,
    seed: int = 0,
    start: Columns | None = None,
    listener: Callable[[Answer], None] | None = None,
    logged: tuple[Columns, Evaluations] | None = None,
    **hyperparameters: Any,
) -> Trials:
    """Let an agent price at most `budget` distinct designs of a problem, or of a registered id with its defaults.

    start: known designs, priced and told first. listener: hears every answered batch. logged: an earlier part of the
    same run, which is not priced again. ValueError for an unknown agent or hyperparameter, or a budget below 1.
    """
    made = make_problem(problem) if isinstance(problem, str) else problem
    parts: list[tuple[Columns, Evaluations]] = [logged] if logged is not None else []

    def keep(answer: Answer) -> None:
        if answer.fidelity == "faithful" and answer.fresh.any():
            fresh = slice(None) if answer.fresh.all() else np.flatnonzero(answer.fresh)
            designs = {name: column[fresh] for name, column in answer.designs.items()}
            parts.append((designs, answer.evaluations.take(fresh)))
        if listener is not None:
            listener(answer)

    metered = MeteredProblem(made, budget, keep, logged)
    ended = run(make_agent(agent, metered, seed, **hyperparameters), start)
    if not parts:  # no valid design at all
        nothing = {name: np.empty(0, dtype) for name, dtype in made.space.dtypes.items()}
        parts = [(nothing, made.evaluate(nothing))]
    designs = {name: np.concatenate([part[0][name] for part in parts]) for name in made.space.columns}
    return Trials(
        made.space, designs, Evaluations.concatenate([part[1] for part in parts]), ended, metered.spent("cheap")
    )
