"""Costs of quantised layers: all rows of the table of look-up tables, published energies, counts worked by hand."""

import csv
from pathlib import Path

import pytest

from designgym.cost_models.quantization.costs import bit_operations, cycles, model_bits
from designgym.cost_models.quantization.energies import (
    FLOAT_ADD,
    FLOAT_MULTIPLY,
    INTEGER_ADD,
    INTEGER_MULTIPLY,
    mac_j,
    multiply_j,
)
from designgym.cost_models.quantization.formats import format_of
from designgym.cost_models.quantization.luts import luts_per_mac, product_width
from designgym.cost_models.quantization.microscaling import MX
from designgym.cost_models.quantization.networks import Layer

FOLDER = Path(__file__).parents[2] / "reference" / "quantization"
MLP = (Layer("fc1", 64, 32, 1), Layer("fc2", 32, 32, 1), Layer("fc3", 32, 10, 1))
CNN = (Layer("conv1", 9, 8, 64), Layer("conv2", 72, 16, 16), Layer("conv3", 144, 16, 4), Layer("fc", 64, 10, 1))


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open() as file:
        return list(csv.DictReader(file))


def test_look_up_tables_are_those_of_every_row() -> None:
    rows = rows_of("quant_lut_per_mac_model.csv")
    assert len(rows) == 373
    for row in rows:
        weight, activation = format_of(row["weight_format"]), format_of(row["act_format"])
        assert f"{luts_per_mac(weight, activation):.2f}" == f"{float(row['luts_per_mac']):.2f}", row
        assert product_width(weight, activation) == int(row["product_fixed_width"]), row
        assert (weight.bits, activation.bits) == (int(row["w_bits"]), int(row["a_bits"]))


def test_minifloats_against_integers_of_their_width_are_as_said() -> None:
    ratios = [float(row["ratio_to_same_width_int"]) for row in rows_of("quant_lut_per_mac_model.csv")
              if row["family"] == "minifloat"]  # fmt: skip
    assert (min(ratios), max(ratios)) == pytest.approx((0.9, 5.27), abs=0.005)


def test_bit_operations_and_macs_by_hand() -> None:
    assert [layer.macs for layer in MLP] == [2048, 1024, 320]
    assert [layer.macs for layer in CNN] == [4608, 18432, 9216, 640]
    four, two, eight = format_of("int4"), format_of("int2"), format_of("uint8")
    assert bit_operations(MLP, [four] * 3, [format_of("uint4")] * 3) == 54_272
    assert bit_operations(MLP, [four, two, four], [eight] * 3) == 2048 * 32 + 1024 * 16 + 320 * 32
    with pytest.raises(ValueError, match="integers alone, got E2M1"):
        bit_operations(MLP, [format_of("E2M1")] * 3, [eight] * 3)


def test_memory_by_hand() -> None:
    assert model_bits(MLP, [format_of("int4")] * 3) == 4 * 3392 + 64 * 74
    # 2 and 1 and 1 blocks of each of 32, 32 and 10 outputs
    assert model_bits(MLP, [MX["mxfp4_e2m1"]] * 3) == 4 * 3392 + 8 * (64 + 32 + 10) + 32 * 74


def test_cycles_are_folds() -> None:
    assert cycles(MLP[0], elements=8) == 4 * 4
    assert cycles(MLP[2], elements=8) == 2 * 2
    assert cycles(CNN[1], elements=4, lanes=16) == 4 * 5 * 16
    assert cycles(MLP[0], elements=64, lanes=64) == 1
    with pytest.raises(ValueError, match="at least 1, got 0 and 16"):
        cycles(MLP[0], elements=0)


def test_energies_pass_through_the_published_points() -> None:
    told = {row["op"]: row["pJ"] for row in rows_of("quant_energy_45nm.csv")}
    for law, kind, widths in (
        (INTEGER_ADD, "int{}_add", (8, 32)), (INTEGER_MULTIPLY, "int{}_mul", (8, 32)),
        (FLOAT_ADD, "fp{}_add", (16, 32)), (FLOAT_MULTIPLY, "fp{}_mul", (16, 32)),
    ):  # fmt: skip
        for bits in widths:
            assert law(bits) == pytest.approx(1e-12 * float(told[kind.format(bits)]), rel=1e-12)
    # the table's own fits, of products of widths
    assert multiply_j(format_of("int4"), format_of("uint8")) == pytest.approx(0.2e-12 * (32 / 64) ** 0.989, rel=1e-3)
    assert INTEGER_ADD(16) == pytest.approx(0.03e-12 * 2**0.868, rel=1e-3)


def test_narrower_numbers_cost_less() -> None:
    for family in (("int2", "int4", "int8"), ("E2M1", "E4M3", "float16")):
        energies = [mac_j(format_of(name), format_of(name), 64) for name in family]
        assert energies == sorted(energies)
        assert energies[0] < energies[-1]
    with pytest.raises(ValueError, match="at least 1, got 0"):
        mac_j(format_of("int4"), format_of("int4"), 0)


def test_what_has_no_estimate_is_one_line() -> None:
    with pytest.raises(ValueError, match="got int4 times E2M1"):
        luts_per_mac(format_of("int4"), format_of("E2M1"))
    with pytest.raises(ValueError, match="at least 1, got 0 and 64"):
        luts_per_mac(format_of("int4"), format_of("int4"), lanes=0)
