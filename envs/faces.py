"""What the Gymnasium faces of a problem share: actions to designs, what is observed, what `info` holds.

Every face prices batches by these functions, a single design as a batch of one, so they agree bit for bit. Where a
function has a twin for one design, it does the same arithmetic in plain numbers, for speed.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.objective import Evaluations, every
from designgym.envs.orders import Subset
from designgym.envs.parameters import Float
from designgym.envs.problem import Problem, evaluates_itself

BELOW_ONE = np.nextafter(1.0, 0.0)


class Face:
    """Actions, observations and infos of one problem, a batch at a time.

    An action is one design: an index for each digit of the space, int (n, d), or with a Float its place in the unit
    cube, float (n, d), where 1 counts as the last place below it. What an idle parameter gets is ignored.
    An observation, float64 (n, d + k), is the last design in the unit cube and its losses x as x / (1 + |x|), 1 if NaN.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.space = problem.space
        self.action_space = self.space.to_gymnasium()
        self._digits, losses = len(self.space.cardinalities), len(problem.objective.names)
        self._cardinalities = np.array(self.space.cardinalities)
        self._ranges = [range(cardinality) for cardinality in self.space.cardinalities]
        # Where an action's digits may differ from those of its design.
        kinds = Subset, Float
        self._respelt = bool(self.space._wakes) or any(isinstance(p, kinds) for p in self.space.parameters)
        self.size = self._digits + losses
        self.observation_space = observation_space(self._digits, losses)

    def designs(self, actions: NDArray[Any]) -> tuple[Columns, NDArray[np.float64]]:
        """Return the designs that the actions, (n, d), stand for, and their places in the unit cube, float64 (n, d).

        ValueError for an action outside the action space.
        """
        if actions.ndim != 2 or actions.shape[1] != self._digits:
            raise ValueError(f"an action must hold {self._digits} numbers, got shape {actions.shape[1:]}.")
        if self.space.has_floats:
            if not ((actions >= 0) & (actions <= 1)).all():
                raise ValueError(f"actions must lie in [0, 1], got {actions.min()} to {actions.max()}. Clip them.")
            designs = self.space.decode(np.minimum(actions, BELOW_ONE, dtype=np.float64))
            return designs, self.space.encode(designs)
        self._check_indices(actions)
        # A copy, contiguous: some parameters' columns are their digits themselves.
        designs = self.space.from_digits(list(np.array(actions.T, np.int64, order="C")))
        unit = self.space.encode(designs) if self._respelt else (actions + 0.5) / self._cardinalities
        return designs, unit

    def design(self, action: Any) -> tuple[Columns, list[float]]:
        """Return the same for one action, (d,), in a fraction of the time where its digits are those of its design."""
        action = np.asarray(action)
        digits = action.tolist()
        # What is wrong with an action, the other way says.
        plain = not self._respelt and action.shape == (self._digits,) and action.dtype.kind in "iu"
        if plain and all(map(range.__contains__, self._ranges, digits)):
            places = zip(digits, self.space.cardinalities, strict=True)
            return self.space.one_from_digits(digits), [(digit + 0.5) / cardinality for digit, cardinality in places]
        designs, unit = self.designs(action[None])
        return designs, unit[0].tolist()

    def _check_indices(self, actions: NDArray[Any]) -> None:
        if actions.dtype.kind not in "iu":
            raise ValueError(f"an action must be of integers, each an index, got {actions.dtype}.")
        inside = (actions >= 0) & (actions < self._cardinalities)
        if not inside.all():
            row, j = np.argwhere(~inside)[0]
            raise ValueError(f"action[{j}] must be in [0, {self._cardinalities[j] - 1}], got {actions[row, j]}.")

    def price(self, designs: Columns) -> Evaluations:
        """Evaluate designs that came from `designs`: every value is legal, so only constraints are looked at."""
        if not evaluates_itself(self.problem):
            return self.problem.evaluate(designs)
        if not self.space.constraints:
            return self.problem.evaluate_inside(designs)
        return self.problem.evaluate_canonical(designs, outside=self.space.constraint_violation(designs))

    def observe(self, unit: NDArray[np.float64], losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Join places in the unit cube, (n, d), and losses, (n, k), to observations, float64 (n, d + k)."""
        return np.concatenate([unit, squash(losses)], axis=1)


def known(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a copy with inf, the worst there is, for NaN: Gymnasium's checks take NaN for a difference."""
    if every(losses == losses):
        return losses.copy()
    return np.where(np.isnan(losses), np.inf, losses)


def squash(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map losses x to x / (1 + |x|) in [-1, 1], the infinite ones to the ends; NaN, no loss at all, to 1."""
    size = np.abs(losses)
    if every(np.isfinite(size)):
        return losses / (1.0 + size)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(losses), losses / (1.0 + size), np.sign(known(losses)))


def squash_one(loss: float) -> float:
    """The same for one loss."""
    if math.isinf(loss):
        return math.copysign(1.0, loss)
    return loss / (1.0 + abs(loss)) if loss == loss else 1.0


def observation_space(units: int, losses: int) -> gymnasium.spaces.Box:
    """Return the box of `units` numbers in [0, 1] and `losses` numbers in [-1, 1]."""
    low = np.repeat([0.0, -1.0], [units, losses])
    return gymnasium.spaces.Box(low, np.ones(units + losses), dtype=np.float64)


def info_of(designs: Columns, evaluations: Evaluations) -> dict[str, Any]:
    """Return what `info` says of a batch of one, in plain numbers; a metric that has no value is left out."""
    return {
        "design": {name: column.item() for name, column in designs.items()},
        "metrics": {name: v for name, column in evaluations.metrics.items() if (v := column.item()) == v},
        "losses": known(evaluations.losses[0]),
        "violation": evaluations.violation.item(),
        "feasible": evaluations.feasible.item(),
    }


def infos_of(designs: Columns, evaluations: Evaluations) -> dict[str, Any]:
    """Return the same for a batch, joined as Gymnasium joins infos: arrays (n,), and masks of where they hold.

    A metric that has no value is NaN and masked.
    """
    n = len(evaluations)
    metrics = evaluations.metrics
    told = {
        "design": marked(dict(designs), n),
        "metrics": metrics | {f"_{name}": column == column for name, column in metrics.items()},
        "losses": known(evaluations.losses),
        "violation": evaluations.violation,
        "feasible": evaluations.feasible,
    }
    return marked(told, n)


def marked(info: dict[str, Any], n: int) -> dict[str, Any]:
    """Add to each key a mask, bool (n,), of the copies that it holds for: all of them, in one array."""
    return info | dict.fromkeys([f"_{name}" for name in info], np.ones(n, bool))
