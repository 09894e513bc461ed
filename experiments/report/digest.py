"""One problem of a sweep as its runs stream by: what a report says about it is made of this."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import nondominated
from designgym.experiments.report.bounds import bound_losses, bounds_of
from designgym.experiments.report.keep import BestByValue, BestRows, FrontRows, Sample, front_of
from designgym.experiments.report.steps import Steps, steps_of
from designgym.experiments.report.trials import STATUSES, Trials

if TYPE_CHECKING:
    from designgym.experiments.log import LoggedProblem, LoggedRun

MOST_LOOKED_AT = 30_000  # trials among which designs for importances and for clouds of points are sought
MOST_FOR_MEDIAN = 200_000
MOST_BEST_KEPT = 100


class Digest:
    """What is kept of one problem's trials. objectives: names of the losses. columns: names of the design columns.

    priced: designs priced. steps: of each run by its key. status: of each run, counts of `STATUSES`. first: the best
    designs of each agent by its first objective. start: the feasible trials of the user's designs, started whether any
    were priced. bounds: of the one objective, and bounded, of each bound and agent: the trials, infeasible ones too, of
    which none has both a smaller loss and more room, their losses as of `bound_losses`. labels: agents by their runs'
    places.
    """

    def __init__(self, logged: LoggedProblem) -> None:
        self.logged = logged
        self.objectives: tuple[str, ...] = ()
        self.columns: tuple[str, ...] = ()
        self.priced = 0
        self.steps: dict[str, Steps] = {}
        self.status: dict[str, NDArray[np.int64]] = {}
        self.started = False
        self.sample = Sample(MOST_LOOKED_AT)
        self.uniform = Sample(MOST_FOR_MEDIAN, seed=1)
        self.start = FrontRows()
        self.best = BestRows(MOST_BEST_KEPT)
        self.front = FrontRows()
        self.fronts: dict[str, FrontRows] = {}
        self.by_value: dict[str, BestByValue] = {}
        self.first: dict[str, BestRows] = {}
        self.bounds = bounds_of(logged)
        self.bounded: dict[str, dict[str, FrontRows]] = {bound.text: {} for bound in self.bounds}
        self.labels: dict[int, str] = {}

    def add(self, run: LoggedRun, trials: Trials, objectives: tuple[str, ...]) -> None:
        """Add the trials of one run, if there are any."""
        if not len(trials):
            return
        self.objectives = objectives
        self.columns = tuple(trials.designs)
        self.priced += len(trials)
        self.steps[run.key] = steps_of(trials)
        self.status[run.key] = np.bincount(trials.status, minlength=len(STATUSES))
        self.sample.add(trials, run.key)
        self.labels[int(trials.run[0])] = run.label
        self._add_bounded(run.label, trials)
        self.first.setdefault(run.label, BestRows(1)).add(replace(trials, losses=trials.losses[:, :1]))
        if run.agent == "random":
            # The user's own designs come first, and are not drawn.
            drawn = trials.feasible & (trials.ask >= bool(self.logged.start))
            self.uniform.add(trials.take(np.flatnonzero(drawn)).bare(), run.key)
        if self.logged.start:
            self._add_start(trials)
        if len(objectives) == 1:
            self.best.add(trials)
            self._add_values(trials)
        else:
            front = front_of(trials)
            self.front.add(front)
            self.fronts.setdefault(run.label, FrontRows()).add(front.bare())

    def _add_start(self, trials: Trials) -> None:
        first = trials.ask == 0
        self.started |= bool(first.any())
        rows = np.flatnonzero(first & trials.feasible)
        if len(rows):
            self.start.add(front_of(trials.take(rows).bare()))

    def _add_bounded(self, label: str, trials: Trials) -> None:
        for bound in self.bounds:
            losses, there = bound_losses(self.logged, bound, trials)
            rows = there[nondominated(losses[there])]
            # On which side of the bound they lie does not matter here.
            kept = replace(trials, losses=losses).take(rows).bare()
            self.bounded[bound.text].setdefault(label, FrontRows()).add(kept)

    def _add_values(self, trials: Trials) -> None:
        loss = np.where(trials.feasible, trials.losses[:, 0], np.inf)
        owners = {c: parameter for parameter in self.logged.parameters for c in parameter.get("columns", ())}
        for column, values in trials.designs.items():
            found = self.by_value.setdefault(column, BestByValue(owners.get(column, {})))
            found.add(values, loss, trials.names.get(column))
