"""Cost models that a file holds: `cost_model="command:sim.yaml"`, "dataset:data/", "surrogate:model/".

A kind of file is a function (problem, path) -> (space, cost model), registered by its scheme. It is given the problem
as it is by default, whose space, metrics and units the file must fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from designgym.cost_models.base import CostModel
from designgym.cost_models.registry import Registry, nearest
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

WRITTEN = re.compile(r"([a-z][a-z0-9_]+):(.+)", re.DOTALL)
_SCHEMES = Registry("kind of cost-model file")
_TOLD: set[str] = set()


def register_cost_model_file(scheme: str, entry_point: str, told: bool = False) -> None:
    """Make a kind of file known. entry_point: "module:function", called as function(problem, path).

    told: whether it asks which problem that is, and is called as function(problem, path, id, options), the options as
    they were given, without cost_model and objective.
    It returns the problem's space, or one that draws other designs from the same parameters, and the cost model.
    ValueError, in one line, where the file does not fit the problem.
    """
    _SCHEMES.register(scheme, entry_point)
    if told:
        _TOLD.add(scheme)


def is_cost_model_file(given: object) -> bool:
    """Whether an option's value names a file, as in "surrogate:model/"."""
    return isinstance(given, str) and WRITTEN.fullmatch(given) is not None


def scheme_of(given: str) -> tuple[str, str]:
    """Return scheme and path of such a value. ValueError names the nearest scheme."""
    found = WRITTEN.fullmatch(given)
    if found is None or found[1] not in _SCHEMES.names():
        raise ValueError(
            f"cost_model must be a name or KIND:PATH, got {given!r}. {nearest(given.split(':')[0], _SCHEMES.names())}"
        )
    return found[1], found[2]


def priced_by_file(
    problem: DesignProblem, given: str, id: str, options: Mapping[str, Any]
) -> tuple[DesignSpace, CostModel]:
    """Return space and cost model of a problem priced by what a file holds. ValueError where it does not fit.

    id, options: what made the problem.
    """
    scheme, path = scheme_of(given)
    function: Callable[..., tuple[DesignSpace, CostModel]] = _SCHEMES.load(scheme)
    if scheme not in _TOLD:
        return function(problem, path)
    return function(problem, path, id, {k: v for k, v in options.items() if k not in ("cost_model", "objective")})
