"""Trial rows on their way to another process: Arrow IPC streams in memory, none much larger than 64 MiB.

One stream for a whole log would lie in memory several times over while it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PACKET_BYTE = 2**26


def packets(tables: Iterable[pa.Table]) -> Iterator[pa.Buffer]:
    """Yield the rows in streams; each begins with a table and ends once it is large enough."""
    import pyarrow as pa

    sink, writer = pa.BufferOutputStream(), None
    for rows in tables:
        writer = writer or pa.ipc.new_stream(sink, rows.schema)
        writer.write_table(rows)
        if sink.tell() >= PACKET_BYTE:
            writer.close()
            yield sink.getvalue()
            sink, writer = pa.BufferOutputStream(), None
    if writer is not None:
        writer.close()
        yield sink.getvalue()


def rows_of(streams: Iterable[pa.Buffer]) -> pa.Table | None:
    """Return the rows of streams as one table that lies in their memory; None where there is no stream."""
    import pyarrow as pa

    return joined(pa.ipc.open_stream(stream).read_all() for stream in streams)


def joined(tables: Iterable[pa.Table]) -> pa.Table | None:
    """Return the tables as one; None where there is none."""
    import pyarrow as pa

    found = list(tables)
    return pa.concat_tables(found) if found else None
