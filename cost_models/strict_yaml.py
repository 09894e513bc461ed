"""Read a YAML file that a person wrote: a mapping at the top, and no key twice.

PyYAML lets the last of two equal keys win in silence (YAML 1.2.2, 3.2.1.1, asks for unique keys).
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml


class YamlError(ValueError):
    """The text is no YAML, no mapping, or holds a key twice. One line; it names the line in the file."""


class _Numbers(yaml.SafeLoader):
    """SafeLoader to which 1e-6 is a number, as in YAML 1.2; to PyYAML, which follows 1.1, it is a text."""


_EXPONENT = re.compile(r"^[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$")
_Numbers.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


class _UniqueKeys(_Numbers):
    """SafeLoader that refuses a second value for a key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise YamlError(f"line {line}: a key must be a text, got {key!r}.")
            if key in seen:
                raise YamlError(
                    f"line {line}: the key {key!r} is there already, on line {seen[key]}. Drop one of them."
                )
            seen[key] = line
        return super().construct_mapping(node, deep)


def read_value(text: str) -> Any:
    """Return what a text stands for in YAML: a number, a list, ...; the text itself where it is no YAML."""
    try:
        return yaml.load(text, _Numbers) if text else ""
    except yaml.YAMLError:
        return text


def parse_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds."""
    try:
        loaded = yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise YamlError(f"{line}this is no YAML: {problem}.") from None
    if not isinstance(loaded, dict):
        what = "nothing" if loaded is None else f"a {type(loaded).__name__}"
        raise YamlError(f"the file must hold a mapping, such as `name: quickstart`, got {what}.")
    return loaded


def read_text(path: Path) -> str:
    """Return a file's text; YamlError says in one line why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise YamlError(f"cannot be read: {(error.strerror or str(error)).lower()}. Check the path.") from None
    except UnicodeDecodeError as error:
        raise YamlError(f"must be UTF-8 text, got byte {error.object[error.start]:#04x} at {error.start}.") from None
