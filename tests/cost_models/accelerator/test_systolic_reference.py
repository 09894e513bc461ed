"""The systolic array against runs of SCALE-Sim 3.0.0: see tests/reference/accelerator/README.md."""

import csv
from pathlib import Path

import pytest

from designgym.cost_models.accelerator.systolic_validate import validate

REFERENCE = Path(__file__).parents[2] / "reference" / "accelerator"
EXACT = (
    "cycles", "utilization", "sram_ifmap_words", "sram_filter_words", "sram_ofmap_words",
    "dram_ifmap_words", "dram_filter_words", "dram_ofmap_words",
)  # fmt: skip


@pytest.mark.parametrize(("table", "rows"), [("scalesim.csv", 96), ("scalesim_random.csv", 420)])
def test_cycles_utilization_sram_and_counted_dram_words_are_exact_on_every_row(table: str, rows: int) -> None:
    agreement = validate(REFERENCE / table)
    assert agreement["rows"] == rows
    for name in EXACT:
        quantity = agreement["quantities"][name]
        assert (quantity["rows"], quantity["exact"]) == (rows, rows), name


@pytest.mark.parametrize(
    ("table", "within"), [("scalesim.csv", (91, 90, 96)), ("scalesim_random.csv", (391, 411, 418))]
)
def test_closed_dram_words_keep_their_measured_error(table: str, within: tuple[int, ...]) -> None:
    agreement = validate(REFERENCE / table)
    closed = [agreement["quantities"][f"dram_{operand}_words_closed"] for operand in ("ifmap", "filter", "ofmap")]
    assert tuple(quantity["within_5pct"] for quantity in closed) == within
    assert min(within) >= 0.9 * agreement["rows"]


@pytest.fixture
def rows() -> list[dict[str, str]]:
    with (REFERENCE / "scalesim.csv").open(newline="") as file:
        return list(csv.DictReader(file))[:4]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_empty_cells_do_not_count(rows: list[dict[str, str]], tmp_path: Path) -> None:
    rows[0] |= {"total_cycles": "", "dram_filter_reads": " "}
    rows[1] |= {"ifmap_kB": ""}
    quantities = validate(write(tmp_path / "holes.csv", rows))["quantities"]
    for name, quantity in quantities.items():
        missing = name == "cycles" or name.startswith(("dram_filter", "dram_ifmap"))
        assert quantity["rows"] == 4 - missing, name
        if not name.endswith("_closed"):
            assert quantity["exact"] == quantity["rows"], name


@pytest.mark.parametrize("column", ["ifmap_h", "stride_w", "rows", "dataflow"])
def test_a_row_without_its_whole_layer_and_array_counts_in_nothing(column: str, rows: list, tmp_path: Path) -> None:
    rows[2][column] = ""
    agreement = validate(write(tmp_path / "holes.csv", rows))
    assert agreement["rows"] == 4
    assert {quantity["rows"] for quantity in agreement["quantities"].values()} == {3}
    assert agreement["quantities"]["dram_ifmap_words"]["exact"] == 3
    with pytest.raises(ValueError, match="at least one row with a layer and an array"):
        validate(write(tmp_path / "none.csv", rows[2:3]))


def test_what_the_tool_could_not_tell_does_not_count(rows: list[dict[str, str]], tmp_path: Path) -> None:
    rows[0] |= {"overall_util": "inf", "total_cycles": "nan"}
    quantities = validate(write(tmp_path / "inf.csv", rows))["quantities"]
    assert [quantities[name]["rows"] for name in ("utilization", "cycles", "sram_ifmap_words")] == [3, 3, 4]
    assert quantities["utilization"]["exact"] == 3


def test_a_wrong_number_is_no_agreement(rows: list[dict[str, str]], tmp_path: Path) -> None:
    rows[0]["total_cycles"] = str(int(rows[0]["total_cycles"]) + 1)
    rows[1]["overall_util"] = str(float(rows[1]["overall_util"]) * 1.02)
    quantities = validate(write(tmp_path / "wrong.csv", rows))["quantities"]
    assert (quantities["cycles"]["exact"], quantities["cycles"]["within_0.1pct"]) == (3, 4)
    assert (quantities["utilization"]["within_1pct"], quantities["utilization"]["within_5pct"]) == (3, 4)
    assert quantities["utilization"]["worst_error"] == pytest.approx(1 - 1 / 1.02)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": "0"}, ["row 2", "rows must be an integer >= 1", "'0'"]),
        ({"channels": "few"}, ["row 2", "channels", "'few'"]),
        ({"dataflow": "rs"}, ["row 2", "dataflow", "os, ws, is", "'rs'"]),
        ({"filt_h": "99"}, ["row 2", "filter_h", "99"]),
        ({"total_cycles": "many"}, ["row 2", "total_cycles", "'many'"]),
    ],
)
def test_a_bad_row_is_named(change: dict[str, str], words: list[str], rows: list, tmp_path: Path) -> None:
    rows[0] |= change
    with pytest.raises(ValueError) as refused:
        validate(write(tmp_path / "bad.csv", rows))
    message = str(refused.value)
    assert "\n" not in message
    assert all(word in message for word in ["bad.csv", *words])


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere.csv cannot be read: No such file"):
        validate(tmp_path / "nowhere.csv")
    (tmp_path / "other.csv").write_text("layer,rows\na,1\n")
    with pytest.raises(ValueError, match=r"other.csv: the header must name ifmap_h, .*dataflow"):
        validate(tmp_path / "other.csv")
