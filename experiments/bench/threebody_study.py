"""Time steps of three bodies: learned policies against the best single eta, on initial states that neither has seen.

Each arm is the cheapest in mean force evaluations that keeps the bound on the error of the energy at the end on nine in
ten training states. On unseen ones, played to ten years whatever the error, evaluations are compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.three_body import METHODS, SHARE, integrations
from designgym.cost_models.solver_schedule.three_body_oracle import Hindsight as Plans
from designgym.cost_models.solver_schedule.three_body_oracle import hindsight
from designgym.cost_models.solver_schedule.three_body_policy import Policy, played, shipped
from designgym.cost_models.solver_schedule.three_body_starts import of_seeds
from designgym.experiments.comparison import CONFIDENCE, Interval
from designgym.experiments.weights.three_body_policies import FIRST_TRAINING, best_single, singles

Floats = NDArray[np.float64]
Say = Callable[[str], None]

FIRST_UNSEEN = 100_001
REQUIRED = (1e-4, 1e-6)  # bounds at which a policy is to be better; the others are told
MARGIN = 0.02  # by which its share of kept bounds may be lower
RESAMPLES = 4_000
CURVE_ETAS = np.logspace(-3.0, -1.0, 13)
CURVE_DTS_YR = np.logspace(-3.0, -1.0, 9)


@dataclass(frozen=True, eq=False)
class Arm:
    """What time steps came to on each of the same initial states: evaluations, errors of the energy, (states,)."""

    name: str
    evaluations: Floats
    error: Floats

    def kept(self, bound: float) -> float:
        """Return the share of states whose error is within a bound."""
        return float((self.error <= bound).mean())

    def take(self, rows: slice) -> Arm:
        """Return the arm on some of its states."""
        return Arm(self.name, self.evaluations[rows], self.error[rows])


@dataclass(frozen=True, eq=False)
class Claim:
    """One bound: the best single eta of the training states and the policy, on the unseen ones."""

    bound: float
    eta: float
    single: Arm
    learned: Arm

    @cached_property
    def difference(self) -> Interval:
        """Evaluations of the policy less the single eta's on the same state, mean with its bootstrap interval."""
        less = self.learned.evaluations - self.single.evaluations
        drawn = np.random.default_rng(0).integers(len(less), size=(RESAMPLES, len(less)), dtype=np.int32)
        means = np.array([less[rows].mean() for rows in drawn])
        tail = (1.0 - CONFIDENCE) / 2.0
        return Interval(float(less.mean()), float(np.quantile(means, tail)), float(np.quantile(means, 1.0 - tail)))

    @property
    def lower_share(self) -> float:
        """By how much the policy's share of kept bounds is below the single eta's."""
        single, learned = (int((one.error <= self.bound).sum()) for one in (self.single, self.learned))
        return (single - learned) / len(self.single.error)

    @property
    def holds(self) -> bool:
        """Whether the policy is better: the interval below zero, the share at most MARGIN lower."""
        return self.difference.high < 0 and self.lower_share <= MARGIN

    def where_both_keep(self) -> tuple[int, float, float]:
        """Return on how many states both keep the bound, and the mean evaluations there: the policy's, the eta's.

        What a policy saves by giving up where the bound is lost is not in these.
        """
        both = (self.learned.error <= self.bound) & (self.single.error <= self.bound)
        return (
            int(both.sum()),
            float(self.learned.evaluations[both].mean()),
            float(self.single.evaluations[both].mean()),
        )


class Point(NamedTuple):
    """Mean evaluations, and the error that nine in ten states do not exceed, of one setting."""

    setting: str
    evaluations: float
    error: float


@dataclass(frozen=True, eq=False)
class Hindsight:
    """One bound on some of the unseen states: plans in hindsight beside the same claim's arms."""

    claim: Claim
    oracle: Arm

    @property
    def arms(self) -> tuple[Arm, Arm, Arm]:
        """The single eta, the policy, the oracle."""
        return self.claim.single, self.claim.learned, self.oracle

    def where_all_keep(self) -> tuple[int, list[float]]:
        """Return on how many states all three keep the bound, and the mean evaluations of each there."""
        kept = np.all([one.error <= self.claim.bound for one in self.arms], axis=0)
        return int(kept.sum()), [float(one.evaluations[kept].mean()) if kept.any() else np.nan for one in self.arms]


@dataclass(frozen=True, eq=False)
class Study:
    """What came out. curves: of fixed steps by name, each from tight to loose. settings: how it was measured."""

    claims: tuple[Claim, ...]
    hindsights: tuple[Hindsight, ...]
    curves: dict[str, list[Point]]
    policies: dict[float, Policy]
    settings: dict[str, str]
    seconds: float


def claims(training: int, unseen: int, policies: dict[float, Policy], say: Say) -> tuple[Claim, ...]:
    """Choose the single etas on training states, judge both arms on unseen ones."""
    found = singles(of_seeds(FIRST_TRAINING, training))
    say(f"60 single etas on {training:,} training states")
    states, made = of_seeds(FIRST_UNSEEN, unseen), []
    for bound, policy in policies.items():
        eta = best_single(found, bound).eta
        single = arm(f"eta {eta:.3g}", integrations([0], np.array([[eta]]), states))
        made.append(Claim(bound, eta, single, arm("learned", played([policy], states))))
        say(f"bound {bound:g} on {unseen:,} unseen states")
    return tuple(made)


def arm(name: str, found: dict[str, Floats]) -> Arm:
    """Return an arm of the first of what `integrations` tells of."""
    return Arm(name, found["force_evals"][0], found["energy_error"][0])


def hindsights(made: tuple[Claim, ...], count: int, say: Say) -> tuple[Hindsight, ...]:
    """Plan the first so many unseen states in hindsight; where no plan keeps the bound, the cheapest is taken."""
    states = of_seeds(FIRST_UNSEEN, count)
    plans = [hindsight(state) for state in states]
    say(f"{count} states in hindsight")
    told = []
    for claim in made:
        spent, error = np.array([_planned(plan, claim.bound) for plan in plans]).T
        few = Claim(claim.bound, claim.eta, claim.single.take(slice(count)), claim.learned.take(slice(count)))
        told.append(Hindsight(few, Arm("oracle", spent, error)))
    return tuple(told)


def _planned(plans: Plans, bound: float) -> tuple[float, float]:
    """Return evaluations and error of the best plan of a state."""
    best = plans.best(bound)
    place = int(np.argmin(plans.evaluations)) if best is None else best
    return float(plans.evaluations[place]), float(plans.error[place])


def curves(count: int, say: Say) -> dict[str, list[Point]]:
    """Return what fixed steps come to on the first so many unseen states."""
    states, made = of_seeds(FIRST_UNSEEN, count), {}
    for name, method, values, symbol in (
        ("fixed eta", 0, CURVE_ETAS, "eta"), ("Hermite, fixed dt", 1, CURVE_DTS_YR, "dt"),
        ("leapfrog, fixed dt", 2, CURVE_DTS_YR, "dt"),
    ):  # fmt: skip
        found = integrations(np.full(len(values), method), values[:, None], states)
        made[name] = [
            Point(f"{symbol} {value:.3g}", float(spent.mean()), ninth(error))
            for value, spent, error in zip(values, found["force_evals"], found["energy_error"], strict=True)
        ]
        say(f"{METHODS[method]} on {count:,} states")
    return made


def ninth(error: Floats) -> float:
    """Return the error that nine in ten do not exceed."""
    return float(np.sort(error)[int(np.ceil(SHARE * len(error) - 1e-9)) - 1])


def policies_of_package() -> dict[float, Policy]:
    """Return the policies that are shipped, from the loosest bound."""
    return dict(sorted(shipped().items(), reverse=True))
