"""`cost_model="surrogate:PATH"`: a problem priced by a learned model, if that was learned in such a space and units."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.cost_models.base import CostModel
from designgym.envs.cost_model_files import is_cost_model_file
from designgym.envs.offline import options_differ
from designgym.envs.space import DesignSpace

if TYPE_CHECKING:
    from designgym.envs.problem import DesignProblem

LOW = "low"  # in a model of two fidelities: the directory of the learned cheap one


class NotRun(ValueError):
    """A cost model that a file holds, such as a command, is named by another file alone. One line."""


def priced_by_surrogate(
    problem: DesignProblem, path: str, id: str, options: Mapping[str, Any]
) -> tuple[DesignSpace, CostModel]:
    """Return the problem's space, and the surrogate that a directory holds.

    Where it needs features or bounds, they come from the problem's own cost model, if the surrogate was learned beside
    its like or beside several, else from the one that it was learned beside. ValueError says what does not fit:
    columns, their values, metrics or units. A warning says where the problem's own cost model is of another version, or
    the problem another, such as one of another workload. id, options: what made the problem.
    """
    from designgym.cost_models.learned.model_file import read_card, read_surrogate

    card = read_card(path)
    refuse_other_space(problem, card, path)
    refuse_other_metrics(problem, card, path)
    origins = card["origins"]
    own = f"{type(problem.cost_model).__name__} {problem.cost_model.version}"
    learned = [f"{origin['cost_model']} {origin['version']}" for origin in origins]
    if own not in learned:
        warnings.warn(
            f"{path} was learned from {' and '.join(learned)}, and this problem's cost model is {own}: its numbers are "
            "those of what it was learned from.",
            UserWarning,
            stacklevel=4,
        )
    elif others := _other_problem(problem, origins, path, id, options):
        warnings.warn(
            f"{path} was learned from {others}, not from designs of this problem, for which its error is not known. "
            "Set the options that it was learned with, or fit it again.",
            UserWarning,
            stacklevel=4,
        )
    beside: Any = None
    if card["fit"]["uses"] and "low" in card:
        beside = cheap_of(card, path)
    elif card["fit"]["uses"]:
        beside = problem.cost_model if own in learned or len(origins) > 1 else cost_model_of(origins[0], path)
    return problem.space, read_surrogate(path, beside)[0]


def _other_problem(
    problem: DesignProblem, origins: Sequence[Mapping[str, Any]], path: str, id: str, options: Mapping[str, Any]
) -> str:
    """Say of which problems a model was learned, "" where one of them is this one, or has the same cost model.

    A cost model's version need not tell its workload: that may be an option alone.
    """
    differ = [options_differ(one["options"], id, options) if one["id"] == id else "another problem" for one in origins]
    if not all(differ) or any(_same_model(problem.cost_model, one, path) for one in origins):
        return ""
    return " and ".join(f"{one['label']} ({how})" for one, how in zip(origins, differ, strict=True))


def _same_model(model: CostModel, origin: Mapping[str, Any], path: str) -> bool:
    """Whether a cost model is that of another problem, whose options differ in what it does not depend on."""
    try:
        return bool(cost_model_of(origin, path) == model)
    except ValueError:  # it cannot be made here, or holds arrays, which have no one answer
        return False


def cheap_of(card: Mapping[str, Any], path: str) -> Any:
    """Return the cheap model that a surrogate of two fidelities was learned beside: asked, or itself learned, in LOW.

    ValueError where it cannot be made here, or is another than it was.
    """
    from designgym.cost_models.learned.model_file import read_surrogate
    from designgym.cost_models.learned.two_fidelity import Cheap

    origin = card["low"]["origin"]
    if origin is None:
        return Cheap(read_surrogate(Path(path) / LOW)[0])
    model = cost_model_of(origin, path)
    if model.version != origin["version"]:
        raise ValueError(
            f"{path} was learned beside {origin['cost_model']} {origin['version']}, and here it is {model.version}. "
            "Price the cheap designs and fit it again."
        )
    return Cheap(model)


def cost_model_of(origin: Mapping[str, Any], path: str) -> Any:
    """Return the cost model of a problem that a card or a dataset names, for its features and bounds alone.

    ValueError where it cannot be made here. NotRun, a ValueError, where a file holds it: what that says is never done
    on the word of another file.
    """
    from designgym.cost_models.simulators.command import CommandCostModel
    from designgym.envs.registry import make_problem

    # Neither what is wanted nor a second model changes what this one knows.
    options = {name: value for name, value in origin["options"].items() if name not in ("objective", "cheap")}
    held = options.get("cost_model")
    if is_cost_model_file(held):
        raise NotRun(f"{path} needs what {held} knows of a design, which is not run from there. Fit without.")
    try:
        model = make_problem(origin["id"], **options).cost_model
    except Exception as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{path} needs what {origin['cost_model']} of {origin['id']} knows of a design, which cannot be made here: "
            f"{said} Fit it without features and bounds, or install what that needs."
        ) from error
    if isinstance(model, CommandCostModel):  # making it has read a file and run nothing
        raise NotRun(
            f"{path} needs what the command of {origin['id']} knows of a design, which is not run from there. Fit "
            "without."
        )
    return model


def refuse_other_space(problem: DesignProblem, card: Mapping[str, Any], path: str) -> None:
    """ValueError says in what a problem's space differs from the one that a model was learned in."""
    from dataclasses import asdict

    from designgym.cost_models.plain import plain

    ours = {spec.name: plain(asdict(spec)) for spec in problem.space.specs()}
    theirs = {one["name"]: one for one in card["space"]["columns"]}
    if list(ours) != list(theirs):
        raise ValueError(
            f"{path} was learned in another space: of columns {', '.join(theirs)}, and this problem has "
            f"{', '.join(ours)}. Use it in the problem that it was learned from."
        )
    for name, own in ours.items():
        for key, value in own.items():
            if theirs[name].get(key) != value:
                raise ValueError(
                    f"{path} was learned in another space: {name} has {key} {theirs[name].get(key)!r} there and "
                    f"{value!r} in this problem. Fit it again to designs of this one."
                )
    kept = {one["name"]: one for one in card["space"]["parameters"]}
    for parameter in problem.space.parameters:
        there, here = kept.get(parameter.name, {}), json.loads(json.dumps(plain(parameter)))
        # What an idle parameter stands at is of account, and when it is idle.
        for key in ("kind", "values", "choices", "items", "step", "unit", "when", *["default"] * bool(parameter.when)):
            if key in here and key in there and there[key] != here[key]:
                raise ValueError(
                    f"{path} was learned in another space: the {key} of {parameter.name} are {there[key]} there and "
                    f"{here[key]} in this problem. Fit it again to designs of this one."
                )


def refuse_other_metrics(problem: DesignProblem, card: Mapping[str, Any], path: str) -> None:
    """ValueError says which metric a problem has in another unit or direction, or that it has none of those predicted.

    What was learned may be a program that tells more than the problem's own cost model: further metrics are taken.
    """
    ours = {metric.name: metric for metric in problem.cost_model.metrics}
    theirs = {metric["name"]: metric for metric in card["metrics"]}
    if not ours.keys() & theirs.keys():
        raise ValueError(
            f"{path} predicts {', '.join(theirs)}, which this problem does not have: it has {', '.join(ours)}. Use it "
            "in the problem that it was learned from."
        )
    for name in (name for name in theirs if name in ours):
        for key in ("unit", "better"):
            if theirs[name][key] != getattr(ours[name], key):
                raise ValueError(
                    f"{path} predicts {name} with {key} {theirs[name][key]!r}, and this problem has it with "
                    f"{getattr(ours[name], key)!r}. Fit it again to designs of this one."
                )
