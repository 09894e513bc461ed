"""A network's layers in number formats of their own, as `prefixes` walks through them; what was worked out is kept.

Weights are rounded by a method that looks at what the float network's layer reads of all training examples; scales of
activations, and by what inputs are equalised, come from its first 256. Whatever the formats of other layers, a layer's
are the same. Sums, and values between layers, are float64, so that another processor's order of sums moves hardly a
code; rounded activations are float32, which holds a number times its scale to 6e-8 of it.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.fake_quantised import Reads, reader, smoothing_factors
from designgym.cost_models.quantization.integers import CALIBRATION
from designgym.cost_models.quantization.layer_formats import (
    ACTIVATIONS,
    SIZES,
    SMOOTHINGS,
    WEIGHTS,
    Chosen,
)
from designgym.cost_models.quantization.networks import Network, check_fits, forward, in_double
from designgym.cost_models.quantization.rounding_methods import ROUNDINGS, Inputs, corrected_bias, rounded_matrix
from designgym.cost_models.quantization.scales import GRANULARITIES, RULES
from designgym.cost_models.quantization.scores import each_classified
from designgym.cost_models.quantization.variant_layers import patches_of, weighted_steps

KEPT_BYTE = 64 * 2**20  # of arrays of one kind
RULED = np.array([one.by_rule for one in WEIGHTS])  # of others the rule is that of activations alone
EXPONENTS = tuple(SMOOTHINGS.values())
TAKEN = (SIZES[1], SIZES[2], SIZES[4])
MULTIPLIED = (SIZES[0], SIZES[2], SIZES[3], SIZES[4], len(ROUNDINGS), 2)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def ways(own: Chosen, rounding: Any, corrected: Any) -> tuple[Integers, Integers]:
    """Return how layers are multiplied and how what they read is taken, as whole numbers. All arrays have one shape.

    rounding: the place in ROUNDINGS. corrected: 1 where the bias makes up for rounding, else 0.
    """
    multiplied = (own.weight, own.rule * RULED[own.weight], own.granularity, own.smoothing, rounding, corrected)
    return (
        np.asarray(np.ravel_multi_index(multiplied, MULTIPLIED), np.int64),
        np.asarray(np.ravel_multi_index((own.activation, own.rule, own.smoothing), TAKEN), np.int64),
    )


class Kept:
    """Arrays that were made, by key; all are let go when they are too many."""

    def __init__(self) -> None:
        self._arrays: dict[Any, Any] = {}
        self._byte = 0

    def __call__(self, key: Any, make: Callable[[], tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
        """Return what there is by a key, made now if there is nothing."""
        if key not in self._arrays:
            made = make()
            if self._byte > KEPT_BYTE:
                self._arrays.clear()
                self._byte = 0
            self._arrays[key] = made
            self._byte += sum(array.nbytes for array in made)
        found: tuple[NDArray[Any], ...] = self._arrays[key]
        return found


class FormatLayers:
    """The weighted layers of a network in number formats, see `Layers`. ValueError where the data do not fit."""

    def __init__(self, network: Network, data: Dataset) -> None:
        check_fits(network, data)
        self.network, self.data = in_double(network), data
        self._weighted = weighted_steps(self.network)
        names = {step.name for step in self._weighted}
        self.steps = tuple(step for step in self.network.steps if step.name in names)
        self._variants, self._first_codes = Kept(), Kept()
        self._divided: dict[tuple[int, int], tuple[Floats, Inputs]] = {}
        self._readers: dict[tuple[int, int], Reads] = {}

    @cached_property
    def _seen(self) -> dict[str, NDArray[Any]]:
        values: dict[str, NDArray[Any]] = {}
        forward(self.network, self.data.inputs["train"][:CALIBRATION], values)
        return values

    @cached_property
    def _read(self) -> list[Inputs]:
        """What each layer reads of all training examples."""
        read = patches_of(self.network, self.data)
        return [Inputs.of(read[step.name]) for step in self._weighted]

    def _smoothed(self, layer: int, smoothing: int) -> tuple[Floats | None, Inputs]:
        """Return by what a layer's inputs are divided, (inputs,), None for nothing, and what it reads then."""
        exponent, step = EXPONENTS[smoothing], self._weighted[layer]
        if exponent is None:
            return None, self._read[layer]
        if (layer, smoothing) not in self._divided:
            factors = smoothing_factors(step.operation.weight, self._seen[step.reads[0]], exponent)
            self._divided[layer, smoothing] = factors, self._read[layer].divided(factors)
        return self._divided[layer, smoothing]

    def codes(self, layer: int, taken: int, x: NDArray[Any]) -> Floats:
        """Return what a layer reads, rounded, (n, ..., inputs)."""
        if layer == 0:  # it reads the same in all designs
            return self._first_codes(taken, lambda: (self._taken(layer, taken, x),))[0]
        return self._taken(layer, taken, x)

    def _taken(self, layer: int, taken: int, x: NDArray[Any]) -> Floats:
        if (layer, taken) not in self._readers:
            self._readers[layer, taken] = self._reader(layer, taken)
        return self._readers[layer, taken](x).astype(np.float64)

    def _reader(self, layer: int, taken: int) -> Reads:
        activation, rule, smoothing = (int(one) for one in np.unravel_index(taken, TAKEN))
        factors, step = self._smoothed(layer, smoothing)[0], self._weighted[layer]
        seen, unfold, form = self._seen[step.reads[0]], step.operation.unfold, ACTIVATIONS[activation]
        if factors is None:
            return reader(unfold, form, RULES[rule], seen)
        reads = reader(unfold, form, RULES[rule], seen / factors)
        return lambda x: reads(x / factors)

    def outputs(self, layer: int, codes: Floats, taken: int, multiplied: tuple[int, ...]) -> Floats:
        """Return a layer's outputs by weights in several ways, (ways, n, ..., outputs)."""
        flat = codes.reshape(-1, codes.shape[-1])
        found = np.empty((len(multiplied), len(flat), self._weighted[layer].operation.weight.shape[1]))
        for place, way in enumerate(multiplied):
            matrix, bias = self._variants((layer, way), partial(self._variant, layer, way))
            np.matmul(flat, matrix, out=found[place])
            found[place] += bias
        return found.reshape(len(multiplied), *codes.shape[:-1], -1)

    def scores(self, codes: Floats, taken: int, multiplied: tuple[int, ...], labels: Integers) -> Floats:
        """Return accuracy and nll, (ways, 2), of the last layer, whose outputs are the logits. labels: (1, n)."""
        return each_classified(self.outputs(len(self.steps) - 1, codes, taken, multiplied), labels[0])

    def _variant(self, layer: int, way: int) -> tuple[Floats, Floats]:
        """Return a layer's rounded matrix, (inputs, outputs), and its bias."""
        weight, rule, granularity, smoothing, rounding, corrected = np.unravel_index(way, MULTIPLIED)
        operation, (factors, read) = self._weighted[layer].operation, self._smoothed(layer, int(smoothing))
        whole = operation.weight.astype(np.float64)
        if factors is not None:
            whole *= factors[:, None]
        grid = WEIGHTS[weight].grid(whole, RULES[rule], GRANULARITIES[granularity])
        matrix = rounded_matrix(grid, read, ROUNDINGS[rounding])
        bias = operation.bias.astype(np.float64)
        return matrix, corrected_bias(bias, matrix - whole, read) if corrected else bias
