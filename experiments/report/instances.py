"""What agents chose for the instances of a sequence, and what that came to, by the number that tells them apart."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs.episodes import APART
from designgym.experiments.commands import refuse_unnamed
from designgym.experiments.report.drawing import Figure, axis, layout, rounded, value_axis, with_legend, with_unit
from designgym.experiments.report.frame import Part, figures
from designgym.experiments.report.palette import colour_of, dash_of
from designgym.experiments.report.text import NBSP, percent, short_label

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.envs import SequentialEnv
    from designgym.experiments.log import LoggedProblem, LoggedRun
    from designgym.experiments.report.played import Played

Floats = NDArray[np.float64]
BINS = 30
LEARNED = 0.5  # share of a run, its end, that is drawn: what was learned by then


class Instances:
    """Sums of what was chosen and of the objective by bins of context, for each agent, as its runs are read.

    Of environments whose trials are steps, that choose one number, and that tell their instances apart; else `drawn` is
    False, as where the environment can not be made here.
    """

    def __init__(self, logged: LoggedProblem, objective: str) -> None:
        self._objective = objective
        self._env = _made(logged)
        self.drawn = self._env is not None and self._env.contexts(0) is not None
        self.sums: dict[str, Floats] = {}  # by agent: trials, chosen, objective, each (BINS,)
        self.hindsight: Floats | None = None  # the same of one sequence
        self.edges = np.zeros(BINS + 1)
        if self.drawn and self._env is not None:
            (column,) = self._env.chosen.columns
            self.chosen, self.context = column, self._env.context_name

    def add(self, run: LoggedRun, table: pa.Table) -> None:
        """Take the last trials of a run in."""
        if not self.drawn:
            return
        index = table.column("index").to_numpy()
        order = np.argsort(index, kind="stable")[-max(1, round(LEARNED * len(index))) :]
        order = order[table.column("feasible").to_numpy()[order]]
        if not len(order):
            return
        contexts = self._contexts(run.seed, index[order])
        if not self.edges.any():
            self._begin(run.seed, contexts)
        chosen = table.column(f"design.{self.chosen}").to_numpy()[order].astype(np.float64)
        values = table.column(f"metric.{self._objective}").to_numpy()[order]
        self.sums[run.label] = self.sums.get(run.label, np.zeros((3, BINS))) + self._sums(contexts, chosen, values)

    def _contexts(self, seed: int, index: NDArray[np.int64]) -> Floats:
        """Return the context of each trial of a run: one episode follows on another."""
        assert self._env is not None
        first = self._env.contexts(seed)
        assert first is not None
        episodes, places = np.divmod(index, len(first))
        found = np.empty(len(index))
        for episode in np.unique(episodes):
            rows = episodes == episode
            whole = self._env.contexts(seed + int(episode) * APART)
            assert whole is not None
            found[rows] = whole[places[rows]]
        return found

    def _begin(self, seed: int, contexts: Floats) -> None:
        """Lay out the bins, with as many instances in each, and fill in what had best been chosen."""
        assert self._env is not None
        self.edges = np.quantile(contexts, np.linspace(0.0, 1.0, BINS + 1))
        best = self._env.hindsight(seed)
        whole = self._env.contexts(seed)
        if best is not None and whole is not None:
            self.hindsight = self._sums(whole, *best)

    def _sums(self, contexts: Floats, chosen: Floats, values: Floats) -> Floats:
        bins = np.clip(np.searchsorted(self.edges, contexts, side="right") - 1, 0, BINS - 1)
        weights = (np.ones(len(bins)), chosen, values)
        return np.stack([np.bincount(bins, weight, BINS) for weight in weights])


def _made(logged: LoggedProblem) -> SequentialEnv[Any, Any] | None:
    """Make the environment anew; None where that can not be done here, or where its trials choose no one number."""
    from designgym.envs import Float, Integer, Ordinal, make_sequential

    try:
        refuse_unnamed(logged.id, logged.given)
        env = make_sequential(logged.id, **logged.given)
    except (ValueError, ImportError):
        return None
    numbers = all(isinstance(parameter, Float | Integer | Ordinal) for parameter in env.chosen.parameters)
    return env if env.trial == "step" and len(env.chosen.columns) == 1 and numbers else None


def instances_block(played: Played, part: Part) -> str:
    """Return two figures: what was chosen, and what it came to, against the context; "" where there are none."""
    found = played.instances
    if not found.drawn or not found.sums:
        return ""
    note = (
        f"Means over the last {percent(LEARNED)} of all runs, in {BINS} parts of equally many instances; black: what "
        "had best been chosen for each, in hindsight."
    )
    unit = with_unit(played.objective, played.metric.unit)
    return figures(
        part.place(_figure(played, 1, f"mean {found.chosen}"), f"What was chosen: {found.chosen}", note),
        part.place(_figure(played, 2, f"mean {unit}"), f"What it came to: {played.objective}", note),
    )


def _figure(played: Played, row: int, title: str) -> Figure:
    found = played.instances
    middles = 0.5 * (found.edges[:-1] + found.edges[1:])
    data: list[dict[str, Any]] = []
    drawn: list[Floats] = []
    lines = [(player.label, colour_of(player.slot), dash_of(player.slot)) for player in played.players]
    sums = dict(found.sums)
    if found.hindsight is not None:
        lines.append(("hindsight", "ink", "solid"))
        sums["hindsight"] = found.hindsight
    for label, colour, dash in lines:
        if label not in sums:
            continue
        counts = sums[label][0]
        some = counts > 0
        values = sums[label][row][some] / counts[some]
        data.append(
            {"x": rounded(middles[some]), "y": rounded(values), "name": escape(short_label(label)), "mode": "lines",
             "line": {"color": f"@{colour}", "width": 2, "dash": dash}}
        )  # fmt: skip
        drawn.append(values)
    x = axis(found.context.replace(" ", NBSP) if len(found.context) < 12 else found.context, tickformat="~g")
    return with_legend({"data": data, "layout": layout(x, value_axis(title, np.concatenate(drawn)))})
