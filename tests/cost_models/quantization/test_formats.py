"""Number formats against other people's: every cast equal to `ml_dtypes` and `gfloat`, and what can not exist."""

import csv
from pathlib import Path

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat import formats as theirs

from designgym.cost_models.quantization.casting import cast
from designgym.cost_models.quantization.formats import NAMED, Format, format_of, integer, minifloat

TABLE = Path(__file__).parents[2] / "reference" / "quantization" / "quant_minifloat_formats.csv"
DTYPES = {
    "e2m1fn": ml_dtypes.float4_e2m1fn, "e2m3fn": ml_dtypes.float6_e2m3fn, "e3m2fn": ml_dtypes.float6_e3m2fn,
    "e4m3fn": ml_dtypes.float8_e4m3fn, "e4m3": ml_dtypes.float8_e4m3, "e3m4": ml_dtypes.float8_e3m4,
    "e5m2": ml_dtypes.float8_e5m2, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16,
}  # fmt: skip
GFLOAT = {
    "e4m3fn": theirs.format_info_ocp_e4m3, "e5m2": theirs.format_info_ocp_e5m2, "e2m3fn": theirs.format_info_ocp_e2m3,
    "e3m2fn": theirs.format_info_ocp_e3m2, "e2m1fn": theirs.format_info_ocp_e2m1,
}  # fmt: skip
INPUTS = 1_000_000


def inputs(form: Format) -> np.ndarray:
    """Return over a million float32 within the format's range: numbers, midpoints, neighbours, noise."""
    rng, numbers = np.random.default_rng(0), form.values()
    middles = (0.5 * numbers[1:] + 0.5 * numbers[:-1]).astype(np.float32)
    up, down = (np.nextafter(middles, np.float32(end), dtype=np.float32) for end in (np.inf, -np.inf))
    sizes = np.exp2(rng.uniform(np.log2(form.least_positive) - 3, np.log2(form.high), INPUTS))
    noise = np.concatenate([sizes * rng.choice([-1.0, 1.0], INPUTS), rng.uniform(form.low, form.high, INPUTS // 5)])
    found = np.concatenate([numbers.astype(np.float32), middles, up, down, noise.astype(np.float32)])
    found = found[np.abs(found) <= form.high]
    assert len(found) >= INPUTS
    return found


@pytest.mark.parametrize("name", DTYPES)
def test_casts_are_those_of_ml_dtypes(name: str) -> None:
    form = NAMED[name]
    x = inputs(form)
    assert np.count_nonzero(cast(x, form) != x.astype(DTYPES[name]).astype(np.float32)) == 0


@pytest.mark.parametrize("name", GFLOAT)
def test_casts_of_ocp_formats_are_those_of_gfloat(name: str) -> None:
    x = inputs(NAMED[name])
    told = gfloat.round_ndarray(GFLOAT[name], x.astype(np.float64), sat=True)
    assert np.count_nonzero(cast(x, NAMED[name]) != told) == 0


@pytest.mark.parametrize("name", DTYPES)
def test_named_formats_have_the_numbers_of_their_dtypes(name: str) -> None:
    form, info = NAMED[name], ml_dtypes.finfo(DTYPES[name])
    told = [float(info.max), float(info.smallest_normal), float(info.smallest_subnormal), info.bits]
    assert [form.high, form.least_normal, form.least_positive, form.bits] == told
    codes = np.arange(2**form.bits, dtype=np.uint16 if form.bits > 8 else np.uint8).view(DTYPES[name])
    with np.errstate(invalid="ignore"):  # of the NaN among them
        numbers = codes.astype(np.float64)
    assert np.array_equal(form.values(), np.unique(numbers[np.isfinite(numbers)]))


def test_named_formats_are_those_of_the_table() -> None:
    with TABLE.open() as file:
        rows = {row["ml_dtypes_name"].partition("_")[2] or row["ml_dtypes_name"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(NAMED)
    for name, row in rows.items():
        form = NAMED[name]
        assert (form.bits, form.exponent_bits, form.mantissa_bits) == tuple(
            int(row[what]) for what in ("bits", "E", "M")
        )
        assert form.high == pytest.approx(float(row["max_finite"]), rel=1e-15)
        assert form.least_normal == float(row["min_normal"])
        assert form.least_positive == pytest.approx(float(row["min_subnormal"]), rel=1e-15)
        assert len(form.values()) == int(row["distinct_finite_values"])


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "E4M3", "E3M0", "int8", "uint4", "int4full"])
def test_beyond_the_ends_lie_the_ends_and_nan_stays(name: str) -> None:
    form, huge = format_of(name), np.array([np.inf, 1e38, -1e38, -np.inf, np.nan], np.float32)
    assert cast(huge, form)[:4].tolist() == [form.high, form.high, form.low, form.low]
    assert np.isnan(cast(huge, form)[4])
    between = np.float32(form.high) * np.array([1.0, 1.01, 1.5], np.float32)
    assert (cast(between, form) == form.high).all()


def test_other_peoples_formats_do_not_saturate() -> None:
    """What the types do beyond their ends differs, which is why only what lies within is compared above."""
    beyond = np.array([1e4, 1e6], np.float32)
    assert np.isnan(beyond.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)).all()
    assert beyond.astype(ml_dtypes.float8_e5m2).astype(np.float32).tolist() == [10240.0, np.inf]
    assert cast(beyond, NAMED["e4m3fn"]).tolist() == [448.0, 448.0]
    assert cast(beyond, NAMED["e5m2"]).tolist() == [10240.0, 57344.0]


@pytest.mark.parametrize("exponent_bits", range(1, 6))
@pytest.mark.parametrize("mantissa_bits", range(5))
def test_a_bare_minifloat_has_a_finite_number_for_every_code(exponent_bits: int, mantissa_bits: int) -> None:
    form = format_of(f"E{exponent_bits}M{mantissa_bits}")
    bias = max(1, 2 ** (exponent_bits - 1) - 1)
    numbers = set()
    for code in range(2 ** (exponent_bits + mantissa_bits)):
        exponent, fraction = divmod(code, 2**mantissa_bits)
        part = fraction / 2**mantissa_bits
        numbers.add(part * 2.0 ** (1 - bias) if exponent == 0 else (1 + part) * 2.0 ** (exponent - bias))
    assert form.values().tolist() == sorted({*numbers, *(-one for one in numbers)})
    assert cast(form.values(), form).tolist() == form.values().tolist()


def test_e4m3_reaches_480_and_e4m3fn_448() -> None:
    assert [format_of(name).high for name in ("E4M3", "e4m3fn", "float8_e4m3fn", "E4M3ieee", "e4m3")] == [
        480.0, 448.0, 448.0, 240.0, 240.0
    ]  # fmt: skip


@pytest.mark.parametrize("mantissa_bits", range(8))
def test_one_exponent_bit_makes_the_narrow_symmetric_integer(mantissa_bits: int) -> None:
    """E1My has the grid of int(y + 2), so that no table counts it as a minifloat of its own."""
    form, whole = minifloat(1, mantissa_bits), integer(mantissa_bits + 2)
    unit = form.least_positive
    assert (form.values() / unit).tolist() == whole.values().tolist()
    x = np.random.default_rng(0).normal(size=10_000) * whole.high
    assert (cast(x * unit, form) / unit).tolist() == cast(x, whole).tolist()
    assert form.bits == whole.bits


def test_integers_round_half_to_even() -> None:
    assert cast(np.array([0.5, 1.5, 2.5, -0.5, -1.5, 7.5, 6.5]), integer(4)).tolist() == [0, 2, 2, 0, -2, 7, 6]
    assert cast(np.array([-9.0, -8.0, 7.4]), integer(4, narrow=False)).tolist() == [-8, -8, 7]
    assert cast(np.array([-1.0, 15.4, 15.5]), integer(4, signed=False)).tolist() == [0, 15, 15]


def test_a_bias_shifts_all_exponents() -> None:
    assert format_of("E3M2b5").values().tolist() == (format_of("E3M2").values() / 4.0).tolist()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("E0M0", "1 to 8 exponent bits, got E0M0"),
        ("E9M3", "1 to 8 exponent bits, got E9M3"),
        ("E8M8", "16 bits in all at most, got E8M8"),
        ("E1M2ieee", "must keep numbers"),
        ("E8M2", "float32 alone, got bias 127"),
        ("E4M3b-2000", "float32 alone, got bias -2000"),
        ("E4M3b2000", "float32 alone, got bias 2000"),
        ("uint4full", "unknown number format"),
        ("float4_e4m3fn", "unknown number format"),
        ("int08", "unknown number format"),
        ("int1", "2 to 16 bits, got 1"),
        ("uint0", "1 to 16 bits, got 0"),
        ("int40", "2 to 16 bits, got 40"),
        ("e4m3fm", "Did you mean 'e4m3fn'"),
    ],
)
def test_what_can_not_exist_is_one_line(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        format_of(name)
    assert "\n" not in str(refused.value)
