"""Training of the quantisation family's networks: gradients against finite differences, folding, the script itself."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.quantization import operations as ops
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.networks import Network, Step, forward, parameters, with_parameters
from designgym.cost_models.quantization.zoo import ARCHITECTURES, network, record
from designgym.experiments.weights import quantized_networks as script
from designgym.experiments.weights.gradients import cross_entropy, folded, gradients, half_squared_error
from designgym.experiments.weights.training import Recipe, beginning, trained

RNG = np.random.default_rng(0)


def in_doubles(net: Network) -> Network:
    """The network with parameters all drawn anew, float64."""
    return with_parameters(net, {name: RNG.normal(size=a.shape) * 0.5 for name, a in parameters(net).items()})


def check_gradients(net: Network, x: np.ndarray, targets: np.ndarray, loss: Any) -> None:
    """Compare each parameter's gradient along a random direction, and at single entries, with central differences."""
    values: dict[str, np.ndarray] = {}
    _, upstream = loss(forward(net, x, values), targets)
    found = gradients(net, values, upstream)
    assert found.keys() == parameters(net).keys()
    for name, array in parameters(net).items():
        single = np.zeros_like(array)
        single.flat[RNG.integers(array.size)] = 1.0
        for direction in (RNG.normal(size=array.shape), single):
            h = 1e-6
            up, down = (
                loss(forward(with_parameters(net, {name: array + sign * h * direction}), x), targets)[0]
                for sign in (1, -1)
            )
            expected = (up - down) / (2 * h)
            assert (found[name] * direction).sum() == pytest.approx(expected, rel=1e-5, abs=1e-8), name


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "diabetes"])
def test_gradients_of_every_classifier_are_finite_differences(name: str) -> None:
    net = in_doubles(ARCHITECTURES[name]())
    outputs = forward(net, RNG.random((1, *net.input_shape))).shape[1]
    check_gradients(net, RNG.random((5, *net.input_shape)), RNG.integers(0, outputs, 5), cross_entropy)


def test_gradients_of_the_regression_are_finite_differences() -> None:
    check_gradients(
        in_doubles(ARCHITECTURES["diabetes"]()), RNG.normal(size=(6, 10)), RNG.normal(size=6), half_squared_error
    )


def test_gradients_where_steps_are_read_twice_axes_are_inner_and_offsets_are_stretched() -> None:
    steps = (
        Step("cut", ("input",), ops.Weighted(np.zeros((8, 3)), np.zeros(3), ops.Unfold(2, 2, 1))),
        Step("shift", ("cut",), ops.Offset(np.zeros((1, 3, 1)))),
        Step("share", ("shift",), ops.Softmax(axis=1)),
        Step("product", ("share", "shift"), ops.Product(transpose=True, factor=0.7)),
        Step("twice", ("product", "product"), ops.Add()),
        Step("again", ("twice", "twice"), ops.Product()),
        Step("unread", ("cut",), ops.Relu()),
        Step("middle", ("again",), ops.Mean(2)),
        Step("turned", ("middle",), ops.Transpose((0, 2, 1))),
        Step("row", ("turned",), ops.Reshape((9,))),
        Step("last", ("row",), ops.Weighted(np.zeros((9, 4)), np.zeros(4))),
    )
    net = in_doubles(Network("odd", (4, 4, 2), steps))
    check_gradients(net, RNG.random((5, 4, 4, 2)), RNG.integers(0, 4, 5), cross_entropy)


@pytest.mark.parametrize("unfold", [ops.Unfold(3, 2, 1), ops.Unfold(3, 1, 1), ops.Unfold(2, 3, 0)])
def test_folding_is_the_transpose_of_unfolding(unfold: ops.Unfold) -> None:
    images = RNG.normal(size=(2, 7, 6, 3))
    patches = unfold.apply(images)
    others = RNG.normal(size=patches.shape)
    assert (patches * others).sum() == pytest.approx((images * folded(unfold, others, images.shape)).sum(), rel=1e-12)


def test_standardisation_is_folded_into_the_outer_layers() -> None:
    net = beginning(ARCHITECTURES["diabetes"](), np.random.default_rng(0))
    raw = dataset("diabetes").inputs["train"]
    mean, deviation = raw.mean(axis=0, dtype=np.float64), raw.std(axis=0, dtype=np.float64)
    expected = forward(net, (raw - mean) / deviation) + 150.0
    assert forward(script.raised(script.inputs_folded(net, mean, deviation), 150.0), raw) == pytest.approx(
        expected, abs=1e-3
    )


def test_training_is_reproducible_and_lowers_the_loss() -> None:
    data, losses = dataset("digits"), []

    def told(epoch: int, loss: float) -> None:
        losses.append(loss)

    first, again = (
        trained(ARCHITECTURES["mlp"](), data.inputs["train"], data.targets["train"], cross_entropy, Recipe(3), told)
        for _ in range(2)
    )
    for name, array in parameters(first).items():
        assert np.array_equal(array, parameters(again)[name])
        assert array.dtype == np.float32
    assert losses[:3] == losses[3:]
    assert losses[0] > losses[1] > losses[2]


def test_the_script_writes_what_the_package_reads_and_keeps_the_records_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / script.RECORD).write_text(json.dumps({"cnn": record("cnn")}))
    monkeypatch.setattr(sys, "argv", ["quantized_networks", "--out", str(tmp_path), "--only", "wine"])
    script.main()
    printed = capsys.readouterr().out
    assert "wine: epoch 60 of 60, training loss" in printed
    written = json.loads((tmp_path / script.RECORD).read_text())
    assert list(written) == ["cnn", "wine"]
    assert written["cnn"] == record("cnn")
    with np.load(tmp_path / "wine.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    found = with_parameters(network("wine"), arrays)
    assert script.scored(found, dataset("wine"), "test") == written["wine"]["test"]
    # The recipe of the shipped weights: another BLAS kernel moves them by millionths.
    for name, array in parameters(network("wine")).items():
        assert arrays[name] == pytest.approx(array, abs=0.02 * float(np.abs(array).max()))


def test_every_record_has_the_recipe_that_the_script_follows() -> None:
    for name, recipe in script.RECIPES.items():
        kept = {key: record(name)[key] for key in dataclasses.asdict(recipe)}
        assert kept == dataclasses.asdict(recipe)


@pytest.mark.slow
@pytest.mark.parametrize("name", tuple(ARCHITECTURES))
def test_training_anew_comes_to_the_recorded_scores(name: str) -> None:
    told = script.facts(name, script.train(name, script.RECIPES[name]), script.RECIPES[name])
    # Other matrix-multiply kernels round otherwise, and hundreds of steps magnify it.
    for split in ("validation", "test"):
        for metric, value in told[split].items():
            margin = {"accuracy": 0.025, "nll": 0.05, "r2": 0.06}[metric]
            assert value == pytest.approx(record(name)[split][metric], abs=margin)
