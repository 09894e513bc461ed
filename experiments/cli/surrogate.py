"""`designgym surrogate`: learn a cost model from a dataset, and say how good it is."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from designgym.experiments.cli.console import Json, console, print_json, table
from designgym.experiments.quantities import quantity

if TYPE_CHECKING:
    from designgym.cost_models.learned.scoring import Scored

Data = Annotated[Path, typer.Argument(metavar="DATA", help="A dataset, as `designgym dataset` writes it.")]
ModelNamed = Annotated[
    str | None,
    typer.Option(
        help="ensemble (picked by cross-validation, the default), boosting, extra_trees, random_forest, "
        "gaussian_process, mlp, ridge; with --low and --high by default what cross-validation finds best."
    ),
]
Targets = Annotated[list[str], typer.Option(metavar="METRIC", help="A metric to learn, all by default; repeatable.")]
Splits = Annotated[
    list[str],
    typer.Option(
        metavar="random|agent|corner|workload",
        help="What is held out, random by default; agent:NAME, workload:LABEL say which. Repeatable: the model "
        "that is kept is the first's, the others are scored.",
    ),
]

surrogate = typer.Typer(
    name="surrogate",
    help="Learn a cost model from a dataset: designgym surrogate fit DATA -o MODEL. "
    "A problem takes it as --set cost_model=surrogate:MODEL.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@surrogate.command()
def fit(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="Where it goes; replaces a model there.")],
    data: Annotated[
        Path | None, typer.Argument(metavar="[DATA]", help="A dataset, as `designgym dataset` writes it.")
    ] = None,
    low: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Two fidelities: a dataset of many cheap designs.")
    ] = None,
    high: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Two fidelities: a dataset of few faithful designs.")
    ] = None,
    model: ModelNamed = None,
    target: Targets = [],  # noqa: B006
    split: Splits = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Of splits and models.")] = 0,
    features: Annotated[bool, typer.Option(help="Learn from what the cost model knows of a design besides.")] = True,
    bounds: Annotated[bool, typer.Option(help="Learn how far metrics are above the cost model's bounds.")] = True,
    curve: Annotated[
        bool | None,
        typer.Option("--curve/--no-curve", help="A learning curve; up to 10,000 training designs by default."),
    ] = None,
    json: Json = False,
) -> None:
    """Fit a surrogate, calibrate its intervals, score it on designs held out, and write its report.

    From one dataset, or with --low and --high from many cheap designs and few faithful ones of one space.
    """
    from designgym.experiments.surrogate import fit_file
    from designgym.experiments.two_fidelity import fit_two_files

    if (data is None) != (low is not None and high is not None) or (low is None) != (high is None):
        raise ValueError(
            "surrogate fit must be given one dataset, DATA, or two, --low DIR and --high DIR, got "
            f"{', '.join(n for n, at in (('DATA', data), ('--low', low), ('--high', high)) if at) or 'none'}."
        )
    uses = [name for name, wanted in (("features", features), ("bounds", bounds)) if wanted]
    first, *further = split or ["random"]
    with _progress(json) as tell:
        how: dict[str, Any] = {"split": first, "further": further, "seed": seed, "curve": curve}
        if data is not None:
            kept = fit_file(data, out, uses, tell, model=model or "ensemble", targets=target, **how)
        else:
            kept = fit_two_files(str(low), str(high), out, tell, model=model, targets=target, **how)
    if json:
        card = {name: value for name, value in kept.surrogate.card.items() if name != "state"}
        print_json(card | {"version": kept.surrogate.version, "report": kept.page})
        return
    print_fitted(kept)


@surrogate.command()
def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Where a surrogate was fitted to.")],
    data: Data,
    json: Json = False,
) -> None:
    """Score a surrogate on the designs of a dataset that it has not seen, and write a page beside it."""
    from designgym.experiments.surrogate import score_file

    made, scored, page = score_file(model, data)
    if json:
        print_json({"model": made.version, **scored.as_card(), "page": page})
        return
    out = console()
    _print_scores(out, made, scored)
    out.print(f"page: {page.resolve()}", markup=False, soft_wrap=True)


def print_fitted(kept: Any) -> None:
    """Print scores, what was decided, and where things are."""
    out, card = console(), kept.surrogate.card
    for scored in kept.fitted.scored:
        _print_scores(out, kept.surrogate, scored)
    rows = [
        (name, one["because"] if one["learned_as"] == "residual" else one["learned_as"],
         ", ".join(f"{model} {weight:.2f}" for model, weight in one["models"].items()), one["interval"])
        for name, one in card["fit"]["decided"].items()
    ]  # fmt: skip
    out.print(table("what was decided", ("metric", "learned as", "models", "interval as"), rows))
    uses = " and ".join(card["fit"]["uses"]) or "the parameters alone"
    out.print(f"learned from {uses}; {kept.surrogate.version}", markup=False, soft_wrap=True)
    out.print(f"model: {kept.directory.resolve()}\nreport: {kept.page.resolve()}", markup=False, soft_wrap=True)


def _print_scores(out: Any, made: Any, scored: Scored) -> None:
    columns = (
        "metric", "relative RMSE", "RMSE/mean", "RMSE/range", "R2", "Spearman", "Kendall", "regret, best of 10",
        "coverage", "its fifths", "mean width", "as promised",
    )  # fmt: skip
    units = {metric.name: metric.unit for metric in made.learned}
    rows = []
    for name, one in scored.metrics.items():
        fifths = "/".join(f"{100 * fifth.coverage:.0f}" for fifth in one.fifths)
        kept = "exact fit" if name in scored.exact else {True: "yes", False: "NO", None: "-"}[scored.kept(name)]
        kept = "yes, errors are equal" if scored.tied(name) else kept
        rows.append((
            name, _figure(one.relative_rmse, ".3g", " %"), _figure(one.rmse_over_mean, ".3g", " %"),
            _figure(one.rmse_over_range, ".3g", " %"), _figure(one.r2, ".4f"), _figure(one.spearman, ".4f"),
            _figure(one.kendall, ".4f"), f"{one.regret[10]:.2g}", f"{100 * one.coverage:.1f} %", fifths,
            quantity(one.width, units[name], 3), kept,
        ))  # fmt: skip
    counts = f"learned from {scored.trained:,}, calibrated on {scored.calibrated:,}, scored on {scored.n:,}"
    out.print(table(f"{scored.meaning}: {counts}", columns, rows, columns[1:]))
    if scored.feasibility is not None:
        can = scored.feasibility
        out.print(
            f"which can be built: precision {_figure(100 * can.precision, '.1f', ' %')}, recall "
            f"{_figure(100 * can.recall, '.1f', ' %')}, Brier score {can.brier:.3g} ({can.baseline:.3g} of always "
            f"saying {100 * can.share:.1f} %)",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    if not scored.promised:
        out.print("coverage is reported here, not promised\n", style="dim", markup=False)


def _figure(value: float, form: str, after: str = "") -> str:
    """Return a figure, "-" for one that has no meaning."""
    return f"{value:{form}}{after}" if math.isfinite(value) else "-"


@contextmanager
def _progress(silent: bool) -> Iterator[Callable[[str], None]]:
    """Show the latest line and the time it takes on a terminal, nothing in a pipe."""
    if silent or not sys.stderr.isatty():
        yield lambda line: None
        return
    with console(stderr=True).status("reading") as status:
        yield lambda line: status.update(line)
