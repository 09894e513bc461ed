"""What a problem's runs are measured against: its true optimum where one is known, else the best that any run found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import hypervolume
from designgym.experiments.report.keep import Sample

if TYPE_CHECKING:
    from designgym.envs import DesignProblem
    from designgym.envs.optimum import Optimum
    from designgym.experiments.log import LoggedProblem

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """One objective: `loss` and `median` are what regret is measured by. Several: `front`, `reference` and `volume`.

    known: from an enumeration of the whole space, not from these runs. median_of: in words, of which designs.
    front: (m, k) losses. why: why the optimum is not known, in words. design: of the true optimum of one objective, by
    name, with its metrics; empty where it is not known.
    """

    known: bool
    loss: float
    median: float
    median_of: str
    front: NDArray[np.float64]
    reference: NDArray[np.float64]
    volume: float
    why: str = ""
    design: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def remake(logged: LoggedProblem, cost_model: str) -> tuple[DesignProblem | None, str]:
    """Make the problem anew, as its runs had it; None and the reason where that is not possible here.

    cost_model: the version that priced the trials.
    """
    from designgym.experiments.commands import problem_of_log

    try:
        problem = problem_of_log(logged)
    except Exception as error:  # a plug-in's function may raise anything, and the page must still be written
        said = " ".join(str(error).split()).rstrip(".")
        # A ValueError is a sentence for people; of any other error its name is half of what it says.
        return None, f"the problem could not be made here: {said if isinstance(error, ValueError) else repr(error)}"
    if problem.cost_model.version != cost_model:
        return None, f"the cost model is now version {problem.cost_model.version}, and the runs used {cost_model}"
    return problem, ""


def truth_of(
    logged: LoggedProblem, problem: DesignProblem | None, why: str, good: Floats, uniform: Sample, whole: Sample
) -> Truth:
    """Return what to measure a problem's runs against.

    good: (m, k), losses of the best feasible trials, the least or those that nothing dominates. uniform: of feasible
    trials of an agent that draws designs uniformly: where the true median is not known, theirs stands for it, or that
    of all feasible trials in `whole` if there are none.
    """
    from designgym.envs.optimum import known_optimum

    optimum = known_optimum(logged.id, dict(logged.given), problem) if problem is not None else None
    if optimum is not None and optimum.designs:
        truth = _known(optimum)
        if not _beaten(truth, good):
            return truth
        why = "a design priced here beats the stored optimum, so that cannot be the true one"
    if good.shape[1] > 1:
        return _front_of(good, uniform, whole, why or "no true front is stored for this setting")
    return _best_known(good, uniform, whole, why or "no true optimum is stored for this setting")


def _beaten(truth: Truth, good: Floats) -> bool:
    """Return whether a trial is better than what should be the best of all designs, by more than rounding."""
    if not len(good):
        return False
    if truth.volume:
        return bool(hypervolume(np.vstack([truth.front, good]), truth.reference) > truth.volume * (1 + 1e-9))
    return bool(good.min() < truth.loss - 1e-9 * abs(truth.loss))


def _known(optimum: Optimum) -> Truth:
    front, reference, volume = optimum.front_losses, np.array(optimum.reference), float(optimum.hypervolume)
    if front.shape[1] == 1:
        front, reference, volume = front[:0], reference[:0], 0.0
    whole = optimum.median_of == optimum.feasible
    of = "all feasible designs" if whole else f"{optimum.median_of:,} feasible designs drawn uniformly"
    one = (dict(optimum.design), dict(optimum.metrics)) if len(optimum.objectives) == 1 else ({}, {})
    return Truth(True, float(optimum.loss), float(optimum.median_loss), of, front, reference, volume, "", *one)


def _typical(uniform: Sample, whole: Sample) -> tuple[Floats, str]:
    """Return losses of which the median is what a design commonly has, (n, k), and in words of which designs."""
    drawn = uniform.trials()
    if drawn is not None and len(drawn):
        some = " a sample of" if uniform.of > len(drawn) else ""
        return drawn.losses, f"{some} the feasible designs drawn at random".strip()
    priced = whole.trials()
    assert priced is not None
    if whole.of > len(priced):
        return priced.losses[priced.feasible], "a sample of the feasible designs priced"
    return priced.losses[priced.feasible], "all feasible designs priced"


def _best_known(good: Floats, uniform: Sample, whole: Sample, why: str) -> Truth:
    none = np.zeros((0, 1))
    if not len(good):
        return Truth(False, np.nan, np.nan, "", none, none[:, 0], 0.0, why)
    losses, of = _typical(uniform, whole)
    median = float(np.median(losses)) if len(losses) else float(good.min())
    return Truth(False, float(good.min()), median, of, none, none[:, 0], 0.0, why)


def _front_of(good: Floats, uniform: Sample, whole: Sample, why: str) -> Truth:
    """Pool the runs' fronts.

    The reference point follows the rule of `designgym.envs.optimum.Optimum.reference`.
    """
    if not len(good):
        return Truth(False, np.nan, np.nan, "", good, np.full(good.shape[1], np.nan), 0.0, why)
    front = np.unique(good, axis=0)
    worst, best = front.max(axis=0), front.min(axis=0)
    extent = np.where(worst > best, worst - best, np.maximum(np.abs(worst), 1e-12))
    losses, _ = _typical(uniform, whole)
    middle = np.median(losses, axis=0) if len(losses) else worst
    reference = np.maximum(worst + 0.1 * extent, middle)
    return Truth(False, np.nan, np.nan, "", front, reference, hypervolume(front, reference), why)
