"""What time steps would have cost in hindsight: an eta for each interval, chosen with the whole trajectory known.

A Lagrangian: along a reference trajectory every eta of every interval is tried; for each of 181 multipliers an interval
takes the eta of least evaluations plus multiplier times error; each such plan is then played from the start, and the
cheapest is kept whose true error at the end is within the bound. A reference, no lower bound: what an interval adds to
the error depends on those before it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule._three_body_kernel import INTERVALS
from designgym.cost_models.solver_schedule.three_body import ETAS, MOST_EVALUATIONS, advanced, integrations
from designgym.cost_models.solver_schedule.three_body_starts import MASSES

Floats = NDArray[np.float64]

MULTIPLIERS = np.logspace(2.0, 20.0, 181)  # evaluations over relative error
ENOUGH = 10**7  # evaluations of an interval


@dataclass(frozen=True, eq=False)
class Hindsight:
    """Plans of one initial state and what they truly came to. etas: (plans, 100). evaluations, error: (plans,)."""

    etas: Floats
    evaluations: Floats
    error: Floats

    def best(self, bound: float) -> int | None:
        """Return the place of the cheapest plan whose error is within the bound; None where there is none."""
        kept = np.flatnonzero(self.error <= bound)
        return int(kept[np.argmin(self.evaluations[kept])]) if len(kept) else None


def hindsight(state: Floats, most_evaluations: int = MOST_EVALUATIONS) -> Hindsight:
    """Return the plans of an initial state, (12,): of all multipliers, each once. It takes a tenth of a second."""
    evaluations, errors = tried(reference_states(state))
    chosen = np.argmin(evaluations + MULTIPLIERS[:, None, None] * errors, axis=2)
    plans = ETAS[np.unique(chosen, axis=0)]
    found = integrations(np.zeros(len(plans), np.int64), plans, state[None], most_evaluations)
    return Hindsight(plans, found["force_evals"][:, 0], found["energy_error"][:, 0])


def reference_states(state: Floats) -> Floats:
    """Return the states at the beginnings of all intervals by steps of the least eta, (100, 12)."""
    states, now, one = np.empty((INTERVALS, 12)), state[None].copy(), np.ones(1, np.int64)
    for k in range(INTERVALS):
        states[k] = now[0]
        advanced(now, ETAS[:1], np.ones(1), one, ENOUGH * one)
    return states


def tried(states: Floats) -> tuple[Floats, Floats]:
    """Return evaluations, and errors of the energy, of an interval from each state by each eta, (states, etas)."""
    from designgym.cost_models.solver_schedule import _three_body_kernel as kernel

    n, shape = len(states) * len(ETAS), (len(states), len(ETAS))
    rows, own = np.arange(n), np.repeat(states, len(ETAS), axis=0)
    (first,) = kernel.energies(rows, own, MASSES)
    found = advanced(own, np.tile(ETAS, len(states)), first, np.ones(n, np.int64), np.full(n, ENOUGH))
    return found[0].reshape(shape), found[1].reshape(shape)
