"""What a layer costs in a number format: bytes, energy of arithmetic and of all of it, tables of an FPGA.

Arithmetic: see `energies` and `luts`. Scaling: an output's sum, or that of each group or block, is multiplied by its
scale, or by a power of two has an exponent of 8 bits added to its own, and is added up as a 32-bit float. Memory: all
that is stored of a layer is read once an example, from an SRAM of 8 KiB. Left out: what rounds a layer's outputs to the
next one's format, reading and writing activations, and the products by which inputs are equalised.

Energy favours integers by construction: Horowitz's figures for adding are an integer as wide as need be, but a float of
32 bits (.9 pJ) for minifloats of any width. `luts`, which sums both in fixed point, and `model_byte` judge otherwise.
"""

import math
from dataclasses import dataclass

from designgym.cost_models.quantization.costs import LANES, MICROSCALE_BITS, SCALE_BITS, layer_bits
from designgym.cost_models.quantization.energies import (
    FLOAT_ACCUMULATOR_BITS,
    FLOAT_ADD,
    FLOAT_MULTIPLY,
    INTEGER_ADD,
    SRAM_READ_J,
    mac_j,
)
from designgym.cost_models.quantization.formats import Format
from designgym.cost_models.quantization.layer_formats import (
    ACTIVATIONS,
    GROUP,
    SMOOTHINGS,
    WEIGHTS,
    Chosen,
)
from designgym.cost_models.quantization.luts import luts_per_mac
from designgym.cost_models.quantization.networks import Layer
from designgym.cost_models.quantization.scales import GRANULARITIES, RULES


@dataclass(frozen=True)
class LayerCost:
    """Of one layer, for one example. energy_j: of products and sums; total_energy_j: of scaling and memory too."""

    model_byte: float
    energy_j: float
    total_energy_j: float
    luts: float


def layer_cost(layer: Layer, own: Chosen, elements: int) -> LayerCost:
    """Return what a layer costs. elements: processing elements, of 16 lanes, that it has on an FPGA."""
    weight, activation = WEIGHTS[own.weight], ACTIVATIONS[own.activation]
    number = activation if isinstance(activation, Format) else activation.element
    together = _sharing(layer, own)
    energy_j = layer.macs * mac_j(weight.number, number, together)
    bits = _stored_bits(layer, own)
    sums = layer.outputs * layer.positions * math.ceil(layer.inputs / together)
    total_energy_j = energy_j + sums * _scaling_j(own) + bits * SRAM_READ_J
    luts = elements * LANES * luts_per_mac(weight.number, number, LANES, layer.inputs)
    return LayerCost(bits / 8.0, energy_j, total_energy_j, luts)


def _stored_bits(layer: Layer, own: Chosen) -> float:
    """Return the bits of weights, scales and biases: 32 for each scale and bias, 8 for the scale of a block.

    Equalised inputs (see `fake_quantised`) take 32 each for what they are divided by.
    """
    weight, scales = WEIGHTS[own.weight], layer.outputs * math.ceil(layer.inputs / _sharing(layer, own))
    scale_bits = SCALE_BITS if weight.blocks is None else MICROSCALE_BITS
    if weight.blocks is None and GRANULARITIES[own.granularity] == "tensor":
        scales = 1
    smoothing = 0 if tuple(SMOOTHINGS.values())[own.smoothing] is None else SCALE_BITS * layer.inputs
    return layer_bits(layer, weight.bits, scales, scale_bits + weight.group_bits) + smoothing


def _sharing(layer: Layer, own: Chosen) -> int:
    """Return how many inputs of an output share a scale, and are summed before it is applied."""
    blocks = WEIGHTS[own.weight].blocks
    if blocks is not None:
        return min(blocks.block, layer.inputs)
    return min(GROUP, layer.inputs) if GRANULARITIES[own.granularity] == "group" else layer.inputs


def _scaling_j(own: Chosen) -> float:
    weight = WEIGHTS[own.weight]
    shifts = weight.blocks is not None or (weight.by_rule and RULES[own.rule] == "power_of_two")
    scale_j = INTEGER_ADD(MICROSCALE_BITS) if shifts else FLOAT_MULTIPLY(FLOAT_ACCUMULATOR_BITS)
    return scale_j + FLOAT_ADD(FLOAT_ACCUMULATOR_BITS)
