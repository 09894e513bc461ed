"""Episodes of three bodies, many at a time: ten years in a hundred intervals, an eta chosen for each as it comes.

Source: Saz Ulibarrena and Portegies Zwart, 2025, doi:10.1016/j.cnsns.2025.108723, arXiv:2502.12809.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule._three_body_kernel import INTERVALS
from designgym.cost_models.solver_schedule._three_body_policy_kernel import (
    DISTANCE_UNIT_AU,
    FARTHEST,
    MOST_DIGITS,
    SPEED_UNIT,
)
from designgym.cost_models.solver_schedule.three_body import ETAS, MOST_EVALUATIONS, advanced
from designgym.cost_models.solver_schedule.three_body_starts import MASSES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REWARDS = ("published", "evaluations")
EVALUATIONS_UNIT, BROKEN = 1e3, 10.0  # of the reward of evaluations
LIMITS = np.append(np.full(12, FARTHEST), MOST_DIGITS)


@dataclass(frozen=True)
class Rules:
    """What an episode ends at and is rewarded by.

    reward: "published", or "evaluations": minus the thousands of them, and where the bound on the relative error of the
    energy is broken at the end minus BROKEN and the decades it is exceeded by. stop_at: an error above it ends the
    episode. most_evaluations: so do these, when they do not suffice.
    """

    reward: str = "published"
    bound: float = 1e-4
    stop_at: float = 0.1
    most_evaluations: int = MOST_EVALUATIONS

    def __post_init__(self) -> None:
        if self.reward not in REWARDS:
            raise ValueError(f"reward must be one of {', '.join(REWARDS)}, got {self.reward!r}. Choose one of them.")
        for what, value in (("bound", self.bound), ("stop_at", self.stop_at)):
            if not value > 0:
                raise ValueError(f"{what} must be above 0, got {value}. Choose such a number.")
        if self.most_evaluations < 1:
            raise ValueError(f"most_evaluations must be at least 1, got {self.most_evaluations}. Raise it.")


class Taken(NamedTuple):
    """What a step of every episode came to, each (n,): its reward, whether it ended the episode, its evaluations."""

    reward: Floats
    ended: Bools
    evaluations: NDArray[np.int64]


class Episodes:
    """n episodes side by side; row i depends on episode i alone, so one alone is the same to the last bit.

    error, evaluations, returned: of each so far, (n,): the relative error of the energy now, evaluations, and the sum
    of the published rewards. done: intervals begun. through: whether evaluations have sufficed.
    """

    def __init__(self, n: int, rules: Rules) -> None:
        self.rules = rules
        self.states = np.zeros((n, 12))
        self.error, self.digits, self.returned = np.ones(n), np.zeros(n), np.zeros(n)
        self.evaluations, self.done = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.through = np.ones(n, bool)
        self._first = np.ones(n)

    def begin(self, row: int, state: Floats) -> None:
        """Begin an episode from an initial state, (12,)."""
        from designgym.cost_models.solver_schedule import _three_body_kernel as kernel

        self.states[row] = state
        self.error[row], self.digits[row], self.returned[row] = 1.0, 0.0, 0.0
        self.evaluations[row], self.done[row], self.through[row] = 0, 0, True
        self._first[row] = kernel.energies(np.array([row]), self.states, MASSES)[0].item()

    def step(self, actions: NDArray[np.int64]) -> Taken:
        """Carry every episode an interval on. actions: places in ETAS, (n,)."""
        self.done += 1
        left = self.rules.most_evaluations - self.evaluations
        spent, self.error, self.digits, published, through = advanced(
            self.states, ETAS[actions], self._first, self.done, left
        )
        taken, self.through = spent.astype(np.int64), through > 0
        self.evaluations += taken
        self.returned += published
        ended = (self.done >= INTERVALS) | (self.error > self.rules.stop_at) | ~self.through
        reward = published if self.rules.reward == "published" else self._fewest(taken, ended)
        return Taken(reward, ended, taken)

    def _fewest(self, taken: NDArray[np.int64], ended: Bools) -> Floats:
        exceeded = -self.digits - np.log10(self.rules.bound)  # decades
        broken = ended & ((exceeded > 0) | self.unfinished)
        return -taken / EVALUATIONS_UNIT - np.where(broken, BROKEN + np.maximum(exceeded, 0.0), 0.0)

    @property
    def unfinished(self) -> Bools:
        """Which have not come to the end, (n,)."""
        return (self.done < INTERVALS) | ~self.through

    def observations(self) -> Floats:
        """Return positions / 10 AU, velocities / (sqrt 3 2 pi AU / yr), and -log10 of the error, (n, 13)."""
        whole = np.concatenate(
            [self.states[:, :6] / DISTANCE_UNIT_AU, self.states[:, 6:] / SPEED_UNIT, self.digits[:, None]], axis=1
        )
        whole[np.isnan(whole)] = 0.0
        return np.clip(whole, -LIMITS, LIMITS)

    def outcomes(self) -> dict[str, Floats]:
        """Return what episodes that have ended came to, in the columns of `integrations`, each (n,)."""
        error = np.where(self.unfinished, np.maximum(self.error, 1.0), self.error)
        return {
            "force_evals": self.evaluations.astype(np.float64), "energy_error": error,
            "published_return": self.returned.copy(), "finished": (~self.unfinished).astype(np.float64),
        }  # fmt: skip
