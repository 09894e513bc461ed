"""A sequential environment's section of the page: what its trials came to, in the mean and as they went on.

Unlike a search, a player pays for every trial: not its best trial counts, but the mean of all, learning included. Where
policies are trained to be kept, it is the mean of the last trials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.envs.sequential import RETURN
from designgym.experiments import statistics as stats
from designgym.experiments.quantities import quantity
from designgym.experiments.report.frame import Entry, Part, card
from designgym.experiments.report.instances import Instances, instances_block
from designgym.experiments.report.played_curves import course
from designgym.experiments.report.text import NBSP, code, listed, percent, pretty, several

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.experiments.log import LoggedProblem, LoggedRun

Floats = NDArray[np.float64]
WINDOWS = 60  # parts of a run whose means are drawn
LATE = 0.2  # share of a run, its end, whose mean is given beside that of the whole


@dataclass(frozen=True)
class PlayedRun:
    """One run. ends: the number of the last trial of each window, (w,). means: of the objective over each, (w,).

    so_far: its mean over all trials until then, (w,). late: over the last trials. Infeasible trials are left out.
    shares: of each window's trials that are feasible, (w,); late_feasible: of the last ones. returns: means over all
    trials of each window, (w,), NaN in a log that has none.
    """

    logged: LoggedRun
    trials: int
    ends: Floats
    means: Floats
    so_far: Floats
    shares: Floats
    returns: Floats
    late: float
    feasible: float
    late_feasible: float

    @property
    def mean(self) -> float:
        """Over all trials."""
        return float(self.so_far[-1])


@dataclass
class PlayedDigest:
    """What is kept of the runs of one environment as they are read, one at a time."""

    logged: LoggedProblem
    runs: list[PlayedRun] = field(default_factory=list)
    trials: int = 0

    def __post_init__(self) -> None:
        self.instances = Instances(self.logged, self.objective)

    def add(self, run: LoggedRun, table: pa.Table) -> None:
        """Take a run's trials in; none leave nothing."""
        if not table.num_rows:
            return
        self.trials += table.num_rows
        self.instances.add(run, table)
        name = self.objective
        order = np.argsort(table.column("index").to_numpy(), kind="stable")
        feasible = table.column("feasible").to_numpy()[order]
        values = np.where(feasible, table.column(f"metric.{name}").to_numpy()[order], 0.0)
        edges = np.unique(np.rint(np.linspace(0, len(values), min(WINDOWS, len(values)) + 1)).astype(np.int64))
        sums, counts = np.add.reduceat(values, edges[:-1]), np.add.reduceat(feasible.astype(np.int64), edges[:-1])
        last = slice(len(values) - max(1, round(LATE * len(values))), None)
        with np.errstate(invalid="ignore", divide="ignore"):
            means, so_far = sums / counts, sums.cumsum() / counts.cumsum()
            late = float(values[last].sum() / feasible[last].sum())
        ends, lengths = edges[1:].astype(float), np.diff(edges)
        returns = np.full(len(ends), np.nan)
        if f"metric.{RETURN.name}" in table.column_names:
            returned = table.column(f"metric.{RETURN.name}").to_numpy()[order]
            returns = np.add.reduceat(returned, edges[:-1]) / lengths
        shares = float(feasible.mean()), float(feasible[last].mean())
        self.runs.append(PlayedRun(run, len(values), ends, means, so_far, counts / lengths, returns, late, *shares))

    @property
    def objective(self) -> str:
        """The metric that is drawn: the first of the objective."""
        wanted = self.logged.objective
        return str([*wanted["minimize"], *wanted["maximize"]][0])


@dataclass(frozen=True)
class Player:
    """One agent: its runs, and the colour and dash of its lines. training: whether only the last trials count."""

    label: str
    slot: int
    runs: tuple[PlayedRun, ...]
    training: bool = False

    @cached_property
    def overall(self) -> tuple[float, float, float]:
        """The interquartile mean over runs of the mean of all trials, with its interval."""
        return _interval([run.mean for run in self.runs])

    @cached_property
    def late(self) -> tuple[float, float, float]:
        """The same of the last trials."""
        return _interval([run.late for run in self.runs])

    @property
    def mean(self) -> tuple[float, float, float]:
        """What counts of it."""
        return self.late if self.training else self.overall

    @property
    def feasible(self) -> float:
        """The share of the trials that count that are feasible."""
        return float(np.mean([run.late_feasible if self.training else run.feasible for run in self.runs]))


class Played:
    """One environment of a sweep, studied. runs: all of its runs, played so far or not.

    fixed: the objective of the best of its fixed policies, where those were searched too. training: whether policies
    were trained to be kept.
    """

    def __init__(
        self,
        digest: PlayedDigest,
        runs: tuple[LoggedRun, ...],
        fixed: float | None = None,
        training: bool = False,
    ) -> None:
        self.fixed, self.training = fixed, training
        self.logged, self.trials, self.runs = digest.logged, digest.trials, runs
        self.objective, self.instances = digest.objective, digest.instances
        self.metric = next(metric for metric in digest.logged.metrics if metric.name == self.objective)
        by_label: dict[str, list[PlayedRun]] = {run.label: [] for run in runs}
        for run in digest.runs:
            by_label[run.logged.label].append(run)
        counted = {label: _counted(found) for label, found in by_label.items()}
        players = [Player(label, slot, found, training) for slot, (label, found) in enumerate(counted.items()) if found]
        sign = 1.0 if self.metric.better == "lower" else -1.0
        # Trials that came to nothing have no objective: who has fewer of them comes first, whatever the others came to.
        self.players = sorted(players, key=lambda player: (-round(player.feasible, 3), sign * player.mean[0]))

    def value(self, number: float) -> str:
        """Return a value of the objective with its unit, as HTML; a dash where there is none."""
        if not np.isfinite(number):
            return "–"
        return escape(quantity(number, pretty(self.metric.unit)).replace(" ", NBSP))


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the interquartile mean of those that are known, with its interval; NaN where none is."""
    known = np.array([value for value in values if np.isfinite(value)])
    return stats.iqm_interval(known[:, None])[0] if len(known) else (np.nan, np.nan, np.nan)


def _counted(runs: list[PlayedRun]) -> tuple[PlayedRun, ...]:
    """Return the finished runs, or all where none is."""
    finished = [run for run in runs if run.logged.state == "finished"]
    return tuple(finished or runs)


def played_section(played: Played, place: int, part: Part) -> tuple[str, Entry]:
    """Return the section's HTML and its lines in the contents, and leave its figures in `part`."""
    name = f"played-{place}"
    head = f"<h2>{escape(played.logged.label)}</h2><p class='goal'>{_goal(played)}</p>"
    blocks = [("headline", "", f'<div class="card headline"><p>{_headline(played)}</p></div>')]
    if played.players:
        blocks.append(("players", "Agents", card("Agents", _note(played), _table(played))))
        if any(np.isfinite(player.mean[0]) for player in played.players):
            blocks.append(("course", "As trials go on", course(played, WINDOWS, part)))
        blocks.append(("instances", "Instances", instances_block(played, part)))
    blocks.append(("ended", "How runs ended", card("How runs ended", "", _endings(played))))
    blocks = [block for block in blocks if block[2]]
    html = "".join(f'<div id="{name}-{anchor}">{block}</div>' for anchor, _, block in blocks)
    lines = tuple(Entry(f"{name}-{anchor}", text) for anchor, text, _ in blocks if text)
    return f'<section class="problem" id="{name}">{head}{html}</section>', Entry(name, played.logged.label, lines)


def _goal(played: Played) -> str:
    better = "low" if played.metric.better == "lower" else "high"
    if played.training:
        return (
            f"A sequential environment in which policies were trained: with each, keep the mean "
            f"{code(played.objective)} {better} once it has learned."
        )
    return (
        f"A sequential environment, played trial after trial: keep the mean {code(played.objective)} {better}, "
        "learning included."
    )


def _headline(played: Played) -> str:
    if not played.players:
        return "No run has played a trial yet."
    best, *others = played.players
    least = "least" if played.metric.better == "lower" else "most"
    if not np.isfinite(best.mean[0]):
        return "No trial of any run came to anything: all are infeasible."
    told_over = _over(best, all_feasible=min(player.feasible for player in played.players) == 1.0)
    told = (
        f"<strong>{escape(best.label)}</strong> comes to the {least} mean {code(played.objective)} over {told_over}: "
        f"{played.value(best.mean[0])}{f' {_ends(played, best)}' if len(best.runs) > 1 else ''}"
    )
    if not others:
        return f"{told}.{_against_fixed(played)}"
    second = others[0]
    if round(second.feasible, 3) < round(best.feasible, 3):
        return f"{told}; of the next, {escape(second.label)}, {percent(second.feasible)} are.{_against_fixed(played)}"
    apart = best.mean[2] < second.mean[1] if played.metric.better == "lower" else best.mean[1] > second.mean[2]
    alone = min(len(best.runs), len(second.runs)) == 1
    return (
        f"{told}, before {escape(second.label)} with {played.value(second.mean[0])}"
        f"{'' if apart or alone else '; their intervals overlap'}.{_against_fixed(played)}"
    )


def _ends(played: Played, player: Player) -> str:
    return f"[{played.value(player.mean[1])}, {played.value(player.mean[2])}]"


def _over(best: Player, all_feasible: bool) -> str:
    """Name the trials that a mean is over."""
    if best.training:
        last = f"the last {percent(LATE)} of trials"
        return last if all_feasible else f"what is feasible of {last}, {percent(best.feasible)} of these"
    return "all trials" if all_feasible else f"its feasible trials, {percent(best.feasible)} of all"


def _against_fixed(played: Played) -> str:
    if played.fixed is None:
        return ""
    return f" The best fixed policy that was searched comes to {played.value(played.fixed)}."


def _note(played: Played) -> str:
    few = min(len(player.runs) for player in played.players)
    careful = " Fewer than ten runs an agent: read small differences with care." if few < 10 else ""
    return (
        f"Interquartile means over runs with 95{NBSP}% intervals. The last trials are the last {percent(LATE)} of a "
        f"run: what was learned.{_kept(played)}{careful}"
    )


def _kept(played: Played) -> str:
    if not played.training:
        return ""
    return (
        " While an agent trains it tries things out; the policies that were kept do not, and "
        f"{code('designgym evaluate DIR')} scores them on instances that no training saw."
    )


def _table(played: Played) -> str:
    from designgym.experiments.report.tables import agent_name, table

    mean, feasible = f"mean {code(played.objective)}", "feasible"
    heads = [f"{mean}, all trials", "of the last trials"]
    if played.training:
        heads, feasible = [f"{mean}, last trials", "of all trials"], "feasible at last"
    rows = []
    for player in played.players:
        other = player.overall if played.training else player.late
        timed = sum(run.logged.timed for run in player.runs)
        each = quantity(sum(run.logged.agent_s for run in player.runs) / timed, "s") if timed else "–"
        # One run has no interval over runs.
        ends = _ends(played, player) if len(player.runs) > 1 else ""
        rows.append(
            (agent_name(player), str(len(player.runs)), played.value(player.mean[0]), ends, played.value(other[0]),
             percent(player.feasible), each)
        )  # fmt: skip
    head = ("agent", "runs", heads[0], "interval", heads[1], feasible, "time a trial")
    return table(head, rows)


def _endings(played: Played) -> str:
    states = Counter(run.state for run in played.runs)
    counts = [f"{several(n, 'run')} {state}" for state, n in states.items()]
    kept = " The policy that a finished run ended with is in <code>policies/</code>, under the run's key."
    return f"<p>{listed(counts)}.{kept if played.training else ''}</p>"
