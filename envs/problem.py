"""A problem: a design space, the cost model that prices it, and the objective."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from designgym.cost_models.base import Columns, CostModel, batch_length
from designgym.envs.objective import Evaluations, Objective
from designgym.envs.space import DesignSpace

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

    ValueError when the objective uses a metric that the cost model lacks.
    """

    space: DesignSpace
    cost_model: CostModel
    objective: Objective
    cheap: CostModel | None = None

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
        if inside.all():
            metrics = priced(model, designs, self.space)
        else:
            rows = {name: column[inside] for name, column in designs.items()}
            metrics = _spread(priced(model, rows, self.space), inside, outside)
        return self.objective(metrics)

    def _model(self, fidelity: Fidelity) -> CostModel:
        if fidelity == "faithful":
            return self.cost_model
        if fidelity != "cheap" or self.cheap is None:
            raise ValueError(f"this problem has no cost model of fidelity {fidelity!r}. Make it with cheap=.")
        return self.cheap


def priced(model: CostModel, designs: Columns, space: DesignSpace) -> Columns:
    """Return the model's metrics and "violation" in declared order; BrokenCostModel where it breaks its contract."""
    n = batch_length(designs)
    got = model.evaluate(designs)
    name = type(model).__name__
    out: Columns = {}
    for metric in (*(m.name for m in model.metrics), "violation"):
        if metric not in got:
            raise BrokenCostModel(f"{name} must return {metric!r}, got only {', '.join(got)}.")
        out[metric] = np.asarray(got[metric])
        if out[metric].shape != (n,):
            raise BrokenCostModel(f"{name} must return {metric!r} of shape ({n},), got {out[metric].shape}.")
    allowed = out["violation"] > 0
    broken = ~(out["violation"] >= 0)
    if broken.any():
        row = int(np.argmax(broken))
        raise BrokenCostModel(
            f"{name}: violation must be >= 0, got {out['violation'][row]} for {_design(space, designs, row)}."
        )
    for metric, column in out.items():
        if column.dtype.kind == "f":
            nan = np.isnan(column)
            if nan.any() and (nan & ~allowed).any():
                row = int(np.argmax(nan & ~allowed))
                raise BrokenCostModel(
                    f"{name}: {metric} may be NaN only where violation > 0, got NaN for "
                    f"{_design(space, designs, row)}. Report a violation there, or mend the formula."
                )
    return out


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
