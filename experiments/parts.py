"""One run's files: Arrow IPC streams that grow while it runs, one Parquet file once it is finished.

DIR/runs/KEY/part-000.arrow, part-001.arrow, ... (each continuation opens the next), DIR/runs/KEY.parquet,
DIR/runs/KEY.error.txt where the run failed, and DIR/runs/KEY.failures.txt where evaluations of a slow model did. Every
record batch and every header carries a checksum of what it holds: a stream cut off in its last batch is a torn tail
and loses that batch, anything else is damage and is named.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.files import LogError, damaged, explained, written_safely
from designgym.experiments.rows import checksum

if TYPE_CHECKING:
    import pyarrow as pa

META = b"designgym"
META_CRC = b"designgym.meta-crc32"
BATCH_CRC = b"designgym.rows-crc32"
# "Encapsulated message format" and "IPC streaming format" of arrow.apache.org/docs/format/Columnar.html.
CONTINUATION = b"\xff\xff\xff\xff"
END = CONTINUATION + bytes(4)


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
    def parquet(self) -> Path:
        """The finished run."""
        return self.directory / "runs" / f"{self.key}.parquet"

    @property
    def error(self) -> Path:
        """Why the run failed last time."""
        return self.directory / "runs" / f"{self.key}.error.txt"

    @property
    def failures(self) -> Path:
        """Why evaluations of a slow model failed."""
        return self.directory / "runs" / f"{self.key}.failures.txt"

    @property
    def parts(self) -> list[Path]:
        """The parts there are, in order."""
        return sorted(self.folder.glob("part-*.arrow"))

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
        count = 0
        for path in self._complete():
            rows, found = read_part(path)
            meta = found or meta
            if rows is None or not rows.num_rows:
                continue
            index = rows.column("index").to_numpy()
            if meta.get("order") != "asked":
                if index[0] > count:
                    continue  # a part before it was cut short: what that held, and what follows it, is made again
                if index[0] != count or index[-1] != count + rows.num_rows - 1:
                    raise damaged(path)
            count += rows.num_rows
            tables.append(rows.replace_schema_metadata(None))
        joined = pa.concat_tables(tables) if tables else None
        if joined is not None and meta.get("order") == "asked":
            joined = self._in_order(joined)
        return joined, meta

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

    def note_failure(self, number: int, error: str) -> None:
        """Write down why an evaluation failed, one line a trial."""
        with explained(self.failures), open(self.failures, "a", encoding="utf-8") as file:
            file.write(f"trial {number}: {error}\n")

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

    def finish(self, rows: pa.Table, meta: dict[str, Any]) -> None:
        """Put everything logged into one Parquet file, and drop the parts once it is safe."""
        write_parquet(self.parquet, rows, meta)
        self.error.unlink(missing_ok=True)
        self.drop_parts()

    def drop_parts(self) -> None:
        """Remove the parts of a finished run."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("part-"))


class PartWriter:
    """An Arrow IPC stream that holds every appended batch as soon as `append` returns, whatever happens next.

    A batch for which there is no room is taken back whole: LogError, and the file ends with the batch before it.
    """

    def __init__(self, path: Path, schema: pa.Schema, meta: dict[str, Any]) -> None:
        import pyarrow as pa

        self._path = path
        with explained(path):
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115
        self._schema = schema.with_metadata(_packed(meta))
        self._sink = io.BytesIO()
        self._writer = pa.ipc.new_stream(self._sink, self._schema)
        self._length, self._empty = 0, True
        self._hand_over()

    def append(self, batch: pa.RecordBatch) -> None:
        """Append the rows and hand them to the operating system."""
        crc = str(checksum(batch)).encode()
        self._writer.write_batch(batch.replace_schema_metadata(self._schema.metadata), custom_metadata={BATCH_CRC: crc})
        self._hand_over()
        self._empty = False

    def _hand_over(self) -> None:
        """Write what Arrow has made of it, without a buffer that would try again at the wrong time."""
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        with explained(self._path):
            try:
                written = 0
                while written < len(data):
                    written += self._file.write(memoryview(data)[written:])
            except OSError:
                os.ftruncate(self._file.fileno(), self._length)
                self._file.seek(self._length)
                raise
        self._length += len(data)

    def close(self) -> None:
        """End the stream; where there is no room for its end mark it stays without, as after a crash.

        A part for whose first batch there was no room is removed: it would take what little there is.
        """
        self._writer.close()
        with self._file, suppress(LogError):  # the mark says that the stream was closed, and holds no trial
            self._hand_over()
        if self._empty:
            self._path.unlink()


def read_part(path: Path) -> tuple[pa.Table | None, dict[str, Any]]:
    """Return a part's rows and metadata without its torn tail; None and {} where not even the header is whole."""
    import pyarrow as pa

    data = path.read_bytes()
    source = pa.BufferReader(data)
    batches: list[pa.RecordBatch] = []
    reader: Any = None
    meta: dict[str, Any] | None = None
    place, torn = 0, False
    try:
        reader = pa.ipc.open_stream(source)
        meta = _unpacked(reader.schema.metadata)
        place = source.tell()
        while (batch := _next_batch(reader, path)) is not None:
            batches.append(batch)
            place = source.tell()
    except LogError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError):
        torn = True
    # An unfinished batch may stand at the end of a stream that nobody closed. A second one after it is damage.
    unfinished = 1 if torn and reader is not None and not data.endswith(END) else 0
    foreign = not data.startswith(CONTINUATION[: len(data)]) or (reader is not None and meta is None)
    if foreign or data.count(BATCH_CRC, place) > unfinished:
        raise damaged(path)
    return (pa.Table.from_batches(batches, reader.schema) if reader is not None else None), meta or {}


def _next_batch(reader: Any, path: Path) -> pa.RecordBatch | None:
    """Read a batch, None at the end of the stream. LogError for a whole batch that is not what was written."""
    try:
        batch, custom = reader.read_next_batch_with_custom_metadata()
    except StopIteration:
        return None
    try:
        batch.validate(full=True)
        right = str(checksum(batch)).encode() == (custom or {}).get(BATCH_CRC)
    except ValueError:
        right = False
    if not right:
        raise damaged(path)
    return batch


def write_parquet(path: Path, rows: pa.Table, meta: dict[str, Any]) -> None:
    """Write rows with metadata so that the file is there whole or not at all."""
    import pyarrow.parquet as pq

    rows = rows.unify_dictionaries()
    packed = _packed(meta) | {BATCH_CRC: str(checksum(rows)).encode()}
    with written_safely(path) as file:
        pq.write_table(
            rows.replace_schema_metadata(packed), file, compression="zstd", write_page_checksum=True, store_schema=True
        )


def read_parquet(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the rows and metadata of a finished run. LogError when the file is damaged or of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path, page_checksum_verification=True, partitioning=None)
        meta = _unpacked(rows.schema.metadata)
        if str(checksum(rows)).encode() != rows.schema.metadata.get(BATCH_CRC):
            raise LogError("checksum")
    except (pa.ArrowException, OSError, ValueError, KeyError):
        raise damaged(path) from None
    return rows.replace_schema_metadata(None), meta


def read_meta(path: Path) -> tuple[int, dict[str, Any]]:
    """Return how many rows a Parquet file holds, and its metadata, without reading the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path)
        return found.num_rows, _unpacked(found.metadata)
    except (pa.ArrowException, OSError, ValueError, KeyError):
        raise damaged(path) from None


def _packed(meta: dict[str, Any]) -> dict[bytes, bytes]:
    text = json.dumps(meta, sort_keys=True).encode()
    return {META: text, META_CRC: str(zlib.crc32(text)).encode()}


def _unpacked(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """Return the metadata; ValueError or KeyError where it is missing or not what was written."""
    text = (metadata or {})[META]
    if str(zlib.crc32(text)).encode() != (metadata or {})[META_CRC]:
        raise ValueError("checksum of the metadata")
    meta: dict[str, Any] = json.loads(text)
    return meta
