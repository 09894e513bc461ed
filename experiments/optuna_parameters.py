"""Logged parameters as Optuna shows them: which distribution each has, and what designs are in it.

Read from the log alone: the problem's code need not be there. `DesignSpace.to_optuna` serves samplers, which want
digits; here people look, so an ordinal is its numbers and an order the place of each of its items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Parameter, Permutation, Subset

if TYPE_CHECKING:
    import optuna

KINDS: dict[str, type[Parameter]] = {
    kind.__name__: kind for kind in (Integer, Ordinal, Categorical, Float, Permutation, Subset)
}


def logged_space(parameters: Iterable[Mapping[str, Any]]) -> DesignSpace:
    """Return the space of a problem's parameters as `load_sweep` gives them; its constraints are not in the log."""
    return DesignSpace(*map(_logged, parameters))


def _logged(parameter: Mapping[str, Any]) -> Parameter:
    fields = {name: value for name, value in parameter.items() if name not in ("kind", "columns")}
    if fields.get("when") is not None:
        fields["when"] = tuple(fields["when"])
    return KINDS[parameter["kind"]](**fields)


def distributions_of(parameter: Parameter) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return what a parameter is to Optuna: one distribution, a permutation one an item, a subset one a member."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    name = parameter.name
    if isinstance(parameter, Float):
        return {name: FloatDistribution(parameter.low, parameter.high, log=parameter.log)}
    if isinstance(parameter, Integer):
        high = parameter.low + (parameter.count - 1) * parameter.step
        log = parameter.log and parameter.step == 1  # Optuna takes no logarithm of stepped integers
        return {name: IntDistribution(parameter.low, high, log=log, step=parameter.step)}
    if isinstance(parameter, Permutation):
        return {f"{name}.{item}": IntDistribution(0, len(parameter.items) - 1) for item in parameter.items}
    if isinstance(parameter, Subset):
        rest = parameter.n - parameter.k
        return {column: IntDistribution(j, rest + j) for j, column in enumerate(parameter.columns)}
    (values,) = parameter.describe(parameter.from_digits([np.arange(parameter.cardinalities[0])]))
    return {name: CategoricalDistribution(values)}


def params_of(space: DesignSpace, designs: Columns) -> list[dict[str, Any]]:
    """Return what Optuna shows of each design, without idle parameters and those whose value is none of theirs."""
    active = space.active(designs)
    params: list[dict[str, Any]] = [{} for _ in range(batch_length(designs))]
    for parameter in space.parameters:
        columns = [designs[name] for name in parameter.columns]
        shown = parameter.legal(columns) & active.get(parameter.name, True)
        if isinstance(parameter, Permutation):
            places = np.argsort(parameter.order(np.where(shown, columns[0], 0)), axis=1)
            lists = places.T.tolist()
        else:
            lists = parameter.describe(columns)
        rows = np.flatnonzero(shown).tolist()
        for name, values in zip(distributions_of(parameter), lists, strict=True):
            for i in rows:
                params[i][name] = values[i]
    return params


def orders_of(space: DesignSpace, designs: Columns) -> dict[str, list[Any]]:
    """Return the permutations as texts, by log column: design.order; None where idle."""
    names = space.describe(designs)
    return {f"design.{p.name}": names[p.name] for p in space.parameters if isinstance(p, Permutation)}
