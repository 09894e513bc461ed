"""What a search wants: metrics to minimise and maximise, constraints on metrics, and one scalar reward.

The target form is ArchGym's idea (Krishnan et al., ISCA 2023, doi:10.1145/3579371.3589049) without its fault that
beating a target lowers the reward: here a met target costs nothing.
"""

import functools
import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.registry import nearest
from designgym.envs.constraints import Constraint

Form = Literal["log", "product", "weighted", "target"]

ROUNDING = 2.0**-44  # of a violation: what taking the excess over bounds away from it may leave behind


@dataclass(frozen=True)
class Evaluations:
    """What a batch of n designs came to.

    metrics: each (n,). losses: float64 (n, k), what is minimised. violation: float64 (n,), 0 where feasible, inf where
    the evaluation failed. feasible: bool (n,). reward: float64 (n,), higher is better, every infeasible one below
    every feasible one.
    """

    metrics: Columns
    losses: NDArray[np.float64]
    violation: NDArray[np.float64]
    feasible: NDArray[np.bool_]
    reward: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.violation)

    def take(self, rows: Any) -> "Evaluations":
        """Return the rows of an index, a mask or a slice."""
        metrics = {name: column[rows] for name, column in self.metrics.items()}
        return Evaluations(metrics, self.losses[rows], self.violation[rows], self.feasible[rows], self.reward[rows])

    @staticmethod
    def concatenate(parts: Sequence["Evaluations"]) -> "Evaluations":
        """Join batches in order; ValueError for none."""
        metrics = {name: np.concatenate([part.metrics[name] for part in parts]) for name in parts[0].metrics}
        arrays = [
            np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(Evaluations)
            if f.name != "metrics"
        ]
        return Evaluations(metrics, *arrays)


@dataclass(frozen=True)
class Objective:
    """Minimise and maximise named metrics under constraints such as "area_mm2 <= 10".

    reward: "log" sums log(maximised) - log(minimised); "product" divides the product of the maximised by that of the
    minimised; "weighted" sums weights[m] * maximised - weights[m] * minimised (a weight not given is 1); "target" is
    minus the sum of relative shortfalls from targets[m], 0 where all are met. Log and product refuse values <= 0.
    floor: a feasible reward is clipped there; an infeasible one is floor * (2 - 1 / (1 + violation)).
    """

    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    subject_to: tuple[str, ...] = ()
    reward: Form = "log"
    weights: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    floor: float = -100.0

    def __post_init__(self) -> None:
        for name in ("minimize", "maximize", "subject_to"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"an objective needs at least one metric and each once, got {self.names}.")
        if self.reward not in get_args(Form):
            raise ValueError(f"reward must be one of {', '.join(get_args(Form))}, got {self.reward!r}.")
        if not -1e300 <= self.floor <= -1e-300:
            raise ValueError(f"floor must be a number below 0, got {self.floor}.")
        for what, given in (("weights", self.weights), ("targets", self.targets)):
            for name, value in given.items():
                if name not in self.names:
                    raise ValueError(f"{what}: {name!r} is no objective. {nearest(name, self.names)}")
                if not math.isfinite(value) or (value < 0 and what == "weights"):
                    raise ValueError(f"{what}: {name} must be a number{' >= 0' * (what == 'weights')}, got {value}.")
        self._parsed  # noqa: B018  (a bad text fails here, where it is written)
        if self.reward == "target":
            bad = [name for name in self.names if not self.targets.get(name, 0.0)]
            if bad:
                raise ValueError(f"reward='target' needs a target other than 0 for {', '.join(bad)}. Add targets=.")

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives, in the order of the losses' columns."""
        return self.minimize + self.maximize

    @cached_property
    def _parsed(self) -> tuple[Constraint, ...]:
        # Names are checked against the metrics when a problem is made; until then any name parses.
        return tuple(Constraint(text, _names_in(text)) for text in self.subject_to)

    def check(self, metrics: Sequence[Metric]) -> None:
        """ValueError naming the nearest metric where the objective uses one that is not among these."""
        known = [metric.name for metric in metrics]
        for name in self.names:
            if name not in known:
                raise ValueError(f"the cost model has no metric {name!r}. {nearest(name, known)}")
        for constraint in self._parsed:
            Constraint(constraint.text, tuple(known))

    def __call__(self, metrics: Columns) -> Evaluations:
        """metrics: each (n,), and "violation". Return their losses, violation, feasibility and reward."""
        violation = self.violation(metrics)
        feasible = violation == 0
        losses = self.losses(metrics)
        values = {name: column for name, column in metrics.items() if name != "violation"}
        if len(feasible) == 1 and self.reward == "log" and feasible.item():
            one = self._log_reward_of_one(losses[0].tolist())
            if one is not None:
                return Evaluations(values, losses, violation, feasible, np.array([one]))
        count = np.count_nonzero(feasible)
        if count == len(feasible):
            reward = self._feasible_reward(losses)
        else:
            reward = self.infeasible_reward(violation)
            if count:
                reward[feasible] = self._feasible_reward(losses[feasible])
        return Evaluations(values, losses, violation, feasible, reward)

    def violation(self, metrics: Columns) -> NDArray[np.float64]:
        """Return the model's violation plus the scaled excess over each constraint, (n,)."""
        violation = np.array(metrics["violation"], np.float64)
        for constraint in self._parsed:
            violation += constraint.violation(metrics)
        return violation

    def of_model(self, metrics: Columns, violation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cost model's own part of violations, (n,): what `violation` returns less the excess over bounds.

        Exactly 0 for a design that the model can build; else it may be off by what adding the excess rounded away, up
        to ROUNDING times the whole, and is 0 where it is no larger than that and no metric is missing. inf stays inf.
        metrics: each (n,), NaN where there is none.
        """
        failed = np.isinf(violation)
        whole = np.where(failed, 0.0, violation)
        excess = self.violation({**metrics, "violation": np.zeros(len(whole))})
        lacks = np.any([np.isnan(column) for column in metrics.values()], axis=0)
        own = np.maximum(whole - excess, ROUNDING * whole)
        own = np.where((np.abs(whole - excess) <= ROUNDING * whole) & ~lacks, 0.0, own)
        return np.where(failed, np.inf, own)

    def feasible(self, metrics: Columns) -> NDArray[np.bool_]:
        """Where the violation is 0, bool (n,), without working it out."""
        feasible = metrics["violation"] == 0
        for constraint in self._parsed:
            feasible &= constraint.holds(metrics)
        return feasible

    def losses(self, metrics: Columns) -> NDArray[np.float64]:
        """Return what is minimised, (n, k): the minimised metrics, then the maximised ones negated."""
        losses = np.empty((len(metrics["violation"]), len(self.minimize) + len(self.maximize)))
        for j, name in enumerate(self.minimize):
            losses[:, j] = metrics[name]
        for j, name in enumerate(self.maximize, len(self.minimize)):
            np.negative(metrics[name], out=losses[:, j])
        return losses

    def infeasible_reward(self, violation: Any) -> Any:
        """Return the reward of violations above 0: below every feasible one, 2 * floor where the evaluation failed."""
        # A float64 tells neither the least violation from none nor the largest from a failure.
        lowest, highest = math.nextafter(2.0 * self.floor, 0.0), math.nextafter(self.floor, -math.inf)
        if np.size(violation) == 1:
            one = float(np.asarray(violation).item())
            reward = min(max(self.floor * (2.0 - 1.0 / (1.0 + one)), lowest), highest)
            return np.full(np.shape(violation), 2.0 * self.floor if math.isinf(one) else reward)
        clipped = np.clip(self.floor * (2.0 - 1.0 / (1.0 + violation)), lowest, highest)
        return np.where(np.isinf(violation), 2.0 * self.floor, clipped)

    def _log_reward_of_one(self, losses: list[float]) -> float | None:
        """`_feasible_reward` of one design in Python's floats, whose sums are NumPy's; None where it refuses a loss."""
        split = len(self.minimize)
        sizes = losses[:split] + [-loss for loss in losses[split:]]
        if not all(0 < size < math.inf for size in sizes):
            return None
        logs = [float(np.log(size)) for size in sizes]
        return max(_sum(logs[split:]) - _sum(logs[:split]), self.floor)

    def _feasible_reward(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            # An infinite metric may leave no number at all, such as inf - inf: that is the floor too.
            return np.fmax(self._reward(losses), self.floor)

    def _reward(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Losses of feasible designs, (n, k), to unclipped rewards, (n,)."""
        split = len(self.minimize)
        if self.reward == "weighted":
            # Column by column: a BLAS product may round a row differently in another batch.
            weights = [self.weights.get(name, 1.0) for name in self.names]
            return -_sum(weight * column for weight, column in zip(weights, losses.T, strict=True))
        if self.reward == "target":
            targets = np.array([self.targets[name] for name in self.names])
            signed = np.where(np.arange(len(targets)) < split, targets, -targets)
            return -_sum(np.maximum((losses - signed) / np.abs(targets), 0.0).T)
        sizes = np.where(np.arange(len(self.names)) < split, losses, -losses) if self.maximize else losses
        if not every(sizes > 0):
            self._refuse_nonpositive(losses)
        if self.reward == "log":
            logs = np.log(sizes).T
            return _sum(logs[split:]) - _sum(logs[:split])
        return _product(sizes.T[split:]) / _product(sizes.T[:split])

    def _refuse_nonpositive(self, losses: NDArray[np.float64]) -> None:
        for j, name in enumerate(self.names):
            values = losses[:, j] if j < len(self.minimize) else -losses[:, j]
            if (values <= 0).any():
                raise ValueError(
                    f"reward={self.reward!r} needs {name} > 0, got {values.min():g}. Use reward='weighted' or 'target'."
                )


def every(mask: NDArray[np.bool_]) -> bool:
    """Return mask.all(); of a single element, which an environment's step asks for, in a tenth of the time."""
    return bool(mask.item() if mask.size == 1 else mask.all())


def _sum(columns: Iterable[Any]) -> Any:
    """Add columns up in their order, each row by itself; 0 for none."""
    return functools.reduce(operator.add, columns, 0.0)


def _product(columns: Iterable[NDArray[np.float64]]) -> Any:
    """Multiply columns in their order, each row by itself; 1 for none."""
    return functools.reduce(operator.mul, columns, 1.0)


def _names_in(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[A-Za-z_]\w*", text))
