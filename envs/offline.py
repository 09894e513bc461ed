"""Problems priced by a dataset, `cost_model="dataset:data/"`: offline environments that need no simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.dataset import Dataset, Origin
from designgym.cost_models.plain import plain
from designgym.cost_models.tabular import DatasetCostModel, dataset_cost_model
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

NOT_OF_DESIGNS = ("objective", "cost_model", "cheap")  # options that say nothing of which problem it is
IN_WORDS = ("meaning", "columns")  # of a parameter: they change no design


def priced_by_dataset(
    problem: DesignProblem, path: str, id: str, options: Mapping[str, Any]
) -> tuple[DesignSpace, DatasetCostModel]:
    """Return the problem's space, drawing from the rows of a dataset, and what the dataset says as its cost model.

    `sample` draws uniformly from all rows of the problem, feasible or not; all else of the space is as it is, so that
    a search may leave the rows, where every design is infeasible. The rows are those of the same id and options, priced
    faithfully, or those priced cheaply where the dataset has no others. ValueError, in one line, where there are none,
    and where parameters, metrics or units differ, saying what does.
    """
    from designgym.cost_models.dataset_file import read_dataset

    dataset = read_dataset(path)
    origin = _origin(dataset, path, id, options)
    here = [plain(one) for one in problem.space.parameters]
    differs = parameters_differ(origin.parameters, here) or metrics_differ(dataset.declared, problem.cost_model.metrics)
    if differs:
        raise ValueError(f"{path} does not fit {id}: {differs}. Gather or sample a dataset of this problem.")
    rows = dataset.take(dataset.problem == dataset.origins.index(origin))
    rows = rows.take(rows.fidelity == ("faithful" if (rows.fidelity == "faithful").any() else "cheap"))
    inside = problem.space.contains(_typed(problem.space, rows.designs))
    if not inside.any():
        raise ValueError(f"{path} holds no design of {id} that keeps the constraints of its space. Gather others.")
    rows = rows.take(inside)
    return problem.space.drawing_from(_typed(problem.space, rows.designs)), dataset_cost_model(rows)


def _typed(space: DesignSpace, designs: Columns) -> Columns:
    return {name: designs[name].astype(dtype, copy=False) for name, dtype in space.dtypes.items()}


def _origin(dataset: Dataset, path: str, id: str, options: Mapping[str, Any]) -> Origin:
    """Return the problem of a dataset that has this id and these options."""
    fits = [one for one in dataset.origins if one.id == id and not options_differ(one.options, id, options)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise ValueError(
            f"{path} holds {id} priced by several cost models: {'; '.join(one.label for one in fits)}. Gather the one "
            "that is meant, with `designgym dataset --problem LABEL`."
        )
    told = [f"{one.label}{_but(id, one, options)}" for one in dataset.origins]
    raise ValueError(f"{path} holds no designs of {id} with these options, but of {'; '.join(told)}. Set its options.")


def _but(id: str, origin: Origin, options: Mapping[str, Any]) -> str:
    """Say which options are others there, where it is another problem of one id."""
    others = options_differ(origin.options, id, options) if origin.id == id else ""
    return f" ({others})" if others else ""


def options_differ(logged: Mapping[str, Any], id: str, options: Mapping[str, Any]) -> str:
    """Say how options that were logged differ from those given, of those that say which problem it is; "" if in none.

    id: of the problem that both are of. An option that the log does not know has come later: it stood at its default.
    """
    from designgym.envs.registry import problem_options

    defaults = _written(problem_options(id))
    there, here = {**defaults, **logged}, {**defaults, **_written(options)}
    names = [name for name in {**there, **here} if name not in NOT_OF_DESIGNS]
    others = [name for name in names if there.get(name) != here.get(name)]
    return ", ".join(f"{name} {there.get(name)!r} there and {here.get(name)!r} here" for name in others)


def _written(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as a log writes them; one that cannot be written, and so in no log, as what it prints as."""
    found = {}
    for name, value in options.items():
        if name in NOT_OF_DESIGNS:
            continue
        try:
            found[name] = plain(value)
        except ValueError:
            found[name] = repr(value)
    return found


def parameters_differ(logged: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> str:
    """Say how parameters differ from others, "" where they do not; both as the log writes them."""
    there = {one["name"]: _bare(one) for one in logged}
    here = {one["name"]: _bare(one) for one in others}
    for name in [*there, *here]:
        if name not in here:
            return f"it has a parameter {name}, which is not here"
        if name not in there:
            return f"it has no parameter {name}"
        for key in {**there[name], **here[name]}:
            one, other = there[name].get(key), here[name].get(key)
            if one != other:
                return f"{name} has {key} {_short(one)} there and {_short(other)} here"
    if list(there) != list(here):
        return f"its parameters are in the order {', '.join(there)}, here {', '.join(here)}"
    return ""


def _bare(parameter: Mapping[str, Any]) -> dict[str, Any]:
    left_out = IN_WORDS if parameter.get("when") else (*IN_WORDS, "default")  # an idle one stands at its default
    return {key: value for key, value in parameter.items() if key not in left_out}


def metrics_differ(declared: Sequence[Metric], metrics: Sequence[Metric]) -> str:
    """Say how metrics differ from others of the same names, "" where they do not.

    Either may have metrics that the other lacks, but they must share one.
    """
    here = {metric.name: metric for metric in metrics}
    for one in declared:
        other = here.get(one.name, one)
        if one.unit != other.unit:
            return f"{one.name} is in {one.unit or 'no unit'} there and in {other.unit or 'no unit'} here"
        if one.better != other.better:
            return f"{one.better} {one.name} is better there and {other.better} here"
    if not any(one.name in here for one in declared):
        return f"it has the metrics {', '.join(one.name for one in declared)}, and here there are {', '.join(here)}"
    return ""


def _short(value: Any) -> str:
    text = str(value) if np.isscalar(value) else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
