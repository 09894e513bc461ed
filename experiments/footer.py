"""The footer of a Parquet file, which holds a CRC-32 of its own bytes: a byte of it that flipped is found.

"Parquet file format" of parquet.apache.org/docs: the last eight bytes are the footer's length and the magic number
PAR1. The sum is one of the footer's texts: eight hexadecimal digits, taken as zeros where the footer is summed up.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq

KEY = b"designgym.footer"
MARK = b"designgym.footer-crc32="  # its value begins so, and so is found without making sense of the footer
ZEROS = b"00000000"
UNSEALED = {KEY: MARK + ZEROS}
TAIL = 8


def sealed(footer: bytes) -> bytes:
    """Return a footer that holds `UNSEALED`, up to the end of its file, with its sum in place of the zeros."""
    place = _place(footer)
    return footer[:place] + b"%08x" % zlib.crc32(footer) + footer[place + len(ZEROS) :]


def read_footer(path: Path) -> tuple[pq.FileMetaData, int]:
    """Return what a file's footer says, and how many bytes come before it. A footer without a sum is taken as it is.

    ValueError where it is not what was written, or pyarrow.ArrowException or OSError.
    """
    import pyarrow.parquet as pq

    with open(path, "rb") as file:
        file.seek(-TAIL, 2)
        start = file.tell() - int.from_bytes(file.read(4), "little")
        file.seek(start)
        footer = file.read()
    if MARK in footer and sealed(_unsealed(footer)) != footer:
        raise ValueError("checksum of the footer")
    found = pq.read_metadata(path)
    if MARK not in footer and KEY in (found.metadata or {}):
        raise ValueError("no checksum of the footer")
    return found, start


def _unsealed(footer: bytes) -> bytes:
    place = _place(footer)
    return footer[:place] + ZEROS + footer[place + len(ZEROS) :]


def _place(footer: bytes) -> int:
    """Return where the sum lies."""
    return footer.rindex(MARK) + len(MARK)
