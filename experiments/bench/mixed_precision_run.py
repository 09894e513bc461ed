"""`designgym bench mixed-precision` from its options to what it prints and writes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents.registry import agent_class
from designgym.cost_models.registry import nearest
from designgym.experiments.bench.agents import write_figures
from designgym.experiments.bench.agents_answers import mean_regret
from designgym.experiments.bench.agents_study import CHANCE, COLUMNS, YARDSTICK, Study, figures
from designgym.experiments.bench.mixed_precision import (
    AGENTS,
    FRONT_BUDGET,
    MARKS,
    NETWORKS,
    SEARCHER,
    WANTED,
    Outcome,
    answer,
    compare,
    front_holds,
    share_interval,
)
from designgym.experiments.cli.console import console, print_json, table
from designgym.experiments.comparison import Interval, pooled_iqm, stratified_interval

FIGURES = "figures.parquet"
SEEDS = 10
QUICK = {"seeds": 3, "budget": 100, "front_budget": 300, "agents": ("random", "optuna_tpe", "local_search")}
SECONDS = (1.0, 10.0)  # of a run's own clock, at which regret is printed


def run(
    agents: Sequence[str],
    networks: Sequence[str],
    seeds: int | None,
    budget: int | None,
    front_budget: int | None,
    out: Path | None,
    workers: int | None,
    quick: bool,
    silent: bool,
    json: bool,
) -> None:
    """Compare, print, and write DIR/figures.parquet."""
    default = {"seeds": SEEDS, "budget": MARKS[-1], "front_budget": FRONT_BUDGET, "agents": AGENTS}
    wanted: dict[str, Any] = QUICK if quick else default
    names = list(dict.fromkeys(agents or wanted["agents"]))
    for name in names:
        agent_class(name)  # an unknown one is refused at once
    chosen = list(dict.fromkeys(networks or NETWORKS))
    for network in chosen:
        if network not in NETWORKS:
            raise ValueError(f"the true optimum of network {network!r} is not known. {nearest(network, NETWORKS)}")
    for what, value, least in (("seeds", seeds, 1), ("budget", budget, 1), ("front-budget", front_budget, 0)):
        if value is not None and value < least:
            raise ValueError(f"{what} must be at least {least}, got {value}. Choose more.")
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-mixed-precision-"))
    out.mkdir(parents=True, exist_ok=True)
    most = wanted["front_budget"] if front_budget is None else front_budget
    outcome = compare(
        names, chosen, seeds or wanted["seeds"], budget or wanted["budget"], most, out, workers, silent
    )  # fmt: skip
    rows = figure_rows(outcome)
    write_figures(rows, out / FIGURES, ("network", *COLUMNS))
    if json:
        print_json(
            {"figures": str(out / FIGURES), "left_out": outcome.left_out, "answers": lines_of(outcome), "rows": rows}
        )
    else:
        _print(outcome, out)


def figure_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return every figure as a row of the network and `agents_study.COLUMNS`."""
    rows = [{"network": network, **row} for network, study in outcome.studies.items() for row in figures(study)]
    for network, shares in outcome.shares.items():
        for agent, found in shares.items():
            cells = ("hypervolume_share", "all", agent, "", float(outcome.front_budget), "designs")
            row = dict(zip(COLUMNS, (*cells, *share_interval(found), len(found)), strict=True))
            rows.append({"network": network, **row})
    return rows


def _print(outcome: Outcome, out: Path) -> None:
    shown = console()
    for name, why in outcome.left_out.items():
        shown.print(f"left out: {name}: {why}", markup=False)
    for network, study in outcome.studies.items():
        for name, why in study.missing.items():
            shown.print(f"left out: {name}: {why}", markup=False)
        for what, (heads, rows) in (("mean", mean_rows(study)), ("interquartile mean", middle_rows(study))):
            title = f"{network}: {what} of regret over {len(study.seeds)} seeds, 95 % intervals"
            shown.print(table(title, heads, rows, heads[1:]))
    if outcome.shares:
        heads = ["network", "agent", "mean", "least", "most"]
        title = f"share of the true front's hypervolume after {outcome.front_budget:,} designs"
        shown.print(table(title, heads, front_rows(outcome), heads[2:]))
    for line in lines_of(outcome):
        shown.print(line, markup=False, soft_wrap=True)
    shown.print(f"\nAll figures: {out / FIGURES}.", markup=False, soft_wrap=True)


def mean_rows(study: Study) -> tuple[list[str], list[list[str]]]:
    """Return the table of mean regrets by designs: its columns and its rows, the best at the end first."""
    heads = ["agent", *(f"at {c:,}" for c in study.checkpoints), "designs", "ms per proposal"]
    rows = []
    for agent in study.agents:
        cells = [_plain(mean_regret(study, agent, c)) for c in study.checkpoints]
        spent = [len(curve.regret) for of in study.curves[agent].values() for curve in of.values()]
        rows.append([_label(study, agent), *cells, f"{np.median(spent):,.0f}", f"{study.ms[agent]:.3g}"])
    return heads, rows


def middle_rows(study: Study) -> tuple[list[str], list[list[str]]]:
    """Return the table of interquartile means by designs, and of means by each run's own clock, pricing included."""
    heads = ["agent", *(f"at {c:,}" for c in study.checkpoints), *(f"mean after {s:g} s" for s in SECONDS)]
    rows = []
    for agent in study.agents:
        cells = [_plain(stratified_interval(pooled_iqm, study.at(agent, c))) for c in study.checkpoints]
        cells += [f"{float(study.after(agent, seconds).mean()):.3f}" for seconds in SECONDS]
        rows.append([_label(study, agent), *cells])
    return heads, rows


def _label(study: Study, agent: str) -> str:
    return f"{agent} *" if agent in study.peers else agent


def front_rows(outcome: Outcome) -> list[list[str]]:
    """Return the rows of fronts: the share of each agent on each network."""
    return [
        [network, agent, _plain(share_interval(found)), f"{found.min():.4f}", f"{found.max():.4f}"]
        for network, shares in outcome.shares.items()
        for agent, found in shares.items()
    ]


def lines_of(outcome: Outcome) -> list[str]:
    """Return the answers as plain lines."""
    lines = [
        "* the field's own methods: they know what each layer costs, and draw nothing, so that all seeds are alike"
    ]
    for network, study in outcome.studies.items():
        found = answer(study, study.budget)
        if found is not None:
            lines.append(
                f"{network}: at {found.designs:,} designs {found.agent} has a mean regret of {_plain(found.regret)}, "
                f"{'no worse' if found.holds else 'WORSE'} than {YARDSTICK}'s {_plain(found.yardstick)}"
            )
    for network, shares in outcome.shares.items():
        if not {SEARCHER, CHANCE} <= set(shares):
            continue
        told = f"{network}: {SEARCHER} dominates {_plain(share_interval(shares[SEARCHER]))} of the true front's volume"
        holds = "as wanted" if front_holds(shares) else "NOT as wanted"
        chance = _plain(share_interval(shares[CHANCE]))
        lines.append(f"{told}, {CHANCE} {chance}; at least {WANTED} and above {CHANCE}'s interval: {holds}")
    return lines


def _plain(interval: Interval) -> str:
    return f"{interval.middle:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
