"""What a run's log holds, put to use again: it answers in place of the cost model, and a told agent is told it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from designgym.agents.base import ToldBefore
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignProblem, DesignSpace, Evaluations, Objective, ReplayDiffers
from designgym.envs.choice_features import ChoiceFeatures, choice_features_of
from designgym.envs.problem import Fidelity
from designgym.experiments.rows import designs_of, evaluations_of

if TYPE_CHECKING:
    import pyarrow as pa


class Replayed:
    """A problem that answers its first designs from a log, in the order priced.

    ReplayDiffers where another design is asked than the logged one. designs, evaluations: what was priced, faithfully.
    """

    def __init__(self, problem: DesignProblem, designs: Columns, evaluations: Evaluations) -> None:
        self._problem, self._designs, self._evaluations = problem, designs, evaluations
        self._count = 0

    @property
    def space(self) -> DesignSpace:
        """The designs."""
        return self._problem.space

    @property
    def objective(self) -> Objective:
        """What is wanted."""
        return self._problem.objective

    @property
    def choice_features(self) -> ChoiceFeatures | None:
        """What its stepwise face tells and closes."""
        return choice_features_of(self._problem)

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        """Answer what is logged, and price the rest."""
        known = min(batch_length(designs), len(self._evaluations) - self._count)
        if not known or fidelity != "faithful":
            return self._problem.evaluate(designs, fidelity)
        logged = slice(self._count, self._count + known)
        check_same(designs, self._designs, logged)
        self._count += known
        answered = self._evaluations.take(logged)
        if known == batch_length(designs):
            return answered
        rest = self._problem.evaluate({name: column[known:] for name, column in designs.items()})
        return Evaluations.concatenate([answered, rest])


def check_same(asked: Columns, logged: Columns, rows: slice) -> None:
    """ReplayDiffers unless the first designs asked are these rows of the logged ones."""
    n = rows.stop - rows.start
    differs = np.zeros(n, bool)
    for name, column in logged.items():
        differs |= asked[name][:n] != column[rows]
    if differs.any():
        raise ReplayDiffers(
            f"design {rows.start + int(np.argmax(differs))} of the continued run differs from the logged one: the "
            "agent, its settings or a library has changed since. Start the run anew in another directory."
        )


def answered_by(problem: DesignProblem, rows: pa.Table) -> Replayed:
    """Return the problem with what a told agent's run has priced answered from its log. rows: repeats included."""
    fresh = rows.filter(rows.column("fresh"))
    return Replayed(problem, designs_of(fresh, problem.space), evaluations_of(fresh, problem))


def told_before(rows: pa.Table, space: DesignSpace) -> ToldBefore | None:
    """Return what a told agent's log says it was told; None where that is nothing.

    The last ask is left out: it may be incomplete. It is asked again, and the log answers what it holds of it.
    """
    asks = rows.column("ask").to_numpy()
    whole = int(np.searchsorted(asks, asks[-1])) if len(asks) else 0
    return ToldBefore(designs_of(rows[:whole], space), int(asks[-1])) if whole else None
