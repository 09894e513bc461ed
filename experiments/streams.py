"""A part of a run's log: an Arrow IPC stream that grows batch by batch, and is read as far as it is whole.

Every record batch and every header carries a checksum of what it holds: a stream cut off in its last batch is a torn
tail and loses that batch, anything else is damage and is named.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.files import BROKEN, META, META_CRC, LogError, damaged, explained, packed, unpacked
from designgym.experiments.rows import checksum

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_CRC = b"designgym.rows-crc32"
COLUMNS_CRC = b"designgym.columns-crc32"
# "Encapsulated message format" and "IPC streaming format" of arrow.apache.org/docs/format/Columnar.html.
CONTINUATION = b"\xff\xff\xff\xff"
END = CONTINUATION + bytes(4)


class PartWriter:
    """An Arrow IPC stream that holds every appended batch as soon as `append` returns, whatever happens next.

    A batch for which there is no room is taken back whole: LogError, and the file ends with the batch before it.
    """

    def __init__(self, path: Path, schema: pa.Schema, meta: dict[str, Any]) -> None:
        import pyarrow as pa

        self._path = path
        with explained(path):
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115
        self._schema = schema.with_metadata(packed(meta) | {COLUMNS_CRC: _columns_crc(schema)})
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


class PartReader:
    """A part, read batch by batch, without its torn tail. schema: None and meta: {} where not even the header is whole.

    LogError where it is damaged: for what comes after the last whole batch, once that is read.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._path = path
        self.schema: pa.Schema | None = None
        self.meta: dict[str, Any] = {}
        self._source = pa.OSFile(str(path))
        self._reader: Any = None
        self._place = 0  # where the last whole message ends
        try:
            reader = pa.ipc.open_stream(self._source)
            self.schema = reader.schema
            self.meta = unpacked(reader.schema.metadata)
            _check_columns(reader.schema)
            self._reader, self._place = reader, self._source.tell()
        except (pa.ArrowException, *BROKEN):
            self._check_rest(torn=True)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        if self._reader is None:
            return
        torn = False
        while not torn:
            try:
                batch = _next_batch(self._reader, self._path)
            except LogError:
                raise
            except (pa.ArrowException, *BROKEN):
                torn = True
            else:
                if batch is None:
                    break
                self._place = self._source.tell()
                yield batch
        self._check_rest(torn)

    def _check_rest(self, torn: bool) -> None:
        """LogError unless the rest is an end, or one batch that nobody finished: a second one after it is damage."""
        with open(self._path, "rb") as file:
            begins = CONTINUATION.startswith(file.read(len(CONTINUATION)))
            file.seek(self._place)
            rest = file.read()
        ended = rest.endswith(END)
        unfinished = 1 if torn and self._reader is not None and not ended else 0
        foreign = not begins or (self.schema is not None and self._reader is None)
        if foreign or rest.count(BATCH_CRC) > unfinished:
            raise damaged(self._path)


def read_part(path: Path) -> tuple[pa.Table | None, dict[str, Any]]:
    """Return a part's rows and metadata without its torn tail; None and {} where not even the header is whole."""
    import pyarrow as pa

    reader = PartReader(path)
    batches = list(reader)
    return (None if reader.schema is None else pa.Table.from_batches(batches, reader.schema)), reader.meta


def _next_batch(reader: Any, path: Path) -> pa.RecordBatch | None:
    """Read a batch, None at the end of the stream. LogError for a whole batch that is not what was written."""
    try:
        batch, custom = reader.read_next_batch_with_custom_metadata()
    except StopIteration:
        return None
    try:
        batch.validate(full=True)
        right = str(checksum(batch)).encode() == (custom or {}).get(BATCH_CRC)
    except BROKEN:
        right = False
    if not right:
        raise damaged(path)
    return batch


def _columns_crc(schema: pa.Schema) -> bytes:
    """Return a CRC-32 of the columns' names and types: the sums of batches are of values, whatever their types."""
    return str(zlib.crc32("\n".join(map(str, schema)).encode())).encode()


def _check_columns(schema: pa.Schema) -> None:
    """ValueError where columns are not those that were written. Early logs do not say which those were."""
    told = {name: text for name, text in (schema.metadata or {}).items() if name not in (META, META_CRC)}
    if told not in ({}, {COLUMNS_CRC: _columns_crc(schema)}):
        raise ValueError("checksum of the columns")
