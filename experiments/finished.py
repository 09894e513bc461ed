"""The Parquet file of a finished run: written row group by row group, checked as it is read.

Its metadata holds a checksum of each row group's values, one of all bytes before the footer, and one of the footer's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from designgym.experiments.files import BROKEN, LogError, damaged, packed, unpacked, written_safely
from designgym.experiments.footer import UNSEALED, read_footer, sealed
from designgym.experiments.rows import checksum

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_CRCS = b"designgym.rows-crc32"
FILE_CRC = b"designgym.file-crc32"
GROUP = 2**17  # rows of a group: what is in memory at a time
CHUNK_BYTE = 2**22


class FinishedWriter:
    """Writes rows as they come, with the metadata that is in `meta` at the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = _Summed(file)
        self._writer: Any = None
        self._held: list[pa.Table] = []
        self._rows = 0
        self._crcs: list[int] = []
        self.meta: dict[str, Any] = {}

    def write(self, rows: pa.Table) -> None:
        """Add rows; the first ones, which may be none, say which columns there are."""
        import pyarrow.parquet as pq

        rows = rows.replace_schema_metadata(None)
        if self._writer is None:
            how: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True, "store_schema": True}
            self._writer = pq.ParquetWriter(self._file, rows.schema, **how)
        self._held.append(rows)
        self._rows += rows.num_rows
        if self._rows >= GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._rows:
            rows = pa.concat_tables(self._held).unify_dictionaries().combine_chunks()
            self._crcs.append(checksum(rows))
            self._writer.write_table(rows, row_group_size=rows.num_rows)
        self._held, self._rows = [], 0

    def close(self) -> None:
        """Write what is held, and the footer."""
        self._write_group()
        sums = {GROUP_CRCS: ",".join(map(str, self._crcs)).encode(), FILE_CRC: str(self._file.crc).encode()}
        texts = {name.decode(): text.decode() for name, text in (packed(self.meta) | sums | UNSEALED).items()}
        self._writer.add_key_value_metadata(texts)
        with self._file.held_back() as footer:
            self._writer.close()
        self._file.write(sealed(bytes(footer)))

    def abandon(self) -> None:
        """Let Arrow end a file that nobody wants: it would try to when it is collected, and say that it cannot."""
        self._file.lost = True
        if self._writer is not None:
            self._writer.close()


class _Summed:
    """A file that sums up what is written to it. lost: whether all further bytes are thrown away."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._held: bytearray | None = None
        self.crc = 0
        self.closed = self.lost = False

    @contextmanager
    def held_back(self) -> Iterator[bytearray]:
        """Gather what is written meanwhile, in place of writing it."""
        self._held = bytearray()
        try:
            yield self._held
        finally:
            self._held = None

    def write(self, data: Any) -> int:
        if self.lost:
            return len(data)
        if self._held is not None:
            self._held += data
            return len(data)
        self.crc = zlib.crc32(data, self.crc)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell() + len(self._held or b"")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True


@contextmanager
def finished_file(path: Path) -> Iterator[FinishedWriter]:
    """Open the file of a finished run: it is there whole once it is closed, or not at all."""
    with written_safely(path) as file:
        writer = FinishedWriter(file)
        try:
            yield writer
            writer.close()
        except BaseException:
            writer.abandon()
            raise


def write_parquet(path: Path, rows: pa.Table, meta: dict[str, Any]) -> None:
    """Write rows with metadata so that the file is there whole or not at all."""
    with finished_file(path) as file:
        for first in range(0, max(1, rows.num_rows), GROUP):
            file.write(rows[first : first + GROUP])
        file.meta = meta


def read_parquet(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the rows and metadata of a finished run. LogError when the file is damaged or of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found, _ = read_footer(path)
        with pq.ParquetFile(path, metadata=found, page_checksum_verification=True) as file:
            meta = unpacked(found.metadata)
            groups = [file.read_row_group(number) for number in range(found.num_row_groups)]
            rows = pa.concat_tables(groups) if groups else file.schema_arrow.empty_table()
        crcs = found.metadata[GROUP_CRCS].decode().split(",") if groups else []
        summed = groups if len(crcs) == len(groups) else [rows]  # a file of one sum for all its groups
        if [str(checksum(one)) for one in summed] != crcs:
            raise LogError("checksum")
    except (pa.ArrowException, *BROKEN):
        raise damaged(path) from None
    return rows.replace_schema_metadata(None).unify_dictionaries(), meta


def read_meta(path: Path) -> tuple[int, dict[str, Any]]:
    """Return how many rows a Parquet file holds, and its metadata, without reading the rows."""
    import pyarrow as pa

    try:
        found, _ = read_footer(path)
        return found.num_rows, unpacked(found.metadata)
    except (pa.ArrowException, *BROKEN):
        raise damaged(path) from None


def check_bytes(path: Path) -> None:
    """LogError unless the file's bytes are those that were written; all but its footer are not made sense of."""
    import pyarrow as pa

    try:
        found, left = read_footer(path)
        expected = (found.metadata or {}).get(FILE_CRC)
        with open(path, "rb") as file:
            crc = 0
            while left > 0 and (data := file.read(min(left, CHUNK_BYTE))):
                crc, left = zlib.crc32(data, crc), left - len(data)
    except (pa.ArrowException, *BROKEN):
        raise damaged(path) from None
    if expected is not None and str(crc).encode() != expected:
        raise damaged(path)
