"""What a problem's runs are measured against: its true optimum where one is known, else the best that any run found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import hypervolume, nondominated
from designgym.experiments.report.trials import Trials

if TYPE_CHECKING:
    from designgym.envs import DesignProblem
    from designgym.envs.optimum import Optimum
    from designgym.experiments.log import LoggedProblem


@dataclass(frozen=True)
class Truth:
    """One objective: `loss` and `median` are what regret is measured by. Several: `front`, `reference` and `volume`.

    known: from an enumeration of the whole space, not from these runs. median_of: in words, of which designs.
    front: (m, k) losses. why: why the optimum is not known, in words.
    """

    known: bool
    loss: float
    median: float
    median_of: str
    front: NDArray[np.float64]
    reference: NDArray[np.float64]
    volume: float
    why: str = ""


def remake(logged: LoggedProblem, cost_model: str) -> tuple[DesignProblem | None, str]:
    """Make the problem anew, as its runs had it; None and the reason where that is not possible here.

    cost_model: the version that priced the trials.
    """
    from designgym.envs.registry import make_problem

    try:
        problem = make_problem(logged.id, **logged.given)
    except Exception as error:  # a plug-in's function may raise anything, and the page must still be written
        return None, f"the problem could not be made here ({type(error).__name__}: {' '.join(str(error).split())})"
    if problem.cost_model.version != cost_model:
        return None, f"the cost model is now version {problem.cost_model.version}, and the runs used {cost_model}"
    return problem, ""


def truth_of(
    logged: LoggedProblem, problem: DesignProblem | None, why: str, trials: Trials, uniform: NDArray[np.bool_]
) -> Truth:
    """Return what to measure a problem's runs against.

    uniform: (n,), trials of an agent that draws designs uniformly: where the true median is not known, that of the
    feasible ones among them stands for it, or of all feasible trials if there are none.
    """
    from designgym.envs.optimum import known_optimum

    optimum = known_optimum(logged.id, dict(logged.given), problem) if problem is not None else None
    if optimum is not None and optimum.designs:
        truth = _known(optimum)
        if not _beaten(truth, trials):
            return truth
        why = "a design priced here beats the stored optimum, so that cannot be the true one"
    if trials.losses.shape[1] > 1:
        return _front_of(trials, uniform, why or "no true front is stored for this setting")
    return _best_known(trials, uniform, why or "no true optimum is stored for this setting")


def _beaten(truth: Truth, trials: Trials) -> bool:
    """Return whether a trial is better than what should be the best of all designs, by more than rounding."""
    losses = trials.losses[trials.feasible]
    if truth.volume:
        return bool(len(losses)) and hypervolume(
            np.vstack([truth.front, losses[nondominated(losses)]]), truth.reference
        ) > truth.volume * (1 + 1e-9)
    return bool(len(losses)) and bool(losses.min() < truth.loss - 1e-9 * abs(truth.loss))


def _known(optimum: Optimum) -> Truth:
    front, reference, volume = optimum.front_losses, np.array(optimum.reference), float(optimum.hypervolume)
    if front.shape[1] == 1:
        front, reference, volume = front[:0], reference[:0], 0.0
    whole = optimum.median_of == optimum.feasible
    of = "all feasible designs" if whole else f"{optimum.median_of:,} feasible designs drawn uniformly"
    return Truth(True, float(optimum.loss), float(optimum.median_loss), of, front, reference, volume)


def _best_known(trials: Trials, uniform: NDArray[np.bool_], why: str) -> Truth:
    none = np.zeros((0, 1))
    losses = trials.losses[trials.feasible, 0]
    if not len(losses):
        return Truth(False, np.nan, np.nan, "", none, none[:, 0], 0.0, why)
    drawn = trials.losses[trials.feasible & uniform, 0]
    sample, of = (
        (drawn, "the feasible designs drawn at random") if len(drawn) else (losses, "all feasible designs priced")
    )
    return Truth(False, float(losses.min()), float(np.median(sample)), of, none, none[:, 0], 0.0, why)


def _front_of(trials: Trials, uniform: NDArray[np.bool_], why: str) -> Truth:
    """Pool the runs' fronts.

    The reference point follows the rule of `designgym.envs.optimum.Optimum.reference`.
    """
    losses = trials.losses[trials.feasible]
    if not len(losses):
        return Truth(False, np.nan, np.nan, "", losses, np.full(losses.shape[1], np.nan), 0.0, why)
    front = np.unique(losses[nondominated(losses)], axis=0)
    worst, best = front.max(axis=0), front.min(axis=0)
    extent = np.where(worst > best, worst - best, np.maximum(np.abs(worst), 1e-12))
    drawn = trials.losses[trials.feasible & uniform]
    reference = np.maximum(worst + 0.1 * extent, np.median(drawn if len(drawn) else losses, axis=0))
    return Truth(False, np.nan, np.nan, "", front, reference, hypervolume(front, reference), why)
