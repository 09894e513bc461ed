"""A problem: a design space, the cost model that prices it, and the objective."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, CostModel, batch_length
from designgym.envs.choice_features import ChoiceFeatures
from designgym.envs.objective import Evaluations, Objective, every
from designgym.envs.space import DesignSpace

FEW = 1000  # designs
FLOAT64 = np.dtype(np.float64)
Fidelity = Literal["faithful", "cheap"]


class Problem(Protocol):
    """What agents and Gymnasium faces take: `DesignProblem`, or `MeteredProblem` around one."""

    @property
    def space(self) -> DesignSpace:
        """The designs."""

    @property
    def objective(self) -> Objective:
        """What is wanted."""

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        """designs: columns of the space, each (n,). Return what they came to."""


class BrokenCostModel(ValueError):
    """A cost model broke its contract: a metric missing, of wrong length, or NaN without a violation."""


@dataclass(frozen=True)
class DesignProblem:
    """A value without state; it pickles. cheap: a second, less faithful cost model with the same metrics.

    choice_features: what its stepwise face tells and closes choice by choice, if anything.
    ValueError when the objective uses a metric that the cost model lacks.
    """

    space: DesignSpace
    cost_model: CostModel
    objective: Objective
    cheap: CostModel | None = None
    choice_features: ChoiceFeatures | None = None

    def __post_init__(self) -> None:
        self.objective.check(self.cost_model.metrics)
        if self.cheap is not None:
            self.objective.check(self.cheap.metrics)

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        """Price a batch; idle parameters count as their defaults.

        Rows outside the space are not priced: their metrics are NaN, their violation is 1 per illegal parameter and
        broken constraint (a text's scaled excess). BrokenCostModel names the model, the metric and the design.
        """
        return self.evaluate_canonical(self.space.canonical(designs), fidelity)

    def evaluate_canonical(self, designs: Columns, fidelity: Fidelity = "faithful", outside: Any = None) -> Evaluations:
        """The same for canonical designs. outside: their `space.violation`, if the caller has it already."""
        model = self._model(fidelity)
        if outside is None:
            outside = self.space.violation(designs)
        inside = outside == 0
        if every(inside):
            metrics = priced(model, designs, self.space, len(outside))
        else:
            # Once more canonical: a column may have kept another dtype for a row that is dropped here.
            rows = self.space.canonical({name: column[inside] for name, column in designs.items()})
            metrics = _spread(priced(model, rows, self.space, int(inside.sum())), inside, outside)
        return self.objective(metrics)

    def evaluate_inside(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        """The same for canonical designs that are known to lie in the space."""
        return self.objective(priced(self._model(fidelity), designs, self.space, batch_length(designs)))

    def local_costs(self) -> NDArray[np.float64]:
        """Return what each step of a path costs, see `LocalCosts`. ValueError where the model has no such costs."""
        offered = getattr(self.cost_model, "local_costs", None)
        if offered is None:
            name = type(self.cost_model).__name__
            raise ValueError(f"the cost model must offer local_costs(), got {name}. FlowStepSizes-v0's does.")
        return np.asarray(offered(), np.float64)

    def _model(self, fidelity: Fidelity) -> CostModel:
        if fidelity == "faithful":
            return self.cost_model
        if fidelity != "cheap" or self.cheap is None:
            raise ValueError(f"this problem has no cost model of fidelity {fidelity!r}. Make it with cheap=.")
        return self.cheap


def evaluates_itself(problem: Problem) -> TypeGuard[DesignProblem]:
    """Whether `evaluate` is `DesignProblem`'s own, so that its parts may be called in its place, for speed."""
    return getattr(type(problem), "evaluate", None) is DesignProblem.evaluate


def priced(model: CostModel, designs: Columns, space: DesignSpace, n: int) -> Columns:
    """Return the model's metrics of n designs and "violation", in declared order, each float64 (n,).

    BrokenCostModel where the model breaks its contract. It is not asked for no designs at all.
    """
    if not n:
        return {metric: np.empty(0) for metric in (*(metric.name for metric in model.metrics), "violation")}
    return checked(model, model.evaluate(designs), designs, space, n)


def checked(model: CostModel, got: Columns, designs: Columns, space: DesignSpace, n: int) -> Columns:
    """The same for what the model returned of them, wherever it ran."""
    names = [*(metric.name for metric in model.metrics), "violation"]
    if n == 1 and (sound := _one_sound(got, names)) is not None:
        return sound
    name, shape = type(model).__name__, (n,)
    out: Columns = {}
    for metric in names:
        if metric not in got:
            raise BrokenCostModel(f"{name} must return {metric!r}, got only {', '.join(got)}.")
        column = np.asarray(got[metric])
        if column.shape != shape or column.dtype.kind not in "biuf":
            what = f"numbers of shape {shape}, got {column.dtype} of shape {column.shape}"
            raise BrokenCostModel(f"{name} must return {metric!r} as {what}.")
        out[metric] = column.astype(np.float64, copy=False)
    valid = out["violation"] >= 0
    if not every(valid):
        row = int(np.argmin(valid))
        raise BrokenCostModel(
            f"{name}: violation must be >= 0, got {out['violation'][row]} for {_design(space, designs, row)}."
        )
    if _have_nan(list(out.values())):
        _refuse_nan(name, out, designs, space)
    return out


def _refuse_nan(name: str, out: Columns, designs: Columns, space: DesignSpace) -> None:
    for metric, column in out.items():
        nan = np.isnan(column) & (out["violation"] == 0)
        if nan.any():
            row = int(np.argmax(nan))
            raise BrokenCostModel(
                f"{name}: {metric} may be NaN only where violation > 0, got NaN for "
                f"{_design(space, designs, row)}. Report a violation there, or mend the formula."
            )


def _one_sound(got: Columns, names: list[str]) -> Columns | None:
    """Return the metrics of one design, if they are float64 and nothing is wrong; each check takes a tenth of a µs."""
    out: Columns = {}
    value = math.nan
    for name in names:
        column = got.get(name)
        if type(column) is not np.ndarray or column.dtype is not FLOAT64 or column.shape != (1,):
            return None
        value = column.item()
        if value != value:
            return None
        out[name] = column
    return out if value >= 0 else None  # the last of them is the violation


def _have_nan(columns: list[NDArray[np.float64]]) -> bool:
    """Whether there is one NaN among columns of one length."""
    if len(columns[0]) > FEW:
        return any(np.isnan(column).any() for column in columns)
    whole = np.array(columns)  # one look at a copy of all takes less time than one at each
    return not every(whole == whole)


def _design(space: DesignSpace, designs: Mapping[str, Any], row: int) -> str:
    one = {name: np.asarray(designs[name])[row : row + 1] for name in space.columns}
    return ", ".join(f"{name}={values[0]}" for name, values in space.describe(one).items())


def _spread(metrics: Columns, inside: Any, outside: Any) -> Columns:
    """Put the priced rows in their places among NaNs; the others' violation is `outside`."""
    out: Columns = {}
    for name, column in metrics.items():
        out[name] = np.full(len(inside), np.nan)
        out[name][inside] = column
    out["violation"] = outside.copy()
    out["violation"][inside] = metrics["violation"]
    return out
