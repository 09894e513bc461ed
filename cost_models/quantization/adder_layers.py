"""The dense layers of a network with L-Mul in place of their multiplications, see `lmul`.

Weights and what a layer reads are rounded to some mantissa bits, ties to even; products are those of the adder form,
summed in float64, in the order of inputs; the bias is added as it is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.lmul import to_bits
from designgym.cost_models.quantization.networks import Network, check_fits
from designgym.cost_models.quantization.operations import Weighted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Patterns(NamedTuple):
    """Numbers as bit patterns of their absolute values, and their signs, -1, 0 or 1, each (inputs, n)."""

    sizes: Integers
    signs: Floats


class AdderLayers:
    """The weighted layers of a network of dense layers; what was worked out of weights is kept.

    A design has mantissa bits, and the offset l of 2^-l, for each layer. ValueError where there are other layers, and
    where the data do not fit.
    """

    def __init__(self, network: Network, data: Dataset) -> None:
        check_fits(network, data)
        self.network, self.data = network, data
        self.steps = tuple(step for step in network.steps if isinstance(step.operation, Weighted))
        for step in self.steps:
            if self._of(step.operation).unfold is not None:
                raise ValueError(f"layers must be dense, got the convolution {step.name}. Choose network=mlp, say.")
        self._weights: dict[tuple[int, int], Patterns] = {}

    def codes(self, layer: int, mantissa_bits: int, x: NDArray[np.floating]) -> Patterns:
        """Return what a layer reads, (n, inputs), rounded."""
        return patterns(np.ascontiguousarray(x.T, np.float64), mantissa_bits)

    def outputs(self, layer: int, codes: Patterns, mantissa_bits: int, offsets: tuple[int, ...]) -> Floats:
        """Return a layer's outputs by several offsets, (offsets, n, outputs)."""
        found = self._added(layer, codes, mantissa_bits, offsets)
        return found.reshape(len(offsets), -1, found.shape[1]).transpose(0, 2, 1)

    def scores(self, codes: Patterns, mantissa_bits: int, offsets: tuple[int, ...], labels: Integers) -> Floats:
        """Return accuracy and nll by several offsets, (offsets, 2), of the last layer, whose outputs are the logits."""
        from designgym.cost_models.quantization._scores_kernel import logit_scores

        found = self._added(len(self.steps) - 1, codes, mantissa_bits, offsets)
        return np.stack(logit_scores(np.arange(len(offsets)), len(found) // len(offsets), found, labels), axis=1)

    def _added(self, layer: int, codes: Patterns, mantissa_bits: int, offsets: tuple[int, ...]) -> Floats:
        from designgym.cost_models.quantization._lmul_kernel import added_up

        if (layer, mantissa_bits) not in self._weights:
            weight = np.ascontiguousarray(self._of(self.steps[layer].operation).weight, np.float64)
            self._weights[layer, mantissa_bits] = patterns(weight, mantissa_bits)
        weights = self._weights[layer, mantissa_bits]
        bias = np.array(self._of(self.steps[layer].operation).bias[None], np.float64)
        out = np.empty((len(offsets) * bias.shape[1], codes.sizes.shape[1]))
        added_up(np.arange(len(offsets)), np.array(offsets), *codes, *weights, bias, out)
        return out

    def _of(self, operation: object) -> Weighted:
        assert isinstance(operation, Weighted)
        return operation


def patterns(values: Floats, mantissa_bits: int) -> Patterns:
    """Return numbers rounded to mantissa bits, as patterns; that of 0 is 1.0's, and its sign makes nothing of it."""
    rounded = to_bits(values, mantissa_bits)
    sizes = np.where(rounded == 0.0, 1.0, np.abs(rounded))
    return Patterns(sizes.view(np.int64), np.sign(rounded))
