"""The directory in which one evaluation runs: what is put there, and what is read back without following a link."""

import os
import re
import shutil
import stat
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from designgym.cost_models.simulators.spec import MOST_READ_BYTE, SimulatorError

OWN = ".tmp"  # the command's TMPDIR
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NAME = re.compile(r"[^{}\0\n]+")


class Unreadable(ValueError):
    """A file that the simulator should have left is not there, is too large, or is none of its own. One line."""


def inside_name(where: str, name: str) -> str:
    """Return the name of a file inside the directory, in its one spelling. SimulatorError where it may be elsewhere."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not NAME.fullmatch(name):
        raise SimulatorError(f"{where}: a file's name must hold no placeholders or braces, got {name!r}. Rename it.")
    if name.startswith("/") or not parts or ".." in parts or parts[0] == OWN:
        raise SimulatorError(
            f"{where}: a file must lie in the evaluation's directory, got {name!r}. Give a relative name without '..'."
        )
    return "/".join(parts)


@dataclass
class TrialDirectory:
    """An empty directory that nobody else may enter. kept: whether it stays at the end."""

    path: Path
    kept: bool = False


@contextmanager
def trial_directory(name: str) -> Iterator[TrialDirectory]:
    """Make one in $TMPDIR, and remove it at the end, whatever happened."""
    made = TrialDirectory(Path(tempfile.mkdtemp(prefix=f"designgym-{name}-")).resolve())
    try:
        yield made
    finally:
        if not made.kept:
            remove(made.path)


def remove(path: Path) -> None:
    """Remove a directory, also where the simulator has taken away the right to. A warning where that fails."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            _remove_below(path)
        else:
            path.unlink()  # the simulator has put something else there
    except FileNotFoundError:
        return  # the simulator has removed it
    except OSError as error:
        warnings.warn(f"{path} cannot be removed: {error.strerror}. Remove it yourself.", stacklevel=2)


def _remove_below(top: Path) -> None:
    """Remove a directory from its leaves up, by descriptors of one folder at a time: no path is too long for that."""
    os.chmod(top, 0o700)
    here = os.open(top, FOLDER)
    names: list[str] = []  # the way from top to here
    left = [_emptied(here)]  # the folders still to remove on each step of it
    try:
        while names or left[-1]:
            down = left[-1].pop() if left[-1] else ""
            if down:
                os.chmod(down, 0o700, dir_fd=here)
            there = os.open(down or "..", FOLDER, dir_fd=here)
            os.close(here)
            here = there
            if down:
                names.append(down)
                left.append(_emptied(here))
            else:
                left.pop()
                os.rmdir(names.pop(), dir_fd=here)
    finally:
        os.close(here)
    os.rmdir(top)


def _emptied(folder: int) -> list[str]:
    """Remove a folder's files, links and the like; return the names of the folders in it."""
    with os.scandir(folder) as scan:
        entries = list(scan)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
    return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def put(directory: Path, texts: Mapping[str, str], inputs: Mapping[str, Path]) -> None:
    """Write texts and copy inputs into an empty directory; their names are those of `inside_name`."""
    for name in (*texts, *inputs):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name).write_bytes(text.encode())
    for name, source in inputs.items():
        shutil.copy(source, directory / name)


def read_inside(directory: Path, name: str) -> bytes:
    """Read a file that the simulator left, of at most 10 MiB. Unreadable where any part of its name is a link.

    Each part is opened from the one before, so that a link planted meanwhile leads nowhere.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    parts = name.split("/")
    try:
        here = os.open(directory, flags | os.O_DIRECTORY)
    except OSError:
        raise Unreadable(f"{name} is not there, and its directory is gone") from None
    for i, part in enumerate(parts):
        # Without O_NONBLOCK a named pipe would wait for its writer.
        more = os.O_NONBLOCK if i == len(parts) - 1 else os.O_DIRECTORY
        try:
            below = os.open(part, flags | more, dir_fd=here)
        except OSError as error:
            raise Unreadable(f"{name} {_why(here, part, error)}") from None
        finally:
            os.close(here)
        here = below
    try:
        state = os.fstat(here)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
            raise Unreadable(f"{name} must be a file of the simulator's own, got another kind or a second name of one")
        if state.st_size > MOST_READ_BYTE:
            raise Unreadable(f"{name} must have at most {MOST_READ_BYTE} bytes, got {state.st_size}")
        with open(here, "rb", closefd=False) as opened:
            return opened.read(MOST_READ_BYTE)
    finally:
        os.close(here)


def _why(here: int, part: str, error: OSError) -> str:
    try:
        link = stat.S_ISLNK(os.stat(part, dir_fd=here, follow_symlinks=False).st_mode)
    except OSError:
        return "is not there"
    return "must not be a link or lie behind one" if link else f"cannot be read: {(error.strerror or '').lower()}"
