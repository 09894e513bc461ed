"""Small policies that choose the time steps of three bodies from what `ThreeBodyStepping` observes; those shipped.

They are trained by `python -m designgym.experiments.weights.three_body_policies`, see there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule._three_body_kernel import INTERVALS
from designgym.cost_models.solver_schedule.three_body import ETAS, FOUND, MOST_EVALUATIONS, PARALLEL_FROM, threads
from designgym.cost_models.solver_schedule.three_body_starts import MASSES

Floats = NDArray[np.float64]

FEATURES = (
    "log10 of the closest pair's distance", "log10 of its pericentre", "its eccentricity", "its approach",
    "log10 of the energy", "log10 of the second distance", "log10 of the least time scale", "decades left to the bound",
    "decades beyond the bound", "share of the time passed",
)  # fmt: skip
NO_ACTIONS = np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy for one bound on the relative error of the energy at the end.

    weights: a bias, a weight for each of FEATURES, and for each hidden unit its bias, its weights and what it weighs.
    The sum is log10 of an eta, of which the nearest of ETAS is taken. ValueError for another number of weights.
    """

    weights: Floats
    bound: float

    def __post_init__(self) -> None:
        linear, unit = 1 + len(FEATURES), len(FEATURES) + 2
        if self.weights.ndim != 1 or len(self.weights) < linear or (len(self.weights) - linear) % unit:
            raise ValueError(
                f"weights must be {linear} numbers and {unit} for each hidden unit, got shape {self.weights.shape}."
            )

    def actions(self, observations: Floats, done: Any) -> NDArray[np.int64]:
        """Return places in ETAS, (n,). observations: (n, 13). done: intervals of each episode before, (n,)."""
        from designgym.cost_models.solver_schedule import _three_body_policy_kernel as kernel

        rows = np.arange(len(observations))
        found = kernel.acted(rows, np.asarray(done, np.int64), np.log10(self.bound), observations, self.weights[None])
        return found[0].astype(np.int64)

    def plan(self, state: Floats) -> Floats:
        """Return the eta of each interval of the episode that begins with a state, (100,)."""
        actions = np.zeros((1, INTERVALS), np.int64)
        played([self], state[None], MOST_EVALUATIONS, actions)
        return ETAS[actions[0]]


def played(
    policies: Sequence[Policy],
    states: Floats,
    most_evaluations: int = MOST_EVALUATIONS,
    actions: NDArray[Any] = NO_ACTIONS,
) -> dict[str, Floats]:
    """Play episodes to the end; return what `integrations` does, each (policies, states).

    policies: all of one size and for one bound. actions: filled with those of one policy, int64 (states, 100).
    """
    from designgym.cost_models.solver_schedule import _three_body_policy_kernel as kernel

    n, m = len(policies), len(states)
    table, rows, starts = np.stack([policy.weights for policy in policies]), np.arange(n), np.arange(m)
    run = kernel.played.parallel if n * m >= PARALLEL_FROM and threads() > 1 else kernel.played.serial
    found = run(
        np.repeat(rows, m), np.tile(starts, n), np.log10(policies[0].bound), table, states, MASSES, ETAS[None],
        most_evaluations, np.asarray(actions, np.int64),
    )  # fmt: skip
    return {name: column.reshape(n, m) for name, column in zip(FOUND, found, strict=True)}


@lru_cache(1)
def shipped() -> dict[float, Policy]:
    """Return the policies that come with the package, by the bound that they were trained for."""
    with files("designgym.cost_models.solver_schedule").joinpath("data", "three_body_policies.npz").open("rb") as file:
        held = np.load(file)
        return {float(bound): Policy(held[f"weights_{bound:.0e}"], float(bound)) for bound in held["bounds"]}
