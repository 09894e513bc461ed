"""Quantised inference against a table made by somebody else and fake quantisation by hand; batches against one."""

import csv
import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.casting import rows_rounded
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.formats import integer
from designgym.cost_models.quantization.integers import CALIBRATION, IntegerLayers
from designgym.cost_models.quantization.mixed_precision import BITS, MixedPrecision
from designgym.cost_models.quantization.networks import Network, digest, forward
from designgym.cost_models.quantization.operations import LayerNorm, Mean, Product, Softmax, Weighted
from designgym.cost_models.quantization.prefixes import Walk
from designgym.cost_models.quantization.scales import calibrated, scales_of
from designgym.cost_models.quantization.scores import scores

TABLE = Path(__file__).parents[2] / "reference" / "quantization" / "quant_uniform_digits.csv"


def uniform(network: str, rule: str, split: str) -> dict[int, tuple[float, float]]:
    """Return accuracy and nll of the table for integers of each width, weights and activations both."""
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["net"] == network and row["family"] == "int"
                and row["quantised"] == "wa" and row["scale_rule"] == rule and row["split"] == split]  # fmt: skip
    return {int(row["bits"]): (float(row["accuracy"]), float(row["nll"])) for row in rows}


def float_accuracy(network: str) -> float:
    with TABLE.open() as file:
        rows = list(csv.DictReader(file))
    return next(float(row["accuracy"]) for row in rows
                if row["net"] == network and row["format"] == "fp32" and row["split"] == "val")  # fmt: skip


def designs_of(model: MixedPrecision, bits: np.ndarray) -> dict[str, np.ndarray]:
    names = [name for pair in model.columns for name in pair]
    return dict(zip(names, bits.T, strict=True))


@pytest.mark.parametrize("rule", ["mse", "absmax"])
@pytest.mark.parametrize(("split", "short"), [("validation", "val"), ("test", "test")])
def test_the_mlp_at_uniform_widths_is_that_of_the_table(rule: str, split: str, short: str) -> None:
    model, told = MixedPrecision("mlp", split=split, rule=rule), uniform("mlp3", rule, short)
    assert sorted(told) == list(BITS)
    found = model.evaluate(designs_of(model, np.repeat(np.array(BITS)[:, None], 6, axis=1)))
    for row, bits in enumerate(BITS):
        assert found["accuracy"][row] == pytest.approx(told[bits][0], abs=1e-4), bits
        assert found["nll"][row] == pytest.approx(told[bits][1], abs=5e-4 if bits > 2 else 2e-3), bits


def test_the_cnns_drop_is_within_the_bands_of_the_table() -> None:
    """Its weights are others than the table's, so that only the drop from its own float accuracy is compared."""
    model, told = MixedPrecision("cnn"), uniform("cnn4", "mse", "val")
    found = model.evaluate(designs_of(model, np.repeat(np.array(BITS)[:, None], 8, axis=1)))
    for row, bits in enumerate(BITS):
        if bits >= 4:
            drop = float_accuracy("cnn4") - told[bits][0]
            assert found["accuracy_drop"][row] == pytest.approx(drop, abs=0.015 if bits == 8 else 0.025), bits


def by_hand(
    name: str, weight_bits: list[int], activation_bits: list[int], split: str = "validation"
) -> dict[str, float]:
    """Return scores of fake quantisation, as a textbook has it: no sums of codes, no prefixes, no compiled code.

    Products in float64, but codes from float32: half of a pixel's sixteen grey levels lie on an edge between two codes
    for some widths, and fall either way by the last bit.
    """
    network, data = zoo.network(name), dataset(zoo.DATASETS[name])
    seen: dict[str, np.ndarray] = {}
    forward(network, data.inputs["train"][:CALIBRATION], seen)
    values = {"input": data.inputs[split].astype(np.float64)}
    place = 0
    for step in network.steps:
        operation, read = step.operation, [values[one] for one in step.reads]
        if isinstance(operation, Weighted):
            form, rows = integer(weight_bits[place]), np.ascontiguousarray(operation.weight.T, np.float64)
            weight = rows_rounded(rows, scales_of(rows, form, "mse"), form).T
            before = seen[step.reads[0]]
            own = integer(activation_bits[place], signed=bool(before.min() < 0))
            scale = calibrated(before, own, "mse").scale
            x = np.clip(np.rint(read[0].astype(np.float32) / np.float32(scale)), own.low, own.high) * scale
            x = x if operation.unfold is None else operation.unfold.apply(x)
            values[step.name] = x @ weight + operation.bias.astype(np.float64)
            place += 1
        else:
            values[step.name] = operation.apply(*read)
    return scores(data.task, values[network.steps[-1].name], data.targets[split])


@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer", "wine", "diabetes"])
def test_inference_is_fake_quantisation(name: str) -> None:
    model = MixedPrecision(name)
    bits = np.random.default_rng(0).integers(2, 9, (12, 2 * len(model.layers)))
    found = model.evaluate(designs_of(model, bits))
    for row in range(len(bits)):
        told = by_hand(name, bits[row, 0::2].tolist(), bits[row, 1::2].tolist())
        # an activation on an edge between two codes may fall either way in float32
        assert found[model.quality][row] == pytest.approx(
            told[model.quality], abs=0.0023 if name != "diabetes" else 0.01
        )
        if "nll" in told:
            assert found["nll"][row] == pytest.approx(told["nll"], rel=5e-3)


@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer", "breast_cancer", "diabetes"])
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    model = MixedPrecision(name)
    bits = np.random.default_rng(1).integers(2, 9, (40, 2 * len(model.layers)))
    bits[20:30, : len(model.layers)] = bits[0, : len(model.layers)]  # some begin alike
    together = model.evaluate(designs_of(model, bits))
    for row in (0, 7, 21, 29, 39):
        alone = model.evaluate(designs_of(model, bits[row : row + 1]))
        assert all(column[0] == together[metric][row] for metric, column in alone.items())


def test_scores_at_once_are_those_of_the_definitions() -> None:
    """The compiled last layer against softmax and argmax in NumPy, ties and large logits included."""
    from designgym.cost_models.quantization._scores_kernel import last_layer_scores

    rng = np.random.default_rng(0)
    codes, weights = rng.integers(0, 255, (150, 33)), rng.integers(-7, 8, (33, 20))
    factors, bias = rng.uniform(1e-3, 1e-2, (2, 10)), rng.normal(size=(1, 10))
    factors[1] *= 300.0  # logits of hundreds
    labels = rng.integers(0, 10, (1, 150))
    accuracy, nll = last_layer_scores(
        np.arange(2), 10, np.ascontiguousarray(codes.T, np.float64), weights.astype(np.float64), factors, bias, labels
    )
    for place in range(2):
        logits = (codes @ weights[:, 10 * place : 10 * place + 10]) * factors[place] + bias
        told = scores("classification", logits, labels[0])
        assert accuracy[place] == told["accuracy"]
        assert nll[place] == pytest.approx(told["nll"], rel=1e-12)


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_that_no_layer_can_have_are_refused(bits: int) -> None:
    model = MixedPrecision()
    with pytest.raises(ValueError, match=rf"bits must be in \[2, 8\], got {bits} to {bits}. Clip them."):
        model.evaluate({name: np.array([bits]) for pair in model.columns for name in pair})


def test_costs_by_hand() -> None:
    model = MixedPrecision("mlp")
    found = model.evaluate(designs_of(model, np.array([[4] * 6, [8] * 6, [2, 3, 4, 5, 6, 7]])))
    assert found["bit_operations"].tolist() == [54_272, 217_088, 2048 * 6 + 1024 * 20 + 320 * 42]
    assert found["bit_operations_ratio"].tolist() == [0.25, 1.0, (2048 * 6 + 1024 * 20 + 320 * 42) / 217_088]
    assert found["model_byte"].tolist() == [(bits + 64 * 74) / 8 for bits in (4 * 3392, 8 * 3392, 4096 + 4096 + 1920)]
    assert (found["accuracy_drop"] + found["accuracy"]).tolist() == pytest.approx([model.float_score] * 3)
    assert (np.diff(found["luts"][:2]) > 0).all()
    assert (np.diff(found["energy_j"][:2]) > 0).all()


def test_sums_are_exact() -> None:
    """Of the widest layers the largest sums of products stay whole numbers of the type that they are summed in."""
    layers = IntegerLayers(zoo.network("cnn"), dataset("digits"))
    weights, _ = layers.side_by_side(2, 8, (8, 2))
    assert weights.dtype == np.float32
    assert 127 * 255 * len(weights) < 2**24
    assert set(np.unique(weights)) <= set(range(-127, 128))
    walk = Walk(layers, "validation")
    assert walk.scores(np.full((1, 4), 8), np.full((1, 4), 8)).shape == (1, 2)


def test_the_version_changes_with_all_that_scores_depend_on() -> None:
    network, data = zoo.network("transformer"), dataset("digits")
    told = [digest(network, data, ("validation",), ())]
    for place, step in enumerate(network.steps):
        changed = {
            Product: {"factor": 5.0}, LayerNorm: {"epsilon": 1.0}, Softmax: {"axis": 1}, Mean: {"axis": 2},
        }.get(type(step.operation))  # fmt: skip
        if changed:
            other = dataclasses.replace(step, operation=dataclasses.replace(step.operation, **changed))
            steps = (*network.steps[:place], other, *network.steps[place + 1 :])
            told.append(digest(Network(network.name, network.input_shape, steps), data, ("validation",), ()))
    assert len(told) > 5
    assert len(set(told)) == len(told)
    options = [{}, {"rule": "absmax"}, {"elements": 2}, {"split": "test"}, {"network": "cnn"}]
    assert len({MixedPrecision(**one).version for one in options}) == len(options)  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(MixedPrecision())).version == MixedPrecision().version


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"network": "mpl"}, "Did you mean 'mlp'"),
        ({"split": "train"}, "split must be one of validation, test, got 'train'"),
        ({"rule": "mean"}, "unknown rule of scales 'mean'"),
        ({"elements": 0}, "elements must be a whole number from 1, got 0"),
        ({"network": "net.onnx"}, "needs data, got 'net.onnx' alone"),
        ({"data": "mine.npz"}, "data are for an ONNX network"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        MixedPrecision(**options)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
