"""An array and the bits of its network: as the array alone at 8 bits, bit by bit below, and areas as synthesised."""

import csv
import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.technology import technology
from designgym.cost_models.base import Columns
from designgym.cost_models.quantization import mac_areas, zoo
from designgym.cost_models.quantization.energies import multiply_j
from designgym.cost_models.quantization.formats import integer
from designgym.cost_models.quantization.mixed_precision import MixedPrecision
from designgym.cost_models.quantization.networks import Network, Step
from designgym.cost_models.quantization.operations import Add, Relu, Weighted
from designgym.cost_models.quantization.quantized_accelerator import QuantizedAccelerator, layers_on_array, readers
from designgym.envs import make_problem

CIRCUITS = list(
    csv.DictReader((Path(__file__).parents[2] / "reference/quantization/evoapproxlib_exact_45nm.csv").open())
)


def designs_of(network: str, n: int, bits: int | None = None) -> Columns:
    space = make_problem("QuantizedAccelerator-v0", network=network).space
    drawn = space.sample(n, np.random.default_rng(3))
    return {name: np.full(n, bits) if bits and name.endswith("_bits") else column for name, column in drawn.items()}


@pytest.mark.parametrize("network", ["cnn", "mlp"])
@pytest.mark.parametrize("technology", ["horowitz45", "eyeriss65"])
def test_at_eight_bits_it_is_the_array_alone(network: str, technology: str) -> None:
    model = QuantizedAccelerator(network, technology=technology, psum_bits=8)
    array = SystolicArray(layers_on_array(zoo.network(network)), technology=technology)
    designs = designs_of(network, 300, bits=8)
    found, alone = model.evaluate(designs), array.evaluate(designs)
    alone |= {"sram_byte": alone["sram_words"], "dram_byte": alone["dram_words"]}
    for metric in model.metrics[4:]:
        np.testing.assert_allclose(found[metric.name], alone[metric.name], rtol=1e-14, err_msg=metric.name)


def test_accuracy_is_that_of_the_network_whatever_the_array() -> None:
    designs = designs_of("mlp", 200)
    found = QuantizedAccelerator("mlp").evaluate(designs)
    for name in ("accuracy", "accuracy_drop", "nll", "model_byte"):
        assert found[name].tolist() == MixedPrecision("mlp").evaluate(designs)[name].tolist()


def test_layers_are_those_of_the_network() -> None:
    first, second, third, last = layers_on_array(zoo.network("cnn"))
    assert [layer.macs for layer in (first, second, third, last)] == [4608, 18432, 9216, 640]
    assert (first.ifmap_h, first.filter_h, first.channels, first.filters, first.stride_h) == (10, 3, 1, 8, 1)
    assert (second.out_h, second.stride_h, third.out_h) == (4, 2, 2)
    assert (last.m, last.k, last.n) == (1, 64, 10)


def test_traffic_goes_by_bits_where_everything_fits() -> None:
    """One 32 x 32 array, weight stationary: every word of the MLP comes from DRAM once, outputs are written once."""
    model = QuantizedAccelerator("mlp")
    one = {"rows": 32, "cols": 32, "dataflow": 1, "ifmap_sram_kb": 32, "filter_sram_kb": 32, "ofmap_sram_kb": 32,
           "dram_words_per_cycle": 4, "clock_hz": 100_000_000}  # fmt: skip
    bits = {"layer1_weight_bits": 4, "layer1_activation_bits": 2, "layer2_weight_bits": 3, "layer2_activation_bits": 5,
            "layer3_weight_bits": 8, "layer3_activation_bits": 6}  # fmt: skip
    found = model.evaluate({name: np.array([value]) for name, value in {**one, **bits}.items()})
    weights = 2048 * 4 + 1024 * 3 + 320 * 8
    inputs = 64 * 2 + 32 * 5 + 32 * 6
    outputs = 32 * 5 + 32 * 6 + 10 * 8
    assert found["dram_byte"].tolist() == [(weights + inputs + outputs) / 8]
    # The first layer folds its 64 inputs once: 32 partial sums are written, and outputs at the next layer's bits.
    assert found["sram_byte"].tolist() == [(weights + inputs + outputs + 32 * 32) / 8]


def test_output_stationary_arrays_have_no_partial_sums_to_pay_for() -> None:
    designs = designs_of("mlp", 100) | {"dataflow": np.zeros(100, np.int64)}
    narrow, wide = (QuantizedAccelerator("mlp", psum_bits=bits).evaluate(designs) for bits in (8, 64))
    for name in ("sram_byte", "dram_byte", "latency_s", "area_mm2"):
        assert narrow[name].tolist() == wide[name].tolist()
    assert (narrow["energy_j"] < wide["energy_j"]).all()  # additions
    others = designs | {"dataflow": np.ones(100, np.int64)}
    narrow, wide = (QuantizedAccelerator("mlp", psum_bits=bits).evaluate(others) for bits in (8, 64))
    assert (narrow["sram_byte"] < wide["sram_byte"]).all()


def test_outputs_are_as_wide_as_their_widest_reader_takes_them() -> None:
    """Branches: input to a and to b, their sum to c; a's outputs go to c alone."""
    rng = np.random.default_rng(0)

    def dense(name: str, reads: str, inputs: int, outputs: int) -> Step:
        return Step(name, (reads,), Weighted(rng.normal(size=(inputs, outputs)), np.zeros(outputs)))

    steps = (
        dense("a", "input", 4, 6), dense("b", "input", 4, 6), Step("sum", ("a", "b"), Add()),
        Step("relu", ("sum",), Relu()), dense("c", "relu", 6, 3), dense("d", "relu", 6, 3),
    )  # fmt: skip
    assert readers(Network("branched", (4,), steps)) == ((2, 3), (2, 3), (), ())
    assert readers(zoo.network("cnn")) == ((1,), (2,), (3,), ())


def test_the_version_changes_with_the_arrays_own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    before = QuantizedAccelerator("mlp").version
    monkeypatch.setattr("designgym.cost_models.quantization.quantized_accelerator.ARRAY", "of tomorrow")
    assert QuantizedAccelerator("mlp").version != before


@pytest.mark.parametrize("kind", ["weight", "activation"])
def test_narrower_numbers_never_cost_more(kind: str) -> None:
    model, designs = QuantizedAccelerator("cnn"), designs_of("cnn", 200)
    lower = {
        name: np.maximum(column - 1, 2) if name.endswith(f"{kind}_bits") else column for name, column in designs.items()
    }
    more, less = model.evaluate(designs), model.evaluate(lower)
    for name in ("energy_j", "area_mm2", "latency_s", "dram_byte", "sram_byte", "model_byte"):
        assert (less[name] <= more[name] * (1 + 1e-12)).all(), name
    assert (less["energy_j"] < more["energy_j"]).mean() > 0.9


def test_row_i_depends_on_design_i_alone_and_it_pickles() -> None:
    model, designs = pickle.loads(pickle.dumps(QuantizedAccelerator("mlp"))), designs_of("mlp", 40)
    whole = model.evaluate(designs)
    for i in (0, 17, 39):
        alone = model.evaluate({name: column[i : i + 1] for name, column in designs.items()})
        assert {name: column[0] for name, column in alone.items()} == {name: col[i] for name, col in whole.items()}
    assert len(model.evaluate({name: column[:0] for name, column in designs.items()})["edp_js"]) == 0


def test_a_clock_that_no_voltage_allows_cannot_be_built() -> None:
    model, designs = QuantizedAccelerator("mlp"), designs_of("mlp", 2)
    designs["clock_hz"] = np.array([100_000_000, 500_000_000])
    found = model.evaluate(designs)
    assert found["violation"].tolist() == [0.0, 1.0]
    assert np.isnan([found[metric.name][1] for metric in model.metrics]).all()
    assert "the fastest that" in model.reason({name: column[1:] for name, column in designs.items()})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "transformer"}, "multiplies activations, which stay floats here. Take a network without"),
        ({"psum_bits": 4}, "psum_bits must be a whole number from 8 to 64, got 4. Choose 32."),
        ({"technology": "horowitz54"}, "Did you mean 'horowitz45'"),
        ({"network": "cnm"}, "cnn"),
    ],
)
def test_what_is_wrong_is_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*") as error:
        QuantizedAccelerator(**options)  # type: ignore[arg-type]
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("circuit", CIRCUITS, ids=lambda circuit: circuit["circuit"])
def test_multipliers_are_the_synthesised_ones(circuit: dict[str, str]) -> None:
    """8 by 2 to 8 are the table itself; 7 by 7 is told by it."""
    a, b, area = np.array([int(circuit["width_a_bit"])]), np.array([int(circuit["width_b_bit"])]), circuit["area_um2"]
    if a[0] > 8:
        with pytest.raises(ValueError, match=r"widths must be in \[2, 8\] bits"):
            mac_areas.multiplier_um2(a, b)
        return
    near = 0.028 if a[0] == b[0] == 7 else 1e-15
    assert mac_areas.multiplier_um2(a, b).tolist() == pytest.approx([float(area)], rel=near)
    assert mac_areas.multiplier_um2(b, a).tolist() == pytest.approx([float(area)], rel=near)


@pytest.mark.parametrize("name", ["horowitz45", "eyeriss65"])
def test_a_narrow_multiplier_saves_its_own_silicon_and_no_more(name: str) -> None:
    own = technology(name)
    assert mac_areas.multiplier_share(own) == pytest.approx(0.2266, abs=1e-4)  # 710 of 3,131 um2 at 45 nm
    two, eight = np.array([2]), np.array([8])
    assert mac_areas.mac_area_ratio(eight, eight, own).tolist() == [1.0]
    saved_um2 = (1.0 - mac_areas.mac_area_ratio(two, two, own)[0]) * own.mac_mm2 * 1e6
    assert saved_um2 == pytest.approx((709.6 - 109.8 / 4) * (own.node_nm / 45) ** 2)
    with pytest.raises(ValueError, match="must be larger than the multiplier in it"):
        mac_areas.multiplier_share(dataclasses.replace(own, mac_mm2=1e-4))


def test_energies_of_narrow_products_are_high_as_the_page_says() -> None:
    power = {c["circuit"]: float(c["power_mw"]) for c in CIRCUITS}
    whole = multiply_j(integer(8), integer(8))
    law = [multiply_j(integer(8), integer(bits)) / whole for bits in (4, 2)]
    synthesised = [power[name] / power["mul8u_1JFF"] for name in ("mul8x4u_2UU", "mul8x2u_106")]
    assert law == pytest.approx([0.50, 0.25], abs=0.005)
    assert synthesised == pytest.approx([0.35, 0.084], abs=0.001)
