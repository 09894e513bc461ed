"""What of a design gets into arguments and files: numbers as they are, names bare or escaped, each once."""

import csv
import io
import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.cost_models.simulators.spec import SimulatorError
from designgym.cost_models.simulators.templates import Knob, argument, file_content, file_text
from designgym.cost_models.simulators.written import WRITTEN, number_text

FEW = settings(max_examples=40, deadline=None)
KNOBS = (Knob("rows"), Knob("policy", ("lru", "fifo-2")), Knob("wild", ("a b",)), Knob("loops", ("m", "n"), many=True))
VALUES = {"rows": 8, "policy": "fifo-2", "wild": "a b", "loops": ("n", "m")}


def test_placeholders_are_replaced_and_doubled_braces_are_braces() -> None:
    made = file_text("f", "text", "{rows}{{rows}} {{{policy}}} }}{{ {loops}", KNOBS, "+")
    assert made.filled(VALUES) == "8{rows} {fifo-2} }{ n+m"


@FEW
@given(st.text(), st.text(alphabet="{}rows!.[]:0"))
def test_what_was_put_in_is_never_looked_at_again(before: str, value: str) -> None:
    text = before.replace("{", "{{").replace("}", "}}")
    made = file_text("f", "json", '{{"k": {w}}}', [Knob("w", (value,))], ",")
    assert json.loads(made.filled({"w": value})) == {"k": value}
    assert file_text("f", "text", text + "{rows}", KNOBS, ",").filled({"rows": 3}) == before + "3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{row}", "f: '{row}' must be a parameter, got none of that name. Did you mean 'rows'?"),
        ("{rows.real}", "f: '{rows.real}' must be a parameter"),
        ("{rows!r}", "f: '{rows!r}' must be a parameter"),
        ("{rows:>9}", "f: '{rows:>9}' must be a parameter"),
        ("{rows + 1}", "f: '{rows + 1}' must be a parameter"),
        ("{}", "f: '{}' must be a parameter"),
        ("{0}", "f: '{0}' must be a parameter"),
        ("{ rows }", "f: '{ rows }' must be a parameter"),
        ("a { b", "f: a single '{' must be doubled, '{{', in 'a { b'"),
        ("a } b", "f: a single '}' must be doubled, '}}', in 'a } b'"),
        ("{ro{rows}", "f: a single '{' must be doubled"),
    ],
)
def test_there_is_nothing_but_bare_names(text: str, message: str) -> None:
    for make in (argument, lambda where, *more: file_text(where, "text", *more)):
        with pytest.raises(SimulatorError, match=re.escape(message)) as caught:
            make("f", text, KNOBS, ",")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "-rf", "", "a;b", "a\nb", "$HOME", "../x", "ü", "a=b", "a,b", '"'])
def test_a_name_that_is_not_bare_is_refused_in_arguments_and_plain_texts(name: str) -> None:
    for knob in (Knob("k", ("good", name)), Knob("k", ("good", name), many=True)):
        for make in (argument, lambda where, *more: file_text(where, "text", *more)):
            with pytest.raises(SimulatorError, match=r"f: the names of {k} must be letters, digits and '_.\+-'"):
                make("f", "{k}", [knob], ",")


def test_bare_names_and_negative_numbers_are_arguments() -> None:
    made = argument("f", "{rows}", KNOBS, ",")
    assert [made.filled({"rows": value}) for value in (-3, -1e-9, 5)] == ["-3", "-1e-09", "5"]
    assert argument("f", "{k}", [Knob("k", ("a_B.9+-",))], ",").filled({"k": "a_B.9+-"}) == "a_B.9+-"


@FEW
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**62), 2**62))
def test_numbers_read_back_as_the_same(value: float) -> None:
    text = number_text(value)
    assert type(value)(text) == value
    assert ("." not in text and "e" not in text) == isinstance(value, int)
    for format, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        back = read(WRITTEN[format](value, ","))
        assert type(back) is type(value)
        assert back == value
        assert math.copysign(1, back) == math.copysign(1, value)


def test_numbers_of_numpy_are_written_plainly() -> None:
    assert number_text(np.float64(0.1)) == "0.1"


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@FEW
@given(NAMES, NAMES)
def test_names_are_escaped_for_json_and_yaml(one: str, two: str) -> None:
    knobs = [Knob("a", (one,)), Knob("b", (two, one), many=True)]
    values = {"a": one, "b": (two, one)}
    as_json = file_text("f", "json", '{{"x": [{a}, {{"y": {b}}}]}}', knobs, ",").filled(values)
    assert json.loads(as_json) == {"x": [one, {"y": [two, one]}]}
    as_yaml = file_text("f", "yaml", "x: {a}\ny: [1, {b}]\nz:\n  - {a}\n", knobs, ",").filled(values)
    assert yaml.safe_load(as_yaml) == {"x": one, "y": [1, [two, one]], "z": [one]}


@FEW
@given(NAMES, NAMES)
def test_names_are_escaped_in_csv(one: str, two: str) -> None:
    made = file_text("f", "csv", "x,y,z\n{a},1,{b}\n", [Knob("a", (one,)), Knob("b", (two,))], ",")
    rows = list(csv.reader(io.StringIO(made.filled({"a": one, "b": two}), newline="")))
    assert rows == [["x", "y", "z"], [one, "1", two]]


@FEW
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"]), max_size=20))
def test_names_are_escaped_in_xml(name: str) -> None:
    made = file_text("f", "xml", "<a x='{k}' y=\"{k}\">{k}</a>", [Knob("k", (name,))], ",")
    element = ElementTree.fromstring(made.filled({"k": name}))
    assert (element.get("x"), element.get("y"), element.text or "") == (name, name, name)


def test_what_xml_cannot_hold_is_refused_when_the_template_is_made() -> None:
    with pytest.raises(SimulatorError, match=r"f: XML must not hold the character '\\x00', got 'a\\x00'"):
        file_text("f", "xml", "<a>{k}</a>", [Knob("k", ("good", "a\0"))], ",")


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("json", '{{"a": "{wild}"}}'),
        ("json", '{{"a": "x {wild}"}}'),
        ("json", "{{{wild}: 1}}"),
        ("yaml", "a: '{wild}'"),
        ("yaml", 'a: "{wild}"'),
        ("yaml", "a: x {wild}"),
        ("yaml", "{wild}: 1"),
        ("yaml", "a: |\n  {wild}\n"),
        ("yaml", "a: 1  # {wild}"),
        ("yaml", "a: &x 1\nb: *{wild}"),
        ("csv", '"{wild}",1\n'),
        ("csv", "a {wild},1\n"),
        ("xml", "<{wild}/>"),
        ("xml", "<a><!-- {wild} --></a>"),
        ("xml", "<a><![CDATA[{wild}]]></a>"),
        ("xml", "<a x={wild}/>"),
        ("xml", "<a {wild}='1'/>"),
    ],
)
def test_a_placeholder_where_its_escape_does_not_hold_is_refused(format: str, text: str) -> None:
    with pytest.raises(SimulatorError, match=r"a placeholder (is|must be) (a whole|in a text)") as caught:
        file_text("files.x", format, text, KNOBS, ",")
    assert "\n" not in str(caught.value)


def test_content_is_written_as_values() -> None:
    content = {
        "n": "{rows}",
        "deep": [{"w": "{wild}"}, "run_{rows}_{policy}", "{{rows}}", 1e-7, None, True],
        "l": "{loops}",
    }
    wanted = {"n": 8, "deep": [{"w": "a b"}, "run_8_fifo-2", "{rows}", 1e-7, None, True], "l": ["n", "m"]}
    assert json.loads(file_content("f", "json", content, KNOBS, ",").filled(VALUES)) == wanted
    assert yaml.safe_load(file_content("f", "yaml", content, KNOBS, ",").filled(VALUES)) == wanted


@FEW
@given(NAMES, st.floats(allow_nan=False, allow_infinity=False))
def test_content_escapes_names_and_keeps_numbers(name: str, number: float) -> None:
    knobs = [Knob("a", (name,)), Knob("x")]
    for format, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        made = file_content("f", format, {"a": "{a}", "b": ["<{a}>", "{x}"]}, knobs, ",")
        assert read(made.filled({"a": name, "x": number})) == {"a": name, "b": [f"<{name}>", number]}


def test_a_yaml_reader_of_any_version_sees_texts_as_texts() -> None:
    """`no`, `1e3` and `0o7` are texts in one version of YAML and others in another."""
    for name in ("no", "1e3", "0o7", "~", "null", "2001-01-01"):
        knobs = [Knob("k", (name,))]
        assert file_text("f", "yaml", "a: {k}", knobs, ",").filled({"k": name}) == f'a: "{name}"'
        assert f'"{name}"' in file_content("f", "yaml", {"a": "{k}"}, knobs, ",").filled({"k": name})


def test_content_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(SimulatorError, match="content must be a mapping or a list in a file of format json or yaml"):
        file_content("f", "text", {"a": 1}, KNOBS, ",")
    with pytest.raises(SimulatorError, match=r"'{row}' must be a parameter"):
        file_content("f", "json", {"a": ["{row}"]}, KNOBS, ",")
    with pytest.raises(SimulatorError, match="content must hold texts, numbers, lists and mappings"):
        file_content("f", "json", {"a": float("nan")}, KNOBS, ",")
