"""The two bridges from a design space to other people's spaces: Gymnasium's and Optuna's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns
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

    def suggest(self, trial: optuna.Trial) -> Columns:
        """Suggest every parameter that matters; return the design, a batch of one."""
        columns: Columns = {}
        for parameter in self.space.parameters:
            if parameter.when is None or self._awake(parameter, columns):
                suggested = [trial._suggest(name, self.distributions[name]) for name in _names(parameter)]
                values = parameter.from_digits(_digits(parameter, suggested))
            else:
                values = [np.array([value]) for value in parameter.default_columns]
            columns.update(zip(parameter.columns, values, strict=True))
        return columns

    def _awake(self, parameter: Parameter, columns: Columns) -> bool:
        parent, wakes = self.space[parameter.when[0]], self.space._wakes[parameter.name]  # type: ignore[index]
        if parent.when is not None and not self._awake(parent, columns):
            return False
        return int(parent.to_digits([columns[parent.name]])[0][0]) in wakes

    def params(self, designs: Columns) -> list[dict[str, Any]]:
        """Designs to Optuna's parameters, one dict a design, without the idle ones."""
        active = self.space.active(designs)
        out: list[dict[str, Any]] = [{} for _ in range(len(next(iter(designs.values()))))]
        for parameter in self.space.parameters:
            digits = parameter.to_digits([designs[name] for name in parameter.columns])
            awake = active.get(parameter.name)
            for name, digit in zip(_names(parameter), digits, strict=True):
                for i, value in enumerate(_suggested(parameter, digit)):
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


def _suggested(parameter: Parameter, digit: Array) -> list[Any]:
    """What Optuna holds for these digits of one parameter."""
    if isinstance(parameter, Float):
        return list(parameter.from_digits([digit])[0].tolist())
    if isinstance(parameter, Categorical):
        return [parameter.choices[i] for i in digit]
    if isinstance(parameter, Integer) and parameter.step == 1:
        return list((digit + parameter.low).tolist())
    return list(digit.tolist())


def _digits(parameter: Parameter, suggested: list[Any]) -> list[Array]:
    if isinstance(parameter, Float):
        return parameter.to_digits([np.array(suggested)])
    if isinstance(parameter, Categorical):
        return [np.array([parameter.choices.index(suggested[0])])]
    if isinstance(parameter, Integer) and parameter.step == 1:
        return [np.array([suggested[0] - parameter.low])]
    return [np.array([value]) for value in suggested]
