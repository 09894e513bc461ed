"""A network's layers as integers: codes of weights and activations, under scales that are found once for every width.

Weights: signed narrow integers, a scale for each output. Activations, what a layer reads: unsigned integers, or signed
ones where calibration saw numbers below 0, one scale for the tensor. Scales of activations come from the float
network's on the first 256 training examples, whatever the widths of other layers. Scales and bias are floats.
Scheme: Jacob et al., CVPR 2018, arXiv:1712.05877; survey: Nagel et al., 2021, arXiv:2106.08295.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.casting import rows_rounded
from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.formats import Format, integer
from designgym.cost_models.quantization.networks import Network, check_fits, forward
from designgym.cost_models.quantization.operations import Weighted
from designgym.cost_models.quantization.scales import Quantiser, Rule, calibrated, scales_of

CALIBRATION = 256  # training examples
EXACT_IN_FLOAT32, EXACT_IN_FLOAT64 = 2**24, 2**53
KEPT_BYTE = 64 * 2**20  # of weights side by side

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]


def fitting(form: Format, seen: NDArray[Any]) -> Format:
    """Return an integer without a sign, of as many bits, where nothing seen is below 0; else the format itself."""
    return integer(form.bits, signed=False) if form.is_integer and seen.min() >= 0 else form


class IntegerLayers:
    """The weighted layers of a network, quantised to any width; what was worked out is kept.

    ValueError where the data do not fit the network.
    """

    def __init__(self, network: Network, data: Dataset, rule: Rule = "mse") -> None:
        check_fits(network, data)
        self.network, self.data, self.rule = network, data, rule
        self.steps = tuple(step for step in network.steps if isinstance(step.operation, Weighted))
        self._weights: dict[tuple[int, int], tuple[Singles, Floats]] = {}
        self._activations: dict[tuple[int, int], Quantiser] = {}
        self._beside: dict[tuple[int, tuple[int, ...], type], NDArray[Any]] = {}  # of at most KEPT_BYTE

    @cached_property
    def _calibration(self) -> dict[str, NDArray[Any]]:
        values: dict[str, NDArray[Any]] = {}
        forward(self.network, self.data.inputs["train"][:CALIBRATION], values)
        return values

    def weight_format(self, bits: int) -> Format:
        """Return the format of weights of so many bits."""
        return integer(bits)

    def activation_format(self, layer: int, bits: int) -> Format:
        """Return the format of what a layer reads."""
        return fitting(integer(bits), self._calibration[self.steps[layer].reads[0]])

    def weight(self, layer: int, bits: int) -> tuple[Singles, Floats]:
        """Return a layer's weights as codes, (inputs, outputs), whole numbers in float32, and scales, (outputs,)."""
        if (layer, bits) not in self._weights:
            form, rows = self.weight_format(bits), np.ascontiguousarray(self._operation(layer).weight.T, np.float64)
            scales = scales_of(rows, form, self.rule)
            codes = np.rint(rows_rounded(rows, scales, form) / scales[:, None])
            self._weights[layer, bits] = np.ascontiguousarray(codes.T, np.float32), scales
        return self._weights[layer, bits]

    def activation(self, layer: int, bits: int) -> Quantiser:
        """Return what rounds the activations that a layer reads."""
        if (layer, bits) not in self._activations:
            seen = self._calibration[self.steps[layer].reads[0]]
            form = self.activation_format(layer, bits)
            self._activations[layer, bits] = calibrated(seen, form, self.rule)
        return self._activations[layer, bits]

    def codes(self, layer: int, bits: int, x: Singles) -> Singles:
        """Return what a layer reads as codes, whole numbers in float32."""
        rounds = self.activation(layer, bits)
        codes = np.rint(x / np.float32(rounds.scale))
        return np.clip(codes, np.float32(rounds.form.low), np.float32(rounds.form.high), out=codes)

    def outputs(self, layer: int, codes: Singles, activation_bits: int, weight_bits: tuple[int, ...]) -> NDArray[Any]:
        """Return a layer's outputs by weights of several widths, (widths, n, ..., outputs), float32.

        codes: what it reads. Sums of codes' products are whole numbers that the floating-point type holds exactly, so
        that no order of summation, and no other design in the batch, changes a bit.
        """
        operation = self._operation(layer)
        patches = codes if operation.unfold is None else operation.unfold.apply(codes)
        weights, factors = self.side_by_side(layer, activation_bits, weight_bits)
        flat = patches.reshape(-1, weights.shape[0]).astype(weights.dtype, copy=False)
        sums = (flat @ weights).astype(np.float32, copy=False).reshape(len(flat), len(weight_bits), -1)
        found = sums.transpose(1, 0, 2) * factors[:, None].astype(np.float32) + operation.bias.astype(np.float32)
        return found.reshape(len(weight_bits), *patches.shape[:-1], -1)

    def scores(
        self, codes: Singles, activation_bits: int, weight_bits: tuple[int, ...], labels: NDArray[np.int64]
    ) -> Floats:
        """Return accuracy and nll by weights of several widths, (widths, 2), of a last layer that tells the logits.

        codes: what it reads, (n, inputs). labels: (1, n).
        """
        from designgym.cost_models.quantization._scores_kernel import last_layer_scores

        layer = len(self.steps) - 1
        weights, factors = self.side_by_side(layer, activation_bits, weight_bits, np.float64)
        bias = np.array(self._operation(layer).bias[None], np.float64)
        told = last_layer_scores(
            np.arange(len(weight_bits)), bias.shape[1], np.ascontiguousarray(codes.T, np.float64),
            weights, factors, bias, labels,
        )  # fmt: skip
        return np.stack(told, axis=1)

    def side_by_side(
        self, layer: int, activation_bits: int, weight_bits: tuple[int, ...], kind: type | None = None
    ) -> tuple[NDArray[Any], Floats]:
        """Return codes of weights of several widths, (inputs, widths * outputs), and what their sums are worth.

        The latter is (widths, outputs). kind: of the codes, the narrower float that holds all sums by default.
        ValueError where none does.
        """
        parts = [self.weight(layer, bits) for bits in weight_bits]
        form = self.activation_format(layer, activation_bits)
        largest = max(self.weight_format(bits).high for bits in weight_bits)
        most = largest * max(form.high, -form.low) * len(parts[0][0])
        if most > EXACT_IN_FLOAT64:
            name = self.steps[layer].name
            raise ValueError(f"sums of layer {name} must stay below 2^53 to be exact, got {most:.3g}. Use fewer bits.")
        kind = kind or (np.float32 if most <= EXACT_IN_FLOAT32 else np.float64)
        key = (layer, weight_bits, kind)
        if key not in self._beside:
            if sum(array.nbytes for array in self._beside.values()) > KEPT_BYTE:
                self._beside.clear()
            self._beside[key] = np.concatenate([codes for codes, _ in parts], axis=1).astype(kind)
        factors = np.stack([scales for _, scales in parts]) * self.activation(layer, activation_bits).scale
        return self._beside[key], factors

    def _operation(self, layer: int) -> Weighted:
        operation = self.steps[layer].operation
        assert isinstance(operation, Weighted)
        return operation
