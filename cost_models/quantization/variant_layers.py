"""The layers of a network with other matrices in place of their weights: one of several for each layer.

Everything else is as in the float network. Matrices are multiplied one by one, in the same shapes whatever else is
evaluated, on one thread, so that a design's scores depend on it alone.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.networks import Network, check_fits
from designgym.cost_models.quantization.operations import Array, Weighted
from designgym.cost_models.quantization.scores import accuracy, negative_log_likelihood

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
        self._matrices = tuple(tuple(own) for own in matrices)

    def codes(self, layer: int, taken: int, x: Array) -> Array:
        """Return what a layer reads, as it is: patches of a convolution's images."""
        unfold = weighted(self.steps[layer].operation).unfold
        return x if unfold is None else unfold.apply(x)

    def outputs(self, layer: int, codes: Array, taken: int, places: tuple[int, ...]) -> Array:
        """Return a layer's outputs by several matrices, (places, n, ..., outputs)."""
        own, operation = self._matrices[layer], weighted(self.steps[layer].operation)
        flat = codes.reshape(-1, len(operation.weight))
        found = np.stack([flat @ own[place] + operation.bias for place in places])
        return found.reshape(len(places), *codes.shape[:-1], -1)

    def scores(self, codes: Array, taken: int, places: tuple[int, ...], labels: Integers) -> Floats:
        """Return accuracy and nll by several matrices, (places, 2), of the last layer, whose outputs are the logits."""
        logits = self.outputs(len(self.steps) - 1, codes, taken, places)
        return np.stack([accuracy(logits, labels[0]), negative_log_likelihood(logits, labels[0])], axis=1)


def weighted(operation: object) -> Weighted:
    """Return an operation that is a weighted one."""
    assert isinstance(operation, Weighted)
    return operation
