"""Files of a sweep's directory: written whole or not at all; what is wrong with one is said in a line."""

import errno
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BROKEN = (OSError, ValueError, KeyError, TypeError)  # what reading a damaged file may raise, besides ArrowException
META = b"designgym"
META_CRC = b"designgym.meta-crc32"


class LogError(ValueError):
    """A log, or a file of it, cannot be used. One line; it names the file."""


class WriteError(LogError):
    """A file cannot be written: the disk is full, say. What is wrong is the machine, not what was given."""

    exit_code = 1


def damaged(path: Path) -> LogError:
    """Say that a file of the log cannot be used."""
    return LogError(f"{path} is damaged or no file of a trial log. Restore it, or delete it to run this anew.")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says against writing a file into one line that says what to do: WriteError."""
    try:
        yield
    except OSError as error:
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        remedy = "Make room" if error.errno in FULL else "Mend that"
        raise WriteError(
            f"{path} cannot be written: {reason}. {remedy}: the same command goes on, nothing logged is lost."
        ) from error


@contextmanager
def written_safely(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that is in its place whole once it is written and synchronised, or not at all.

    WriteError where it cannot be written. What there is of it is removed where anything goes wrong.
    """
    scratch = path.with_name(path.name + ".tmp")
    with explained(path):
        try:
            with open(scratch, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            replace_safely(scratch, path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise


def replace_safely(scratch: Path, path: Path) -> None:
    """Rename a written file into place, so that the name survives a power cut too."""
    os.replace(scratch, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def packed(meta: dict[str, Any]) -> dict[bytes, bytes]:
    """Return metadata as Arrow keeps it, with a checksum."""
    text = json.dumps(meta, sort_keys=True).encode()
    return {META: text, META_CRC: str(zlib.crc32(text)).encode()}


def unpacked(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """Return the metadata; ValueError or KeyError where it is missing or not what was written."""
    text = (metadata or {})[META]
    if str(zlib.crc32(text)).encode() != (metadata or {})[META_CRC]:
        raise ValueError("checksum of the metadata")
    meta: dict[str, Any] = json.loads(text)
    return meta
