"""The layers of a network with other matrices in place of their weights: one of several for each layer.

Everything else is as in the float network. Matrices are multiplied one by one, in the same shapes whatever else is
evaluated, on one thread, so that a design's scores depend on it alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.networks import Network, check_fits, forward
from designgym.cost_models.quantization.operations import Array, Weighted
from designgym.cost_models.quantization.scores import each_classified

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Singles = NDArray[np.float32]


class VariantLayers:
    """The weighted layers of a network, each with one of its matrices, (inputs, outputs), chosen by its place.

    matrices: of each layer, in order. ValueError where the data do not fit.
    """

    def __init__(self, network: Network, data: Dataset, matrices: Sequence[Sequence[Singles]]) -> None:
        check_fits(network, data)
        self.network, self.data = network, data
        self.steps = tuple(step for step in network.steps if isinstance(step.operation, Weighted))
        self._operations = [step.operation for step in weighted_steps(network)]
        self._matrices = tuple(tuple(own) for own in matrices)

    def codes(self, layer: int, taken: int, x: Array) -> Array:
        """Return what a layer reads, as it is: patches of a convolution's images."""
        unfold = self._operations[layer].unfold
        return x if unfold is None else unfold.apply(x)

    def outputs(self, layer: int, codes: Array, taken: int, places: tuple[int, ...]) -> Array:
        """Return a layer's outputs by several matrices, (places, n, ..., outputs)."""
        own, operation = self._matrices[layer], self._operations[layer]
        flat = codes.reshape(-1, len(operation.weight))
        found = np.stack([flat @ own[place] + operation.bias for place in places])
        return found.reshape(len(places), *codes.shape[:-1], -1)

    def scores(self, codes: Array, taken: int, places: tuple[int, ...], labels: Integers) -> Floats:
        """Return accuracy and nll by several matrices, (places, 2), of the last layer, whose outputs are the logits."""
        return each_classified(self.outputs(len(self.steps) - 1, codes, taken, places), labels[0])


class WeightedStep(NamedTuple):
    """A step whose operation is a weighted one."""

    name: str
    reads: tuple[str, ...]
    operation: Weighted


def weighted_steps(network: Network) -> list[WeightedStep]:
    """Return the weighted steps in order."""
    return [WeightedStep(step.name, step.reads, step.operation) for step in network.steps
            if isinstance(step.operation, Weighted)]  # fmt: skip


def patches_of(network: Network, data: Dataset) -> dict[str, Singles]:
    """Return what each weighted layer of the float network reads of all training examples, (n, inputs)."""
    values: dict[str, Array] = {}
    forward(network, data.inputs["train"], values)
    found = {}
    for step in weighted_steps(network):
        read, unfold = values[step.reads[0]], step.operation.unfold
        found[step.name] = (read if unfold is None else unfold.apply(read)).reshape(-1, len(step.operation.weight))
    return found
