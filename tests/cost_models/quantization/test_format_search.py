"""Number formats layer by layer: against fake quantisation, other cost models, a story, and costs counted by hand."""

import math
import time
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.base import Columns
from designgym.cost_models.pictures import Cells
from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.costs import model_bits
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.energies import FLOAT_ADD, FLOAT_MULTIPLY, INTEGER_ADD, SRAM_READ_J, mac_j
from designgym.cost_models.quantization.fake_quantised import Setting, rounded_forward
from designgym.cost_models.quantization.format_search import FormatSearch
from designgym.cost_models.quantization.formats import format_of, integer
from designgym.cost_models.quantization.layer_formats import ACTIVATIONS, SIZES, WEIGHTS, chosen, packed, unpacked
from designgym.cost_models.quantization.microscaling import MX
from designgym.cost_models.quantization.mixed_precision import MixedPrecision
from designgym.cost_models.quantization.networks import layers
from designgym.cost_models.quantization.scales import GRANULARITIES, Scaling
from designgym.cost_models.quantization.scores import scores
from designgym.envs import make_problem
from designgym.envs.problem import DesignProblem

IMAGE = 0.0023  # of 449
CHANNEL, GROUP = GRANULARITIES.index("channel"), GRANULARITIES.index("group")


def priced(problem: DesignProblem, **given: Any) -> dict[str, float]:
    """Return the metrics of a design, written by hand, defaults for the rest."""
    return {name: float(column[0]) for name, column in problem.evaluate(problem.space.parse(given)).metrics.items()}


def tied(network: str = "mlp", **options: Any) -> DesignProblem:
    return make_problem("FormatSearch-v0", network=network, tied=True, **options)


HAND = {
    "integers of one scale": (
        {"bits": 4, "activation_bits": 5, "rule": "absmax", "granularity": "tensor"},
        Setting(integer(4), integer(5), Scaling("absmax", "tensor")),
    ),
    "minifloats in groups": (
        {"family": "minifloat", "exponent_bits": 2, "mantissa_bits": 1, "granularity": "group", "rule": "power_of_two"},
        Setting(format_of("E2M1"), format_of("E2M1"), Scaling("power_of_two", "group", 32)),
    ),
    "blocks": ({"family": "microscaling", "element": "mxfp6_e2m3"}, Setting(MX["mxfp6_e2m3"], MX["mxfp6_e2m3"])),
}


@pytest.mark.parametrize("network", ["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("name", HAND)
def test_a_design_is_fake_quantisation(network: str, name: str) -> None:
    """Sums here are of float64, there of float32: a number in a million falls to another code."""
    given, setting = HAND[name]
    if given.get("granularity") == "group" and network == "transformer":
        given = given | {"granularity": "channel"}  # none of its layers has more inputs than a group
    own, data = zoo.network(network), dataset("digits")
    outputs = rounded_forward(own, data, {layer.name: setting for layer in layers(own)}, data.inputs["validation"])
    told, found = scores(data.task, outputs, data.targets["validation"]), priced(tied(network), **given)
    assert found["accuracy"] == pytest.approx(told["accuracy"], abs=IMAGE)
    assert found["nll"] == pytest.approx(told["nll"], abs=2e-3)


def test_smoothed_inputs_are_those_of_fake_quantisation() -> None:
    own, data = zoo.network("wine"), dataset("wine")
    setting = Setting(integer(5), integer(6), smoothing=0.5)
    outputs = rounded_forward(own, data, {layer.name: setting for layer in layers(own)}, data.inputs["test"])
    found = priced(tied("wine", split="test"), bits=5, activation_bits=6, smoothing="0.5")
    assert found["nll"] == pytest.approx(scores(data.task, outputs, data.targets["test"])["nll"], abs=1e-4)


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_integers_are_those_of_mixed_precision(network: str) -> None:
    """It has exact sums of codes, and divides in float32: at 3, 4, 6 and 8 bits some pixels lie between two codes."""
    mixed, rng = MixedPrecision(network), np.random.default_rng(0)
    designs: Columns = {name: rng.integers(2, 9, 25) for pair in mixed.columns for name in pair}
    read = mixed.columns[0][1]
    designs[read] = rng.choice([2, 5, 7], 25)
    problem = make_problem("FormatSearch-v0", network=network)
    own = {name: np.concatenate([column] * 25) for name, column in problem.space.parse({}).items()}
    for layer, (weight, activation) in zip(mixed.layers, mixed.columns, strict=True):
        own[f"{layer.name}_bits"], own[f"{layer.name}_activation_bits"] = designs[weight], designs[activation]
    told, found = mixed.evaluate(designs), problem.evaluate(own).metrics
    for name in ("model_byte", "energy_j", "luts", "cycles"):
        assert found[name] == pytest.approx(told[name], rel=1e-12)
    assert found["accuracy"] == pytest.approx(told["accuracy"], abs=IMAGE)
    assert found["nll"] == pytest.approx(told["nll"], abs=1e-3)
    assert np.mean(np.abs(found["nll"] - told["nll"]) < 1e-5) > 0.9


def test_floats_and_equalised_integers_keep_what_integers_lose_of_raw_measurements() -> None:
    """The columns of breast_cancer differ by factors of thousands."""
    problem = tied("breast_cancer")
    assert priced(problem)["accuracy"] < 0.70
    assert priced(problem, equalisation="yes")["accuracy"] < 0.70, "it is the inputs that differ, not the weights"
    assert priced(problem, family="minifloat", exponent_bits=4, mantissa_bits=3)["accuracy"] > 0.95
    assert priced(problem, family="microscaling", element="mxfp8_e4m3")["accuracy"] > 0.94
    for exponent in ("0.5", "1"):
        assert priced(problem, bits=8, smoothing=exponent)["accuracy"] > 0.95
        assert priced(problem, bits=4, activation_bits=4, smoothing=exponent)["accuracy"] > 0.94


def test_every_method_helps_coarse_weights() -> None:
    problem = tied()
    plain = priced(problem, bits=2)["nll"]
    for method in (
        {"bias_correction": "yes"}, {"rounding": "gptq"}, {"rounding": "learned"},
        {"rounding": "gptq", "bias_correction": "yes"}, {"rounding": "learned", "equalisation": "yes"},
    ):  # fmt: skip
        assert priced(problem, bits=2, **method)["nll"] < 0.75 * plain, method
    for coarse in (
        {"family": "ternary"},
        {"family": "ternary", "granularity": "group"},
        {"family": "mixture", "mixture_bits": 3},
    ):
        nearest = priced(problem, **coarse)["nll"]
        assert priced(problem, **coarse, rounding="learned")["nll"] < nearest, coarse


def test_bytes_and_energies_counted_by_hand() -> None:
    """The MLP: 2,048, 1,024 and 320 weights, 74 outputs, 128 inputs."""
    problem = tied()
    assert priced(problem, bits=4)["model_byte"] == (3392 * 4 + 74 * 64) / 8
    assert priced(problem, bits=4, granularity="tensor")["model_byte"] == (3392 * 4 + 3 * 32 + 74 * 32) / 8
    grouped = (3392 * 4 + (2 * 32 + 32 + 10) * 32 + 74 * 32) / 8
    assert priced(problem, bits=4, granularity="group")["model_byte"] == grouped
    assert priced(problem, bits=4, smoothing="1")["model_byte"] == (3392 * 4 + 74 * 64 + 128 * 32) / 8
    ternary = priced(problem, family="ternary", granularity="tensor")["model_byte"]
    assert ternary == pytest.approx((3392 * math.log2(3) + 3 * 32 + 74 * 32) / 8)
    mixture = priced(problem, family="mixture", mixture_bits=3, granularity="group")["model_byte"]
    assert mixture == (3392 * 3 + (2 * 32 + 32 + 10) * (32 + 2) + 74 * 32) / 8
    found = priced(problem, family="microscaling", element="mxfp4_e2m1", block=16)
    assert found["model_byte"] == (3392 * 4 + (4 * 32 + 2 * 32 + 2 * 10) * 8 + 74 * 32) / 8
    element = MX["mxfp4_e2m1"].element
    sums = (4 * 32 + 2 * 32 + 2 * 10) * (INTEGER_ADD(8) + FLOAT_ADD(32))
    assert found["energy_j"] == pytest.approx(3392 * mac_j(element, element, 16))
    assert found["total_energy_j"] == pytest.approx(
        found["energy_j"] + sums + 8 * found["model_byte"] * SRAM_READ_J, rel=1e-12
    )
    found, shifted = priced(problem, bits=4), priced(problem, bits=4, rule="power_of_two")
    scaling = 74 * (FLOAT_MULTIPLY(32) + FLOAT_ADD(32))
    assert found["total_energy_j"] == pytest.approx(
        found["energy_j"] + scaling + 8 * found["model_byte"] * SRAM_READ_J, rel=1e-12
    )
    saved = found["total_energy_j"] - shifted["total_energy_j"]
    assert saved == pytest.approx(74 * (FLOAT_MULTIPLY(32) - INTEGER_ADD(8)), rel=1e-9)


def test_bytes_are_those_that_the_costs_of_a_network_have() -> None:
    own = layers(zoo.network("cnn"))
    problem = tied("cnn")
    assert priced(problem, bits=3)["model_byte"] == model_bits(own, [integer(3)] * 4) / 8
    blocks = priced(problem, family="microscaling", element="mxint8")["model_byte"]
    assert blocks == model_bits(own, [MX["mxint8"]] * 4) / 8


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_one_format_for_all_is_that_format_in_every_layer(network: str) -> None:
    """Smoothing is for dense layers alone, of the tied space too; a group is a channel where inputs are few."""
    whole, together = make_problem("FormatSearch-v0", network=network), tied(network)
    designs = together.space.sample(20, np.random.default_rng(0))
    spread = whole.space.parse({})
    for name in whole.space.columns:
        prefix = next((one for one in whole.cost_model.prefixes if name.startswith(one)), "")  # type: ignore[attr-defined]
        spread[name] = designs[name.removeprefix(prefix)]
    for layer in layers(zoo.network(network)):
        own = spread[f"{layer.name}_granularity"]
        assert (own == GROUP).any()
        spread[f"{layer.name}_granularity"] = np.where((own == GROUP) & (layer.inputs <= 32), CHANNEL, own)
    one, each = together.evaluate(designs).metrics, whole.evaluate(spread).metrics
    for name in ("accuracy", "nll", "luts", "energy_j"):
        assert not np.isnan(each[name]).any()
        assert np.array_equal(one[name], each[name])


def test_a_row_does_not_depend_on_the_others() -> None:
    problem = make_problem("FormatSearch-v0", network="breast_cancer")
    designs = problem.space.sample(40, np.random.default_rng(0))
    for name in problem.space.columns:
        designs[name][10:20] = designs[name][0] if name.startswith("layer1") else designs[name][10:20]
    together = problem.evaluate(designs).metrics
    for row in (0, 13, 39):
        alone = problem.evaluate({name: column[row : row + 1] for name, column in designs.items()}).metrics
        assert all(column[0] == together[metric][row] for metric, column in alone.items())


def test_every_format_is_reached_and_stands_for_itself() -> None:
    problem = tied()
    drawn = problem.space.sample(4000, np.random.default_rng(0))
    places = chosen(drawn, "", True)
    assert set(places.weight.tolist()) == set(range(len(WEIGHTS)))
    assert set(places.activation.tolist()) == set(range(len(ACTIVATIONS)))
    assert len({one.name for one in WEIGHTS}) == len(WEIGHTS) == SIZES[0]
    again = [unpacked(int(place)) for place in packed(places)[:50]]
    assert [one.weight for one in again] == places.weight[:50].tolist()
    floats = [one for one in WEIGHTS if one.family == "minifloat"]
    assert [one.name for one in floats] == [f"E{e}M{m}" for e in range(2, 6) for m in range(6)], "no E0M0, no E1My"


def test_hundreds_of_designs_a_second() -> None:
    """Some 600 of them on two idle cores: the bound is for busy ones."""
    problem = make_problem("FormatSearch-v0")
    for seed in range(2):
        problem.evaluate(problem.space.sample(100, np.random.default_rng(seed)))
    designs, begin = problem.space.sample(100, np.random.default_rng(2)), time.process_time()
    problem.evaluate(designs)
    assert 100 / (time.process_time() - begin) > 100


def test_the_strip_of_a_design() -> None:
    problem = make_problem("FormatSearch-v0")
    given = {
        "layer1_bits": 4, "layer1_activation_bits": 3, "layer1_rule": "power_of_two", "layer1_smoothing": "0.5",
        "layer2_family": "microscaling", "layer2_block": 16, "layer3_family": "mixture", "rounding": "gptq",
        "equalisation": "yes",
    }  # fmt: skip
    (picture,) = problem.cost_model.pictures(problem.space.parse(given), ("found",))  # type: ignore[attr-defined]
    (cells,) = picture.marks
    assert isinstance(cells, Cells)
    assert cells.rows == ("weights", "activations", "scales", "smoothing", "rounding")
    assert cells.texts[0] == ("int4", "mxfp8_e4m3/16", "mixture4")
    assert cells.texts[1] == ("int3", "mxfp8_e4m3/16", "int8")
    assert cells.texts[2] == ("channel, 2ⁿ", "–", "channel"), "no rule of blocks and mixtures"
    assert cells.texts[3] == ("0.5", "–", "–")
    assert cells.texts[4] == ("gptq + equal",) * 3
    assert 0 <= cells.levels.min() <= cells.levels.max() <= 1


def test_more_processing_elements_need_fewer_cycles_and_more_tables() -> None:
    one, two = (priced(tied(elements=elements), family="minifloat") for elements in (1, 2))
    assert (one["cycles"], two["cycles"]) == (32 * 4 + 32 * 2 + 10 * 2, 16 * 4 + 16 * 2 + 5 * 2)
    assert two["luts"] == 2 * one["luts"]
    assert all(one[name] == two[name] for name in one if name not in ("cycles", "luts"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"network": "mlpp"}, "network must be one of .* got 'mlpp'. Did you mean 'mlp'"),
        ({"split": "train"}, "split must be one of validation, test, got 'train'"),
        ({"elements": 0}, "elements must be a whole number from 1, got 0"),
        ({"tied": 2}, "tied must be true or false, got 2"),
        ({"network": ["mlp"]}, r"network must be a name or a path, got \['mlp'\]"),
        ({"data": 3}, "data must be a name or a path, got 3"),
        ({"data": "x.npz"}, "data are for an ONNX network"),
        ({"network": "none.onnx"}, "an ONNX network needs data"),
        ({"network": "none.onnx", "data": "none.npz"}, "none.onnx must be a file, found none"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}[^\n]*$"):
        FormatSearch(**options)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("bits", 9, "bits must be one of 2 to 8, got 9"),
        ("family", -1, "family must be one of 0 to 4, got -1"),
        ("activation_bits", 1, "activation_bits must be one of 2 to 8, got 1"),
        ("smoothing", 5, "smoothing must be one of 0 to 4, got 5"),
        ("rounding", 3, "rounding must be one of 0 to 2, got 3"),
        ("block", 17, None),
    ],
)
def test_numbers_that_no_column_may_hold(column: str, value: int, why: str | None) -> None:
    """A column that does not matter may hold anything."""
    problem = tied()
    designs = problem.space.parse({}) | {column: np.array([value])}
    if why is None:
        assert problem.cost_model.evaluate(designs)["accuracy"][0] == priced(problem)["accuracy"]
        designs["family"] = np.array([2])
        why = "block must be one of 8, 16, 32, got 17"
    with pytest.raises(ValueError, match=f"^{why}[^\n]*$"):
        problem.cost_model.evaluate(designs)


def test_columns_that_do_not_go_together_are_one_line() -> None:
    problem = tied()
    whole = problem.space.parse({})
    for wrong, why in (
        (
            {name: column for name, column in whole.items() if name != "bits"},
            "designs must have the column bits, got none",
        ),
        ({name: column for name, column in whole.items() if name != "family"}, "designs must have the column family"),
        (whole | {"bits": np.array([4, 5])}, r"columns must be .* of one length, got bits \(2,\) beside family \(1,\)"),
        (whole | {"equalisation": np.zeros(3, int)}, r"columns must be .* got equalisation \(3,\) beside family"),
        ({name: column[0] for name, column in whole.items()}, r"columns must be one-dimensional .* got family \(\)"),
    ):
        with pytest.raises(ValueError, match=f"^{why}[^\n]*$"):
            problem.cost_model.evaluate(wrong)
