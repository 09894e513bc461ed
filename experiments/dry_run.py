"""What a sweep would cost, before it is run: designs are counted, seconds measured by running each agent shortly.

The estimate leaves out the start of Ray and of its workers, and takes an agent that slows down as it learns (a TPE's
time grows with its trials) to stay as fast as it was in its first designs: for such agents it is a lower bound. Of a
slow model one design is priced for each agent.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import SpecError, SweepSpec

PROBE_S = 0.5
PROBE_DESIGNS = 256


@dataclass(frozen=True)
class DryRow:
    """One agent on one problem. designs: of all its runs together, at most. seconds: of one worker's time."""

    problem: str
    agent: str
    runs: int
    designs: int
    seconds_per_design: float
    seconds: float


@dataclass(frozen=True)
class DryRun:
    """The estimate of a sweep. seconds: until it is done with `workers` runs at a time. how: how it was estimated."""

    rows: tuple[DryRow, ...]
    runs: int
    designs: int
    workers: int
    seconds: float
    how: str

    @property
    def size(self) -> str:
        """What is counted, in words: 1 run of 1 design, 40 runs of 8,000 designs in all."""
        of = f"{self.designs:,} design{'' if self.designs == 1 else 's'}"
        return f"1 run of {of}" if self.runs == 1 else f"{self.runs:,} runs of {of} in all"


def dry_run(spec: SweepSpec, workers: int | None = None) -> DryRun:
    """Count a sweep's runs and designs and estimate its time, in about half a second for each agent and problem."""
    from designgym.experiments.cluster import available_cores, check_workers

    check_workers(workers)
    workers = workers or available_cores()
    groups: dict[tuple[str, str], list[RunSpec]] = {}
    for run in runs(spec):
        groups.setdefault((run.problem.label, run.agent.label), []).append(run)
    rows = tuple(_row(group) for group in groups.values())
    # A run of a fast model is one worker's; the designs of a slow one are spread over all.
    alone = [row for row, group in zip(rows, groups.values(), strict=True) if not group[0].problem.slow]
    longest = max((row.seconds / row.runs for row in alone), default=0.0)
    seconds = max(longest, sum(row.seconds for row in rows) / workers)
    how = (
        f"each agent priced up to {PROBE_DESIGNS} designs or ran for {PROBE_S:g} s in this process, or priced one "
        "design of a slow model; the start of Ray is left out, and an agent that slows down as it learns will take "
        "longer"
    )
    return DryRun(rows, sum(row.runs for row in rows), sum(row.designs for row in rows), workers, seconds, how)


def _row(group: Sequence[RunSpec]) -> DryRow:
    run = group[0]
    each = run.trials
    pace = _seconds_per_design(run)
    one = min(each * pace, run.seconds or np.inf)
    return DryRow(run.problem.label, run.agent.label, len(group), each * len(group), pace, one * len(group))


def _seconds_per_design(run: RunSpec) -> float:
    from designgym.experiments.slow_here import trials_here
    from designgym.experiments.tasks import Ended, Failed, task_of
    from designgym.experiments.worker import run_trials

    if run.problem.slow:
        *_, last = trials_here(run.problem.problem, replace(task_of(run), budget=1, start=None), in_flight=1)
        if isinstance(last, Failed):
            raise SpecError(f"{run.title} fails at once: {last.error}")
        assert isinstance(last, Ended)
        return last.elapsed_s
    probe = replace(task_of(run), budget=min(run.budget, PROBE_DESIGNS), seconds=PROBE_S, stop_loss=None)
    count = 0
    begun = time.perf_counter()
    for item in run_trials(run.problem.problem, probe):
        if isinstance(item, Failed):
            raise SpecError(f"{run.title} fails at once: {item.error}")
        if isinstance(item, Ended):
            return item.elapsed_s / max(count, 1)
        count += item.num_rows
    return time.perf_counter() - begun
