"""By what a simulator's results are known: a hash of all that they depend on but the design.

That is the meaning of its YAML file, its templates' texts, and the bytes of its program, of the files among its
arguments, of its inputs and of what it says it depends on. What changes no result is left out: names and
descriptions, time limits, retries, what is kept. What a program loads by itself, as an interpreter its packages,
belongs in `depends`. The values of the variables under `environment.from_user` are left out too, so that a license's
place makes no difference: a variable that changes results belongs under `environment.set`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designgym.cost_models.simulators.spec import SimulatorError, SimulatorSpec

FORMAT = "1"  # of what is hashed, and of how designs are written and outputs read: raise it when any of that changes
NO_MATTER = ("name", "description", "seconds", "parse_seconds", "retries", "keep", "parameters", "constraints",
             "objective")  # fmt: skip
MOST_FILES = 100_000


@dataclass(frozen=True)
class Stamp:
    """A file whose bytes count, as they were when the model was made."""

    path: str
    sha256: str
    size: int
    changed_ns: int

    def unchanged(self) -> bool:
        """Whether its bytes are still the same; they are read only where size or time differ."""
        try:
            state = os.stat(self.path)
            if (state.st_size, state.st_mtime_ns) == (self.size, self.changed_ns):
                return True
            return stamp(Path(self.path)).sha256 == self.sha256
        except OSError:
            return False


def stamp(path: Path) -> Stamp:
    """Read a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        state = os.fstat(file.fileno())
    return Stamp(str(path), digest, state.st_size, state.st_mtime_ns)


def stamped(where: str, path: Path) -> Stamp:
    """Read a file; SimulatorError where that cannot be done."""
    try:
        return stamp(path)
    except OSError as error:
        raise SimulatorError(f"{where}: {str(path)!r} cannot be read: {(error.strerror or '').lower()}.") from None


def files_below(where: str, path: Path) -> dict[str, Path]:
    """Return the files of a folder by their names in it, a file itself by the name ''. SimulatorError where none is."""
    if os.path.isfile(path):  # of a name that is too long, too, which Path.is_file raises for
        return {"": path}
    if not os.path.isdir(path):
        raise SimulatorError(f"{where}: there is no file or folder {str(path)!r}. Check the path.")
    found: dict[str, Path] = {}
    for root, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for one in (Path(root, name) for name in sorted([*names, *folders])):
            if one.is_file():
                found[one.relative_to(path).as_posix()] = one
            elif one.is_symlink() or not one.is_dir():
                raise SimulatorError(f"{where}: {str(one)!r} must be a file or a folder, got a link or a device. Name "
                                     "what counts by itself.")  # fmt: skip
        if len(found) > MOST_FILES:
            raise SimulatorError(f"{where}: {str(path)!r} holds more than {MOST_FILES} files. Name a smaller folder.")
    return found


def version_of(
    spec: SimulatorSpec, texts: Mapping[str, str], stamps: Iterable[tuple[str, Stamp]], names: Mapping[str, Any]
) -> str:
    """Return the version: 16 hexadecimal digits.

    texts: those of template files. stamps: each with the part that it plays. names: what numbers in columns stand for.
    """
    meaning: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude=set(NO_MATTER))
    for metric in meaning["metrics"].values():
        del metric["meaning"]
    for entry in meaning["files"].values():
        entry.pop("template")  # its text counts, not where it lies
    known = {
        "format": FORMAT,
        "meaning": {key: value for key, value in meaning.items() if key not in ("inputs", "depends")},
        "texts": dict(texts),
        "names": dict(names),
        "files": sorted((part, one.sha256) for part, one in stamps),
    }
    data = json.dumps(known, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(data.encode()).hexdigest()[:16]
