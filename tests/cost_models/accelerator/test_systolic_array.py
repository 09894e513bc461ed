"""The systolic array's cost model: by hand, against NumPy, under every option."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.cost_models.accelerator.bench import measure, random_designs
from designgym.cost_models.accelerator.layers import Layer, gemm_layer
from designgym.cost_models.accelerator.systolic_array import DESIGN, METRICS, SystolicArray, layer_table, touches
from designgym.cost_models.accelerator.systolic_kernel import price_network
from designgym.cost_models.accelerator.systolic_numpy import evaluate_numpy
from designgym.cost_models.accelerator.technology import technology
from designgym.cost_models.base import Columns
from designgym.cost_models.testing import check_cost_model

OS, WS, IS = range(3)
GEMM = gemm_layer("gemm", 100, 60, 40)


def design(**changes: float) -> Columns:
    values = dict(zip(DESIGN, (16, 8, OS, 64, 64, 64, 16, 200_000_000), strict=True)) | changes
    return {name: np.array([value]) for name, value in values.items()}


def price(model: SystolicArray, **changes: float) -> dict[str, float]:
    return {name: float(column[0]) for name, column in model.evaluate(design(**changes)).items()}


def test_counts_of_a_gemm_by_hand() -> None:
    """100 x 60 by 60 x 40 on 16 x 8: OS 7 x 5 folds, WS 4 x 5, IS 4 x 13; everything fits the SRAMs."""
    model = SystolicArray((GEMM,))
    by_hand = {
        OS: (35 * (16 + 8 + 60 - 2) - 1, 6000 * 5 + 2400 * 7 + 4000 + 35 * 24, 6000 + 2400 + 4000),
        WS: (20 * (32 + 8 + 100 - 2) - 1, 6000 * 5 + 2400 + 4000 * 4, 6000 + 2400 + 4000),
        IS: (52 * (32 + 8 + 40 - 2) - 1, 6000 + 2400 * 13 + 4000 * 4, 6000 + 2400 + 4000),
    }
    for dataflow, (cycles, sram_words, dram_words) in by_hand.items():
        priced = price(model, dataflow=dataflow)
        assert (priced["cycles"], priced["sram_words"], priced["dram_words"]) == (cycles, sram_words, dram_words)
        assert priced["utilization"] == pytest.approx(240_000 / (cycles * 128), rel=1e-12)
        assert priced["latency_s"] == max(cycles, dram_words / 16) / 2e8
    assert price(SystolicArray((GEMM,), index_of_last=False))["cycles"] == by_hand[OS][0] + 1


def test_dram_words_of_small_buffers_by_hand() -> None:
    """8 kB hold 4,050 words: the 6,000 of the ifmap do not fit, the 2,400 weights do; 1 kB holds 500."""
    model = SystolicArray((GEMM,))
    assert price(model, ifmap_sram_kb=8)["dram_words"] == 6000 * 5 + 2400 + 4000
    assert price(model, ifmap_sram_kb=8, dataflow=IS)["dram_words"] == 6000 + 2400 + 4000
    assert price(model, filter_sram_kb=1)["dram_words"] == 6000 + 2400 + 4000  # OS: strips of 480 words fit
    assert price(model, filter_sram_kb=1, cols=12)["dram_words"] == 6000 + 2400 * 7 + 4000
    assert price(model, filter_sram_kb=1, dataflow=IS)["dram_words"] == 6000 + 2400 * 13 + 4000
    # WS: 100 x 8 partial sums want 800 words, half of 2 kB is 1,024, of 1 kB 512.
    assert price(model, ofmap_sram_kb=2, dataflow=WS)["dram_words"] == 6000 + 2400 + 4000
    assert price(model, ofmap_sram_kb=1, dataflow=WS)["dram_words"] == 6000 + 2400 + 4000 * 4 + 4000 * 3
    as_the_tool = SystolicArray((GEMM,), psum="scalesim")
    assert price(as_the_tool, ofmap_sram_kb=2, dataflow=WS)["dram_words"] == 6000 + 2400 + 4000 * 4


def test_energy_and_area_by_hand() -> None:
    """At 200 MHz, the nominal voltage, from the printed numbers: Horowitz's per 64 bit, the TPU's per chip."""
    priced = price(SystolicArray((GEMM,)), dataflow=WS, ifmap_sram_kb=8, filter_sram_kb=32, ofmap_sram_kb=1024)
    scale = (45 / 28) ** 2
    array_mm2 = 128 * 0.24 * 331 / 65536 * scale
    sram_mm2 = (8 + 32 + 1024) * 0.29 * 331 / (24 * 1024) * scale
    phy_mm2 = 16 * 0.2 * 0.06 * 331 / 34  # 3.2 GB/s
    assert priced["area_mm2"] == pytest.approx(array_mm2 + sram_mm2 + phy_mm2, rel=1e-4)
    ifmap_words, filter_words, ofmap_words, read_back = 6000 * 5, 2400, 4000 * 4, 4000 * 3
    sram_pj = (ifmap_words * 10 + filter_words * 20 + (ofmap_words + read_back) * 100) / 8
    dram_pj = (6000 * 5 + 2400 + 4000) * 1950 / 8
    idle_w = 28 / 331 * (200 / 700 * 28 / 45 * (array_mm2 + sram_mm2) + phy_mm2)
    energy_j = (240_000 * 0.23 + sram_pj + dram_pj) * 1e-12 + idle_w * priced["latency_s"]
    assert priced["energy_j"] == pytest.approx(energy_j, rel=1e-4)
    assert priced["edp_js"] == priced["energy_j"] * priced["latency_s"]
    assert priced["power_w"] == priced["energy_j"] / priced["latency_s"]


@pytest.mark.parametrize("psum", ["buffered", "scalesim"])
@pytest.mark.parametrize("workload", ["resnet18", "mobilenetv2", "gpt2-decode"])
@pytest.mark.parametrize("tech", ["horowitz45", "eyeriss65"])
def test_the_kernel_and_numpy_agree(workload: str, psum: str, tech: str) -> None:
    model = SystolicArray(workload, psum=psum, technology=tech)
    designs = random_designs(3000)
    priced, oracle = model.evaluate(designs), evaluate_numpy(model, designs)
    for name, column in priced.items():
        if name.endswith(("_j", "_js", "_w")):  # they sum a line's pieces in another order
            np.testing.assert_allclose(column, oracle[name], rtol=1e-14, err_msg=name)
        else:
            np.testing.assert_array_equal(column, oracle[name], err_msg=name)


def test_one_thread_and_all_give_the_same_bits() -> None:
    model = SystolicArray("resnet18")
    arguments = (*random_designs(20_001).values(), *model._network, *model._tables)
    for one, all_ in zip(price_network.serial(*arguments), price_network.parallel(*arguments), strict=True):
        assert one.tobytes() == all_.tobytes()


def test_the_contract_of_cost_models_holds() -> None:
    check_cost_model(SystolicArray("alexnet"), random_designs(300))
    small = (gemm_layer("gemm", 30, 20, 10, count=3), Layer("conv", 9, 9, 3, 3, 4, 6, 2, 2))
    check_cost_model(SystolicArray(small, dram="counted"), random_designs(40))
    check_cost_model(SystolicArray(small, dram="counted", psum="scalesim"), random_designs(40))
    check_cost_model(SystolicArray(small, dram="replayed"), random_designs(40))
    too_fast = random_designs(40) | {"clock_hz": 10_000_000 * np.arange(1, 41)}
    check_cost_model(SystolicArray(small), too_fast)
    check_cost_model(SystolicArray(small, dram="counted"), too_fast)


def test_a_clock_above_the_curve_cannot_be_built() -> None:
    model = SystolicArray((GEMM,))
    designs = {name: np.repeat(column, 3) for name, column in design().items()}
    designs["clock_hz"] = np.array([50_000_000, 250_000_000, 300_000_000])
    priced = model.evaluate(designs)
    np.testing.assert_allclose(priced["violation"], [0.0, 0.0, 0.2])
    assert np.isnan(priced["energy_j"]).tolist() == [False, False, True]
    assert model.reason(design(clock_hz=300_000_000)).startswith("clock_hz is 3e+08, above 2.5e+08")
    assert model.reason(design()) == ""


def test_layers_add_up_to_the_network() -> None:
    model = SystolicArray("resnet50")
    for i in range(5):
        one = {name: column[i : i + 1] for name, column in random_designs(5).items()}
        layers, whole = model.price_layers(one), model.evaluate(one)
        assert len(layers["layer"]) == len(model.layers)
        for name in ("cycles", "latency_s", "energy_j"):
            assert layers[name].sum() == pytest.approx(whole[name][0], rel=1e-12)
        for kind in ("sram", "dram"):
            words = sum(layers[f"{kind}_{operand}_words"].sum() for operand in ("ifmap", "filter", "ofmap"))
            assert words == pytest.approx(whole[f"{kind}_words"][0], rel=1e-12)
        parts = sum(layers[f"{part}_j"] for part in ("mac", "sram", "dram", "idle"))
        np.testing.assert_allclose(parts, layers["energy_j"], rtol=1e-12)
        assert set(layers["bound"]) <= {"compute", "memory"}


def test_a_layer_is_bound_by_what_takes_longer() -> None:
    model = SystolicArray((GEMM,))
    assert model.price_layers(design(dram_words_per_cycle=64))["bound"] == ("compute",)
    assert model.price_layers(design(dram_words_per_cycle=1))["bound"] == ("memory",)


def test_counted_words_take_the_place_of_closed_ones() -> None:
    conv = Layer("conv", 34, 34, 3, 3, 16, 16)
    narrow = design(rows=32, cols=32, ifmap_sram_kb=16)
    closed = SystolicArray((conv,)).price_layers(narrow)
    counted = SystolicArray((conv,), dram="counted")
    # A row of the reference table: SCALE-Sim fetched 20,652 words of this ifmap, the closed rule says 147,456.
    assert closed["dram_ifmap_words"][0] == 147_456
    assert counted.price_layers(narrow)["dram_ifmap_words"][0] == 20_652
    assert counted.evaluate(narrow)["dram_words"][0] == 20_652 + 2304 + 1024 * 16
    assert counted.slow
    assert not SystolicArray().slow


def test_windows_that_hang_over_the_end_touch_less() -> None:
    layer = Layer("overhang", 7, 7, 3, 3, 2, 1, 3, 3)
    inside = sum(
        3 * i + f < 7 and 3 * j + g < 7 for i in range(3) for j in range(3) for f in range(3) for g in range(3)
    )
    assert touches(layer) == 2 * inside < layer.m * layer.k
    assert layer_table((layer,)).tolist() == [[9, 18, 1, 162, 18, 9, layer.ifmap_words, 2 * inside, 1]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workload": 50}, ["workload must be a name", "got 50"]),
        ({"psum": "buffred"}, ["psum", "buffered, scalesim", "'buffred'", "Did you mean 'buffered'"]),
        ({"dram": "open"}, ["dram", "closed, counted, replayed", "'open'"]),
        ({"technology": "horowitz"}, ["technology", "eyeriss65, horowitz45", "'horowitz'", "'horowitz45'"]),
        ({"workload": "resnet5"}, ["resnet5", "'resnet50'"]),
    ],
)
def test_a_wrong_option_is_named_with_the_nearest(options: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ValueError) as refused:
        SystolicArray(**options).evaluate(design())
    assert all(word in str(refused.value) for word in words)


def test_a_missing_column_is_named() -> None:
    lacking = {name: column for name, column in design().items() if name != "cols"}
    with pytest.raises(ValueError, match="'cols' is missing"):
        SystolicArray((GEMM,)).evaluate(lacking)


def test_the_version_changes_with_all_that_changes_a_number() -> None:
    other = technology("horowitz45").__class__(**{**vars(technology("horowitz45")), "mac_j": 1e-12})
    models = [
        SystolicArray("resnet18"), SystolicArray("resnet50"), SystolicArray("resnet18", psum="scalesim"),
        SystolicArray("resnet18", dram="counted"), SystolicArray("resnet18", technology="eyeriss65"),
        SystolicArray("resnet18", index_of_last=False), SystolicArray("resnet18", technology=other),
        SystolicArray((GEMM,)), SystolicArray((gemm_layer("gemm", 100, 60, 40, count=2),)),
    ]  # fmt: skip
    assert len({model.version for model in models}) == len(models)
    assert SystolicArray((GEMM,)).version == SystolicArray("gemm:m=100,k=60,n=40").version
    assert pickle.loads(pickle.dumps(models[0])).version == models[0].version


LAYERS = st.builds(
    lambda size, width, channels, filters, stride: Layer(
        "any", size + width, size + width, width, width, channels, filters, stride, stride
    ),
    st.integers(0, 60), st.integers(1, 7), st.integers(1, 80), st.integers(1, 300), st.integers(1, 4),
)  # fmt: skip
DESIGNS = st.fixed_dictionaries(
    {
        "rows": st.integers(1, 300), "cols": st.integers(1, 300), "dataflow": st.integers(0, 2),
        "ifmap_sram_kb": st.integers(1, 4096), "filter_sram_kb": st.integers(1, 4096),
        "ofmap_sram_kb": st.integers(1, 4096), "dram_words_per_cycle": st.integers(1, 100),
        "clock_hz": st.integers(10**8, 25 * 10**7),
    }
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(LAYERS, DESIGNS, st.sampled_from(DESIGN[3:]), st.floats(1.0, 8.0))
def test_more_never_costs_more_where_it_must_not(layer: Layer, given_: dict, knob: str, factor: float) -> None:
    """More SRAM never raises DRAM words, nor does more of a rate raise latency; the array's own cycles stay."""
    model = SystolicArray((layer,))
    more = given_[knob] * factor if knob != "clock_hz" else min(given_[knob] * factor, 25 * 10**7)
    before, after = price(model, **given_), price(model, **given_ | {knob: more})
    assert after["dram_words"] <= before["dram_words"]
    assert after["latency_s"] <= before["latency_s"] * (1 + 1e-12)
    assert after["cycles"] == before["cycles"]
    assert after["area_mm2"] >= before["area_mm2"]


@settings(max_examples=100, deadline=None)
@given(LAYERS, DESIGNS)
def test_bounds_that_no_design_beats(layer: Layer, given_: dict) -> None:
    priced = price(SystolicArray((layer,), index_of_last=False), **given_)
    assert 0 < priced["utilization"] <= 1
    assert priced["dram_words"] >= layer.ifmap_words + layer.k * layer.n + layer.m * layer.n
    assert priced["energy_j"] > 0
    assert all(np.isfinite(priced[metric.name]) for metric in METRICS)


@settings(max_examples=50, deadline=None)
@given(LAYERS, DESIGNS, st.integers(2, 50))
def test_a_layer_repeated_costs_so_often_as_much(layer: Layer, given_: dict, count: int) -> None:
    one = price(SystolicArray((layer,)), **given_)
    many = price(SystolicArray((layer,) * count), **given_)
    for name in ("cycles", "latency_s", "energy_j", "sram_words", "dram_words"):
        assert many[name] == pytest.approx(count * one[name], rel=1e-12)
    for name in ("utilization", "area_mm2", "power_w"):
        assert many[name] == pytest.approx(one[name], rel=1e-12)


def test_the_bench_compares_in_one_run_and_says_how_to_get_scalesim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESIGNGYM_SCALESIM_PYTHON", raising=False)
    result = measure(designs=20_000, repeats=3)
    rates = {what: (figure, ratio) for what, figure, _, ratio, _ in result["rows"]}
    serial, ratio = rates["compiled, one thread"]
    assert ratio == pytest.approx(serial / rates["NumPy"][0])
    assert ratio > 3
    assert any("pip install scalesim==3.0.0" in note for note in result["notes"])
    with pytest.raises(ValueError, match="must be an interpreter, got '/no/python'"):
        measure("/no/python", designs=100, repeats=1)
