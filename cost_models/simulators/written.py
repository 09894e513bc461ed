"""How a value of a design is written: plain, or escaped for JSON, YAML, CSV and XML, so that it reads back the same."""

import json
import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import yaml

Value = int | float | str | tuple[Any, ...]  # a tuple: the items of a permutation, the members of a subset
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def number_text(value: float) -> str:
    """Write a number so that it reads back as the same: an int without a point, a float as Python's repr."""
    return str(value) if isinstance(value, int) else repr(float(value))


def _plain(value: Value, separator: str) -> str:
    if isinstance(value, tuple):
        return separator.join(_plain(item, separator) for item in value)
    return value if isinstance(value, str) else number_text(value)


def _as_json(value: Value, separator: str) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_as_json(item, separator) for item in value)}]"
    return json.dumps(value) if isinstance(value, str) else number_text(value)


def _as_yaml(value: Value, separator: str) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_as_yaml(item, separator) for item in value)}]"
    # Not as in JSON: YAML does not put two surrogates together.
    return dumped(value, "yaml").rstrip("\n") if isinstance(value, str) else _with_point(number_text(value))


def _with_point(number: str) -> str:
    """1e-07 as 1.0e-07: to YAML 1.1 the first is a text."""
    return re.sub(r"^(-?\d+)e", r"\1.0e", number)


def _as_cell(value: Value, separator: str) -> str:
    text = _plain(value, separator)
    return '"' + text.replace('"', '""') + '"' if re.search(r"[\s\"',;|]|^$", text) else text


def _as_xml(value: Value, separator: str) -> str:
    text = _plain(value, separator)
    if found := NO_XML.search(text):
        raise ValueError(f"XML must not hold the character {found[0]!r}, got {text!r}. Rename it.")
    return escape(text, {'"': "&quot;", "'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


WRITTEN: dict[str, Callable[[Value, str], str]] = {
    "text": _plain, "json": _as_json, "yaml": _as_yaml, "csv": _as_cell, "xml": _as_xml,
}  # fmt: skip


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes every text, and writes floats as we do."""


_Dumper.add_representer(
    float, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", _with_point(number_text(value)))
)
_Dumper.add_representer(str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"'))


def dumped(tree: Any, format: str) -> str:
    """Write a mapping or a list as JSON or YAML; each text in quotes, so that none is read as a number."""
    if format == "json":
        return json.dumps(tree, indent=1) + "\n"
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, width=10**9)
    return text
