"""Put a design into a command's arguments and input files: placeholders are the names of parameters, in braces.

A placeholder is {rows}; {{ and }} are braces. There is nothing else: no formats, no attributes, no expressions, and
what was put in is never looked at again. Integers are written without a point, other numbers so that they read back as
the same float64. A name in an argument or in a plain text must be bare: letters, digits and '_.+-', without '-' in
front. In other formats it is escaped:

    json, yaml   a placeholder is a whole value, without quotes around it: they are written where the value is a text;
                 a permutation or a subset is a list. In `content` a text that is one placeholder is that value.
    csv          a placeholder is a whole cell, quoted where it must be
    xml          a placeholder stands in a text or in an attribute's quotes, with &lt; and the like

The parser of the format is asked whether that is so when a template is made. Elsewhere a permutation or a subset is its
items with the separator between them. A parameter that does not matter is written with its default.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from designgym.cost_models.registry import nearest
from designgym.cost_models.simulators.places import check_places
from designgym.cost_models.simulators.spec import SimulatorError
from designgym.cost_models.simulators.written import WRITTEN, Value, dumped

PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
BARE = re.compile(r"(?!-)[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Knob:
    """A parameter as templates see it. texts: the names that it may take, or whose order it is; none for numbers.

    many: its value is a tuple. idle: what is written of it where it does not matter, None where it always does.
    """

    name: str
    texts: tuple[str, ...] = ()
    many: bool = False
    idle: Value | None = None


@dataclass(frozen=True)
class Template:
    """A text in parts: those at odd places are names of parameters. where: what messages call it."""

    where: str
    format: str
    parts: tuple[str, ...]
    separator: str = ","

    @property
    def used(self) -> tuple[str, ...]:
        """The parameters that it names."""
        return self.parts[1::2]

    def filled(self, values: Mapping[str, Value]) -> str:
        """Return the text for one design, each placeholder replaced once."""
        put = WRITTEN[self.format]
        return "".join(put(values[part], self.separator) if i % 2 else part for i, part in enumerate(self.parts))


@dataclass(frozen=True)
class Structure:
    """The same of a mapping or a list, which is written as JSON or YAML. leaves: a Template for each text in it."""

    where: str
    format: str
    content: str  # JSON in which each text is the number of its leaf: a value that compares
    leaves: tuple[Template, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """The parameters that it names."""
        return tuple(name for leaf in self.leaves for name in leaf.used)

    def filled(self, values: Mapping[str, Value]) -> str:
        """Return the file's text for one design."""
        tree = _mapped(json.loads(self.content), lambda leaf: _leaf_value(self.leaves[int(leaf)], values))
        return dumped(tree, self.format)


def argument(where: str, text: str, knobs: Sequence[Knob], separator: str) -> Template:
    """Make the template of an argument. SimulatorError where a name is unknown or may not be bare."""
    made = Template(where, "text", _parts(where, text, knobs), separator)
    _need_bare(made, knobs)
    return made


def file_text(where: str, format: str, text: str, knobs: Sequence[Knob], separator: str) -> Template:
    """Make the template of a file. SimulatorError where a placeholder stands where its format has no room for it."""
    made = Template(where, format, _parts(where, text, knobs), separator)
    if format == "text":
        _need_bare(made, knobs)
    elif made.used:
        check_places(where, format, made.parts)
        _need_writable(made, knobs)
    return made


def file_content(where: str, format: str, content: Any, knobs: Sequence[Knob], separator: str) -> Structure:
    """Make the template of a file of a mapping or a list, whose keys hold no placeholders."""
    if format not in ("json", "yaml") or not isinstance(content, dict | list):
        raise SimulatorError(
            f"{where}: content must be a mapping or a list in a file of format json or yaml, got "
            f"{type(content).__name__} and {format}. Give a text or a template instead."
        )
    leaves: list[Template] = []

    def leaf(text: str) -> str:
        made = Template(where, "text", _parts(where, text, knobs), separator)
        leaves.append(made)
        return str(len(leaves) - 1)

    numbered = _mapped(content, leaf)
    try:
        return Structure(where, format, json.dumps(numbered, allow_nan=False), tuple(leaves))
    except (TypeError, ValueError) as error:
        raise SimulatorError(f"{where}: content must hold texts, numbers, lists and mappings: {error}.") from None


def _parts(where: str, text: str, knobs: Sequence[Knob]) -> tuple[str, ...]:
    """Take a text apart in one pass."""
    known = [knob.name for knob in knobs]
    parts, at = [""], 0
    for found in PART.finditer(text):
        parts[-1] += text[at : found.start()]
        at = found.end()
        if found[0] in ("{{", "}}"):
            parts[-1] += found[0][0]
        elif found[1] is None:
            raise SimulatorError(
                f"{where}: a single {found[0]!r} must be doubled, {found[0] * 2!r}, in {_near(text, at)}."
            )
        elif found[1] not in known:
            raise SimulatorError(
                f"{where}: {_short(found[0])} must be a parameter, got none of that name. {nearest(found[1], known)} "
                "Write {{ and }} for braces."
            )
        else:
            parts += [found[1], ""]
    parts[-1] += text[at:]
    return tuple(parts)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _near(text: str, at: int) -> str:
    return repr(text[max(0, at - 20) : at + 20])


def _need_bare(made: Template, knobs: Sequence[Knob]) -> None:
    by_name = {knob.name: knob for knob in knobs}
    for name in made.used:
        for text in by_name[name].texts:
            if not BARE.fullmatch(text):
                raise SimulatorError(
                    f"{made.where}: the names of {{{name}}} must be letters, digits and '_.+-' without '-' in front, "
                    f"got {text!r}. Rename it, or put it into a file of format json, yaml, csv or xml."
                )


def _need_writable(made: Template, knobs: Sequence[Knob]) -> None:
    by_name = {knob.name: knob for knob in knobs}
    for text in (text for name in made.used for text in by_name[name].texts):
        try:
            WRITTEN[made.format](text, made.separator)
        except ValueError as error:
            raise SimulatorError(f"{made.where}: {error}") from None


def _leaf_value(leaf: Template, values: Mapping[str, Value]) -> Any:
    """Return a text, or the value itself where the text is one placeholder and nothing else."""
    if leaf.used and leaf.parts == ("", leaf.used[0], ""):
        value = values[leaf.used[0]]
        return list(value) if isinstance(value, tuple) else value
    return leaf.filled(values)


def _mapped(tree: Any, leaf: Callable[[str], Any]) -> Any:
    """Return a tree of mappings and lists with each text replaced; keys stay."""
    if isinstance(tree, dict):
        return {key: _mapped(value, leaf) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_mapped(value, leaf) for value in tree]
    return leaf(tree) if isinstance(tree, str) else tree
