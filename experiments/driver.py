"""Run a sweep: hand its runs to Ray, write down every trial that comes back, go on where an earlier session stopped.

The driver alone writes. A run that breaks is reported and the others go on; one whose worker process dies is handed
out again with its logged trials, a few times.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.cluster import check_address, check_workers
from designgym.experiments.index import index_of
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import PartWriter, RunFiles, read_meta
from designgym.experiments.progress import Progress, best_of
from designgym.experiments.rows import priced_in
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import SweepSpec
from designgym.experiments.versions import changed, versions

if TYPE_CHECKING:
    import pyarrow as pa

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
    spec: SweepSpec, out: Path | str, address: str | None = None, workers: int | None = None, silent: bool = False
) -> SweepOutcome:
    """Run a sweep into the directory `out`; with an unfinished sweep there, go on with it.

    address: a Ray cluster to join; without it Ray starts on this machine. workers: runs at a time, by default one a
    core. Ctrl-C stops cleanly. ValueError (one line) when the directory cannot be used or the cluster not joined.
    """
    check_workers(workers)
    begun = time.perf_counter()
    all_runs = runs(spec)
    if address is not None:
        check_address(address)
    with closing(SweepDirectory(Path(out))) as directory:
        index = index_of(spec, all_runs, directory.sessions(), workers, address)
        session = _Session(directory, all_runs, partial(directory.describe, spec.text, index))
        interrupted = session.work(address, workers, silent)
    if interrupted:
        print(
            f"stopped: {session.finished} of {len(all_runs)} runs are finished, and {session.trials:,} trials are in "
            f"{out}. The same command goes on from here.",
            file=sys.stderr,
        )
    seconds = time.perf_counter() - begun
    return SweepOutcome(
        Path(out), len(all_runs), session.finished, session.trials, tuple(session.failed), interrupted, seconds,
        tuple(session.failed.values()), session.broken_model,
    )  # fmt: skip


@dataclass
class _Active:
    """A run under way. logged: trials in the log; crashes: deaths of its worker since the last new trial."""

    run: RunSpec
    files: RunFiles
    logged: int = 0
    crashes: int = 0
    writer: PartWriter | None = None
    last: Any = None
    meta: dict[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class _Session:
    """One call of `sweep`. describe: writes down what the sweep is, once it is sure to run."""

    def __init__(self, directory: SweepDirectory, all_runs: Sequence[RunSpec], describe: Callable[[], None]) -> None:
        self._directory, self._runs, self._describe = directory, all_runs, describe
        self._versions = versions()
        self._problems: dict[str, Any] = {}
        self._task: Any = None
        self.finished = 0
        self.trials = 0
        self.failed: dict[str, str] = {}
        self.broken_model = False

    def work(self, address: str | None, workers: int | None, silent: bool) -> bool:
        """Do what is left to do; return whether it was interrupted."""
        from designgym.experiments.cluster import Streams, available_cores, cluster

        waiting: deque[_Active] = deque()
        streams = Streams()
        try:
            with Progress(self._runs, workers or available_cores(), silent) as progress:
                for run in self._runs:
                    one = self._found(run, progress)
                    if one is not None:
                        waiting.append(one)
                if not waiting:
                    self._describe()
                else:
                    with cluster(address, workers) as slots:
                        self._describe()
                        # A few runs wait with Ray, so that no worker is idle while the driver is busy writing.
                        most = slots if address is not None else slots + min(slots, 4)
                        self._loop(waiting, streams, most, progress)
        except KeyboardInterrupt:
            return True
        return False

    def _found(self, run: RunSpec, progress: Progress) -> _Active | None:
        """Take in what earlier sessions left of a run; None where it is finished."""
        files = self._directory.run(run.key)
        if files.parquet.exists():
            count, meta = read_meta(files.parquet)
            count = meta.get("trials", count)
            files.drop_parts()
            self.finished += 1
            self.trials += count
            progress.logged(run, count, meta["best"])
            progress.finished(run)
            return None
        rows, _ = files.read()
        count = 0 if rows is None else priced_in(rows)
        if rows is not None:
            progress.logged(run, count, best_of(rows, run))
        self.trials += count
        return _Active(run, files, count)

    def _loop(self, waiting: deque[_Active], streams: Streams, most: int, progress: Progress) -> None:
        active: list[_Active] = []
        try:
            while waiting or active:
                while waiting and len(active) < most:
                    active.append(waiting.popleft())
                    self._submit(active[-1], streams)
                for one, item in streams.ready(WAIT_S):
                    if self._take(one, item, progress):
                        one.close()
                        active.remove(one)
                        if one.last == "again":
                            waiting.appendleft(one)
        finally:
            for one in active:
                one.close()
            streams.cancel()

    def _submit(self, one: _Active, streams: Streams) -> None:
        """Hand a run out with what is logged of it."""
        import ray

        from designgym.experiments.cluster import as_remote
        from designgym.experiments.worker import run_remotely, task_of

        self._task = self._task or as_remote(run_remotely)
        problem = one.run.problem
        if problem.label not in self._problems:
            self._problems[problem.label] = ray.put(problem.problem)
        rows, one.meta = one.files.read()
        one.files.error.unlink(missing_ok=True)
        one.last = None
        streams.add(self._task.remote(self._problems[problem.label], task_of(one.run), _bytes(rows)), one)

    def _take(self, one: _Active, item: Any, progress: Progress) -> bool:
        """Write down one item of a run's stream; return whether that was its last."""
        from designgym.experiments.worker import Ended, Failed

        if isinstance(item, bytes):
            self._append(one, item, progress)
        elif isinstance(item, Ended | Failed):
            one.last = item
        elif item is None and isinstance(one.last, Ended):
            self._finish(one, one.last, progress)
            return True
        elif item is None and isinstance(one.last, Failed):
            self.broken_model |= one.last.model
            self._fail(one, self._explained(one, one.last), one.last.traceback, progress)
            return True
        else:
            self._break_off(one, item, progress)
            return True
        return False

    def _append(self, one: _Active, item: bytes, progress: Progress) -> None:
        import pyarrow as pa

        for batch in pa.ipc.open_stream(item):
            if one.writer is None:
                one.writer = one.files.next_part(batch.schema, self._meta(one.run))
            one.writer.append(batch)
            one.logged += priced_in(batch)
            one.crashes = 0
            self.trials += priced_in(batch)
            progress.priced(one.run, batch, one.logged)

    def _meta(self, run: RunSpec) -> dict[str, Any]:
        """What the run's file says about it."""
        metrics = {metric.name: vars(metric) for metric in run.problem.problem.cost_model.metrics}
        units = {p.name: p.unit for p in run.problem.problem.space.parameters}
        return {**run.definition, "key": run.key, "versions": self._versions, "metrics": metrics, "units": units}

    def _finish(self, one: _Active, ended: Any, progress: Progress) -> None:
        from designgym.experiments.rows import empty_table

        one.close()
        rows, _ = one.files.read()
        if rows is None:
            rows = empty_table(one.run.problem.problem, one.run.key)
        how = {**vars(ended), "trials": priced_in(rows), "best": best_of(rows, one.run)}
        how["ended"] = how.pop("reason")
        one.files.finish(rows, self._meta(one.run) | how)
        self.finished += 1
        progress.finished(one.run)

    def _explained(self, one: _Active, failed: Any) -> str:
        """A run that cannot be continued names the versions before and now."""
        if not failed.replay:
            return str(failed.error)
        differs = changed(one.meta.get("versions", {}), self._versions) or "no library's version has changed"
        return f"{failed.error} ({differs})"

    def _fail(self, one: _Active, error: str, trace: str, progress: Progress) -> None:
        one.files.error.write_text(f"{error}\n\n{trace}", encoding="utf-8")
        self.failed[one.run.title] = error
        progress.failed(one.run, f"failed: {one.run.title}: {error.rstrip('.')}. See {one.files.error}.")

    def _break_off(self, one: _Active, error: Any, progress: Progress) -> None:
        """A worker died, or Ray lost the task: try again with what is logged, unless that keeps happening."""
        import ray

        one.crashes += 1
        lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
        text = f"{type(error).__name__}: {lines[-1]}" if lines else "its stream ended without a last word"
        if isinstance(error, ray.exceptions.RayTaskError) or one.crashes >= CRASHES:
            self._fail(one, text, str(error), progress)
        else:
            one.last = "again"
            progress.note(f"again: {one.run.title}: {text}")


def _bytes(rows: pa.Table | None) -> bytes | None:
    """Rows as an Arrow IPC stream."""
    import pyarrow as pa

    if rows is None:
        return None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue().to_pybytes())
