"""L-Mul: the paper's closed forms exactly, a table of errors by somebody else, and integer addition of bit patterns."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.quantization.lmul import l_mul, published_offset, relative_errors, signed_error, to_bits

FOLDER = Path(__file__).parents[2] / "reference" / "quantization"
SAMPLE = 400_000


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open() as file:
        return list(csv.DictReader(file))


def operands(law: str, rng: np.random.Generator) -> np.ndarray:
    draws = {"uniform[1,2)": lambda: rng.uniform(1, 2, SAMPLE), "normal(0,1)": lambda: rng.normal(size=SAMPLE)}
    return draws[law]() if law in draws else np.exp2(rng.uniform(-8, 8, SAMPLE))


def test_signed_errors_are_the_papers_closed_forms() -> None:
    rows = rows_of("quant_lmul_signed_error_truncated.csv")
    assert len(rows) == 8
    for row in rows:
        k, offset = int(row["k_mantissa_bits"]), int(row["l"])
        assert offset == published_offset(k)
        assert signed_error(k) == pytest.approx(2.25 - (1.5 - 2.0 ** -(k + 1)) ** 2, abs=1e-12)
        assert signed_error(k, offset) == pytest.approx(0.25 + 2.0**-k - 2.0**-offset, abs=1e-12)
        assert signed_error(k) == pytest.approx(float(row["E_signed_mul_closed"]), abs=6e-6)
        assert signed_error(k, offset) == pytest.approx(float(row["E_signed_lmul_closed"]), abs=6e-6)
        assert signed_error(k, offset, "adder") == pytest.approx(float(row["E_signed_lmul_int_adder_mc"]), abs=3e-4)


@pytest.mark.parametrize("law", ["uniform[1,2)", "normal(0,1)", "loguniform"])
def test_relative_errors_are_those_of_the_table(law: str) -> None:
    rng = np.random.default_rng(5)
    x, y = operands(law, rng), operands(law, rng)
    rows = [row for row in rows_of("quant_lmul_error.csv") if row["operands"] == law]
    assert len(rows) == 40
    for row in rows:
        bits, kind = int(row["mantissa_bits"]), row["multiplier"]
        if kind.startswith("lmul"):
            products = l_mul(x, y, bits, int(row["l"]), "adder" if kind == "lmul_int_adder" else "formula")
        else:
            products = to_bits(x, bits) * to_bits(y, bits)
            products = to_bits(products, bits) if kind == "fp_rounded_product" else products
        found = relative_errors(products, x * y)
        for what in ("mean_abs_rel_err", "mean_rel_err", "rms_rel_err"):
            # five standard errors of a mean over this sample
            assert found[what] == pytest.approx(float(row[what]), abs=5 * found["rms_rel_err"] / SAMPLE**0.5), row


def test_the_order_of_the_claims() -> None:
    rng = np.random.default_rng(0)
    x, y = operands("uniform[1,2)", rng), operands("uniform[1,2)", rng)
    error = {
        (m, at): relative_errors(l_mul(x, y, m, at), x * y)["mean_abs_rel_err"] for m, at in ((3, 3), (4, 3), (4, 4))
    }
    e5m2, e4m3 = (relative_errors(to_bits(to_bits(x, m) * to_bits(y, m), m), x * y)["mean_abs_rel_err"] for m in (2, 3))
    assert [round(one, 4) for one in (error[3, 3], e5m2)] == pytest.approx([0.0575, 0.0704], abs=3e-4)
    assert [round(one, 4) for one in (error[4, 3], e4m3)] == pytest.approx([0.0527, 0.0352], abs=3e-4)
    assert error[4, 4] == pytest.approx(0.0296, abs=3e-4)
    assert error[3, 3] < e5m2
    assert error[4, 3] > e4m3


def test_the_adder_form_adds_bit_patterns() -> None:
    """In 32-bit floats: the integers of both, less one bias, plus the offset's bit."""
    rng = np.random.default_rng(1)
    x, y = (to_bits(np.exp2(rng.uniform(-6, 6, 5000)), 7).astype(np.float32) for _ in range(2))
    bits = x.view(np.int32).astype(np.int64) + y.view(np.int32) - (127 << 23) + (1 << (23 - 4))
    assert l_mul(x, y, 7, 4).tolist() == bits.astype(np.int32).view(np.float32).astype(np.float64).tolist()
    assert (l_mul(x, y, 7, 4, "formula") != l_mul(x, y, 7, 4)).any()


def test_signs_and_zeros() -> None:
    x = np.array([1.5, -1.5, 0.0, 3.0])
    assert np.sign(l_mul(x, -x, 3, 3)).tolist() == [-1.0, -1.0, 0.0, -1.0]
    assert l_mul(2.0, 4.0, 3, 3) == 9.0  # (1 + 1/8) 2^3
    assert to_bits([1.0625, 1.1875, -1.0625], 3).tolist() == [1.0, 1.25, -1.0]
    assert to_bits([1.1875, -1.1875], 3, "truncate").tolist() == [1.125, -1.125]


def test_wrong_options_are_one_line() -> None:
    with pytest.raises(ValueError, match="must be 1 to 23, got 0"):
        l_mul(1.0, 1.0, 0, 3)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        l_mul(1.0, 1.0, 3, -1)
