"""Files of a sweep's directory: written whole or not at all; what is wrong with one is said in a line."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LogError(ValueError):
    """A log, or a file of it, cannot be used. One line; it names the file."""


def damaged(path: Path) -> LogError:
    """Say that a file of the log cannot be used."""
    return LogError(f"{path} is damaged or no file of a trial log. Restore it, or delete it to run this anew.")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says against writing a file into one line that says what to do: LogError."""
    try:
        yield
    except OSError as error:
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        remedy = "Make room" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "Mend that"
        raise LogError(
            f"{path} cannot be written: {reason}. {remedy}: the same command goes on, nothing logged is lost."
        ) from error


@contextmanager
def written_safely(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that is in its place whole once it is written and synchronised, or not at all.

    LogError where it cannot be written; what there was of it is removed.
    """
    scratch = path.with_name(path.name + ".tmp")
    with explained(path):
        try:
            with open(scratch, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            replace_safely(scratch, path)
        except OSError:
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
