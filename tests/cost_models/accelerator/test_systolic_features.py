"""What a systolic array offers learned models: counts and bounds, finite, row by row, and never a metric."""

import numpy as np
import pytest

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_features import FOLDS, NAMES
from designgym.cost_models.accelerator.systolic_layers import replayed_of_layers
from designgym.cost_models.base import Bounds, Columns, Features
from designgym.cost_models.learned.mixing import relative_rmse
from designgym.cost_models.learned.regression import fit_metrics
from designgym.envs import make_problem

LAYERS = (conv_layer("conv", (14, 14), (3, 3), 32, 64), gemm_layer("fc", 1, 512, 100, count=2))
OVERFLOWS = conv_layer("overflows", (28, 28), (3, 3), 64, 64)
MODELS = {
    "resnet50": SystolicArray(), "scalesim": SystolicArray("resnet18", psum="scalesim"),
    "eyeriss": SystolicArray(LAYERS, technology="eyeriss65", index_of_last=False),
}  # fmt: skip


def drawn(n: int, seed: int) -> Columns:
    return make_problem("SystolicArray-v0").space.sample(n, np.random.default_rng(seed))


@pytest.mark.parametrize("name", MODELS)
def test_features_and_bounds_are_finite_and_each_row_depends_on_its_design_alone(name: str) -> None:
    model, designs = MODELS[name], drawn(300, 0)
    designs["clock_hz"][0] = 900_000_000  # cannot be built, and has features all the same
    assert isinstance(model, Features)
    assert isinstance(model, Bounds)
    for columns in (model.features, model.bounds):
        whole = columns(designs)
        assert all(column.shape == (300,) and np.isfinite(column).all() for column in whole.values())
        for i in range(0, 300, 23):
            one = columns({key: column[i : i + 1] for key, column in designs.items()})
            assert {key: column[0] for key, column in one.items()} == {key: whole[key][i] for key in whole}


@pytest.mark.parametrize("name", MODELS)
def test_no_feature_is_a_metric_nor_a_bound_of_one(name: str) -> None:
    model, designs = MODELS[name], drawn(2000, 1)
    metrics, found = model.evaluate(designs), {**model.features(designs), **model.bounds(designs)}
    assert not set(model.features(designs)) & set(metrics)
    for feature, column in found.items():
        for metric in model.metrics:
            ratio = column / metrics[metric.name]
            assert ratio.std() > 1e-3 * abs(ratio.mean()), (feature, metric.name)


@pytest.mark.parametrize("name", MODELS)
def test_bounds_are_below_their_metrics_and_above_0(name: str) -> None:
    model, designs = MODELS[name], drawn(20_000, 2)
    metrics = model.evaluate(designs)
    for metric, bound in model.bounds(designs).items():
        assert (bound > 0).all()
        assert (metrics[metric] >= bound * (1 - 1e-12)).all()


@pytest.mark.parametrize("dram", ["counted", "replayed"])
@pytest.mark.parametrize("psum", ["buffered", "scalesim"])
def test_bounds_hold_where_words_are_not_those_of_the_closed_rule(dram: str, psum: str) -> None:
    """Windows that overlap find some of an ifmap that overflows, windows that leave gaps do not touch every word."""
    designs = drawn(100, 2)
    designs["dram_words_per_cycle"][:], designs["ifmap_sram_kb"][:] = 1, 8
    closed = SystolicArray((OVERFLOWS,)).bounds(designs)["latency_s"]
    assert (closed > 1.05 * SystolicArray((OVERFLOWS,), dram="counted").evaluate(designs)["latency_s"]).any()
    assert (closed > 1.05 * SystolicArray((OVERFLOWS,), dram="replayed").bounds(designs)["latency_s"]).any()
    for layer in (OVERFLOWS, Layer("gaps", 17, 16, 2, 4, 8, 16, 4, 2, count=2)):
        model = SystolicArray((layer,), psum, dram)  # type: ignore[arg-type]
        metrics = model.evaluate(designs)
        for metric, bound in model.bounds(designs).items():
            assert (metrics[metric] >= bound * (1 - 1e-12)).all(), (layer, metric)


def test_words_that_the_tool_does_not_count_are_not_in_the_bound() -> None:
    """4,100 words are in the window of an SRAM of 8 kB, and its fill counts as 4,096."""
    model = SystolicArray((gemm_layer("over", 8, 1025, 32),), "scalesim", "replayed")
    designs = {name: np.array([value]) for name, value in {
        "rows": 196, "cols": 256, "dataflow": 0, "ifmap_sram_kb": 8, "filter_sram_kb": 32, "ofmap_sram_kb": 2048,
        "dram_words_per_cycle": 1, "clock_hz": 100_000_000}.items()}  # fmt: skip
    metrics, bounds = model.evaluate(designs), model.bounds(designs)
    assert metrics["dram_words"][0] < 8 * 1025 + 1025 * 32 + 8 * 32
    for metric in bounds:
        assert 0.98 * metrics[metric][0] < bounds[metric][0] <= metrics[metric][0]


def test_replayed_words_are_told_as_waits_over_compute() -> None:
    """Two layers by hand: 49,152 weights pass an SRAM whose half holds 16,384; after them a layer that fits."""
    layers = (gemm_layer("one", 8, 768, 64), gemm_layer("two", 8, 64, 64, count=3))
    model = SystolicArray(layers, "scalesim", "replayed")
    designs = {name: np.array([value]) for name, value in {
        "rows": 16, "cols": 64, "dataflow": 0, "ifmap_sram_kb": 64, "filter_sram_kb": 32, "ofmap_sram_kb": 64,
        "dram_words_per_cycle": 4, "clock_hz": 100_000_000}.items()}  # fmt: skip
    found = {name: float(column[0]) for name, column in model.features(designs).items()}
    assert tuple(found) == (*FOLDS, "ifmap_wait", "filter_wait", "ofmap_wait", "waiting")
    assert found["ifmap_wait"] == 1.0
    one, three = 768 + 16 + 64 - 3, 3 * (64 + 16 + 64 - 3)
    later, words = 49_152 - 16_384, replayed_of_layers(layers, designs)
    assert found["filter_wait"] == pytest.approx(1 + later / 4 / (one + three))
    assert found["waiting"] == pytest.approx((later / 4 + three) / (one + three))
    assert found["ofmap_wait"] == pytest.approx(1 + words["dram_ofmap_words"].sum() / 4 / (one + three))
    # 6,144 words of the ifmap pass one whose half holds 4,096; both operands are waited for, one after the other.
    small = {**designs, "ifmap_sram_kb": np.array([8])}
    both, words = model.features(small), replayed_of_layers(layers, small)
    assert words["later_ifmap"][0, 0] > 0
    assert both["ifmap_wait"][0] == pytest.approx(1 + words["later_ifmap"][0, 0] / 4 / (one + three))
    waited = (words["later_ifmap"][0, 0] + later) / 4
    assert both["waiting"][0] == pytest.approx((waited + three) / (one + three))
    assert all((column >= 1.0).all() for name, column in model.features(drawn(50, 1)).items() if "wait" in name)


def test_partial_sums_that_are_buffered_are_not_waited_for() -> None:
    layers = (gemm_layer("deep", 64, 768, 64),)
    designs = {name: np.array([value]) for name, value in {
        "rows": 16, "cols": 16, "dataflow": 1, "ifmap_sram_kb": 64, "filter_sram_kb": 64, "ofmap_sram_kb": 64,
        "dram_words_per_cycle": 3, "clock_hz": 100_000_000}.items()}  # fmt: skip
    buffered, spilled = (SystolicArray(layers, psum, "replayed").features(designs)["ofmap_wait"][0]
                         for psum in ("buffered", "scalesim"))  # type: ignore[arg-type]  # fmt: skip
    cycles = SystolicArray(layers).evaluate(designs)["cycles"][0]
    assert buffered == pytest.approx(1 + 64 * 64 / 3 / cycles)
    replayed = replayed_of_layers(layers, designs)["dram_ofmap_words"].sum()
    assert spilled == pytest.approx(1 + replayed / 3 / cycles)


def test_a_bound_equals_its_metric_where_the_docstring_says_and_is_off_by_what_it_says() -> None:
    model, designs = MODELS["resnet50"], drawn(20_000, 3)
    metrics, bounds = model.evaluate(designs), model.bounds(designs)
    for metric, error in (("latency_s", 5.3), ("energy_j", 2.0)):
        equal = metrics[metric] / bounds[metric] < 1 + 1e-12
        assert np.mean(equal) == pytest.approx(0.70, abs=0.02)
        assert relative_rmse(bounds[metric], metrics[metric]) == pytest.approx(error, rel=0.1)


def test_a_layer_worked_by_hand() -> None:
    """C[10, 7] = A[10, 12] @ B[12, 7], output-stationary on 4 x 4: 3 x 2 tiles of 12 vectors; all SRAMs hold all."""
    model = SystolicArray((gemm_layer("one", 10, 12, 7),))
    designs = {name: np.array([value]) for name, value in {
        "rows": 4, "cols": 4, "dataflow": 0, "ifmap_sram_kb": 64, "filter_sram_kb": 64, "ofmap_sram_kb": 64,
        "dram_words_per_cycle": 1, "clock_hz": 100_000_000}.items()}  # fmt: skip
    found = {name: float(column[0]) for name, column in model.features(designs).items()}
    assert tuple(found) == NAMES
    assert (found["row_folds"], found["col_folds"], found["tiles"], found["streamed_vectors"]) == (3, 2, 6, 72)
    assert found["row_idle"] == pytest.approx(1 - 10 / 12)
    assert found["col_idle"] == pytest.approx(1 - 7 / 8)
    assert (found["ifmap_again"], found["filter_again"], found["psum_again"]) == (0, 0, 0)
    cycles, words = 6 * (4 + 4 + 12 - 2) - 1, 120 + 84 + 70
    assert found["words_over_cycles"] == pytest.approx(words / cycles)
    assert found["starved"] == 1.0
    assert model.bounds(designs)["latency_s"][0] == pytest.approx(words / 1e8)
    small = {**designs, "filter_sram_kb": np.array([0])}
    assert model.features(small)["filter_again"][0] == 84 * 2  # fetched anew by each of three row folds


def test_four_thousand_designs_teach_latency_and_energy_within_a_few_per_cent() -> None:
    model, train, others = MODELS["resnet50"], drawn(4000, 4), drawn(4000, 5)
    priced, truth = model.evaluate(train), model.evaluate(others)
    values = {name: priced[name] for name in ("latency_s", "energy_j")}
    fitted = fit_metrics(
        make_problem("SystolicArray-v0").space.specs(), train, values,
        features=model.features(train), bounds=model.bounds(train), model="boosting",
    )  # fmt: skip
    found = fitted.predict(others, model.features(others), model.bounds(others))
    errors = {name: relative_rmse(found[name], truth[name]) for name in found}
    alone = {name: relative_rmse(bound, truth[name]) for name, bound in model.bounds(others).items()}
    assert errors["latency_s"] < 2.5
    assert errors["energy_j"] < 1.2
    assert all(errors[name] < 0.6 * alone[name] for name in errors)
