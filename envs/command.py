"""Price a problem by somebody's program: `cost_model="command:sim.yaml"`.

The file is one of `designgym.cost_models.simulators.spec`, whose placeholders are the problem's parameters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, CostModel
from designgym.cost_models.simulators.command import CommandCostModel
from designgym.cost_models.simulators.making import command_cost_model
from designgym.cost_models.simulators.spec import SimulatorError
from designgym.cost_models.simulators.templates import Knob
from designgym.cost_models.simulators.written import Value
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Categorical, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace


def priced_by_command(problem: DesignProblem, path: str) -> tuple[DesignSpace, CostModel]:
    """Return the problem's space and the cost model of a simulator's file. SimulatorError where they do not fit."""
    model = simulator_of(problem.space, path)
    if model.spec.parameters is not None:
        raise SimulatorError(
            f"{path}: parameters are for Simulator-v0; this file prices a space that is there already. Leave them out, "
            "with constraints and objective."
        )
    units = {metric.name: metric.unit for metric in problem.cost_model.metrics}
    for metric in model.metrics:
        if units.get(metric.name, metric.unit) != metric.unit:
            raise SimulatorError(
                f"{path}: metrics.{metric.name} must be in {_unit(units[metric.name])}, as in the problem, got "
                f"{_unit(metric.unit)}. Scale it, or rename it."
            )
    return problem.space, model


def _unit(unit: str) -> str:
    return unit or "no unit"


def simulator_of(space: DesignSpace, path: str) -> CommandCostModel:
    """Make the cost model of a simulator's file for the designs of a space."""
    return command_cost_model(path, knobs_of(space), DesignValues(space))


def knobs_of(space: DesignSpace) -> tuple[Knob, ...]:
    """What templates may know of a space's parameters: their names, and the names that they take."""
    knobs = []
    for parameter in space.parameters:
        texts: tuple[str, ...] = ()
        if isinstance(parameter, Categorical):
            texts = parameter.choices
        elif isinstance(parameter, Permutation):
            texts = parameter.items
        many = isinstance(parameter, Permutation | Subset)
        idle = None
        if parameter.when is not None:
            (idle,) = _values_of(parameter, [np.array([value]) for value in parameter.default_columns])
        knobs.append(Knob(parameter.name, texts, many, idle))
    return tuple(knobs)


@dataclass(frozen=True)
class DesignValues:
    """Columns of a space to the values of its parameters; one that does not matter has its default."""

    space: DesignSpace

    def __call__(self, designs: Columns) -> list[dict[str, Value]]:
        """Return one mapping for each design."""
        designs = self.space.canonical(designs)
        lists = {p.name: _values_of(p, [designs[name] for name in p.columns]) for p in self.space.parameters}
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _values_of(parameter: Parameter, columns: list[NDArray[Any]]) -> list[Value]:
    """Return a parameter's values, one a design, from its columns."""
    described = parameter.describe(columns)
    if isinstance(parameter, Permutation):
        return [tuple(text.split(",")) for text in described[0]]
    return list(zip(*described, strict=True)) if isinstance(parameter, Subset) else described[0]
