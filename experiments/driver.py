"""Run a sweep: hand its runs to Ray, write down every trial that comes back, go on where an earlier session stopped.

The driver alone writes. A run that breaks is reported and the others go on; one whose worker process dies is handed
out again with its logged trials, a few times.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.cluster import available_cores, check_address, check_workers
from designgym.experiments.commands import name_commands
from designgym.experiments.handover import Checkpoint, Note, PolicyFiles
from designgym.experiments.index import index_of
from designgym.experiments.ledger import Active, Ledger
from designgym.experiments.log import SweepDirectory
from designgym.experiments.packets import packets
from designgym.experiments.progress import Progress
from designgym.experiments.results import Results
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.slow_driver import drive_slow, settle_in_flight
from designgym.experiments.spec import SweepSpec
from designgym.experiments.tasks import Ended, Failed, task_of
from designgym.experiments.trust import sign
from designgym.experiments.worker import run_remotely

if TYPE_CHECKING:
    from designgym.experiments.cluster import Streams

CRASHES = 3  # deaths of a run's worker process, without a new trial between them, after which the run has failed
WAIT_S = 0.5


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep came to. trials: designs priced in the log; seconds: of this session.

    failed: titles of the runs that broke; errors: why, a line each. broken_model: whether a cost model broke its
    contract in one of them, as by a NaN without a violation.
    """

    directory: Path
    runs: int
    finished: int
    trials: int
    failed: tuple[str, ...]
    interrupted: bool
    seconds: float
    errors: tuple[str, ...] = ()
    broken_model: bool = False


def sweep(
    spec: SweepSpec,
    out: Path | str,
    address: str | None = None,
    workers: int | None = None,
    silent: bool = False,
    results: Results | None = None,
    retry_failed: bool = False,
) -> SweepOutcome:
    """Run a sweep into the directory `out`; with an unfinished sweep there, go on with it.

    address: a Ray cluster to join; without it Ray starts on this machine. workers: runs at a time, by default one a
    core. results: what simulators came to before, which is recalled and added to. retry_failed: runs with evaluations
    that failed go on from before the first of them. Ctrl-C stops cleanly. ValueError (one line) when the directory
    cannot be used or the cluster not joined, or where policies are to be kept and cannot be signed.
    """
    check_workers(workers)
    if spec.training:
        sign(b"")  # rather now than when the first run is trained
    begun = time.perf_counter()
    if address is not None:
        check_address(address)
    with closing(SweepDirectory(Path(out))) as directory, ExitStack() as joined:
        spec = settle_in_flight(spec, directory, address, workers, joined)
        all_runs = runs(spec)
        for run in all_runs:
            name_commands(run.problem.id, run.problem.given)
        index = index_of(spec, all_runs, directory.sessions(), workers, address)
        ledger = Ledger(directory, Progress(all_runs, workers or available_cores(), silent), retry_failed)
        session = _Session(ledger, partial(directory.describe, spec.text, index), results)
        interrupted = session.work(all_runs, address, workers)
    if interrupted:
        there = f"{ledger.finished} of {len(all_runs)} runs are finished, and {ledger.trials:,} trials are in {out}"
        stopped = there if session.counted else f"while still reading what {out} holds"
        print(f"stopped: {stopped}. The same command goes on from here.", file=sys.stderr)
    seconds = time.perf_counter() - begun
    return SweepOutcome(
        Path(out), len(all_runs), ledger.finished, ledger.trials, tuple(ledger.failed), interrupted, seconds,
        tuple(ledger.failed.values()), ledger.broken_model,
    )  # fmt: skip


class _Session:
    """One call of `sweep`. describe: writes down what the sweep is, once it is sure to run.

    counted: whether what earlier sessions left is all counted.
    """

    def __init__(self, ledger: Ledger, describe: Callable[[], None], results: Results | None) -> None:
        self._ledger, self._describe, self._results = ledger, describe, results
        self._problems: dict[str, Any] = {}
        self._task: Any = None
        self.counted = False

    def work(self, all_runs: Sequence[RunSpec], address: str | None, workers: int | None) -> bool:
        """Do what is left to do; return whether it was interrupted."""
        from designgym.experiments.cluster import Streams, cluster

        streams = Streams()
        try:
            with self._ledger.progress:
                waiting = [one for run in all_runs if (one := self._ledger.find(run)) is not None]
                self.counted = True
                if not waiting:
                    self._describe()
                    return False
                with cluster(address, workers) as slots:
                    self._describe()
                    # A few tasks wait with Ray, so that no worker is idle while the driver is busy writing.
                    most = slots if address is not None else slots + min(slots, 4)
                    self._loop(deque(one for one in waiting if not one.run.problem.slow), streams, most)
                    slow = [one for one in waiting if one.run.problem.slow]
                    drive_slow(slow, self._ledger, slots, self._results)  # their agents take this process
        except KeyboardInterrupt:
            return True
        return False

    def _loop(self, waiting: deque[Active], streams: Streams, most: int) -> None:
        active: list[Active] = []
        try:
            while waiting or active:
                while waiting and len(active) < most:
                    active.append(waiting.popleft())
                    self._submit(active[-1], streams)
                for one, item in streams.ready(WAIT_S):
                    if self._take(one, item):
                        one.close()
                        active.remove(one)
                        if one.last == "again":
                            waiting.appendleft(one)
        finally:
            for one in active:
                one.close()
            streams.cancel()

    def _submit(self, one: Active, streams: Streams) -> None:
        """Hand a run out with what is logged of it."""
        import ray

        from designgym.experiments.cluster import as_remote

        self._task = self._task or as_remote(run_remotely)
        problem = one.run.problem
        if problem.label not in self._problems:
            self._problems[problem.label] = ray.put(problem.problem)
        logged = [ray.put(packet) for packet in packets(self._ledger.begin(one))]
        task = task_of(one.run, keeping=True)
        # Where workers died of it before a new trial came, a last try begins at the start.
        usable = task.makes_checkpoints and one.crashes < CRASHES - 1
        checkpoint = self._ledger.checkpoint(one) if usable else None
        streams.add(self._task.remote(self._problems[problem.label], task, checkpoint, *logged), one)

    def _take(self, one: Active, item: Any) -> bool:
        """Write down one item of a run's stream; return whether that was its last."""
        import pyarrow as pa

        if isinstance(item, bytes):
            for batch in pa.ipc.open_stream(item):
                self._ledger.append(one, batch)
        elif isinstance(item, Checkpoint):
            self._ledger.keep(one, item)
        elif isinstance(item, PolicyFiles):
            one.policy = item
        elif isinstance(item, Note):
            self._ledger.note(one, item)
        elif isinstance(item, Ended | Failed):
            one.last = item
        elif item is None and isinstance(one.last, Ended):
            self._ledger.finish(one, one.last)
            return True
        elif item is None and isinstance(one.last, Failed):
            self._ledger.give_up(one, one.last)
            return True
        else:
            self._break_off(one, item)
            return True
        return False

    def _break_off(self, one: Active, error: Any) -> None:
        """A worker died, or Ray lost the task: try again with what is logged, unless that keeps happening."""
        import ray

        one.crashes += 1
        lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
        text = f"{type(error).__name__}: {lines[-1]}" if lines else "its stream ended without a last word"
        if isinstance(error, ray.exceptions.RayTaskError) or one.crashes >= CRASHES:
            self._ledger.give_up(one, Failed(text, str(error)))
        else:
            one.last = "again"
            self._ledger.progress.note(f"again: {one.run.title}: {text}")
