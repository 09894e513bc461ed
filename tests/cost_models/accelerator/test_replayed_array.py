"""ReplayedArray against the simulator that it replays, run here: awkward layers, small SRAMs, narrow interfaces."""

import numpy as np
import pytest

from designgym.cost_models.accelerator.layers import Layer, gemm_layer
from designgym.cost_models.accelerator.replayed_array import ReplayedArray
from designgym.cost_models.accelerator.scale_sim import ScaleSim
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_layers import price_layers, words_by_operand
from designgym.cost_models.base import Columns
from designgym.envs import make_problem

GEMM = "gemm:m=8,k=768,n=64"
SEEDS = (0, 2, 4, 5, 7, 10, 12, 13, 15, 16, 17, 18)  # all dataflows; all but the first one stall


def awkward(seed: int) -> tuple[Layer, Columns]:
    """Draw a layer with remainders, strides and windows that hang over, and a design that it overflows."""
    rng = np.random.default_rng(seed)

    def one(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    filter_h, filter_w = one(1, 4), one(1, 4)
    layer = Layer("awkward", filter_h + one(0, 7), filter_w + one(0, 7), filter_h, filter_w, one(1, 24), one(1, 60),
                  one(1, 3), one(1, 3), count=one(1, 2))  # fmt: skip
    design = {"rows": one(2, 20), "cols": one(2, 20), "dataflow": seed % 3, "ifmap_sram_kb": one(1, 3),
              "filter_sram_kb": one(1, 4), "ofmap_sram_kb": one(1, 3), "dram_words_per_cycle": one(1, 6),
              "clock_hz": 200_000_000}  # fmt: skip
    return layer, {name: np.array([value]) for name, value in design.items()}


@pytest.mark.usefixtures("scalesim")
def test_awkward_layers_take_the_cycles_that_the_simulator_says() -> None:
    stalled = 0
    for seed in SEEDS:
        layer, design = awkward(seed)
        told, found = ScaleSim((layer,)).evaluate(design), ReplayedArray((layer,)).evaluate(design)
        assert found["cycles"] == told["cycles"], (seed, layer, design)
        assert found["sram_words"] == told["sram_words"]
        assert found["dram_words"] == told["dram_words"], (seed, layer, design)
        assert found["latency_s"] == told["latency_s"]
        stalled += int(told["cycles"][0] > SystolicArray((layer,), "scalesim").evaluate(design)["cycles"][0])
    assert stalled == len(SEEDS) - 1


def test_an_operand_that_fits_is_not_waited_for() -> None:
    problem = make_problem("SystolicArray-v0", workload=GEMM, cost_model="ReplayedArray")
    drawn = problem.space.sample(300, np.random.default_rng(0))
    priced = problem.cost_model.evaluate(drawn)
    plain = SystolicArray(GEMM, "scalesim").evaluate(drawn)
    # Halves of 8,192 and 65,536 words; sums of at most 512 words at a time, 192 times where rows are fewest.
    fits = (drawn["ifmap_sram_kb"] >= 16) & (drawn["filter_sram_kb"] >= 128) & (drawn["ofmap_sram_kb"] >= 256)
    assert (priced["cycles"][fits] == plain["cycles"][fits]).all()
    assert (priced["cycles"] >= plain["cycles"]).all()
    assert 0.2 < (priced["cycles"] > plain["cycles"]).mean() < 0.6


@pytest.mark.parametrize("psum", ["scalesim", "buffered"])
def test_a_closed_form_may_take_the_words_that_are_replayed(psum: str) -> None:
    """Compute stays what it is, and latency waits for all words alike; partial sums are the option's."""
    layers = (gemm_layer("a", 8, 768, 64), Layer("b", 9, 9, 3, 3, 8, 24, 1, 1, count=2))
    drawn = make_problem("SystolicArray-v0").space.sample(60, np.random.default_rng(3))
    model, truth = SystolicArray(layers, psum, "replayed"), ReplayedArray(layers)  # type: ignore[arg-type]
    priced, plain, replayed = model.evaluate(drawn), SystolicArray(layers, psum).evaluate(drawn), truth.replayed(drawn)  # type: ignore[arg-type]
    assert (priced["cycles"] == plain["cycles"]).all()
    words = words_by_operand(model, drawn)
    for operand in ("ifmap", "filter"):
        assert (words[f"dram_{operand}_words"] == replayed[f"dram_{operand}_words"].sum(axis=0)).all()
    if psum == "scalesim":
        assert (priced["dram_words"] == truth.evaluate(drawn)["dram_words"]).all()
    else:
        closed = words_by_operand(SystolicArray(layers, psum), drawn)
        assert (words["dram_ofmap_words"] == closed["dram_ofmap_words"]).all()
    one = {name: column[:1] for name, column in drawn.items()}
    by_layer = price_layers(model, one)
    crossing = sum(by_layer[f"dram_{operand}_words"] for operand in ("ifmap", "filter", "ofmap"))
    cycles = np.maximum(by_layer["cycles"], crossing / drawn["dram_words_per_cycle"][0])
    assert priced["latency_s"][0] == pytest.approx(cycles.sum() / drawn["clock_hz"][0])
    assert model.slow
    assert model.version != SystolicArray(layers, psum).version  # type: ignore[arg-type]


def test_layers_add_up_and_copies_count() -> None:
    one, other = gemm_layer("a", 8, 96, 64), gemm_layer("b", 8, 64, 64, count=3)
    drawn = make_problem("SystolicArray-v0").space.sample(40, np.random.default_rng(1))
    apart = [ReplayedArray((layer,)).evaluate(drawn)["cycles"] for layer in (one, other)]
    assert (ReplayedArray((one, other)).evaluate(drawn)["cycles"] == sum(apart)).all()


def test_numbers_that_are_not_whole_are_refused() -> None:
    drawn = make_problem("SystolicArray-v0").space.sample(3, np.random.default_rng(1))
    model = SystolicArray(GEMM, dram="replayed")
    for price in (ReplayedArray(GEMM).evaluate, model.evaluate, model.features, model.bounds):
        with pytest.raises(ValueError, match=r"rows must be a whole number from 1 to \d+ for SCALE-Sim, got 8\.5"):
            price(drawn | {"rows": np.array([8.0, 8.5, 9.0])})
        with pytest.raises(ValueError, match=r"dram_words_per_cycle must be a whole number .*, got 0\.5"):
            price(drawn | {"dram_words_per_cycle": np.array([1.0, 2.0, 0.5])})
