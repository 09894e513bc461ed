"""Fixed policies of `OdeStepping`: scipy's step size controller, at one tolerance for all of an integration.

Where steps are chosen, no constant factor comes to an end: the controller of `solve_ivp` (RK23, RK45) plays instead, by
what is observed. A step is taken where its error is below what the environment's own `rtol` and `atol` allow, so the
controller can aim lower, not higher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule._ode_steps_kernel import ESTIMATE_ORDER
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, scipy_design
from designgym.envs.sequential import Always, Baseline
from designgym.envs.solver_schedule.ode_stepping_episodes import STEP_DECADES, TOLERANCE_DECADES, Rules

Floats = NDArray[np.float64]

TIGHTER = np.linspace(0.0, 2.0, 17)  # decades below the environment's tolerances
CONSTANTS = np.linspace(-1.0, 1.0, 41)  # actions that choose tolerances


@dataclass(frozen=True)
class ScipyController:
    """Chooses steps as scipy does at tolerances 10^-tighter times those of the environment; the first is automatic.

    order: of the error estimate. tighter 0 takes the steps of `solve_ivp`.
    """

    order: int
    tighter: float = 0.0

    def act(self, observations: Floats, starts: NDArray[np.bool_]) -> Floats:
        """Return actions, (n, 1). observations: of `OdeStepping`, (n, 8), the first of each the latest error."""
        design = scipy_design()
        safety, least, most = (math.log10(design[name][0]) for name in ("safety", "min_factor", "max_factor"))
        decades = safety - (observations[:, 0] + self.tighter) / (self.order + 1.0)
        rejected, before = observations[:, 5] > 0, observations[:, 6] > 0
        highest = np.where(before, 0.0, most)  # no growth after a rejected step
        decades = np.maximum(np.where(rejected, decades, np.minimum(decades, highest)), least)
        actions = np.where(starts, 0.0, decades / STEP_DECADES)
        return np.clip(actions, -1.0, 1.0)[:, None]


def tolerances_of(rules: Rules) -> Mapping[str, Baseline]:
    """Return the fixed policies of an environment of these rules, by their relative tolerance."""
    if rules.control == "tolerance":
        return {
            f"rtol = {rules.rtol * 10.0 ** (TOLERANCE_DECADES * action):.3g}": Always(np.array([action]))
            for action in CONSTANTS
        }
    order = ESTIMATE_ORDER[METHODS.index(rules.method)]
    return {
        f"scipy's controller, rtol = {rules.rtol * 10.0**-tighter:.3g}": ScipyController(order, float(tighter))
        for tighter in TIGHTER
    }
