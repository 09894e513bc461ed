"""What the driver of a sweep writes down: trials as they come, how each run ended, which runs broke and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from designgym.experiments.checkpoints import Unusable, from_the_start, read_checkpoint, write_checkpoint
from designgym.experiments.files import LogError
from designgym.experiments.finished import check_bytes, read_meta
from designgym.experiments.handover import Checkpoint, Note, PolicyFiles
from designgym.experiments.interrupts import uninterrupted
from designgym.experiments.kept_policies import is_kept, write_policy
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import RunFiles
from designgym.experiments.plain import plain
from designgym.experiments.progress import Progress, best_of
from designgym.experiments.retrying import reopen
from designgym.experiments.rows import empty_table, priced_in
from designgym.experiments.runs import RunSpec
from designgym.experiments.streams import PartWriter
from designgym.experiments.tasks import Ended, Failed
from designgym.experiments.trust import TrustError
from designgym.experiments.versions import changed, versions

if TYPE_CHECKING:
    import pyarrow as pa


def better_of(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return which of two best trials is the better one, the first where they tie."""
    if one is None or (other is not None and other["reward"] > one["reward"]):
        return other
    return one


@dataclass
class Sums:
    """What a run's rows come to. trials: designs priced; best: the best of them; cheap: priced by a cheap model."""

    run: RunSpec
    rows: int = 0
    trials: int = 0
    best: dict[str, Any] | None = None
    cheap: int = 0

    def add(self, rows: pa.Table) -> None:
        """Take more rows in."""
        self.rows += rows.num_rows
        self.trials += priced_in(rows)
        self.cheap += priced_in(rows, "cheap")
        self.best = better_of(self.best, best_of(rows, self.run))


@dataclass
class Active:
    """A run under way. logged: designs priced in the log; rows: rows there; meta: what the log said of it before.

    crashes: deaths of its worker since the last new trial. last: the last word of its worker. policy: what it learned.
    """

    run: RunSpec
    files: RunFiles
    logged: int = 0
    rows: int = 0
    crashes: int = 0
    writer: PartWriter | None = None
    last: Any = None
    policy: PolicyFiles | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Close its part of the log."""
        if self.writer is not None:
            with uninterrupted():
                writer, self.writer = self.writer, None
                writer.close()


class Ledger:
    """One session's entries in the log of a sweep, and the sums of what it holds. retry_failed: whether to try again.

    finished: runs; trials: designs priced; both of all sessions, once `find` has seen every run. failed: titles of the
    runs that broke, with why. broken_model: whether a cost model broke its contract in one of them.
    """

    def __init__(self, directory: SweepDirectory, progress: Progress, retry_failed: bool = False) -> None:
        self._directory, self.progress, self._retry_failed = directory, progress, retry_failed
        self._versions = versions()
        self._keeps = True
        self.finished = 0
        self.trials = 0
        self.failed: dict[str, str] = {}
        self.broken_model = False

    def find(self, run: RunSpec) -> Active | None:
        """Take in what earlier sessions left of a run; None where it is finished, or a file of it is damaged."""
        files = self._directory.run(run.key)
        try:
            if self._retry_failed and (count := reopen(files)):
                what = "1 failed trial is" if count == 1 else f"{count} failed trials are"
                self.progress.note(f"{run.title}: {what} tried again, with what was asked since")
            return self._find(run, files)
        except LogError as error:  # the other runs go on
            self.failed[run.title] = str(error)
            self.progress.failed(run, f"failed: {run.title}: {error}")
            return None

    def _find(self, run: RunSpec, files: RunFiles) -> Active | None:
        if files.parquet.exists():
            check_bytes(files.parquet)
            files.drop_parts()
            if not run.keeps_policy or is_kept(files.policy):
                self._take_finished(run, files)
                return None
            self.progress.note(f"{run.title}: its policy is not there, or damaged: it is trained again")
        sums = Sums(run)
        for rows in files.logged():
            sums.add(rows)
        if sums.rows:
            self.progress.logged(run, sums.trials, sums.best)
        self.trials += sums.trials
        return Active(run, files, sums.trials, sums.rows)

    def _take_finished(self, run: RunSpec, files: RunFiles) -> None:
        count, meta = read_meta(files.parquet)
        count = meta.get("trials", count)
        self.finished += 1
        self.trials += count
        self.progress.logged(run, count, meta["best"])
        self.progress.finished(run)

    def begin(self, one: Active) -> Iterator[pa.Table]:
        """Return what is logged of a run that is about to begin or to go on, batch by batch as `RunFiles.logged`."""
        one.meta = one.files.meta
        one.files.error.unlink(missing_ok=True)
        one.last = one.policy = None
        return one.files.logged()

    def checkpoint(self, one: Active) -> Checkpoint | None:
        """Return where a run that is about to go on was last at rest; a note says where that is of no use."""
        found = read_checkpoint(one.files.checkpoint, one.run.key, one.rows)
        if isinstance(found, Unusable):
            self.note(one, Note(from_the_start(found.why)))
            return None
        return found

    def keep(self, one: Active, checkpoint: Checkpoint) -> None:
        """Write down where a run is at rest."""
        if not self._keeps:
            return
        try:
            with uninterrupted():
                write_checkpoint(one.files.checkpoint, one.run.key, checkpoint)
        except TrustError as error:
            self._keeps = False
            self.progress.note(f"no checkpoints: {error}")

    def note(self, one: Active, note: Note) -> None:
        """Pass on what a run has to say."""
        self.progress.note(f"{one.run.title}: {note.text}")

    def append(self, one: Active, batch: pa.RecordBatch) -> None:
        """Write new trials down."""
        if one.writer is None:
            one.writer = one.files.next_part(batch.schema, self._meta(one.run))
        priced = priced_in(batch)
        with uninterrupted():
            one.writer.append(batch)
            one.logged += priced
            one.rows += batch.num_rows
            self.trials += priced
        one.crashes = 0
        self.progress.priced(one.run, batch, one.logged)

    def _meta(self, run: RunSpec) -> dict[str, Any]:
        """What the run's file says about it."""
        metrics = {metric.name: vars(metric) for metric in run.problem.problem.cost_model.metrics}
        units = {p.name: p.unit for p in run.problem.problem.space.parameters}
        return {**run.definition, "key": run.key, "versions": self._versions, "metrics": metrics, "units": units}

    def finish(self, one: Active, ended: Ended) -> None:
        """Put a run that has ended into its one file."""
        one.close()
        with uninterrupted():
            if one.policy is not None:
                self._keep_policy(one, one.policy)
            self._into_one_file(one, ended)
            self.finished += 1
        self.progress.finished(one.run)

    def _keep_policy(self, one: Active, policy: PolicyFiles) -> None:
        run = one.run
        about = {
            "agent": run.agent.name,
            "label": run.agent.label,
            "hyperparameters": plain(run.agent.hyperparameters),
            "env": run.problem.id,
            "options": plain(run.problem.given),
            "seed": run.seed,
            "trials": one.logged,
            "key": run.key,
            "versions": self._versions,
        }
        write_policy(one.files.policy, about, policy.files)

    def _into_one_file(self, one: Active, ended: Ended) -> None:
        with one.files.finishing() as file:
            file.write(empty_table(one.run.problem.problem, one.run.key))
            sums = Sums(one.run)
            for rows in one.files.logged():
                file.write(rows)
                sums.add(rows)
            how = {**vars(ended), "trials": sums.trials, "cheap": sums.cheap, "best": sums.best}
            how["ended"] = how.pop("reason")
            file.meta = self._meta(one.run) | how

    def give_up(self, one: Active, failed: Failed) -> None:
        """Write down why a run broke; one that cannot be continued names the versions before and now."""
        self.broken_model |= failed.model
        error = failed.error
        if failed.replay:
            differs = changed(one.meta.get("versions", {}), self._versions) or "no library's version has changed"
            error = f"{error} ({differs})"
        one.close()
        one.files.note_error(f"{error}\n\n{failed.traceback}")
        self.failed[one.run.title] = error
        self.progress.failed(one.run, f"failed: {one.run.title}: {error.rstrip('.')}. See {one.files.error}.")
