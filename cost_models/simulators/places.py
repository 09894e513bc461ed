"""Whether a placeholder stands where the format of its file has room for any value: asked of the format's parser."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

import yaml

from designgym.cost_models.simulators.spec import SimulatorError
from designgym.cost_models.simulators.written import WRITTEN

STAND_IN = "designgym <a>, \"b\" & 'c': "  # in no format does it come through without being escaped
PLACES = {
    "json": "a whole value, without quotes around it",
    "yaml": "a whole value, without quotes around it",
    "csv": "a whole cell, without quotes around it",
    "xml": "in a text or in an attribute's quotes",
}


def check_places(where: str, format: str, parts: Sequence[str]) -> None:
    """Fill in texts that need escaping, parse the file, and look for them where placeholders may stand.

    parts: a template's; those at odd places are names. SimulatorError where one of them is not found there.
    """
    names = parts[1::2]
    stand_ins = [f"{STAND_IN}{i}" for i in range(len(names))]
    put = WRITTEN[format]
    text = "".join(put(stand_ins[i // 2], ",") if i % 2 else part for i, part in enumerate(parts))
    try:
        found = list(_texts_in(format, text))
    except (ValueError, yaml.YAMLError, csv.Error, ElementTree.ParseError, RecursionError) as error:
        raise SimulatorError(
            f"{where} must be {format} in which a placeholder is {PLACES[format]}, got what does not "
            f"parse: {' '.join(str(error).split())}."
        ) from None
    whole = format != "xml"
    for name, stand_in in zip(names, stand_ins, strict=True):
        ends = re.compile(re.escape(stand_in) + r"(?!\d)")
        if not any(text == stand_in if whole else ends.search(text) for text in found):
            raise SimulatorError(
                f"{where}: in {format} a placeholder must be {PLACES[format]}, got {{{name}}} elsewhere."
            )


def _texts_in(format: str, text: str) -> Iterator[str]:
    if format == "csv":
        for row in csv.reader(io.StringIO(text), strict=True):
            yield from row
    elif format == "xml":
        for element in ElementTree.fromstring(text).iter():
            yield from filter(None, [element.text, element.tail, *element.attrib.values()])
    else:
        parsed = json.loads(text) if format == "json" else yaml.safe_load(text)
        yield from _values_in(parsed)


def _values_in(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        for value in tree:
            yield from _values_in(value)
    elif isinstance(tree, str):
        yield tree
