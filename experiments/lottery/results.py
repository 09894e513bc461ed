"""What a lottery came to: spreads over settings, best-of-k curves, who has the least regret, agents in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.lottery.best_of import Floats
from designgym.experiments.lottery.intervals import Bounds, Verdict
from designgym.experiments.lottery.outcomes import Arena, Outcomes
from designgym.experiments.lottery.settings import Entrant
from designgym.experiments.lottery.spec import Lottery

Policy = Literal["drawn", "default"]  # all k are drawn; or the default is one of them
Picked = Literal["here", "elsewhere"]  # on other seeds of the same problem; on other seeds of the other problems
TOLERANCES = (0.01, 0.05)
OVERALL = "all problems"


@dataclass(frozen=True)
class Curve:
    """Best-of-k for k = 1 ... K. tuning: designs that picking costs; spent: those and the run that is then made, (K,).

    dependable: where intervals may be given, (K,).
    """

    value: Bounds
    tuning: Floats
    spent: Floats
    dependable: NDArray[np.bool_]


@dataclass(frozen=True)
class Spread:
    """Mean regrets over seeds of the settings, `means` (settings,), and what they say. between: share of the variance.

    better: how many of the drawn settings have a lower mean than the default. hindsight: the best mean of all drawn.
    """

    means: Floats
    quartiles: tuple[float, float, float]
    best: float
    worst: float
    default: float
    better: int
    between: float


@dataclass(frozen=True)
class Share:
    """Settings within a tolerance of the optimum in at least half of their seeds: least and most, and the interval.

    of: settings drawn. runs: the share of all runs of drawn settings.
    """

    least: int
    most: int
    of: int
    interval: tuple[float, float]
    runs: float


@dataclass(frozen=True)
class Result:
    """One entrant on one problem. trend: best of `top` drawn settings at each budget."""

    entrant: Entrant
    outcomes: Outcomes
    spread: Spread
    shares: dict[float, Share]
    curves: dict[tuple[Policy, Picked], Curve]
    trend: tuple[Bounds, ...]


@dataclass(frozen=True)
class Answer:
    """Who has the least regret for k settings. ties: cannot be told from it. All by entrant."""

    scope: str
    policy: Policy
    k: int
    values: tuple[Bounds, ...]
    tuning: tuple[float, ...]
    best: int
    ties: tuple[bool, ...]
    dependable: bool


@dataclass(frozen=True)
class Pair:
    """Two entrants compared at `top` settings each. difference: the first one's regret less the second's."""

    scope: str
    budget: int
    first: int
    second: int
    difference: Bounds
    overlap: bool
    verdict: Verdict


@dataclass(frozen=True)
class Study:
    """A lottery's results. results[p][e]: of problem p and entrant e. top: most settings that have an interval."""

    lottery: Lottery
    arenas: tuple[Arena, ...]
    results: tuple[tuple[Result, ...], ...]
    ks: tuple[int, ...]
    top: int
    answers: tuple[Answer, ...]
    pairs: tuple[Pair, ...]

    @property
    def entrants(self) -> tuple[Entrant, ...]:
        """The agents, in the file's order."""
        return self.lottery.entrants

    @property
    def scopes(self) -> tuple[str, ...]:
        """What questions are answered on: all problems together, where there are several, then each."""
        labels = tuple(arena.label for arena in self.arenas)
        return (OVERALL, *labels) if len(labels) > 1 else labels

    def margin(self, scope: str) -> float:
        """Return the regret below which agents are equal in practice; over several problems its mean, as of regrets."""
        share = self.lottery.spec.margin
        margins = {arena.label: arena.yardstick.margin(share) for arena in self.arenas}
        return margins[scope] if scope in margins else float(np.mean(list(margins.values())))

    @cached_property
    def unfinished(self) -> int:
        """Runs that did not have their whole budget, of the settings as each entrant has them."""
        return sum(int((~result.outcomes.complete).sum()) for row in self.results for result in row)

    def answers_on(self, scope: str, policy: Policy) -> list[Answer]:
        """Return the answers of one scope, by k."""
        return [one for one in self.answers if one.scope == scope and one.policy == policy]

    def pairs_on(self, scope: str, budget: int | None = None) -> list[Pair]:
        """Return the pairs of one scope at a budget, the whole one by default."""
        budget = self.lottery.spec.budget if budget is None else budget
        return [one for one in self.pairs if one.scope == scope and one.budget == budget]
