"""What a person sees while a sweep runs: runs and designs done, rate, time left, best so far with its unit.

Where an environment is played no trial is the best one, for instances differ: there it is the mean of the latest.

On a terminal a bar; else a line on stderr every ten seconds; nothing at all when silent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.experiments.quantities import duration, quantity
from designgym.experiments.rows import priced_in

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.experiments.runs import RunSpec

LINE_EVERY_S = 10.0
IN_DOMAIN = "metric.in_domain"  # 0 where a surrogate was asked outside of what it was trained on
LATEST = 100  # trials of an environment that is played after which one counts half


class Progress:
    """Follows a sweep. It measures each agent's seconds a design on each problem, and so tells the time left."""

    def __init__(self, runs: Sequence[RunSpec], workers: int, silent: bool = False) -> None:
        self._runs, self._workers, self._silent = runs, workers, silent
        self._left = {run.key: _designs(run) for run in runs}
        self._total = sum(self._left.values())
        self._over: set[str] = set()
        self._failed = 0
        self._seconds: dict[tuple[str, str], dict[str, tuple[float, int]]] = {}
        self._best: dict[str, tuple[float, str]] = {}
        self._latest: dict[tuple[str, str], dict[str, Any]] = {}  # of each who plays: sums and counts that fade
        self._outside: set[str] = set()
        self._first = {_group(run): run for run in reversed(runs)}
        self._what = "trials" if runs and all(run.problem.played for run in runs) else "designs"
        self._priced = 0
        self._begun = self._said = time.perf_counter()
        self._live: Any = None

    def __enter__(self) -> Progress:
        if not self._silent and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self._live = Live(get_renderable=self._renderable, console=console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def logged(self, run: RunSpec, trials: int, best: Mapping[str, Any] | None) -> None:
        """Take in what an earlier session left of a run."""
        self._left[run.key] = max(0, self._left[run.key] - trials)
        if best is not None and not run.problem.played:
            self._take_best(run, best["reward"], best["metrics"])

    def priced(self, run: RunSpec, rows: pa.RecordBatch, logged: int) -> None:
        """Take in new trials; logged: how many the run has now."""
        elapsed, priced = rows.column("elapsed_s")[-1].as_py(), priced_in(rows)
        if not self._priced:
            # The start of Ray and of its workers is no part of the rate.
            self._begun = time.perf_counter() - (elapsed if logged == priced else 0.0)
        self._priced += priced
        self._left[run.key] = max(0, self._left[run.key] - priced)
        self._seconds.setdefault(_group(run), {})[run.key] = elapsed, logged
        if run.problem.played:
            self._take_latest(run, rows)
        elif (best := best_of(rows, run)) is not None:
            self._take_best(run, best["reward"], best["metrics"])
        self._say_outside(run.problem.label, rows)
        self._say()

    def finished(self, run: RunSpec) -> None:
        """Count a run as done, however many designs it needed."""
        self._left[run.key] = 0
        self._over.add(run.key)
        self._say()

    def failed(self, run: RunSpec, message: str) -> None:
        """Count a run as failed, and say why."""
        self._failed += 1
        self._left[run.key] = 0
        self.note(message)

    def note(self, message: str) -> None:
        """Print one line."""
        if self._silent:
            return
        if self._live is not None:
            self._live.console.print(message, markup=False, highlight=False, soft_wrap=True)
        else:
            print(message, file=sys.stderr, flush=True)

    def _say_outside(self, label: str, rows: pa.RecordBatch) -> None:
        """Say once a problem that its surrogate is asked too far out: what workers warn of is heard by nobody."""
        if label in self._outside or IN_DOMAIN not in rows.schema.names:
            return
        if outside := np.count_nonzero(_numpy(rows, IN_DOMAIN) == 0):
            self._outside.add(label)
            self.note(
                f"{label}: the surrogate is asked for designs outside of what it was trained on ({outside:,} of "
                f"{rows.num_rows:,}): no error is promised there. in_domain marks them; this is said once."
            )

    def _take_latest(self, run: RunSpec, rows: pa.RecordBatch) -> None:
        feasible = _numpy(rows, "feasible")
        found = self._latest.setdefault(_group(run), {"count": 0.0})
        fades = 0.5 ** (rows.num_rows / LATEST)
        found["count"] = fades * found["count"] + np.count_nonzero(feasible)
        for name in run.problem.problem.objective.names:
            found[name] = fades * found.get(name, 0.0) + _numpy(rows, f"metric.{name}")[feasible].sum()

    def _take_best(self, run: RunSpec, reward: float, metrics: Mapping[str, float]) -> None:
        label = run.problem.label
        if label in self._best and self._best[label][0] >= reward:
            return
        units = {metric.name: metric.unit for metric in run.problem.problem.cost_model.metrics}
        names = run.problem.problem.objective.names
        self._best[label] = reward, ", ".join(f"{name} {quantity(metrics[name], units[name])}" for name in names)

    def _seconds_left(self) -> float | None:
        """Designs still to price, at what each agent took for one on that problem; None before all have begun.

        A setting of an agent that has not begun is taken to be as fast as its other settings are.
        """
        spent = {group: np.sum(list(found.values()), axis=0) for group, found in self._seconds.items()}
        of_agent: dict[tuple[str, str], Any] = {}
        for run in self._runs:
            if _group(run) in spent:
                of_agent.setdefault((run.problem.label, run.agent.name), {})[_group(run)] = spent[_group(run)]
        rates = {}
        left = {run.key: run for run in self._runs if self._left[run.key]}
        for run in left.values():
            alike = of_agent.get((run.problem.label, run.agent.name))
            if alike is None:
                return None
            seconds, count = alike.get(_group(run), np.sum(list(alike.values()), axis=0))
            rates[_group(run)] = seconds / count
        if not left:
            return None
        busy = [self._left[key] * rates[_group(run)] for key, run in left.items()]
        return max(max(busy), sum(busy) / self._workers)

    def _status(self) -> str:
        spent = time.perf_counter() - self._begun
        done = self._total - sum(self._left.values())
        parts = [f"{len(self._over)} of {len(self._runs)} runs"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        parts.append(f"{done:,} of {self._total:,} {self._what}")
        if not self._priced:
            parts.append("starting")
        else:
            parts.append(f"{self._priced / max(spent, 1e-9):,.3g} a second")
        left = self._seconds_left()
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    def _bests(self) -> list[str]:
        bests = [f"best on {label}: {text}" for label, (_, text) in self._best.items()]
        return bests + [text for run in self._runs if (text := self._latest_of(run))]

    def _latest_of(self, run: RunSpec) -> str:
        """Say what an agent's latest trials came to, once for all its runs."""
        found = self._latest.get(_group(run))
        if found is None or not found["count"] or run is not self._first[_group(run)]:
            return ""
        units = {metric.name: metric.unit for metric in run.problem.problem.cost_model.metrics}
        names = run.problem.problem.objective.names
        means = ", ".join(f"{name} {quantity(found[name] / found['count'], units[name])}" for name in names)
        return f"latest mean of {run.agent.label} on {run.problem.label}: {means}"

    def _say(self) -> None:
        now = time.perf_counter()
        if self._live is None and not self._silent and now - self._said >= LINE_EVERY_S:
            self._said = now
            self.note("; ".join([self._status(), *self._bests()[:1]]))

    def _renderable(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done = self._total - sum(self._left.values())
        bar = ProgressBar(total=max(self._total, 1), completed=done, width=60)
        lines = Table.grid()
        lines.add_row(bar)
        for line in (self._status(), *self._bests()):
            lines.add_row(Text(line))
        return lines


def best_of(rows: pa.RecordBatch | pa.Table, run: RunSpec) -> dict[str, Any] | None:
    """Return reward and objectives of the feasible trial of highest reward; None where nothing is feasible.

    What a cheap model says does not count.
    """
    import pyarrow.compute as pc

    faithful = pc.equal(rows.column("fidelity").cast("string"), "faithful")
    feasible = _numpy(rows, "feasible") & np.asarray(faithful)
    if not feasible.any():
        return None
    reward = np.where(feasible, _numpy(rows, "reward"), -np.inf)
    row = int(np.argmax(reward))
    metrics = {name: float(_numpy(rows, f"metric.{name}")[row]) for name in run.problem.problem.objective.names}
    return {"reward": float(reward[row]), "metrics": metrics}


def _numpy(rows: pa.RecordBatch | pa.Table, name: str) -> Any:
    column = rows.column(name)
    return column.to_numpy() if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False)


def _designs(run: RunSpec) -> int:
    return run.trials


def _group(run: RunSpec) -> tuple[str, str]:
    return run.problem.label, run.agent.label
