"""The best designs of a sweep's agents as its log has them, read run by run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from designgym.experiments.log import Sweep
from designgym.experiments.report.keep import BestRows, first_distinct
from designgym.experiments.report.trials import Trials, objectives_of, trials_of
from designgym.experiments.trials import no_trials, run_tables

Found = dict[tuple[str, str], Trials]  # by agent and objective


def best_designs(sweep: Sweep, problems: set[str], top: int) -> dict[str, Found]:
    """Return, by problem, the `top` best distinct feasible trials of each agent by each objective, best first.

    LogError where none of the problems has trials.
    """
    places = {run.key: place for place, run in enumerate(sweep.runs)}
    keys = {run.key for run in sweep.runs if run.problem in problems}
    # In the order of the sweep's agents, whichever of them has trials first.
    labels = list(dict.fromkeys(run.label for run in sweep.runs))
    best: dict[tuple[str, int, str, str], BestRows] = {}
    damage: dict[str, str] = {}
    for key, table in run_tables(sweep.directory, damage, keys):
        run, trials = sweep.runs[places[key]], trials_of(table, places[key])
        for k, objective in enumerate(objectives_of(table)):
            kept = best.setdefault((run.problem, k, run.label, objective), BestRows(top))
            kept.add(replace(trials, losses=trials.losses[:, k : k + 1]))
    if not best:
        raise no_trials(sweep.directory, damage)
    found: dict[str, Found] = {}
    for problem, _, label, objective in sorted(best, key=lambda one: (one[1], labels.index(one[2]))):
        trials_kept = best[problem, _, label, objective].trials()
        if trials_kept is not None and len(trials_kept):
            found.setdefault(problem, {})[label, objective] = _first_distinct(trials_kept, top)
    return found


def _first_distinct(trials: Trials, top: int) -> Trials:
    order = np.lexsort((trials.number, trials.losses[:, 0]))
    return trials.take(np.array(first_distinct(order, trials.codes, top)))
