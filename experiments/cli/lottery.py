"""`designgym lottery`: what tuning is worth, agent by agent, and the page that says so."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, console, print_json
from designgym.experiments.cli.sweeping import found, print_dry_run
from designgym.experiments.quantities import duration


def lottery(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="Problems, agents, settings, seeds and a budget.")],
    out: Annotated[Path | None, typer.Option(help="Where log, page and figures go; runs/NAME by default.")] = None,
    address: Annotated[str | None, typer.Option(help="A Ray cluster to join; without it one starts here.")] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print runs, designs and estimated time only.")] = False,
    json: Json = False,
) -> None:
    """Draw settings of each agent x seeds, and say who should use which agent; the same command again goes on."""
    from designgym.experiments.lottery.run import estimate, run_lottery
    from designgym.experiments.lottery.spec import load_lottery

    made = load_lottery(found(file))
    if dry_run:
        print_dry_run(estimate(made, workers), json)
        return
    directory = out if out is not None else Path("runs") / made.spec.name
    outcome = run_lottery(made, directory, address, workers, silent=json)
    (_print_json if json else _print)(outcome)
    if outcome.sweep.interrupted:
        raise SystemExit(130)
    if outcome.sweep.failed:
        raise SystemExit(2 if outcome.sweep.broken_model else 1)


def _print_json(outcome: Any) -> None:
    answers: dict[str, Any] = {}
    if outcome.study is not None:
        labels = [entrant.label for entrant in outcome.study.entrants]
        answers["answers"] = [
            {
                "problem": one.scope, "policy": one.policy, "k": one.k, "use": labels[one.best],
                "ties": [label for label, tie in zip(labels, one.ties, strict=True) if tie],
                "regret": [float(one.values[one.best].low), float(one.values[one.best].high)],
                "interval": [float(end) for end in one.values[one.best].interval()] if one.dependable else None,
                "tuning_designs": one.tuning[one.best],
            }
            for one in outcome.study.answers
        ]  # fmt: skip
        answers["pairs"] = [
            {
                "problem": pair.scope, "budget": pair.budget, "agents": [labels[pair.first], labels[pair.second]],
                "difference": [float(pair.difference.low), float(pair.difference.high)],
                "interval": [float(end) for end in pair.difference.interval()],
                "intervals_overlap": pair.overlap, "verdict": pair.verdict,
            }
            for pair in outcome.study.pairs
        ]  # fmt: skip
    print_json({**vars(outcome.sweep), "page": outcome.page, "figures": outcome.figures, **answers})
    if outcome.sweep.failed:  # silent until here
        print(f"failed: {outcome.sweep.failed[0]}: {outcome.sweep.errors[0]}", file=sys.stderr)


def _print(outcome: Any) -> None:
    out, done = console(), outcome.sweep
    text = f"{done.finished} of {done.runs} runs finished, {done.trials:,} trials in {done.directory}"
    out.print(f"{text}; this session took {duration(done.seconds)}", markup=False, soft_wrap=True)
    if done.failed:
        out.print(f"{len(done.failed)} failed: the same command tries them again", style="yellow", markup=False)
    if outcome.study is not None:
        out.print(plain_words(outcome.study), markup=False, soft_wrap=True)
        out.print(f"page: {outcome.page.resolve()}\nfigures: {outcome.figures.resolve()}", markup=False, soft_wrap=True)


def plain_words(study: Any) -> str:
    """Return the page's answers without HTML."""
    import re
    from html import unescape

    from designgym.experiments.lottery.words import the_claim, whom_to_use

    return "\n".join(unescape(re.sub(r"<[^>]+>", "", text)) for text in [*whom_to_use(study), *the_claim(study)])
