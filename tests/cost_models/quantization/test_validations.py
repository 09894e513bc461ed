"""`designgym validate` of compressed networks: tables of others as they are, with a cell changed, and bad ones."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models import validate_function
from designgym.cost_models.quantization.accuracy_table import float_scores
from designgym.experiments.cli import main

FOLDER = Path(__file__).parents[2] / "reference" / "quantization"
LUTS, UNIFORM = "quant_lut_per_mac_model.csv", "quant_uniform_digits.csv"
COMPRESSED, LMUL = "quant_sparsity_lowrank.csv", "quant_lmul_error.csv"

Cells = dict[str, str]


def some(path: Path, name: str, keep: Callable[[Cells], bool], change: Callable[[Cells], None] | None = None) -> Path:
    """Write the rows of a table that are to be kept, the first of them changed."""
    with (FOLDER / name).open() as file:
        rows = [row for row in csv.DictReader(file) if keep(row)]
    if change is not None:
        change(rows[0])
    written = path / name
    with written.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return written


def quantities(model: str, table: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = validate_function(model)(table)["quantities"]
    return found


# -- tables as they are -----------------------------------------------------------------------------------------------


def test_fpga_tables_are_exact_in_every_row(tmp_path: Path) -> None:
    found = quantities("MixedPrecision", FOLDER / LUTS)
    assert {name: (q["rows"], q["exact"]) for name, q in found.items()} == {
        "luts_per_mac, integers": (49, 49), "luts_per_mac, minifloats": (324, 324), "product width": (373, 373)
    }  # fmt: skip
    wrong = quantities("MixedPrecision", some(tmp_path, LUTS, bool, lambda row: row.update(luts_per_mac="13.62")))
    assert wrong["luts_per_mac, integers"]["exact"] == 48
    assert wrong["luts_per_mac, integers"]["worst_difference"] == pytest.approx(0.01)


def test_fewer_lanes_are_read_from_the_table(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("weight_format,act_format,luts_per_mac,lanes,terms\nint4,int4,1.0,4,16\nint4,int4,1.0,,\n")
    from designgym.cost_models.quantization.formats import format_of
    from designgym.cost_models.quantization.luts import luts_per_mac

    four = format_of("int4")
    expected = [round(luts_per_mac(four, four, 4, 16), 1) - 1, round(luts_per_mac(four, four), 1) - 1]
    found = quantities("MixedPrecision", path)["luts_per_mac, integers"]
    assert found["worst_difference"] == pytest.approx(max(expected))
    assert found["mean_error"] == pytest.approx(np.mean(expected))


def uniform(row: Cells) -> bool:
    return row["format"] == "fp32" or (
        row["split"] == "val" and row["scale_rule"] == "mse" and row["bits"] in ("3", "6")
    )


def test_integers_of_one_width_are_those_of_the_table(tmp_path: Path) -> None:
    """The MLP's weights are the table's, the CNN's of another training: an image is .0022."""
    found = quantities("MixedPrecision", some(tmp_path, UNIFORM, uniform))
    assert len(found) == 8
    assert {q["rows"] for q in found.values()} == {1}
    for name, one in found.items():
        assert one["worst_difference"] <= (
            {"accuracy": 1e-4, "nll": 1e-3}[name[:8].split()[0]] if "mlp" in name else 0.03
        )


def test_every_number_format_is_near_the_table(tmp_path: Path) -> None:
    def kept(row: Cells) -> bool:
        return uniform(row) and row["format"] in ("fp32", "int", "E2M3", "E3M2", "E5M0")

    found = quantities("FormatSearch", some(tmp_path, UNIFORM, kept))
    kinds = {name.split(", ")[1] for name in found}
    assert kinds == {"integers", "minifloats", "powers of two"}
    for name, one in found.items():
        if name.startswith("accuracy"):
            assert one["worst_difference"] <= 0.025, name


def test_scores_are_compared_from_each_ones_float_network(tmp_path: Path) -> None:
    def kept(row: Cells) -> bool:
        return row["net"] == "mlp3" and row["split"] == "val" and (
            row["format"] == "fp32" or (row["format"], row["bits"], row["quantised"]) == ("int", "6", "wa")
        )  # fmt: skip

    there = quantities("MixedPrecision", some(tmp_path, UNIFORM, kept))
    lifted = some(tmp_path, UNIFORM, kept, lambda row: row.update(accuracy=str(float(row["accuracy"]) + 0.02)))
    name = "accuracy of mlp3, integers, 4 bits or more"
    assert quantities("MixedPrecision", lifted)[name]["worst_difference"] == pytest.approx(
        0.02 - there[name]["worst_difference"], abs=2e-4
    )
    assert float_scores("mlp", "validation")["accuracy"] == pytest.approx(0.9666, abs=1e-4)


def test_patterns_of_zeros_are_those_of_the_table(tmp_path: Path) -> None:
    def kept(row: Cells) -> bool:
        return row["net"] == "mlp3" and row["setting"] in ("4:4", "2:4", "2:16", "rank_frac=1")

    found = quantities("StructuredSparsity", some(tmp_path, COMPRESSED, kept))
    assert found["stored weights"]["rows"] == found["stored weights"]["exact"] == 6  # 2:16 is not in the space
    assert found["accuracy, magnitude"]["worst_difference"] < 1e-4
    assert found["nll, magnitude"]["worst_difference"] < 5e-4
    assert found["accuracy, obs"]["worst_difference"] < 0.02


def test_lower_ranks_are_those_of_the_table() -> None:
    found = quantities("LowRank", FOLDER / COMPRESSED)
    assert (found["stored weights"]["rows"], found["stored weights"]["exact"]) == (28, 28)
    assert found["accuracy, plain"]["worst_difference"] <= 0.0023
    assert found["nll, plain"]["worst_difference"] <= 5e-4
    assert found["accuracy, activation_aware"]["worst_difference"] <= 0.05


def test_errors_of_products_by_addition_are_those_of_the_table(tmp_path: Path) -> None:
    def kept(row: Cells) -> bool:
        return row["mantissa_bits"] in ("3", "4") and row["operands"] != "normal(0,1)"

    found = quantities("ApproximateMultiplier", some(tmp_path, LMUL, kept))
    assert len(found) == 8
    assert all(q["rows"] == q["within_1pct"] == 4 for q in found.values())
    turned = some(tmp_path, LMUL, kept, lambda row: row.update(multiplier="fp_exact_product"))
    assert quantities("ApproximateMultiplier", turned)["mean_abs_rel_err, floats"]["within_5pct"] == 4  # of 5


# -- bad tables -------------------------------------------------------------------------------------------------------

BAD: list[tuple[str, str, dict[str, str], str]] = [
    ("MixedPrecision", LUTS, {"weight_format": "E0M0"}, "row 2: "),
    ("MixedPrecision", LUTS, {"act_format": "E2M1"}, "row 2: an estimate of tables is for two integers"),
    ("MixedPrecision", LUTS, {"luts_per_mac": "few"}, "row 2: luts_per_mac must be a number or empty, got 'few'"),
    ("MixedPrecision", UNIFORM, {"net": "resnet"}, "row 2: net must be one of mlp3, cnn4"),
    ("MixedPrecision", UNIFORM, {"split": "all"}, "row 2: split must be one of val, validation, test, got 'all'"),
    ("FormatSearch", UNIFORM, {"format": "E4M3"}, "row 2: E4M3 has 8 bits, got 6"),
    ("FormatSearch", UNIFORM, {"format": "E9"}, "row 2: unknown number format 'E9'"),
    ("FormatSearch", UNIFORM, {"scale_rule": "best"}, "row 2: scale_rule must be one of mse, absmax, power_of_two"),
    ("StructuredSparsity", COMPRESSED, {"method": "luck"}, "row 2: method must be one of magnitude, wanda, obs"),
    ("LowRank", COMPRESSED, {"family": "svd"}, "row 2: method must be one of plain, activation_aware, got 'magnitude'"),
    ("LowRank", COMPRESSED, {"family": "svd", "method": "plain"}, "row 2: setting must be rank_frac=.5, say, got"),
    ("LowRank", COMPRESSED, {"family": "none"}, "must have a row of family svd"),
    ("ApproximateMultiplier", LMUL, {"operands": "cauchy"}, "row 2: operands must be one of uniform[1,2)"),
    ("ApproximateMultiplier", LMUL, {"mantissa_bits": "60"}, "row 2: mantissa_bits must be at most 23, got 60"),
    ("ApproximateMultiplier", LMUL, {"l": "-1"}, "row 2: l must be an integer >= 0, got '-1'"),
]
FIRST = {
    LUTS: lambda row: row["weight_format"] == "int2" and row["act_format"] == "int2",
    UNIFORM: lambda row: (row["net"], row["format"], row["bits"], row["quantised"]) == ("mlp3", "int", "6", "wa"),
    COMPRESSED: lambda row: row["setting"] == "2:4" and row["method"] == "magnitude",
    LMUL: lambda row: row["multiplier"] == "lmul_int_adder" and row["mantissa_bits"] == "3",
}


@pytest.mark.parametrize(("model", "table", "cells", "said"), BAD, ids=str)
def test_bad_cells_are_one_line(tmp_path: Path, model: str, table: str, cells: dict[str, str], said: str) -> None:
    path = some(tmp_path, table, FIRST[table], lambda row: row.update(cells))
    with pytest.raises(ValueError) as error:
        quantities(model, path)
    assert str(path) in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    for model in ("MixedPrecision", "FormatSearch", "StructuredSparsity", "LowRank", "ApproximateMultiplier"):
        with pytest.raises(ValueError, match="the header must name"):
            quantities(model, path)


def test_the_command_prints_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["designgym", "validate", "MixedPrecision", str(FOLDER / LUTS), *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        return capsys.readouterr().out

    assert "373 rows" in said()
    assert json.loads(said("--json"))["quantities"]["luts_per_mac, minifloats"]["exact"] == 324
