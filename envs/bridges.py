"""The two bridges from a design space to other people's spaces: Gymnasium's and Optuna's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.envs.parameters import Array, Categorical, Float, Integer, Parameter

if TYPE_CHECKING:
    import gymnasium
    import optuna

    from designgym.envs.space import DesignSpace


def to_gymnasium(space: DesignSpace) -> gymnasium.spaces.MultiDiscrete | gymnasium.spaces.Box:
    """MultiDiscrete of the digits' cardinalities; with a Float the unit cube, Box(0, 1, (d,))."""
    from gymnasium import spaces

    if space.has_floats:
        return spaces.Box(0.0, 1.0, (len(space.cardinalities),), np.float64)
    return spaces.MultiDiscrete(np.array(space.cardinalities, np.int64))


class OptunaSpace:
    """A design space as Optuna suggests it: define-by-run, idle parameters never.

    Integers of step one and floats go by value, categories by name, ordinals and stepped integers by index, a
    permutation or subset by its digits, named `order.0`, `order.1`, ...
    """

    def __init__(self, space: DesignSpace) -> None:
        self.space = space
        self.distributions: dict[str, optuna.distributions.BaseDistribution] = {}
        for parameter in space.parameters:
            for name, cardinality in zip(_names(parameter), parameter.cardinalities, strict=True):
                self.distributions[name] = _distribution(parameter, cardinality)

    def suggest(self, trial: optuna.trial.BaseTrial) -> Columns:
        """Suggest every parameter that matters; return the design, a batch of one."""
        columns: Columns = {}
        for parameter in self.space.parameters:
            if parameter.when is None or self._awake(parameter, columns):
                suggested = [_suggest(trial, name, self.distributions[name]) for name in _names(parameter)]
                values = _to_columns(parameter, suggested)
            else:
                values = [np.array([value]) for value in parameter.default_columns]
            columns.update(zip(parameter.columns, values, strict=True))
        return self.space.canonical(columns)

    def _awake(self, parameter: Parameter, columns: Columns) -> bool:
        parent, wakes = self.space[parameter.when[0]], self.space._wakes[parameter.name]  # type: ignore[index]
        if parent.when is not None and not self._awake(parent, columns):
            return False
        return int(parent.to_digits([columns[parent.columns[0]]])[0][0]) in wakes

    def params(self, designs: Columns) -> list[dict[str, Any]]:
        """Designs to Optuna's parameters, one dict a design, without the idle ones."""
        active = self.space.active(designs)
        out: list[dict[str, Any]] = [{} for _ in range(batch_length(designs))]
        for parameter in self.space.parameters:
            columns = _from_columns(parameter, [designs[name] for name in parameter.columns])
            awake = active.get(parameter.name)
            for name, values in zip(_names(parameter), columns, strict=True):
                for i, value in enumerate(values):
                    if awake is None or awake[i]:
                        out[i][name] = value
        return out


def _names(parameter: Parameter) -> tuple[str, ...]:
    if len(parameter.cardinalities) == 1 and len(parameter.columns) == 1:
        return (parameter.name,)
    return tuple(f"{parameter.name}.{j}" for j in range(len(parameter.cardinalities)))


def _distribution(parameter: Parameter, cardinality: int) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Float):
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Categorical):
        return CategoricalDistribution(parameter.choices)
    if isinstance(parameter, Integer) and parameter.step == 1:
        return IntDistribution(parameter.low, parameter.high, log=parameter.log)
    return IntDistribution(0, cardinality - 1)


def _suggest(trial: optuna.trial.BaseTrial, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    assert isinstance(distribution, IntDistribution)
    return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)


def _by_value(parameter: Parameter) -> bool:
    """Whether Optuna holds the column's own number; otherwise it holds digits."""
    return isinstance(parameter, Float) or (isinstance(parameter, Integer) and parameter.step == 1)


def _from_columns(parameter: Parameter, columns: list[Array]) -> list[list[Any]]:
    """What Optuna holds for these designs, one list a name."""
    if isinstance(parameter, Categorical):
        return parameter.describe(columns)
    return [column.tolist() for column in (columns if _by_value(parameter) else parameter.to_digits(columns))]


def _to_columns(parameter: Parameter, suggested: list[Any]) -> list[Array]:
    """Inverse of _from_columns, for one design."""
    if isinstance(parameter, Categorical):
        return [np.array([parameter.choices.index(suggested[0])])]
    values = [np.array([value]) for value in suggested]
    return values if _by_value(parameter) else parameter.from_digits(values)
