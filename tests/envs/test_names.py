"""Designs as people write them, there and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import designs_of, rows, spaces

from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset


def equal(a: Columns, b: Columns) -> bool:
    return list(a) == list(b) and all(a[n].dtype == b[n].dtype and (a[n] == b[n]).all() for n in a)


@given(spaces(floats_too=True), st.data())
def test_parse_inverts_describe(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    names = space.describe(designs)
    assert equal(space.parse(names), designs)
    assert equal(space.parse(json.loads(json.dumps(names))), designs)


@given(spaces(floats_too=True), st.data())
def test_texts_parse_like_values(space: DesignSpace, data: st.DataObject) -> None:
    """Each value as a command line gives it; a subset whole."""
    designs = data.draw(designs_of(space, 2))
    names = space.describe(designs)
    for row in range(2):
        one = {name: values[row] for name, values in names.items()}
        texts = {name: str(value) for name, value in one.items() if value is not None}
        expected = {name: column[row : row + 1] for name, column in designs.items()}
        assert equal(space.parse(texts), expected)
        whole = dict(texts)
        for parameter in space.parameters:
            if isinstance(parameter, Subset) and parameter.columns[0] in whole:
                whole[parameter.name] = ",".join(whole.pop(column) for column in parameter.columns)
        assert equal(space.parse(whole), expected)


@given(spaces(large_too=True), st.data())
def test_large_values_survive_their_names(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    assert equal(space.parse(space.describe(designs)), designs)


SPACE = DesignSpace(
    Categorical("dataflow", ("os", "ws"), default="ws"),
    Integer("rows", 4, 256, 4),
    Ordinal("sram_kb", (8, 16, 32), default=16),
    Permutation("order", ("m", "n", "k")),
    Subset("chosen", 9, 2),
    Subset("one", 5, 1),
    Float("scale", 0.5, 2.0, default=1),
    Integer("depth", 1, 3, when=("dataflow", {"os"})),
)


def test_what_is_not_given_takes_its_default() -> None:
    assert SPACE.describe(SPACE.parse({})) == {
        "dataflow": ["ws"], "rows": [4], "sram_kb": [16], "order": ["m,n,k"], "chosen_0": [0], "chosen_1": [1],
        "one_0": [0], "scale": [1.0], "depth": [None],
    }  # fmt: skip
    assert SPACE.parse({"dataflow": "os"})["depth"].tolist() == [1]


def test_lists_are_a_batch() -> None:
    designs = SPACE.parse({"rows": [8, "12", 16.0], "dataflow": ["os", "ws", None]})
    assert designs["rows"].tolist() == [8, 12, 16]
    assert designs["dataflow"].tolist() == [0, 1, 1]
    empty = SPACE.parse({"rows": []})
    assert rows(empty) == []
    assert {name: column.dtype for name, column in empty.items()} == SPACE.dtypes


@pytest.mark.parametrize(
    ("given_names", "column", "value"),
    [
        ({"chosen": "3,7"}, "chosen_1", 7),
        ({"chosen": (3, 7)}, "chosen_0", 3),
        ({"chosen_0": "2", "chosen_1": "5"}, "chosen_1", 5),
        ({"one": "4"}, "one_0", 4),
        ({"one_0": 4}, "one_0", 4),
        ({"order": ("k", "m", "n")}, "order", 4),
        ({"rows": np.int64(8)}, "rows", 8),
        ({"rows": "1.2e1"}, "rows", 12),
        ({"sram_kb": "32.0"}, "sram_kb", 32),
        ({"scale": "2"}, "scale", 2.0),
        ({"depth": 3}, "depth", 1),  # idle
    ],
)
def test_spellings(given_names: dict[str, object], column: str, value: object) -> None:
    assert SPACE.parse(given_names)[column].tolist() == [value]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"row": 8}, "unknown parameter 'row'. Did you mean 'rows'"),
        ({"one_1": 8}, "unknown parameter 'one_1'. Did you mean 'one_0'"),
        ({"rows": 6}, r"rows must be an integer in \[4, 256\] in steps of 4, got 6"),
        ({"rows": 8.5}, "got 8.5"),
        ({"rows": "many"}, "got 'many'"),
        ({"rows": 260}, "got 260"),
        ({"rows": float("inf")}, "got inf"),
        ({"rows": float("nan")}, "got nan"),
        ({"rows": 10**400}, "rows must be"),
        ({"rows": (8,)}, "rows must be"),
        ({"sram_kb": 12}, "sram_kb must be one of 8, 16, 32, got 12"),
        ({"sram_kb": "lots"}, "got 'lots'"),
        ({"sram_kb": 10**400}, "sram_kb must be"),
        ({"dataflow": "wss"}, "dataflow must be one of os, ws, got 'wss'. Did you mean 'ws'"),
        ({"dataflow": 1}, "dataflow must be one of os, ws, got 1"),
        ({"order": "m,n"}, "order must be an order of m,n,k, got 'm,n'. Did you mean 'm,n,k'"),
        ({"order": 3}, "order must be an order of m,n,k, got 3"),
        ({"order": ("m", 3, "k")}, "order must be an order of"),
        ({"chosen": "7,3"}, r"chosen must be 2 increasing integers in \[0, 8\], got '7,3'"),
        ({"chosen": "3,9"}, "chosen must be"),
        ({"chosen": "-1,3"}, "chosen must be"),
        ({"chosen": "3"}, "chosen must be"),
        ({"chosen": 3}, "chosen must be"),
        ({"chosen": (1.5, 3)}, "chosen must be"),
        ({"chosen_0": 3}, "chosen must be"),
        ({"scale": 2.1}, r"scale must be a number in \[0.5, 2\], got 2.1"),
        ({"scale": "nan"}, "got 'nan'"),
        ({"scale": "wide"}, "got 'wide'"),
        ({"scale": 10**400}, "scale must be"),
        ({"rows": [8, 12], "scale": [1.0]}, "lists of one length"),
    ],
)
def test_bad_names_are_refused_in_words(bad: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SPACE.parse(bad)


def test_an_integer_past_a_floats_53_bits_is_not_rounded() -> None:
    space = DesignSpace(Integer("x", 0, 2**60, 2**10), Ordinal("y", (1, 2**53)))
    assert space.parse({"x": str(2**59)})["x"].tolist() == [2**59]
    with pytest.raises(ValueError, match=str(2**59 + 1)):
        space.parse({"x": 2**59 + 1})
    with pytest.raises(ValueError, match=str(2**53 + 1)):
        space.parse({"y": str(2**53 + 1)})
