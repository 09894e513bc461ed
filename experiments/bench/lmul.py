"""How far L-Mul's products are off, beside products of 8-bit floats and what its paper claims of both.

Operands uniform in [1, 2), rounded to the mantissa bits; relative to the product of what was not rounded. Luo and Sun,
arXiv:2410.00907, claim 4 mantissa bits to be about as precise as E4M3 and 3 bits to be more precise than E5M2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from designgym.cost_models.quantization.lmul import l_mul, published_offset, relative_errors, signed_error, to_bits
from designgym.experiments.bench.core import Row

SAMPLE = 1_000_000
FLOATS = {"E5M2": 2, "E4M3": 3}  # and their mantissa bits
CLAIMS = {3: ("E5M2", "less, by the paper"), 4: ("E4M3", "about as much, by the paper")}


def lmul() -> dict[str, Any]:
    """Return mean absolute relative errors of both forms. Rows are (what, figure, unit, ratio, what it is to)."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(1.0, 2.0, SAMPLE), rng.uniform(1.0, 2.0, SAMPLE)

    def error(products: Any) -> float:
        return relative_errors(products, x * y)["mean_abs_rel_err"]

    floats = {name: error(to_bits(to_bits(x, m) * to_bits(y, m), m)) for name, m in FLOATS.items()}
    rows: list[Row] = [(f"{name}, product rounded", found, "1", None, "") for name, found in floats.items()]
    for bits in range(1, 9):
        for offset in sorted({published_offset(bits), min(bits, 6)}):
            for form in ("adder", "formula"):
                found = error(l_mul(x, y, bits, offset, form))
                name, claim = CLAIMS.get(bits, ("", ""))
                ratio = found / floats[name] if name else None
                what = f"L-Mul, {bits} bits, offset {offset}, {form} form"
                rows.append((what, found, "1", ratio, f"{name}; {claim}" if name else ""))
    for bits in (3, 4):
        signed = signed_error(bits, published_offset(bits))
        rows.append((f"signed error, {bits} bits truncated, formula form", signed, "1", None, ""))
        rows.append((f"signed error, {bits} bits truncated, product", signed_error(bits), "1", None, ""))
    return {"notes": [f"mean absolute relative errors over {SAMPLE:,} pairs; the paper's offset, and as many as bits"],
            "rows": rows}  # fmt: skip
