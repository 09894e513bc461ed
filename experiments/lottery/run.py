"""Run a lottery: its sweep on Ray, then the page and the file of figures, from whatever runs there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.driver import SweepOutcome, sweep
from designgym.experiments.dry_run import DryRow, DryRun, dry_run
from designgym.experiments.lottery.outcomes import read_arenas
from designgym.experiments.lottery.page import write_lottery_page
from designgym.experiments.lottery.results import Study
from designgym.experiments.lottery.spec import Lottery
from designgym.experiments.lottery.study import study
from designgym.experiments.lottery.table import write_figures
from designgym.experiments.spec import make_spec

if TYPE_CHECKING:
    from designgym.experiments.lottery.settings import Entrant

PROBED = 3  # settings of an agent whose time is measured for an estimate: the default and two drawn


@dataclass(frozen=True)
class LotteryOutcome:
    """What a lottery came to. page, figures, study: None where there are no trials."""

    sweep: SweepOutcome
    page: Path | None
    figures: Path | None
    study: Study | None


def run_lottery(
    lottery: Lottery, out: Path, address: str | None = None, workers: int | None = None, silent: bool = False
) -> LotteryOutcome:
    """Run what is left to run into `out`, then write lottery.html, lottery.parquet and lottery.yaml there."""
    outcome = sweep(lottery.sweep, out, address=address, workers=workers, silent=silent)
    if not outcome.trials:
        return LotteryOutcome(outcome, None, None, None)
    return LotteryOutcome(outcome, *report_lottery(lottery, out))


def report_lottery(lottery: Lottery, out: Path) -> tuple[Path, Path, Study]:
    """Study the runs there are and write page and figures; return where they lie."""
    made = study(lottery, read_arenas(lottery, out))
    (out / "lottery.yaml").write_text(lottery.text, encoding="utf-8")
    page = write_lottery_page(made, out / "lottery.html")
    return page, write_figures(made, out / "lottery.parquet"), made


def estimate(lottery: Lottery, workers: int | None = None) -> DryRun:
    """Estimate a lottery's time by a few settings of each agent."""
    rows: list[DryRow] = []
    for entrant in lottery.entrants:
        rows += _rows(lottery, entrant, workers)
    counted = [replace(row, seconds=row.seconds_per_design * row.designs) for row in rows]
    probe = dry_run(_probe(lottery, lottery.entrants[:1]), workers)
    seconds = sum(row.seconds for row in counted) / probe.workers
    how = f"{PROBED} settings of each agent stand for all of its settings; {probe.how}"
    return DryRun(
        tuple(counted), sum(row.runs for row in rows), sum(row.designs for row in rows), probe.workers, seconds, how
    )


def _rows(lottery: Lottery, entrant: Entrant, workers: int | None) -> list[DryRow]:
    """Return one row a problem."""
    by_problem: dict[str, list[DryRow]] = {}
    for row in dry_run(_probe(lottery, [entrant]), workers).rows:
        by_problem.setdefault(row.problem, []).append(row)
    each = len(entrant.settings) * len(lottery.spec.seeds)
    found = []
    for problem, rows in by_problem.items():
        pace = sum(row.seconds_per_design for row in rows) / len(rows)
        found.append(DryRow(problem, entrant.label, each, each * rows[0].designs, pace, 0.0))
    return found


def _probe(lottery: Lottery, entrants: Sequence[Entrant]) -> Any:
    agents = []
    for entrant in entrants:
        for setting in entrant.settings[:PROBED]:
            given = {key: value for key, value in setting.hyperparameters.items() if value is not None}
            agents.append({"name": entrant.agent, "hyperparameters": given})
    text: dict[str, Any] = lottery.sweep.model_dump(mode="json", exclude_defaults=True)
    return make_spec({**text, "agents": agents, "seeds": list(lottery.spec.seeds[:1])})
