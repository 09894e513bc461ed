"""Equal ranges of layers that follow each other: no float changes, and integers of one scale lose less."""

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.equalisation import equalised, pairs
from designgym.cost_models.quantization.formats import integer
from designgym.cost_models.quantization.networks import (
    INPUT,
    Network,
    Step,
    forward,
    parameters,
    with_parameters,
)
from designgym.cost_models.quantization.operations import Add, Relu, Softmax, Unfold, Weighted
from designgym.cost_models.quantization.scales import Scaling, quantised_weight
from designgym.cost_models.quantization.scores import scores
from designgym.cost_models.quantization.variant_layers import weighted_steps


@pytest.mark.parametrize("name", zoo.ARCHITECTURES)
def test_no_float_output_changes(name: str) -> None:
    network, data = zoo.network(name), dataset(zoo.DATASETS[name])
    before, after = (forward(one, data.inputs["test"]) for one in (network, equalised(network)))
    assert np.abs(after - before).max() <= 1e-5 * max(1.0, np.abs(before).max())
    own = parameters(equalised(network))
    assert any((own[name] != array).any() for name, array in parameters(network).items())


def test_ranges_are_equal_afterwards() -> None:
    """Of a CNN each channel of an image, wherever it is looked at, and of pixels in a row."""
    network = equalised(zoo.network("cnn"))
    by_name = {step.name: step.operation.weight for step in weighted_steps(network)}
    assert [pair[:2] for pair in pairs(network)] == [("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "layer4")]
    for first, second, channels in pairs(network):
        assert channels.tolist() == list(range(by_name[first].shape[1])) * (len(channels) // by_name[first].shape[1])
        for channel, largest in enumerate(np.abs(by_name[first]).max(axis=0)):
            rows = by_name[second][channels == channel]
            if largest and rows.any():
                assert np.abs(rows).max() == pytest.approx(largest, rel=1e-3)


def test_integers_of_one_scale_lose_less_where_channels_differ() -> None:
    """The network of the paper's figure 2: a channel of large weights leaves the others no codes."""
    network, data = zoo.network("mlp"), dataset("digits")
    rng, arrays = np.random.default_rng(0), dict(parameters(network))
    for first, second, _ in pairs(network):
        uneven = np.exp(2.0 * rng.normal(size=arrays[f"{first}.bias"].shape)).astype(np.float32)
        arrays[f"{first}.weight"] = arrays[f"{first}.weight"] * uneven
        arrays[f"{first}.bias"] = arrays[f"{first}.bias"] * uneven
        arrays[f"{second}.weight"] = arrays[f"{second}.weight"] / uneven[:, None]
    uneven_network = with_parameters(network, arrays)

    def accuracy(own: Network) -> float:
        rounded = {
            f"{step.name}.weight": quantised_weight(step.operation.weight, integer(6), Scaling("absmax", "tensor"))
            for step in weighted_steps(own)
        }
        outputs = forward(with_parameters(own, rounded), data.inputs["validation"])
        return scores(data.task, outputs, data.targets["validation"])["accuracy"]

    assert accuracy(uneven_network) < 0.8 < 0.94 < accuracy(equalised(uneven_network))


def test_what_is_no_pair_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)

    def layer(*shape: int, unfold: Unfold | None = None) -> Weighted:
        return Weighted(rng.normal(size=shape).astype(np.float32), np.ones(shape[1], np.float32), unfold)

    branching = Network("branching", (4,), (
        Step("a", (INPUT,), layer(4, 4)), Step("r", ("a",), Relu()), Step("b", ("r",), layer(4, 4)),
        Step("s", ("r", "b"), Add()), Step("c", ("s",), layer(4, 2)),
    ))  # fmt: skip
    assert pairs(branching) == ()
    assert equalised(branching).steps[0].operation is branching.steps[0].operation
    bent = Network("bent", (4,), (
        Step("a", (INPUT,), layer(4, 4)), Step("r", ("a",), Softmax()), Step("b", ("r",), layer(4, 2)),
    ))  # fmt: skip
    assert pairs(bent) == ()


def test_a_channel_of_zeros_stays() -> None:
    """Input 3 of the second layer is multiplied by nothing but what its outputs are divided by."""
    network = zoo.network("mlp")
    weight = parameters(network)["layer1.weight"].copy()
    weight[:, 3] = 0.0
    before = parameters(with_parameters(network, {"layer1.weight": weight}))
    after = parameters(equalised(with_parameters(network, {"layer1.weight": weight})))
    alive = before["layer2.bias"] != 0.0
    shares = after["layer2.bias"][alive] / before["layer2.bias"][alive]
    assert not after["layer1.weight"][:, 3].any()
    assert after["layer2.weight"][3, alive] == pytest.approx(before["layer2.weight"][3, alive] * shares, rel=1e-5)
    assert np.abs(shares - 1.0).max() > 0.1


def test_inputs_that_are_only_ever_padding_belong_to_no_channel() -> None:
    """Of an image of one pixel a 3 x 3 convolution, padded, reads padding but at its centre."""
    rng = np.random.default_rng(0)

    def layer(inputs: int, outputs: int, unfold: Unfold) -> Weighted:
        weight = rng.normal(size=(inputs, outputs)).astype(np.float32)
        return Weighted(weight, np.ones(outputs, np.float32), unfold)

    first, second = layer(8, 4, Unfold(kernel=2)), layer(36, 5, Unfold(kernel=3, padding=1))
    second.weight[:16] *= 1000.0  # of padding: they are multiplied by 0
    network = Network("pixel", (2, 2, 2), (
        Step("a", (INPUT,), first), Step("r", ("a",), Relu()), Step("b", ("r",), second),
    ))  # fmt: skip
    ((_, _, channels),) = pairs(network)
    assert channels.tolist() == [-1] * 16 + [0, 1, 2, 3] + [-1] * 16
    after = parameters(equalised(network))
    assert (after["b.weight"][channels < 0] == second.weight[channels < 0]).all()
    ranges = np.abs(after["a.weight"]).max(axis=0), np.abs(after["b.weight"][16:20]).max(axis=1)
    assert ranges[0] == pytest.approx(ranges[1], rel=1e-3)
    inputs = rng.normal(size=(6, 2, 2, 2)).astype(np.float32)
    assert forward(equalised(network), inputs) == pytest.approx(forward(network, inputs), rel=1e-4, abs=1e-4)
