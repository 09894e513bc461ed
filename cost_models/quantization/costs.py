"""What a quantised layer costs beside accuracy: bit operations, bits of memory, cycles of a processing array.

Bit operations, multiply-accumulates times the bits of weight and activation: van Baalen et al., "Bayesian Bits",
NeurIPS 2020, arXiv:2005.07093; for integers alone, for they know nothing of a float's exponent. Cycles: the folding of
FINN (Umuroglu et al., FPGA 2017, doi:10.1145/3020078.3021744).
"""

import math
from collections.abc import Sequence

from designgym.cost_models.quantization.formats import Format
from designgym.cost_models.quantization.microscaling import SCALE_BITS as MICROSCALE_BITS
from designgym.cost_models.quantization.microscaling import Microscaling
from designgym.cost_models.quantization.networks import Layer

SCALE_BITS = BIAS_BITS = 32  # of each output channel: a scale and a bias in float32
LANES = 16


def bit_operations(layers: Sequence[Layer], weights: Sequence[Format], activations: Sequence[Format]) -> int:
    """Return the sum of multiply-accumulates times both widths, for one example. ValueError for what is no integer."""
    for form in (*weights, *activations):
        if not form.is_integer:
            raise ValueError(f"bit operations are counted for integers alone, got {form.name}. Use LUTs or energy.")
    return sum(
        layer.macs * weight.bits * activation.bits
        for layer, weight, activation in zip(layers, weights, activations, strict=True)
    )


def model_bits(layers: Sequence[Layer], weights: Sequence[Format | Microscaling]) -> float:
    """Return the bits that weights, scales and biases take: 64 for scale and bias of an output channel.

    In blocks, 8 bits of each block of inputs stand for the scale.
    """
    total = 0.0
    for layer, form in zip(layers, weights, strict=True):
        if isinstance(form, Microscaling):
            blocks = math.ceil(layer.inputs / form.block) * layer.outputs
            total += layer_bits(layer, form.element.bits, blocks, MICROSCALE_BITS)
        else:
            total += layer_bits(layer, form.bits, layer.outputs, SCALE_BITS)
    return total


def layer_bits(layer: Layer, weight_bits: float, scales: int, scale_bits: int) -> float:
    """Return the bits that a layer's weights, its scales, and a bias for each output take."""
    return layer.weights * weight_bits + scales * scale_bits + BIAS_BITS * layer.outputs


def cycles(layer: Layer, elements: int, lanes: int = LANES) -> int:
    """Return the cycles for one example on processing elements of so many lanes, each an output's inputs at a time."""
    if elements < 1 or lanes < 1:
        raise ValueError(f"processing elements and lanes must be at least 1, got {elements} and {lanes}. Raise them.")
    return math.ceil(layer.outputs / elements) * math.ceil(layer.inputs / lanes) * layer.positions
