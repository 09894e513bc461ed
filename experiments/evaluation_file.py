"""DIR/evaluation.json: entries of evaluations, one for each environment, its options and the kind of instances."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from designgym.experiments.files import BROKEN, written_safely

NAME = "evaluation.json"
FORMAT = 1


class EvaluationError(ValueError):
    """A file of evaluations cannot be used. One line; it names the file."""


def read_entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a file, none where there is no file. EvaluationError."""
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        entries, written = list(found["entries"]), found["format"]
        keys = [key_of(entry) for entry in entries]
    except BROKEN:
        raise EvaluationError(f"{path} is damaged. Delete it, and evaluate again.") from None
    if written != FORMAT or len(set(keys)) < len(keys):
        raise EvaluationError(f"{path} must be of format {FORMAT}, got {written}. Delete it, and evaluate again.")
    return entries


def write_entries(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Add entries to a file: each takes the place of one of the same environment, options and instances."""
    kept: dict[str, Mapping[str, Any]] = {key_of(entry): entry for entry in read_entries(path)}
    kept |= {key_of(entry): entry for entry in entries}
    text = json.dumps({"format": FORMAT, "entries": list(kept.values())}, indent=1) + "\n"
    with written_safely(path) as file:
        file.write(text.encode())


def key_of(entry: Mapping[str, Any]) -> str:
    """Return what an entry is known by."""
    return json.dumps([entry["env"], entry["options"], entry["instances"]], sort_keys=True)
