"""Parameters and metrics as rows of what `designgym show` prints."""

from typing import Any

from designgym.experiments.cli.console import console, table


def parameter_rows(space: Any) -> list[dict[str, Any]]:
    """Return a row for each parameter of a space."""
    rows = []
    for parameter in space.parameters:
        names = space.describe(space.parse({}))
        defaults = [names[column][0] for column in parameter.columns]
        rows.append(
            {
                "name": parameter.name,
                "kind": type(parameter).__name__,
                "values": _values(parameter),
                "default": defaults[0] if len(defaults) == 1 else defaults,
                "unit": parameter.unit,
                "meaning": parameter.meaning,
                "when": _when(space, parameter),
            }
        )
    return rows


def _when(space: Any, parameter: Any) -> str:
    """Return when a parameter matters, by the shorter of two lists; "" where it always does."""
    if parameter.when is None:
        return ""
    name, awake = parameter.when
    parent = next(p for p in space.parameters if p.name == name)
    asleep = [choice for choice in getattr(parent, "choices", ()) if choice not in awake]
    if 0 < len(asleep) < len(awake):
        return f"{name} not in {', '.join(asleep)}"
    return f"{name} in {', '.join(map(str, awake))}"


def _values(parameter: Any) -> str:
    match type(parameter).__name__:
        case "Integer":
            step = f" by {parameter.step}" if parameter.step > 1 else ""
            return f"{parameter.low} … {parameter.high}{step}"
        case "Float":
            return f"[{parameter.low:g}, {parameter.high:g}]" + (" log" if parameter.log else "")
        case "Ordinal":
            return ", ".join(f"{value:g}" for value in parameter.values)
        case "Categorical":
            return ", ".join(parameter.choices)
        case "Permutation":
            return f"orders of {','.join(parameter.items)}"
        case _:
            return f"{parameter.k} of {parameter.n}"


def print_parameters(title: str, rows: list[dict[str, Any]]) -> None:
    """Print a table of parameters, or that there are none."""
    columns = ("name", "values", "default", "unit", "meaning")
    # By default a conditional parameter may be idle, and has no value then.
    shown = [{**row, "default": "idle" if row["default"] is None else row["default"]} for row in rows]
    cells = [
        [*(row[c] for c in columns[:-1]), row["meaning"] + (f" (when {row['when']})" if row["when"] else "")]
        for row in shown
    ]
    console().print(table(title, columns, cells) if cells else "No hyperparameters.")


def metric_rows(model: Any) -> list[dict[str, str]]:
    """Return a row for each metric of a cost model."""
    return [{"name": m.name, "unit": m.unit, "better": m.better, "meaning": m.meaning} for m in model.metrics]


def print_metrics(model: Any) -> None:
    """Print a table of a cost model's metrics."""
    rows = [(m.name, m.unit, m.better, m.meaning) for m in model.metrics]
    console().print(table("Metrics", ("name", "unit", "better", "meaning"), rows))
