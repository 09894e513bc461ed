"""`designgym evaluate`: trained policies on instances that no training saw, beside the best fixed policy."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from designgym.experiments.cli.console import Json, assignments, console, print_json, table
from designgym.experiments.quantities import quantity


def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A training's directory, or one policy's folder.")],
    env: Annotated[
        str | None, typer.Option(metavar="ID", help="Where to score them; where each was trained by default.")
    ] = None,
    set_: Annotated[
        list[str], typer.Option("--set", metavar="OPTION=VALUE", help="An option other than in training; repeatable.")
    ] = [],  # noqa: B006
    instances: Annotated[str, typer.Option(metavar="held-out|training", help="Which instances.")] = "held-out",
    episodes: Annotated[int | None, typer.Option(help="Episodes; 200 by default, 4 of a sequence.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the instances.")] = 0,
    trust: Annotated[bool, typer.Option("--trust", help="Load policies made elsewhere, which can run code.")] = False,
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A JSON file for the figures; DIR/evaluation.json by default.")
    ] = None,
) -> None:
    """Score trained policies on instances that they never saw, beside the best fixed policy and hindsight."""
    from designgym.experiments.evaluation import Settings
    from designgym.experiments.evaluation import evaluate as evaluated
    from designgym.experiments.evaluation_file import NAME, write_entries

    settings = Settings(cast(Any, instances), episodes, seed, trust)  # which refuses another text
    with _Bar(silent=json) as bar:
        entries = evaluated(directory, env, assignments(set_, "--set"), settings, bar)
    page = None
    of_sweep = (directory / "sweep.json").exists()
    if out is None and of_sweep:
        out = directory / NAME
    if out is not None:
        write_entries(out, entries)
    if of_sweep and out == directory / NAME:
        from designgym.experiments.report import write_report

        page = write_report(directory)
    if json:
        print_json({"entries": entries, "file": out, "report": page})
        return
    told = console()
    for entry in entries:
        _print(told, entry)
    for what, path in (("figures", out), ("report", page)):
        if path is not None:
            told.print(f"{what}: {path.resolve()}", markup=False, soft_wrap=True)


def _print(out: Any, entry: dict[str, Any]) -> None:
    from designgym.experiments.evaluation_words import heading, rule, verdicts

    out.print(heading(entry), markup=False, soft_wrap=True)
    units = {metric["name"]: metric["unit"] for metric in entry["metrics"]}
    for name in [*entry["objective"]["minimize"], *entry["objective"]["maximize"]]:
        columns = ("arm", "policies", f"mean {name}", "95 % interval", "feasible", "return", "less best fixed",
                   "95 % interval", "over best fixed")  # fmt: skip
        rows = [_row(arm, name, units[name]) for arm in entry["arms"]]
        out.print(table("", columns, rows, columns[1:]))
    found = verdicts(entry)
    for line in [*found, *([rule(entry)] if found else []), *(f"note: {note}." for note in entry["notes"])]:
        out.print(line, markup=False, soft_wrap=True)


def _row(arm: dict[str, Any], name: str, unit: str) -> list[Any]:
    from designgym.experiments.evaluation_words import interval, signed

    mean, low, high = arm["metrics"][name]
    less = arm["less_fixed"] and arm["less_fixed"]["metrics"].get(name)
    compared = ["", "", ""]
    if less is not None:
        middle, *ends = less["difference"]
        ratio = less["ratio"]
        compared = [signed(middle, unit), interval(*(signed(end, unit) for end in ends)),
                    "" if ratio is None else f"{ratio[0]:.3g}"]  # fmt: skip
    return [
        arm["label"], arm["policies"] if arm["kind"] == "policy" else "", quantity(mean, unit),
        interval(quantity(low, unit), quantity(high, unit)),
        "" if arm["feasible"] is None else f"{100 * arm['feasible'][0]:.1f} %",
        "" if arm["returns"] is None else f"{arm['returns'][0]:.5g}", *compared,
    ]  # fmt: skip


class _Bar:
    """A bar of episodes with the time left; nothing when piped or silent."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "_Bar":
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        out = console(stderr=True)
        if not self._silent and out.is_terminal:
            columns = TextColumn("episodes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._bar = Progress(*columns, console=out, transient=True)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, episodes: int) -> None:
        """Begin to count another environment's."""
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task("", total=episodes)

    def __call__(self) -> None:
        """Count one."""
        if self._bar is not None:
            self._bar.advance(self._task)
