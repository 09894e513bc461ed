"""Objectives as options write them: a mapping of fields, or metrics such as "latency_s,energy_j"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from designgym.cost_models.base import Metric
from designgym.cost_models.registry import nearest, options_of
from designgym.envs.objective import Objective

if TYPE_CHECKING:
    from designgym.envs.problem import DesignProblem


def objective_for(id: str, wanted: Any, metrics: tuple[Metric, ...], default: Objective) -> Objective:
    """Return the objective that is wanted of a model with these metrics, in whatever way it is written."""
    if isinstance(wanted, Mapping):
        return objective_of_fields(id, wanted)
    if isinstance(wanted, str):
        return _of_names(wanted, _directions(metrics), default)
    objective: Objective = wanted
    return objective


def objective_of_fields(id: str, given: Mapping[str, Any]) -> Objective:
    """Return an objective from a mapping. ValueError names the nearest field."""
    known = [field.name for field in fields(Objective)]
    for name in given:
        if name not in known:
            raise ValueError(f"problem {id!r}: an objective has no field {name!r}. {nearest(str(name), known)}")
    return Objective(**given)


def objective_of_text(text: str, function: Callable[..., DesignProblem], options: Mapping[str, Any]) -> Objective:
    """Metrics separated by commas, with the constraints and, where it fits, the reward of the default objective."""
    others = {name: value for name, value in options.items() if name != "objective"}
    default = options_of(function).get("objective")
    model = options.get("cost_model")
    if model is None or not isinstance(default, Objective):
        problem = function(**others)
        model, default = problem.cost_model, problem.objective
    better = _directions(model.metrics)
    if not better.keys() >= set(_names(text)):
        better |= _priced_when_asked(function, others, _names(text))
    return _of_names(text, better, default)


def _of_names(text: str, better: Mapping[str, str], default: Objective) -> Objective:
    names = _names(text)
    for name in names:
        if name not in better:
            raise ValueError(f"objective {text!r}: the cost model has no metric {name!r}. {nearest(name, better)}")
    return replace(
        default,
        minimize=tuple(name for name in names if better[name] == "lower"),
        maximize=tuple(name for name in names if better[name] == "higher"),
        reward=default.reward if default.reward in ("log", "product") else "log",
        weights={},
        targets={},
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _priced_when_asked(
    function: Callable[..., DesignProblem], options: Mapping[str, Any], names: list[str]
) -> dict[str, str]:
    """The directions of metrics that cost so much that a problem prices them only where its objective names them."""
    try:
        problem = function(**options, objective=Objective(minimize=tuple(dict.fromkeys(names))))
    except ValueError:
        return {}
    return _directions(problem.cost_model.metrics)


def _directions(metrics: tuple[Metric, ...]) -> dict[str, str]:
    return {metric.name: metric.better for metric in metrics}
