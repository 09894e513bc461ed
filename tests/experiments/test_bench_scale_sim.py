"""The bench of SCALE-Sim: errors by hand, and two designs simulated."""

import math

import numpy as np
import pytest

from designgym.experiments.bench.scale_sim import _compared, scale_sim


def test_errors_are_logarithms_of_the_simulators_number_over_the_closed_forms() -> None:
    cheap = {name: np.array([1.0, 2.0, 4.0]) for name in ("latency_s", "energy_j")} | {"dram_words": np.full(3, 7.0)}
    found = {name: cheap[name] * np.array([1.0, math.e, math.e**2]) for name in cheap}
    found["energy_j"] = np.array([4.0, 2.0, 1.0])
    figures = {row[0]: row[1] for row in _compared("x", found, cheap)}
    assert figures["x: cycles with stalls, RMS of the log ratio"] == pytest.approx(math.sqrt(5 / 3))
    assert figures["x: cycles with stalls, median ratio"] == pytest.approx(math.e)
    assert figures["x: cycles with stalls, Spearman"] == pytest.approx(1)
    assert figures["x: energy, Kendall"] == pytest.approx(-1)
    assert "x: DRAM words, Spearman" not in figures  # the closed form's are all the same
    assert "x: DRAM words, RMS of the log ratio" in figures


@pytest.mark.usefixtures("scalesim")
def test_two_designs() -> None:
    said: list[str] = []
    measured = scale_sim(2, "gemm:m=9,k=11,n=7", said.append)
    figures = {row[0]: row[1] for row in measured["rows"]}
    assert 0 < figures["an evaluation by SCALE-Sim, median"] <= figures["the slowest of twenty"]
    assert figures["cycles with stalls over those without, the worst of twenty"] >= 1
    assert measured["notes"] == ["2 designs of SystolicArray-v0, gemm:m=9,k=11,n=7, seed 0"]
