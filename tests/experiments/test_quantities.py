"""Numbers with units as people read them."""

import math

import pytest

from designgym.experiments.quantities import duration, quantity, share


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.004617, "s", "4.617 ms"),
        (1.5e-9, "J", "1.5 nJ"),
        (0.0, "s", "0 s"),
        (9.87, "mm2", "9.87 mm2"),
        (1024, "word", "1,024 word"),
        (999.99996e-3, "s", "1 s"),
        (2.5e12, "Hz", "2.5 THz"),
        (8.4e-6, "A", "8.4 µA"),
        (-3e-3, "W", "-3 mW"),
        (1e-30, "s", "1e-15 fs"),
        (math.nan, "s", "–"),
        (None, "s", "–"),
        (math.inf, "s", "∞"),
    ],
)
def test_quantity(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_share_and_duration() -> None:
    assert [share(v) for v in (0.0312, 0.5, 0.0002)] == ["3.1 %", "50.0 %", "0.02 %"]
    assert [duration(s) for s in (0.85, 12.34, 245, 7800)] == ["850 ms", "12.3 s", "4 min 05 s", "2 h 10 min"]
