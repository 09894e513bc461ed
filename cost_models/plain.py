"""Turn what defines a run or a problem into plain JSON values, the same in every process, to be hashed and logged."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a value made of what JSON knows: a dataclass as its fields, a function or class as its dotted name.

    ValueError for a value whose text would differ from process to process.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.init}
        return {"kind": type(value).__name__, **named}
    text = repr(value)
    if " at 0x" in text:
        raise ValueError(f"{text} cannot be written down. Give its class a repr made of its settings.")
    return text


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits that stand for a value: SHA-256 over its JSON with sorted keys."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
