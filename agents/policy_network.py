"""A small autoregressive network: how likely each choice is after those before it, and what they promise.

Source: NADE of Uria, Côté, Gregor, Murray and Larochelle, JMLR 17(205), 2016 (arXiv:1605.02226): every choice made adds
its own vector to one hidden layer, from which the logits of each step are read; so drawing a design costs one small
product a step. Here a value, the critic's, is read from it too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """n sequences of choices, steps first. chosen: (steps, n); open: what could be chosen, bool (steps, n, most).

    awake: where a step mattered, bool (steps, n). An idle step leaves no trace, whatever is chosen there.
    """

    chosen: Ints
    open: Bools
    awake: Bools


@dataclass(frozen=True)
class Pass:
    """What the network says of a batch. hidden: (steps, n, hidden); values: (steps, n).

    logs: logarithms of chances, (steps, n, most), -inf where a choice was not open. one_hot: the choices, as wide.
    """

    batch: Batch
    hidden: Floats
    values: Floats
    logs: Floats
    one_hot: Floats

    @property
    def log_chances(self) -> Floats:
        """Of what was chosen, (steps, n); 0 where idle."""
        chosen = np.take_along_axis(self.logs, self.batch.chosen[:, :, None], axis=2)[:, :, 0]
        return np.where(self.batch.awake, chosen, 0.0)


class PolicyNetwork:
    """weights: all of them, (size,), in place; those read by name below are views.

    steps, most: of the sequences, and choices at the widest step. It begins with all chances nearly alike.
    """

    def __init__(self, steps: int, most: int, hidden: int, rng: np.random.Generator) -> None:
        shapes = {
            "inputs": (steps, most, hidden), "offset": (hidden,), "outputs": (steps, most, hidden),
            "biases": (steps, most), "critic": (steps, hidden), "critic_bias": (steps,),
        }  # fmt: skip
        self._shapes = shapes
        self.weights = np.zeros(sum(int(np.prod(shape)) for shape in shapes.values()))
        self._views = self._split(self.weights)
        # A design's hidden layer is a sum over its steps: about 1 in size at the last of them.
        self._views["inputs"][:] = rng.normal(0.0, 1.0 / np.sqrt(steps), shapes["inputs"])
        self._views["offset"][:] = rng.normal(0.0, 0.1, hidden)
        self._views["outputs"][:] = rng.normal(0.0, 0.01, shapes["outputs"])

    def _split(self, flat: Floats) -> dict[str, Floats]:
        views, start = {}, 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            views[name] = flat[start : start + size].reshape(shape)
            start += size
        return views

    # -- drawing -------------------------------------------------------------------------------------------------------

    def begin(self, n: int) -> Floats:
        """Return what n sequences are before their first choice, (n, hidden); `take` changes it."""
        return np.repeat(self._views["offset"][None], n, axis=0)

    def take(self, j: int, state: Floats, chosen: Ints, awake: Bools) -> None:
        """Let sequences have chosen at step j, each (n,)."""
        state += self._views["inputs"][j][chosen] * awake[:, None]

    def logits(self, j: int, state: Floats) -> Floats:
        """Return what step j's choices are drawn by, (n, most), before masks."""
        logits: Floats = np.tanh(state) @ self._views["outputs"][j].T
        return logits + self._views["biases"][j]

    # -- learning ------------------------------------------------------------------------------------------------------

    def forward(self, batch: Batch) -> Pass:
        """Say what is likely and what is promised at each step of sequences that are known."""
        view, steps = self._views, np.arange(len(batch.chosen))[:, None]
        own = view["inputs"][steps, batch.chosen] * batch.awake[:, :, None]
        hidden = np.tanh(view["offset"] + np.cumsum(own, axis=0) - own)  # what stood before the step
        logits = hidden @ view["outputs"].transpose(0, 2, 1) + view["biases"][:, None]
        logits = np.where(batch.open, logits, -np.inf)
        logits -= logits.max(axis=2, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
        values = (hidden @ view["critic"][:, :, None])[:, :, 0] + view["critic_bias"][:, None]
        one_hot = (np.arange(batch.open.shape[2]) == batch.chosen[:, :, None]).astype(np.float64)
        return Pass(batch, hidden, values, logs, one_hot)

    def backward(self, seen: Pass, logits: Floats, values: Floats) -> Floats:
        """Return the gradient by the weights, (size,), of a loss whose gradients by logits and values are given.

        logits: (steps, n, most), values: (steps, n), both 0 where idle.
        """
        gradient = np.empty_like(self.weights)
        by, view = self._split(gradient), self._views
        by["outputs"][:] = logits.transpose(0, 2, 1) @ seen.hidden
        by["biases"][:] = logits.sum(axis=1)
        by["critic"][:] = (values[:, None, :] @ seen.hidden)[:, 0]
        by["critic_bias"][:] = values.sum(axis=1)
        hidden = logits @ view["outputs"] + values[:, :, None] * view["critic"][:, None]
        hidden *= 1.0 - seen.hidden**2
        by["offset"][:] = hidden.sum(axis=(0, 1))
        # A choice is part of the hidden layer at every later step.
        later = hidden.sum(axis=0) - np.cumsum(hidden, axis=0)
        by["inputs"][:] = seen.one_hot.transpose(0, 2, 1) @ (later * seen.batch.awake[:, :, None])
        return gradient


class Adam:
    """Steps scaled by running means of the gradient and of its square. Source: Kingma and Ba, 2015, arXiv:1412.6980."""

    def __init__(self, size: int, rate: float, first: float = 0.9, second: float = 0.999) -> None:
        self._rate, self._first, self._second = rate, first, second
        self._mean, self._square, self._steps = np.zeros(size), np.zeros(size), 0

    def descend(self, weights: Floats, gradient: Floats) -> None:
        """Change the weights in place."""
        self._steps += 1
        self._mean += (1.0 - self._first) * (gradient - self._mean)
        self._square += (1.0 - self._second) * (gradient**2 - self._square)
        mean = self._mean / (1.0 - self._first**self._steps)
        square = self._square / (1.0 - self._second**self._steps)
        weights -= self._rate * mean / (np.sqrt(square) + 1e-8)
