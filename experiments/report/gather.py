"""From a sweep's log, read run by run, to studied problems: curves of every run, agents' figures, the best designs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.envs.optimum import known_fronts
from designgym.experiments import statistics as stats
from designgym.experiments.files import LogError
from designgym.experiments.log import FIXED, load_sweep
from designgym.experiments.parts import RunFiles
from designgym.experiments.report.digest import MOST_BEST_KEPT, Digest
from designgym.experiments.report.keep import first_distinct
from designgym.experiments.report.palette import SLOTS
from designgym.experiments.report.pictures import pictures_of
from designgym.experiments.report.played import Played, PlayedDigest
from designgym.experiments.report.study import (
    MOST_BEST,
    MOST_FRONT,
    TOLERANCES,
    AgentStudy,
    BestDesign,
    Line,
    ProblemStudy,
    Run,
    Verified,
    needed,
)
from designgym.experiments.report.text import metric_value
from designgym.experiments.report.trials import Trials, objectives_of, trials_of
from designgym.experiments.report.truth import Truth, remake, truth_of
from designgym.experiments.report.verified import read, verified_of
from designgym.experiments.trials import run_tables

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.envs import DesignProblem
    from designgym.experiments.log import LoggedProblem, LoggedRun, Sweep

MOST_PICTURED = 6  # designs along a front
MOST_LETTERS = 6000  # of the text that a failed run left


def study(directory: Path) -> tuple[Sweep, list[ProblemStudy]]:
    """Read a sweep, one run in memory at a time, and study each of its problems, in the order of its specification.

    LogError where it holds no trials that can be read.
    """
    return study_all(directory)[:2]


def study_all(directory: Path) -> tuple[Sweep, list[ProblemStudy], list[Played]]:
    """The same, and the sequential environments that were played."""
    sweep = load_sweep(directory)
    played = {label: PlayedDigest(logged) for label, logged in sweep.problems.items() if logged.played}
    places = {run.key: place for place, run in enumerate(sweep.runs)}
    digests = {label: Digest(logged) for label, logged in sweep.problems.items() if not logged.played}
    damage: dict[str, str] = {}
    for key, table in run_tables(directory, damage):
        run = sweep.runs[places[key]]
        if run.problem in played:
            played[run.problem].add(run, table)
        else:
            digests[run.problem].add(run, trials_of(table, places[key]), objectives_of(table))
    if not any([*(digest.priced for digest in digests.values()), *(digest.trials for digest in played.values())]):
        raise LogError(next(iter(damage.values()), f"{directory} holds no trials yet. Run its sweep first."))
    sweep = sweep.with_damage(damage)
    again, broken = read(directory)
    studied = [study_problem(sweep.problems[label], sweep, digest, again) for label, digest in digests.items()]
    if broken:
        studied = [replace(problem, verified=Verified(damage=broken)) for problem in studied]
    environments = [
        Played(
            digest,
            tuple(run for run in sweep.runs if run.problem == label),
            _best_fixed(digest, studied),
            sweep.spec.get("kind") == "training",
        )
        for label, digest in played.items()
    ]
    return sweep, _with_slots(studied), environments


def _with_pictures(study: ProblemStudy, problem: DesignProblem | None, why: str) -> ProblemStudy:
    shown, none = pictures_of(study.digest, problem, why, [agent.label for agent in study.shown], _beside(study))
    return replace(study, pictures=shown, no_pictures=none)


def _beside(study: ProblemStudy) -> dict[str, dict[str, Any]]:
    """Return designs that pictures may show besides the agents' best, by name: the true optimum, or some of a front."""
    if study.single or study.good is None:
        return {"true optimum": study.truth.design} if study.truth.design else {}
    rows = along_front(study.good)
    named = {}
    for place in np.unique(np.linspace(0, len(rows) - 1, MOST_PICTURED).round().astype(int)):
        losses = study.signs * study.good.losses[rows[place]]
        texts = [f"{name} {metric_value(study, name, x)}" for name, x in zip(study.objectives, losses, strict=True)]
        named[", ".join(texts)] = study.good.design(rows[place])
    return named


def study_problem(logged: LoggedProblem, sweep: Sweep, digest: Digest, again: pa.Table | None = None) -> ProblemStudy:
    """Study one problem. again: what was verified of the sweep."""
    runs = tuple(run for run in sweep.runs if run.problem == logged.label)
    good = (digest.best if len(digest.objectives) == 1 else digest.front).trials()
    problem, why = remake(logged, str(runs[0].definition.get("cost_model", "")))
    losses = good.losses if good is not None else np.zeros((0, max(1, len(digest.objectives))))
    truth = truth_of(logged, problem, why, losses, digest.uniform, digest.sample)
    curves = run_curves(digest, runs, truth)
    labels = dict.fromkeys(run.label for run in runs)
    agents = tuple(_agent(label, i, runs, curves, truth) for i, label in enumerate(labels))
    best, on_front = _best_designs(good, sweep.runs, problem)
    lines = _lines(good, problem)
    verified = None if again is None else verified_of(again, logged, lambda design: named(design, problem))
    study = ProblemStudy(
        logged, runs, digest, good, truth, agents, best, on_front, _errors(sweep, runs), lines, verified,
        known_fronts=known_fronts(logged.id, problem) if digest.bounds and problem is not None else (),
    )  # fmt: skip
    return _with_pictures(study, problem, why)


def _best_fixed(digest: PlayedDigest, studied: list[ProblemStudy]) -> float | None:
    """Return the best that any searched fixed policy of an environment came to, where the sweep searched them too."""
    searched = [study for study in studied if study.logged.label == digest.logged.label + FIXED and study.best]
    return searched[0].best[0].metrics[digest.objective] if searched and searched[0].single else None


def _with_slots(studied: list[ProblemStudy]) -> list[ProblemStudy]:
    """Give each agent its colour, the same throughout a page: in the order of the sweep, or, where there are more

    agents than colours, so that those which come first on some problem differ.
    """
    labels = list(dict.fromkeys(agent.label for problem in studied for agent in problem.agents))
    if len(labels) > SLOTS:
        ranks: dict[str, list[int]] = {label: [len(labels)] for label in labels}
        for problem in studied:
            for rank, agent in enumerate(problem.ranked):
                ranks[agent.label].append(rank)
        labels.sort(key=lambda label: (min(ranks[label]), sum(ranks[label]) / len(ranks[label])))
    slots = {label: i for i, label in enumerate(labels)}
    return [
        replace(problem, agents=tuple(replace(agent, slot=slots[agent.label]) for agent in problem.agents))
        for problem in studied
    ]


def _errors(sweep: Sweep, runs: tuple[LoggedRun, ...]) -> dict[str, str]:
    """Return what each failed run left, and what is wrong with each damaged one."""
    errors = {}
    for run in runs:
        path = RunFiles(sweep.directory, run.key).error
        if run.damage:
            errors[run.key] = run.damage
        elif run.state == "failed" and path.exists():
            errors[run.key] = path.read_text(encoding="utf-8", errors="replace")[:MOST_LETTERS].strip()
    return errors


# -- curves and agents ------------------------------------------------------------------------------------------------


def run_curves(digest: Digest, runs: tuple[LoggedRun, ...], truth: Truth) -> list[Run]:
    """Return the curves of each run that priced anything."""
    curves = []
    for run in (run for run in runs if run.key in digest.steps):
        steps = digest.steps[run.key]
        losses = steps.losses
        if losses.shape[1] == 1:
            regret = stats.regret_so_far(losses[:, 0], truth.loss, truth.median)
        elif truth.volume > 0:
            feasible = np.ones(len(losses), bool)
            regret = stats.hypervolume_regret_so_far(losses, feasible, truth.reference, truth.volume)
        else:
            regret = np.ones(len(losses))
        curves.append(Run(run, steps, losses[:, 0], regret))
    return curves


def _agent(label: str, slot: int, runs: tuple[LoggedRun, ...], curves: list[Run], truth: Truth) -> AgentStudy:
    mine = [curve for curve in curves if curve.logged.label == label]
    finished = tuple(curve for curve in mine if curve.finished)
    # A run that is still going has had less of its budget: it counts only while there is nothing better to show.
    counted = finished or tuple(mine)
    found = {t: np.array([needed(run, truth, t) for run in counted]).reshape(-1, 2) for t in TOLERANCES}
    reach, reach_s = ({t: pairs[:, i] for t, pairs in found.items()} for i in (0, 1))
    return AgentStudy(label, slot, tuple(run for run in runs if run.label == label), counted, reach, reach_s)


# -- best designs -----------------------------------------------------------------------------------------------------


def best_rows(good: Trials) -> tuple[list[int], int]:
    """Return rows of the best distinct designs, and how many designs are on the front of what was found.

    With one objective by loss, then by how soon a run found them; else along the front by its first loss, thinned.
    """
    losses, codes = good.losses, good.codes
    if losses.shape[1] == 1:
        least = int((losses[:, 0] == losses[:, 0].min()).sum())
        ordered = np.lexsort((good.number, losses[:, 0]))
        return first_distinct(ordered, codes, MOST_BEST), len(first_distinct(ordered[:least], codes, least))
    distinct = along_front(good)
    places = np.unique(np.linspace(0, len(distinct) - 1, MOST_FRONT).round().astype(int))
    return [distinct[place] for place in places], len(distinct)


def along_front(good: Trials) -> list[int]:
    """Return rows of the distinct designs of a front by their losses, each as a run found it soonest."""
    ordered = np.lexsort((good.number, *good.losses.T[::-1]))
    return first_distinct(ordered, good.codes, len(ordered))


def _best_designs(
    good: Trials | None, runs: tuple[LoggedRun, ...], problem: DesignProblem | None
) -> tuple[tuple[BestDesign, ...], int]:
    if good is None or not len(good):
        return (), 0
    rows, on_front = best_rows(good)
    found = []
    for row in rows:
        same = np.flatnonzero((good.codes == good.codes[row]).all(axis=1))
        first = int(same[np.argmin(good.number[same])])
        run = runs[good.run[first]]
        found_by = dict(Counter(runs[place].label for place in dict.fromkeys(good.run[same].tolist())))
        metrics = {name: float(column[row]) for name, column in good.metrics.items()}
        design = named(good.design(row), problem)
        place = (run.label, run.seed, int(good.number[first]))
        found.append(BestDesign(good.losses[row], design, metrics, found_by, place))
    return tuple(found), on_front


def _lines(good: Trials | None, problem: DesignProblem | None) -> tuple[Line, ...]:
    """Return the best distinct designs, or some along the front."""
    if good is None or not len(good):
        return ()
    if good.losses.shape[1] == 1:
        rows = first_distinct(np.lexsort((good.number, good.losses[:, 0])), good.codes, MOST_BEST_KEPT)
    else:
        found = along_front(good)
        rows = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, MOST_BEST_KEPT).round().astype(int))]
    return tuple(Line(good.losses[row], named(good.design(row), problem)) for row in rows)


def named(design: Mapping[str, Any], problem: DesignProblem | None) -> dict[str, Any]:
    """Return a logged design with None where a parameter is idle; as logged where the problem cannot be made here."""
    if problem is None:
        return dict(design)
    return {name: values[0] for name, values in problem.space.describe(problem.space.parse(dict(design))).items()}
