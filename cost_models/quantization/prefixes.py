"""Quantised inference of many designs: those that begin alike are evaluated once as far as they do.

A design is a width of weights and one of activations for each layer, in order. Layers are walked through in depth; at
each, what was computed before is kept while all designs that share it are gone through.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from designgym.cost_models.quantization.integers import IntegerLayers, parts_of
from designgym.cost_models.quantization.networks import INPUT
from designgym.cost_models.quantization.operations import Weighted
from designgym.cost_models.quantization.scores import scores

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Values = dict[str, NDArray[Any]]


class Walk:
    """Scores of quantised networks on one split of their data."""

    def __init__(self, layers: IntegerLayers, split: str) -> None:
        self._layers, data = layers, layers.data
        self._inputs, self._targets = data.inputs[split], data.targets[split]
        self._classes = data.classes
        self._before, self._after = parts_of(layers.network)
        last = self._layers.steps[-1].operation
        assert isinstance(last, Weighted)
        self._scores_at_once = bool(self._classes) and not self._after[-1] and last.unfold is None
        self._last_weights: dict[tuple[int, tuple[int, ...]], tuple[Floats, Floats]] = {}
        self._labels = np.array(self._targets[None], np.int64)
        self._bias = np.array(last.bias[None], np.float64)

    def scores(self, weight_bits: Integers, activation_bits: Integers) -> Floats:
        """Return the scores of designs, bits of each layer (n, layers): (n, 2) accuracy and nll, or (n, 1) r2.

        Row i depends on design i alone.
        """
        choices = np.stack([activation_bits, weight_bits], axis=2).reshape(len(weight_bits), -1)
        designs, places = np.unique(choices, axis=0, return_inverse=True)
        found = np.empty((len(designs), 2 if self._classes else 1))
        values: Values = {INPUT: np.asarray(self._inputs, np.float32)}
        with blas().limit(limits=1, user_api="blas"):  # matrices are small: threads would wait for each other
            self._run(values, self._before)
            self._layer(0, values, designs, 0, found)
        return found[places.reshape(-1)]

    def _run(self, values: Values, steps: Any) -> None:
        for step in steps:
            values[step.name] = step.operation.apply(*(values[read] for read in step.reads))

    def _layer(self, layer: int, values: Values, designs: Integers, first: int, found: Floats) -> None:
        """Go through designs, sorted, that agree before this layer. first: the place of their scores."""
        step = self._layers.steps[layer]
        for begin, end, activation in runs(designs[:, 2 * layer]):
            codes = self._layers.codes(layer, activation, values[step.reads[0]])
            own = designs[begin:end]
            spans = list(runs(own[:, 2 * layer + 1]))
            widths = tuple(weight for _, _, weight in spans)
            if self._scores_at_once and layer + 1 == len(self._layers.steps):
                found[first + begin : first + end] = self._last(layer, codes, activation, widths)
                continue
            outputs = self._layers.outputs(layer, codes, activation, widths)
            for (from_, to, _), output in zip(spans, outputs, strict=True):
                after = {**values, step.name: output}
                self._run(after, self._after[layer])
                if layer + 1 == len(self._layers.steps):
                    found[first + begin + from_] = self._scored(after[self._layers.network.steps[-1].name])
                else:
                    self._layer(layer + 1, after, own[from_:to], first + begin + from_, found)

    def _last(self, layer: int, codes: NDArray[Any], activation: int, widths: tuple[int, ...]) -> Floats:
        """Return the scores by weights of several widths, (widths, 2), of a last layer that tells the logits."""
        from designgym.cost_models.quantization._scores_kernel import last_layer_scores

        if (activation, widths) not in self._last_weights:
            weights, factors = self._layers.side_by_side(layer, activation, widths)
            self._last_weights[activation, widths] = weights.astype(np.float64), factors
        weights, factors = self._last_weights[activation, widths]
        told = last_layer_scores(
            np.arange(len(widths)), len(self._bias[0]), np.ascontiguousarray(codes.T, np.float64), weights, factors,
            self._bias, self._labels,
        )  # fmt: skip
        return np.stack(told, axis=1)

    def _scored(self, outputs: NDArray[Any]) -> Floats:
        """Return the scores of a network's outputs, (n, classes) or (n, 1)."""
        return np.array(list(scores(self._layers.data.task, outputs, self._targets).values()))


@lru_cache(1)
def blas() -> ThreadpoolController:
    """Return what sets the threads of NumPy's matrix products."""
    return ThreadpoolController()


def runs(column: Integers) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of equal values begins and ends, and the value."""
    edges = np.flatnonzero(np.diff(column)) + 1
    for begin, end in zip((0, *edges.tolist()), (*edges.tolist(), len(column)), strict=True):
        yield begin, end, int(column[begin])
