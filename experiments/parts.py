"""One run's files: Arrow IPC streams that grow while it runs, one Parquet file once it is finished.

DIR/runs/KEY/part-000.arrow, part-001.arrow, ... (each continuation opens the next, `designgym.experiments.streams`),
DIR/runs/KEY/checkpoint, the last one of an agent that can be taken up again (`designgym.experiments.checkpoints`),
DIR/policies/KEY, what a finished training run has learned (`designgym.experiments.kept_policies`),
DIR/runs/KEY.parquet (`designgym.experiments.finished`), DIR/runs/KEY.error.txt where the run failed,
DIR/runs/KEY.retried.parquet where its failed evaluations are tried again (`designgym.experiments.retrying`), and
DIR/runs/KEY.failures.txt where evaluations of a slow model did, with what each said last in DIR/runs/KEY.failures.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.cost_models.base import Failure
from designgym.experiments.files import LogError, damaged, explained
from designgym.experiments.finished import FinishedWriter, finished_file, read_meta, read_parquet, write_parquet
from designgym.experiments.kept_policies import POLICIES
from designgym.experiments.streams import PartReader, PartWriter, read_part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LogError", "PartReader", "PartWriter", "RunFiles", "read_parquet", "read_part", "write_parquet"]


@dataclass(frozen=True)
class RunFiles:
    """The files of one run in a sweep's directory."""

    directory: Path
    key: str

    @property
    def folder(self) -> Path:
        """Where the parts lie while the run is unfinished."""
        return self.directory / "runs" / self.key

    @property
    def checkpoint(self) -> Path:
        """The agent as it last rested, while the run is unfinished."""
        return self.folder / "checkpoint"

    @property
    def policy(self) -> Path:
        """The folder of the policy that a finished training run keeps."""
        return self.directory / POLICIES / self.key

    @property
    def parquet(self) -> Path:
        """The finished run."""
        return self.directory / "runs" / f"{self.key}.parquet"

    @property
    def error(self) -> Path:
        """Why the run failed last time."""
        return self.directory / "runs" / f"{self.key}.error.txt"

    @property
    def retried(self) -> Path:
        """What a run had priced that was opened again since evaluations of it had failed, while it is unfinished."""
        return self.directory / "runs" / f"{self.key}.retried.parquet"

    @property
    def failures(self) -> Path:
        """Why evaluations of a slow model failed."""
        return self.directory / "runs" / f"{self.key}.failures.txt"

    @property
    def parts(self) -> list[Path]:
        """The parts there are, in order."""
        return sorted(self.folder.glob("part-*.arrow"))

    @property
    def meta(self) -> dict[str, Any]:
        """What the last part that has a header says of the run, or its file where it is finished."""
        if self.parquet.exists():
            return read_meta(self.parquet)[1]
        meta: dict[str, Any] = {}
        for path in self.parts:
            meta = PartReader(path).meta or meta
        return meta

    def read(self) -> tuple[pa.Table | None, dict[str, Any]]:
        """Return the trials logged so far, None for none, and the file's metadata. LogError names a damaged file."""
        if self.parquet.exists():
            return read_parquet(self.parquet)
        try:
            return self._read_parts()
        except FileNotFoundError:
            # A sweep that is still at work has just put the parts into one file.
            return read_parquet(self.parquet)

    def _read_parts(self) -> tuple[pa.Table | None, dict[str, Any]]:
        import pyarrow as pa

        tables: list[pa.Table] = []
        meta: dict[str, Any] = {}
        for rows, found in self._batches():
            tables += rows
            meta = found
        joined = pa.concat_tables(tables) if tables else None
        if joined is not None and meta.get("order") == "asked":
            joined = self._in_order(joined)
        return joined, meta

    def logged(self) -> Iterator[pa.Table]:
        """Yield what the parts hold, in order, batch by batch; the trials of a slow model, which are few, at once.

        A finished run that is made again, for the policy that it lost, has them in its one file.
        """
        if self.parquet.exists():
            yield read_parquet(self.parquet)[0]
            return
        for rows, meta in self._batches():
            if meta.get("order") == "asked":
                whole, _ = self._read_parts()
                yield from [] if whole is None else [whole]
                return
            yield from rows

    def _batches(self) -> Iterator[tuple[list[pa.Table], dict[str, Any]]]:
        """Yield each part's metadata with no rows, then its batches, one at a time, with the metadata as it stands."""
        import pyarrow as pa

        meta: dict[str, Any] = {}
        count = 0
        for path in self._complete():
            reader = PartReader(path)
            meta = reader.meta or meta
            yield [], meta
            for batch in reader:
                if not batch.num_rows:
                    continue
                index = batch.column("index").to_numpy()
                if meta.get("order") != "asked":
                    if index[0] > count:
                        break  # a part before it was cut short: what that held, and what follows it, is made again
                    if index[0] != count or index[-1] != count + batch.num_rows - 1:
                        raise damaged(path)
                count += batch.num_rows
                yield [pa.Table.from_batches([batch]).replace_schema_metadata(None)], meta

    def _complete(self) -> list[Path]:
        """Return the parts; LogError where one is missing."""
        paths = self.parts
        numbers = [_number(path) for path in paths]
        if numbers != list(range(len(numbers))):
            raise LogError(
                f"{self.folder} must hold parts 0 to {numbers[-1]}, got {len(numbers)} of them. Put back what is "
                "missing, or delete the folder to run this anew."
            )
        return paths

    def _in_order(self, rows: pa.Table) -> pa.Table:
        """Sort a slow model's trials by number: they are logged as they finish, and some may not have."""
        import numpy as np

        index = rows.column("index").to_numpy()
        if len(np.unique(index)) < len(index):
            raise damaged(self.folder)
        return rows.unify_dictionaries().take(np.argsort(index, kind="stable")).combine_chunks()

    def note_failure(self, number: int, failure: Failure) -> None:
        """Write down why an evaluation failed, one line a trial, and what it said last in a file of its own."""
        with explained(self.failures):
            if failure.log:
                self.failures.with_suffix("").mkdir(parents=True, exist_ok=True)
                self.log_of(number).write_text(failure.log, encoding="utf-8")
            with open(self.failures, "a", encoding="utf-8") as file:
                file.write(f"trial {number}: {failure.reason}\n")

    def log_of(self, number: int) -> Path:
        """Return where what a failed trial said last lies, if it said anything."""
        return self.failures.with_suffix("") / f"trial-{number}.txt"

    def note_error(self, text: str) -> None:
        """Write down why the run failed."""
        with explained(self.error):
            self.error.write_text(text, encoding="utf-8")

    def next_part(self, schema: pa.Schema, meta: dict[str, Any]) -> PartWriter:
        """Open a new part."""
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [_number(path) for path in self.parts]
        return PartWriter(self.folder / f"part-{max(numbers, default=-1) + 1:03d}.arrow", schema, meta)

    @contextmanager
    def finishing(self) -> Iterator[FinishedWriter]:
        """Open the one Parquet file for everything logged; once that is safe, drop the parts."""
        with finished_file(self.parquet) as file:
            yield file
        self.error.unlink(missing_ok=True)
        self.drop_parts()
        self.retried.unlink(missing_ok=True)

    def finish(self, rows: pa.Table, meta: dict[str, Any]) -> None:
        """Put rows into the one Parquet file, and drop the parts once it is safe."""
        with self.finishing() as file:
            file.write(rows)
            file.meta = meta

    def drop_parts(self) -> None:
        """Remove the parts of a finished run, and its checkpoint."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("part-"))
