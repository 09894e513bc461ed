"""Inference of a network in many designs: those that begin alike are evaluated once as far as they do.

A design is two whole numbers for each layer, in order: how what it reads is taken (bits of activations, say), and then
how it is multiplied (bits of weights). Layers are walked through in depth; at each, what was computed before is kept
while all designs that share it are gone through.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.networks import INPUT, Network, Step
from designgym.cost_models.quantization.operations import Weighted
from designgym.cost_models.quantization.scores import scores

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Values = dict[str, NDArray[Any]]


class Layers(Protocol):
    """The weighted layers of a network as designs have them. What is told of a design depends on that design alone."""

    network: Network
    data: Dataset
    steps: tuple[Step, ...]

    def codes(self, layer: int, taken: int, x: NDArray[Any]) -> Any:
        """Return what a layer reads, (n, ...), as a design takes it."""

    def outputs(self, layer: int, codes: Any, taken: int, multiplied: tuple[int, ...]) -> NDArray[Any]:
        """Return what comes of it, multiplied in several ways: (ways, n, ..., outputs)."""

    def scores(self, codes: Any, taken: int, multiplied: tuple[int, ...], labels: Integers) -> Floats:
        """Return accuracy and nll, (ways, 2), where it is the last layer's outputs that are the logits."""


class Walk:
    """Scores of a network's designs on one split of its data."""

    def __init__(self, layers: Layers, split: str) -> None:
        self._layers, data = layers, layers.data
        self._inputs, self._targets = data.inputs[split], data.targets[split]
        self._classes = data.classes
        self._before, self._after = parts_of(layers.network)
        last = self._layers.steps[-1].operation
        assert isinstance(last, Weighted)
        self._scores_at_once = bool(self._classes) and not self._after[-1] and last.unfold is None
        self._labels = np.array(self._targets[None], np.int64)

    def scores(self, multiplied: Integers, taken: Integers) -> Floats:
        """Return the scores of designs, by layer, each (n, layers): (n, 2) accuracy and nll, or (n, 1) r2.

        Row i depends on design i alone.
        """
        if not len(taken):
            return np.empty((0, 2 if self._classes else 1))
        choices = np.stack([taken, multiplied], axis=2).reshape(len(taken), -1)
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
        for begin, end, taken in runs(designs[:, 2 * layer]):
            codes = self._layers.codes(layer, taken, values[step.reads[0]])
            own = designs[begin:end]
            spans = list(runs(own[:, 2 * layer + 1]))
            ways = tuple(way for _, _, way in spans)
            if self._scores_at_once and layer + 1 == len(self._layers.steps):
                found[first + begin : first + end] = self._layers.scores(codes, taken, ways, self._labels)
                continue
            outputs = self._layers.outputs(layer, codes, taken, ways)
            for (from_, to, _), output in zip(spans, outputs, strict=True):
                after = {**values, step.name: output}
                self._run(after, self._after[layer])
                if layer + 1 == len(self._layers.steps):
                    found[first + begin + from_] = self._scored(after[self._layers.network.steps[-1].name])
                else:
                    self._layer(layer + 1, after, own[from_:to], first + begin + from_, found)

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


def parts_of(network: Network) -> tuple[tuple[Step, ...], tuple[tuple[Step, ...], ...]]:
    """Return the steps before the first weighted one, and those after each weighted one, before the next."""
    before: list[Step] = []
    after: list[list[Step]] = []
    for step in network.steps:
        if isinstance(step.operation, Weighted):
            after.append([])
        else:
            (after[-1] if after else before).append(step)
    return tuple(before), tuple(tuple(steps) for steps in after)
