"""The cheap model of SCALE-Sim's stalls: waits by hand, none where operands fit, and what it tells a learned model."""

import numpy as np
import pytest

from designgym.cost_models.accelerator.replayed_array import ReplayedArray
from designgym.cost_models.accelerator.stalling_array import StallingArray
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_kernel import IS, OS, WS
from designgym.cost_models.base import Columns
from designgym.envs import make_problem

GEMM = "gemm:m=8,k=768,n=64"  # 6,144 and 49,152 words


def design(**changed: float) -> Columns:
    one = {"rows": 16, "cols": 64, "dataflow": OS, "ifmap_sram_kb": 64, "filter_sram_kb": 128, "ofmap_sram_kb": 64,
           "dram_words_per_cycle": 4, "clock_hz": 200_000_000}  # fmt: skip
    return {name: np.array([value]) for name, value in (one | changed).items()}


@pytest.mark.parametrize("dram", ["closed", "replayed"])
def test_an_operand_that_fits_is_not_waited_for(dram: str) -> None:
    fits = design(dram_words_per_cycle=1)
    plain = SystolicArray(GEMM, "scalesim").evaluate(fits)
    assert StallingArray(GEMM, dram=dram).evaluate(fits)["cycles"] == plain["cycles"]  # type: ignore[arg-type]
    assert plain["latency_s"] * 200_000_000 > plain["cycles"]  # that one waits for the first fill
    assert all(value == 1.0 for value in StallingArray(GEMM).features(fits).values())


def test_an_operand_that_overflows_is_waited_for_word_by_word() -> None:
    model = StallingArray(GEMM)
    # Half of 32 kB holds 16,384 words: a third of the filters, which cross once where outputs stay.
    priced, told = model.evaluate(design(filter_sram_kb=32)), model.features(design(filter_sram_kb=32))
    assert priced["cycles"] == 49_152 / 4
    assert priced["latency_s"] == 49_152 / 4 / 200_000_000
    compute = SystolicArray(GEMM, "scalesim").evaluate(design())["cycles"]
    assert told["filter_over"] == 3.0
    assert told["filter_wait"] == pytest.approx(1.0 + 49_152 / 4 / compute)
    assert told["filter_thrash"] == pytest.approx(1.0 + 3.0 * 49_152 / 4 / compute)
    assert told["ifmap_over"] == told["ifmap_wait"] == 1.0
    # The slower of the two interfaces decides, each as wide as the other.
    both = model.evaluate(design(filter_sram_kb=32, ifmap_sram_kb=8))
    assert both["cycles"] == priced["cycles"]


def test_replayed_words_are_those_that_a_buffer_fetches_after_its_first_fill() -> None:
    model = StallingArray(GEMM, dram="replayed")
    # Half of 64 kB holds 32,768 words: two thirds of the filters, of whose list the window goes on by what is left,
    # a third: forth, and back again for each further column of tiles. There is one, and so it goes on once.
    priced = model.evaluate(design(filter_sram_kb=64, dram_words_per_cycle=1))
    assert priced["cycles"] == 32_768
    # The simulator waits for it twice, less what the array had computed by then.
    waited = ReplayedArray(GEMM).evaluate(design(filter_sram_kb=64, dram_words_per_cycle=1))["cycles"]
    assert 32_768 < waited < 2 * 32_768


@pytest.mark.parametrize("dataflow", [WS, IS])
def test_filters_that_are_asked_for_by_tiles_are_fetched_anew_as_often_as_they_overflow(dataflow: int) -> None:
    tiles = design(filter_sram_kb=32, dataflow=dataflow)
    assert StallingArray(GEMM).evaluate(tiles)["cycles"] == 3 * 49_152 / 4
    told = StallingArray(GEMM).features(tiles)
    assert told["filter_thrash"] == told["filter_wait"]  # the words that cross are multiplied once


def test_layers_are_waited_for_one_by_one() -> None:
    from designgym.cost_models.accelerator.layers import gemm_layer

    one, other = gemm_layer("a", 8, 768, 64), gemm_layer("b", 8, 64, 64, count=3)
    narrow = design(filter_sram_kb=32)
    apart = [StallingArray((layer,)).evaluate(narrow)["cycles"] for layer in (one, other)]
    assert StallingArray((one, other)).evaluate(narrow)["cycles"] == sum(apart)


def test_it_prices_the_space_of_systolic_arrays_and_is_never_below_compute() -> None:
    problem = make_problem("SystolicArray-v0", workload=GEMM, cost_model="StallingArray")
    drawn = problem.space.sample(500, np.random.default_rng(0))
    priced = problem.cost_model.evaluate(drawn)
    compute = SystolicArray(GEMM, "scalesim").evaluate(drawn)["cycles"]
    assert (priced["cycles"] >= compute).all()
    assert 0.2 < (priced["cycles"] > compute).mean() < 0.5
    for column in problem.cost_model.features(drawn).values():  # type: ignore[attr-defined]
        assert (np.isfinite(column) & (column >= 1.0)).all()


def test_its_version_changes_with_workload_and_rule_for_words() -> None:
    versions = {StallingArray(GEMM).version, StallingArray("gemm:m=8,k=768,n=65").version,
                StallingArray(GEMM, dram="replayed").version}  # fmt: skip
    assert len(versions) == 3
    with pytest.raises(ValueError, match="dram must be one of closed, replayed"):
        StallingArray(GEMM, dram="replay")  # type: ignore[arg-type]
