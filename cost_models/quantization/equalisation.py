"""Cross-layer equalisation: ranges of a layer's outputs and of what the next one multiplies them by are made equal.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, arXiv:1906.04721,
section 4.1: channel i of the first layer is divided, and what the second multiplies it by is multiplied, by s_i =
sqrt(r1_i / r2_i), which ReLU lets through; afterwards both largest weights in size are sqrt(r1_i r2_i). Layers that
follow each other are gone through until nothing changes. No float output changes but by rounding.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.networks import Network, shapes, with_parameters
from designgym.cost_models.quantization.operations import Array, Relu, Reshape, Transpose, Weighted
from designgym.cost_models.quantization.variant_layers import weighted_steps

SWEEPS, SETTLED = 100, 1e-6  # over all pairs; the largest change of a factor that ends them

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Pair(NamedTuple):
    """Two layers by name, and which of the first's outputs each input of the second is, -1 for what is padding."""

    first: str
    second: str
    channels: Integers


def pairs(network: Network) -> tuple[Pair, ...]:
    """Return the layers whose outputs go to one other layer alone, through ReLU and rearrangement, in order."""
    found, shape = [], shapes(network)
    by_name = {step.name: step for step in weighted_steps(network)}
    for step in by_name.values():
        outputs = step.operation.weight.shape[1]
        marks: Array = np.broadcast_to(np.arange(1.0, outputs + 1.0), (1, *shape[step.name]))
        name = step.name
        while True:
            readers = [reader for reader in network.steps if name in reader.reads]
            if len(readers) != 1:
                break
            name = readers[0].name
            if name in by_name:
                channels = _channels(by_name[name].operation, marks)
                if channels is not None:
                    found.append(Pair(step.name, name, channels))
                break
            if not isinstance(readers[0].operation, Relu | Reshape | Transpose):
                break
            marks = readers[0].operation.apply(marks)
    return tuple(found)


def _channels(operation: Weighted, marks: Array) -> Integers | None:
    """Return the channel of each input of a layer, -1 for one that is only ever padding, None where one is of several.

    marks: channel + 1 of its inputs.
    """
    if operation.unfold is not None:
        marks = operation.unfold.apply(marks)  # what it is padded with is 0
    rows = marks.reshape(-1, len(operation.weight))
    largest = rows.max(axis=0)
    if not ((rows == 0) | (rows == largest)).all():
        return None
    return np.asarray(largest, np.int64) - 1


def equalised(network: Network) -> Network:
    """Return the network with the ranges of its pairs made equal, itself where it has none.

    A channel that one of both has only zeros for stays as it is.
    """
    joined = pairs(network)
    weights = {step.name: step.operation.weight.astype(np.float64) for step in weighted_steps(network)}
    biases = {step.name: step.operation.bias.astype(np.float64) for step in weighted_steps(network)}
    for _ in range(SWEEPS if joined else 0):
        farthest = 0.0
        for first, second, channels in joined:
            factors = _factors(weights[first], weights[second], channels)
            weights[first], biases[first] = weights[first] / factors, biases[first] / factors
            weights[second] = weights[second] * np.where(channels < 0, 1.0, factors[channels])[:, None]
            farthest = max(farthest, float(np.abs(factors - 1.0).max()))
        if farthest < SETTLED:
            break
    changed = {name for pair in joined for name in pair[:2]}
    arrays = {f"{name}.{own}": array for own, kept in (("weight", weights), ("bias", biases))
              for name, array in kept.items() if name in changed}  # fmt: skip
    return with_parameters(network, {name: array.astype(network.dtype) for name, array in arrays.items()})


def _factors(first: Floats, second: Floats, channels: Integers) -> Floats:
    ranges = np.abs(first).max(axis=0)
    next_ranges = np.zeros(len(ranges))
    real = channels >= 0
    np.maximum.at(next_ranges, channels[real], np.abs(second).max(axis=1)[real])
    known = (ranges > 0) & (next_ranges > 0)
    return np.sqrt(np.where(known, ranges, 1.0) / np.where(known, next_ranges, 1.0))
