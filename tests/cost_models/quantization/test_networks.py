"""Networks: operations against plain loops and other libraries, counted work, shipped weights and their scores."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import scipy.special

from designgym.cost_models.quantization import operations as ops
from designgym.cost_models.quantization.datasets import Dataset, dataset
from designgym.cost_models.quantization.networks import (
    Network,
    Step,
    check_fits,
    forward,
    layers,
    parameters,
    shapes,
    with_parameters,
)
from designgym.cost_models.quantization.scores import scores
from designgym.cost_models.quantization.zoo import ARCHITECTURES, DATASETS, network, record

REFERENCE = Path(__file__).parents[2] / "reference" / "quantization"
RNG = np.random.default_rng(0)
NAMES = tuple(ARCHITECTURES)

# Validation and test scores: those of the tables, their trainings' spread around them. One image of wine is .023.
BANDS = {
    "mlp": ((0.96, 0.975), (0.955, 0.98)),
    "cnn": ((0.96, 0.98), (0.95, 0.98)),
    "breast_cancer": ((0.955, 0.985), (0.965, 0.99)),
    "wine": ((0.95, 1.0), (0.95, 1.0)),
    "diabetes": ((0.35, 0.45), (0.42, 0.55)),
    "transformer": ((0.945, 0.98), (0.95, 0.985)),
}


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (2, 2, 0), (1, 1, 0), (5, 3, 2)])
def test_a_convolution_is_that_of_scipy(kernel: int, stride: int, padding: int) -> None:
    images, weight, bias = drawn(2, 7, 9, 3), drawn(kernel, kernel, 3, 4), drawn(4)
    operation = ops.Weighted(weight.reshape(-1, 4), bias, ops.Unfold(kernel, stride, padding))
    found = operation.apply(images)
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for n in range(2):
        for out in range(4):
            whole = sum(
                scipy.signal.correlate2d(padded[n, :, :, c], weight[:, :, c, out], mode="valid") for c in range(3)
            )
            assert found[n, :, :, out] == pytest.approx(whole[::stride, ::stride] + bias[out], rel=1e-12, abs=1e-12)


def test_other_operations_are_their_definitions() -> None:
    x = drawn(3, 4, 5)
    for axis in (-1, 1):
        assert ops.Softmax(axis).apply(x) == pytest.approx(scipy.special.softmax(x, axis=axis), rel=1e-12)
    assert np.array_equal(ops.Softmax().apply(np.array([[1e4, 0.0]])), [[1.0, 0.0]]), "nothing overflows"
    scale, offset = drawn(5), drawn(5)
    normal = ops.LayerNorm(scale, offset, 1e-3).apply(x)
    for n in range(3):
        for t in range(4):
            row = x[n, t]
            expected = (row - row.mean()) / np.sqrt(row.var() + 1e-3) * scale + offset
            assert normal[n, t] == pytest.approx(expected, rel=1e-12)
    a, b = drawn(2, 3, 4, 5), drawn(2, 3, 6, 5)
    assert ops.Product(True, 0.5).apply(a, b) == pytest.approx(0.5 * np.einsum("nhik,nhjk->nhij", a, b))
    assert ops.Product().apply(a, b.swapaxes(2, 3)) == pytest.approx(np.einsum("nhik,nhjk->nhij", a, b))
    assert np.array_equal(ops.Relu().apply(np.array([-1.0, 0.0, 2.0])), [0.0, 0.0, 2.0])
    assert ops.Mean(2).apply(x) == pytest.approx(np.stack([x[..., i] for i in range(5)]).sum(axis=0) / 5)
    assert np.array_equal(ops.Offset(scale).apply(x), x + scale)


def test_layers_and_their_work_as_counted_in_the_reference() -> None:
    assert [(layer.weights, layer.macs) for layer in layers(network("mlp"))] == [
        (2048, 2048), (1024, 1024), (320, 320)]  # fmt: skip
    cnn = layers(network("cnn"))
    assert [layer.name for layer in cnn] == ["conv1", "conv2", "conv3", "layer4"]
    assert [layer.weights for layer in cnn] == [72, 1152, 2304, 640]
    assert [layer.macs for layer in cnn] == [4608, 18432, 9216, 640]
    assert [layer.positions for layer in cnn] == [64, 16, 4, 1]
    assert sum(layer.macs for layer in layers(network("mlp"))) * 4 * 4 == 54_272, "BOPs at uniform 4 bits"
    block = {layer.name: (layer.inputs, layer.outputs, layer.positions) for layer in layers(network("transformer"))}
    assert block["embedding"] == (8, 16, 8)
    assert block["query"] == block["key"] == block["value"] == block["projection"] == (16, 16, 8)
    assert (block["expansion"], block["contraction"], block["classes"]) == ((16, 32, 8), (32, 16, 8), (16, 10, 1))


@pytest.mark.parametrize("name", NAMES)
def test_recorded_scores_are_those_of_the_shipped_weights(name: str) -> None:
    data, net = dataset(DATASETS[name]), network(name)
    check_fits(net, data)
    for split, (low, high) in zip(("validation", "test"), BANDS[name], strict=True):
        outputs = forward(net, data.inputs[split])
        assert outputs.dtype == np.float32
        found, recorded = scores(data.task, outputs, data.targets[split]), record(name)[split]
        assert found.keys() == recorded.keys()
        if data.task == "classification":
            two = np.sort(outputs, axis=1)[:, -2:]
            assert np.diff(two, axis=1).min() > 1e-4, "rounding of another machine cannot change an answer"
            assert found["accuracy"] == recorded["accuracy"]
            assert found["nll"] == pytest.approx(recorded["nll"], rel=1e-5)
            assert low <= found["accuracy"] <= high
        else:
            assert found["r2"] == pytest.approx(recorded["r2"], abs=1e-6)
            assert low <= found["r2"] <= high


def test_mlp_cnn_and_breast_cancer_come_to_what_the_reference_did() -> None:
    with (REFERENCE / "quant_uniform_digits.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["family"] == "float32"]
    for row in rows:
        own = record({"mlp3": "mlp", "cnn4": "cnn"}[row["net"]])["validation" if row["split"] == "val" else "test"]
        # The recipe is the same to the letter; another matrix-multiply kernel moves the weights by millionths.
        assert own["accuracy"] == pytest.approx(float(row["accuracy"]), abs=2 / 449)
        assert own["nll"] == pytest.approx(float(row["nll"]), abs=2e-3)
    with (REFERENCE / "quant_tabular_folded.csv").open() as file:
        floats = {row["dataset"]: row for row in csv.DictReader(file) if row["format"] == "float"}
    row = floats["breast_cancer"]
    assert record("breast_cancer")["validation"]["accuracy"] == pytest.approx(float(row["val_score"]), abs=1 / 142)
    assert record("breast_cancer")["test"]["accuracy"] == pytest.approx(float(row["test_score"]), abs=1 / 143)


def test_all_shipped_weights_are_tens_of_kilobytes_read_only_and_read_once() -> None:
    arrays = [array for name in NAMES for array in parameters(network(name)).values()]
    assert sum(array.nbytes for array in arrays) < 60_000
    assert all(array.dtype == np.float32 and not array.flags.writeable for array in arrays)
    assert network("cnn") is network("cnn")


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "diabetes"])
def test_networks_of_tables_take_raw_units(name: str) -> None:
    first = parameters(network(name))["layer1.weight"]
    deviation = dataset(name).inputs["train"].std(axis=0)
    # Folded rows are as much smaller as their input is larger; unfolded, all are of one size.
    assert np.corrcoef(np.log(np.abs(first).max(axis=1)), -np.log(deviation))[0, 1] > 0.98


def test_values_kept_are_those_of_each_step_and_a_known_prefix_is_taken() -> None:
    net, x = network("transformer"), dataset("digits").inputs["test"][:7]
    values: dict[str, np.ndarray] = {}
    outputs = forward(net, x, values)
    assert np.array_equal(outputs, forward(net, x))
    assert list(values) == ["input", *(step.name for step in net.steps)]
    assert {name: value.shape[1:] for name, value in values.items()} == shapes(net)
    assert values["attention"].sum(axis=-1) == pytest.approx(1.0, abs=1e-6)
    changed = {"input": values["input"], "attention": np.zeros_like(values["attention"])}
    assert not np.array_equal(forward(net, x, changed), outputs)
    assert np.array_equal(changed["mixed"], np.zeros_like(values["mixed"]))


def test_the_order_of_rows_matters_to_the_transformer_and_leading_rows_do_not_to_others() -> None:
    net, x = network("transformer"), dataset("digits").inputs["test"][:9]
    swapped = x.reshape(9, 8, 8)[:, ::-1].reshape(9, 64)
    assert np.abs(forward(net, swapped) - forward(net, x)).max() > 1.0
    assert forward(net, x[4:5])[0] == pytest.approx(forward(net, x)[4], abs=1e-4)


def test_parameters_are_replaced_by_name() -> None:
    net = network("mlp")
    zeros = with_parameters(net, {"layer3.weight": np.zeros((32, 10), np.float32)})
    x = dataset("digits").inputs["test"]
    assert np.array_equal(forward(zeros, x), np.broadcast_to(parameters(net)["layer3.bias"], (450, 10)))
    assert parameters(zeros)["layer1.weight"] is parameters(net)["layer1.weight"]


def changed(**of_step: Any) -> Network:
    net = network("mlp")
    return dataclasses.replace(net, steps=(dataclasses.replace(net.steps[0], **of_step), *net.steps[1:]))


def of_digits(**changes: Any) -> Dataset:
    return dataclasses.replace(dataset("digits"), **changes)


WIDE = np.zeros((3, 65), np.float32)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: network("mpl"), "got 'mpl'. Did you mean 'mlp'?"),
        (lambda: record("cnn4"), "got 'cnn4'. Did you mean 'cnn'?"),
        (lambda: forward(network("mlp"), WIDE), r"must be \(n, 64\), got \(3, 65\)"),
        (lambda: forward(network("mlp"), np.float32(1.0)), r"must be \(n, 64\), got \(\)"),
        (lambda: with_parameters(network("mlp"), {"layer1.weight": np.full((64, 32), np.nan)}),
         "weights must be finite, got 2048 that are not in layer1.weight"),
        (lambda: with_parameters(network("mlp"), {"layer1.weights": WIDE}), "got 'layer1.weights'. It has layer1"),
        (lambda: with_parameters(network("mlp"), {"layer1.weight": WIDE}), r"must be \(64, 32\), got \(3, 65\)"),
        (lambda: changed(name="relu1"), "names must differ, got 'relu1' twice"),
        (lambda: changed(reads=("layer2",)), "must read earlier steps, got 'layer2'"),
        (lambda: changed(reads=("input", "input")), "Weighted step 'layer1' must read 1, got 2"),
        (lambda: Network("empty", (4,), ()), "at least one step"),
        (lambda: ops.Transpose((1, 0)), r"begins with the batch's 0, got \(1, 0\)"),
        (lambda: ops.Mean(0), "axis must be at least 1, got 0"),
        (lambda: shapes(changed(operation=ops.Weighted(WIDE.T, WIDE[0, :3]))), r"step 'layer1' cannot take \(64,\)"),
        (lambda: shapes(changed(operation=ops.Reshape((8, 9)))), r"an example must keep its size, got \(64,\) for"),
        (lambda: check_fits(network("mlp"), dataset("wine")), r"must be \(64\) an example, got \(13\) in wine"),
        (lambda: check_fits(network("mlp"), of_digits(classes=12)), r"labels must be in \[0, 9\] .* got 11 in digits"),
        (lambda: check_fits(network("mlp"), of_digits(task="regression")), "must have 1 output .* got 10"),
        (lambda: check_fits(Network("flat", (64,), (Step("a", ("input",), ops.Reshape((8, 8))),)), dataset("digits")),
         r"must end in one row of outputs an example, got \(8, 8\)"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(call: Any, line: str) -> None:
    with pytest.raises(ValueError, match=line) as error:
        call()
    assert "\n" not in str(error.value)
