"""Numbers in what a simulator printed, and how long looking for them may take."""

import json
import time

import pytest

from designgym.cost_models.simulators import read_process
from designgym.cost_models.simulators.read_process import FEW_BYTE, read_all
from designgym.cost_models.simulators.reading import steps

MOST = 10 * 2**20


def read(text: str | bytes, seconds: float = 5.0, **job):
    data = text if isinstance(text, bytes) else text.encode()
    (found,) = read_all([{"source": "stdout", **job}], {"stdout": data}, seconds)
    return found


def test_regular_expressions() -> None:
    text = "cycles: 5\ncycles: 7\r\ncycles: 9 \n"
    jobs = [{"source": "stdout", "regex": r"^cycles: (\d+)", "which": which} for which in ("first", "last")]
    jobs += [{"source": "stdout", "regex": r"cycles: (\d+)(?:x|$)", "which": "last"}]
    jobs += [{"source": "stdout", "pattern": pattern} for pattern in ("^cycles: 9 $", "^no")]
    jobs += [{"source": "stdout", "regex": r"nothing(\d)|x", "which": "last"}]
    found = read_all(jobs, {"stdout": text.encode()}, 5)
    assert found == [5.0, 9.0, 5.0, True, False, "stdout: nothing matches 'nothing(\\\\d)|x'"]


def test_rubbish_that_is_no_utf8_is_still_searched() -> None:
    assert read(b"\xff\xfe\0 cycles 12 \x80", regex=r"cycles (\d+)", which="last") == 12.0


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("results.cycles", 7.0), ("list[0].x", 1.5), ("list[-1].x", 2.5), ("text", -1000.0),
        ("results.none", "a NoneType"),
        ("results.yes", "a bool stands where a number should"), ("results", "a dict stands"), ("list[7].x", "no 7 of"),
        ("nothing.there", "there is no 'nothing' of 'nothing.there' in its JSON"), ("nan", "'NaN'"), ("big", "1000"),
        ("results.nan", "nan stands where a finite number should"), ("under", "'1_000' stands where a number should"),
    ],
)  # fmt: skip
def test_json(path: str, found: float | str) -> None:
    text = (
        '{"results": {"cycles": 7, "none": null, "yes": true, "nan": NaN}, "list": [{"x": 1.5}, {"x": 2.5}], '
        '"text": "-1e3", "nan": "NaN", "under": "1_000", "big": 1' + "0" * 400 + "}"
    )
    got = read(text, json=path)
    assert got == found if isinstance(found, float) else found in got


def test_json_of_a_list_or_a_number() -> None:
    assert read("[[1, 2], [3, 4]]", json="[1][0]") == 3.0
    assert read(" 12.5\n", json="") == 12.5
    assert "it is no JSON: " in read("cycles = 3", json="cycles")
    assert steps("a.b[2][-1].c d") == ["a", "b", 2, -1, "c d"]
    for wrong in ("a..b", "a[x]", ".a.", "a[1", "a]"):
        with pytest.raises(ValueError, match=r"a JSON path must be as in results.cycles"):
            steps(wrong)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("first", 1.5), ("last", -3.0), ("sum", 1.0), ("mean", 1 / 3), ("min", -3.0),
        ("max", 2.5), (1, 2.5), (-2, 2.5), (-4, "has no row -4"), (3, "column 'energy' has no row 3"),
    ],
)  # fmt: skip
def test_csv(row: str | int, found: float | str) -> None:
    text = 'layer, energy ,"a, b"\r\none, 1.5,x\r\n\r\n"t\nwo",2.5,x\nthree,-3,x\n'
    got = read(text, csv="energy", row=row, delimiter=",")
    assert got == pytest.approx(found) if isinstance(found, float) else found in got


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column 'e' in its header"), ("a,b\n1,2\n", "no column 'e'"),
        ("e,e\n1,2\n", "more than one column 'e'"),
        ("a,e\n1\n", "column 'e' has no row 'last'"), ("e\nx\n", "'x' stands where a number should"),
        ("e\n", "no row 'last'"),
        ("e\nx,1\n", "'x' stands where a number should"), ("e\n1e999\n", "'1e999' stands where a finite"),
        ("e\n" + "1" * 200_000, "it is no CSV: field larger than field limit"),
    ],
)  # fmt: skip
def test_csv_without_the_number(text: str, why: str) -> None:
    assert why in read(text, csv="e", row="last", delimiter=",")


def test_a_sum_beyond_all_numbers() -> None:
    assert "ended in a OverflowError" in read("e\n1e308\n1e308\n", csv="e", row="sum", delimiter=",")


def test_a_table_with_another_delimiter() -> None:
    assert read("a;e\n1;2,5\n1;7\n", csv="e", row="last", delimiter=";") == 7.0


def test_a_regular_expression_that_runs_for_ever_is_stopped() -> None:
    began = time.monotonic()
    found = read("a" * 100, seconds=0.3, regex="^((?:a|aa)+)b$", which="last")
    assert found == "its output could not be read within 0.3 s; simplify the pattern, or raise parse_seconds"
    assert time.monotonic() - began < 8


def test_a_pattern_that_outlives_its_worker_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own timer ends it, not the worker's patience: the worker may be dead."""
    monkeypatch.setattr(read_process, "START_S", 600.0)
    assert "within 0.3 s" in read("a" * 100, seconds=0.3, pattern="^(?:a|aa)+b$")


@pytest.mark.parametrize("opening", ["[", '{"a":', "[[],"])
def test_rubbish_of_10_mb_takes_neither_long_nor_the_memory(opening: str) -> None:
    began = time.monotonic()
    found = read((opening * MOST)[:MOST], json="x")
    assert isinstance(found, str)
    assert time.monotonic() - began < 20


def test_short_json_and_csv_take_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(read_process.subprocess, "run", refuse)
    assert read('{"x": 3}', json="x") == 3.0
    assert read("x\n3\n", csv="x", row="last", delimiter=",") == 3.0
    with pytest.raises(AssertionError, match="a process was started"):
        read("x 3", regex=r"x (\d)", which="last")
    with pytest.raises(AssertionError, match="a process was started"):
        read(json.dumps({"x": "y" * FEW_BYTE}), json="x")
