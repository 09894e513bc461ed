"""`designgym price`, `optimum` and `validate`: cost models without a search."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, Set, assignments, console, print_json, problem_of, table
from designgym.experiments.quantities import duration, quantity


def price(
    name: Annotated[str, typer.Argument(metavar="ID", help="A problem.")],
    design: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="Parameters; others default.")
    ] = None,
    set_: Set = [],  # noqa: B006
    layers: Annotated[bool, typer.Option("--layers", help="Price the workload layer by layer.")] = False,
    json: Json = False,
) -> None:
    """Price one design of a problem."""
    problem = problem_of(name, assignments(set_, "--set"))
    columns = problem.space.parse(assignments(design or [], "a parameter"))
    evaluations = problem.evaluate(columns)
    names = {key: values[0] for key, values in problem.space.describe(columns).items()}
    metrics = {key: column[0].item() for key, column in evaluations.metrics.items()}
    result: dict[str, Any] = {
        "design": names,
        "metrics": metrics,
        "violation": float(evaluations.violation[0]),
        "feasible": bool(evaluations.feasible[0]),
        "reward": float(evaluations.reward[0]),
    }
    if not result["feasible"]:
        from designgym.envs.reasons import reason_of

        result["reason"] = reason_of(problem, columns, evaluations)
    elif hasattr(problem.cost_model, "text"):
        result["text"] = problem.cost_model.text(columns)
    if layers:
        result["layers"] = _layers(problem, name, columns)
    if json:
        print_json(result)
        return
    _print_price(problem, result)


def _layers(problem: Any, name: str, columns: Any) -> dict[str, list[Any]]:
    model = problem.cost_model
    if not hasattr(model, "price_layers"):
        raise ValueError(f"{name}: {type(model).__name__} does not price layer by layer. Leave --layers out.")
    return {key: list(column) for key, column in model.price_layers(columns).items()}


def _print_price(problem: Any, result: dict[str, Any]) -> None:
    out = console()
    units = {metric.name: metric.unit for metric in problem.cost_model.metrics}
    out.print(", ".join(f"{key}={value}" for key, value in result["design"].items()), markup=False)
    rows = [(key, quantity(value, units.get(key, ""))) for key, value in result["metrics"].items()]
    out.print(table("", ("metric", "value"), rows, ("value",)))
    if not result["feasible"]:
        out.print(f"infeasible (violation {result['violation']:.3g}): {result['reason']}", style="yellow", markup=False)
    if "text" in result:
        console().print(result["text"], markup=False, highlight=False)
    if "layers" in result:
        _print_layers(result["layers"])


def _print_layers(layers: dict[str, list[Any]]) -> None:
    """One table of what each layer does and one of its energy: together they are wider than a screen."""
    names = [key for key, column in layers.items() if isinstance(column[0], str)]
    energies = [key for key in layers if key.endswith("_j")]
    others = [key for key in layers if key not in (*names, *energies)]
    for title, keys in (("Layers", [*names, *others]), ("Energy of the layers", [names[0], *energies])):
        cells = [[_cell(key, layers[key][i]) for key in keys] for i in range(len(layers[keys[0]]))]
        heads = {key: key.replace("_", " ") for key in keys}
        numbers = [heads[key] for key in keys if key not in names]
        console().print(table(title, list(heads.values()), cells, numbers))


def _cell(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    unit = {"_s": "s", "_j": "J", "_w": "W"}.get(key[-2:], "")
    return quantity(float(value), unit) if unit or abs(value) < 10**6 else quantity(float(value), "B").removesuffix("B")


def optimum(
    name: Annotated[str, typer.Argument(metavar="ID", help="A problem.")],
    set_: Set = [],  # noqa: B006
    stored: Annotated[bool, typer.Option("--stored", help="Print the stored optimum without searching again.")] = False,
    save: Annotated[Path | None, typer.Option("--save", help="Add what is found to this JSON file.")] = None,
    json: Json = False,
) -> None:
    """Find the true optimum by pricing every design."""
    import time

    from designgym.envs.optimum import find_optimum, known_optimum, store_optimum
    from designgym.envs.registry import full_id

    options = assignments(set_, "--set")
    problem = problem_of(name, options)
    known = known_optimum(name, options, problem)
    if stored:
        if known is None:
            raise ValueError(
                f"no optimum of {full_id(name)} is stored for these options. Leave --stored out to find it."
            )
        _print_optimum(problem, known, json, "stored with the package")
        return
    start = time.perf_counter()
    found = _with_progress(lambda progress: find_optimum(problem, progress=progress), problem.space.size, json)
    seconds = time.perf_counter() - start
    note = f"{problem.space.size:,} designs priced in {duration(seconds)}"
    if known is not None:
        same = known.design == found.design and _alike(known.metrics, found.metrics)
        note += "; agrees with the stored optimum" if same else "; DIFFERS from the stored optimum"
    _print_optimum(problem, found, json, note)
    if save is not None:
        try:
            store_optimum(found, name, options, problem, path=save)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ValueError(f"{save} cannot be written: {reason}. Choose another file.") from error


def _alike(known: Mapping[str, float], found: Mapping[str, float]) -> bool:
    """Whether metrics are the same but for the last bits, of singles too, in which processors differ."""
    return known.keys() == found.keys() and all(
        math.isclose(value, found[name], rel_tol=1e-6) for name, value in known.items()
    )


def _with_progress(work: Any, total: float, silent: bool) -> Any:
    """Run work(progress) under a bar on stderr; progress(done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    out = console(stderr=True)
    if silent or not out.is_terminal:
        return work(None)
    with Progress(TextColumn("designs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=out) as bar:
        task = bar.add_task("designs", total=total)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def _print_optimum(problem: Any, optimum: Any, json: bool, note: str) -> None:
    if json:
        one = {} if len(problem.objective.names) > 1 else {"design": optimum.design, "metrics": optimum.metrics}
        print_json(one | optimum.to_json())
        return
    units = {metric.name: metric.unit for metric in problem.cost_model.metrics}
    out = console()
    out.print(f"{note}; {optimum.feasible:,} of them feasible", markup=False)
    if len(problem.objective.names) > 1:
        out.print(f"front: {len(optimum.front_losses):,} designs; hypervolume {optimum.hypervolume:.6g}", markup=False)
        return
    out.print(", ".join(f"{key}={value}" for key, value in optimum.design.items()), markup=False)
    rows = [(key, quantity(value, units.get(key, ""), 6)) for key, value in optimum.metrics.items()]
    out.print(table("", ("metric", "value"), rows, ("value",)))


def validate(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A cost model, such as SystolicArray.")],
    reference: Annotated[Path, typer.Argument(metavar="TABLE", help="Measurements to compare with, CSV.")],
    init: Annotated[
        Path | None, typer.Option("--init", metavar="TABLE", help="Initial states by seed, CSV; of ThreeBody.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare a cost model with a table of somebody else's measurements."""
    from designgym.cost_models.registry import options_of, validate_function

    for path in (reference, init):
        if path is not None and not path.is_file():
            raise ValueError(f"{path} must be a file, got none. Give the path of a table.")
    compare = validate_function(name)
    if init is not None and "init" not in options_of(compare):
        raise ValueError(f"{name} is compared with a table alone, got --init {init}. Leave it out.")
    result = compare(reference) if init is None else compare(reference, init=init)
    if json:
        print_json(result)
        return
    columns = ("quantity", "rows", "exact", "within 0.1 %", "within 1 %", "within 5 %", "mean error", "worst error")
    keys = ("rows", "exact", "within_0.1pct", "within_1pct", "within_5pct")
    rows = [
        (quantity_, *(q[key] for key in keys), *(f"{100 * q[key]:.3g} %" for key in ("mean_error", "worst_error")))
        for quantity_, q in result["quantities"].items()
    ]
    console().print(f"{result['rows']} rows", markup=False)
    console().print(table("", columns, rows, columns[1:]))
