"""Training of a small network in plain NumPy: He's weights to begin with, Adam, a cosine, decay added to the gradient.

Sources: He et al., ICCV 2015, arXiv:1502.01852 (normal deviates of variance 2 / inputs); Kingma and Ba, ICLR 2015,
arXiv:1412.6980; Loshchilov and Hutter, ICLR 2017, arXiv:1608.03983 (the cosine, without restarts). Learned positions
begin as deviates of variance 1 / width, each about as long as 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from designgym.cost_models.quantization.networks import Network, forward, parameters, with_parameters
from designgym.cost_models.quantization.operations import Array, Offset, Weighted
from designgym.experiments.weights.gradients import gradients

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # Adam's own

Loss = Callable[[Array, Array], tuple[float, Array]]  # of outputs and targets: the mean, and its gradient by outputs


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train. rate: the first step's; it falls to 0 by a cosine over all steps."""

    epochs: int = 60
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-4
    seed: int = 0


def beginning(network: Network, rng: np.random.Generator) -> Network:
    """Return the network with weights to begin with, drawn in the order of its steps; biases and norms as they are."""
    drawn: dict[str, Array] = {}
    for step in network.steps:
        if isinstance(step.operation, Weighted):
            shape = step.operation.weight.shape
            drawn[f"{step.name}.weight"] = rng.standard_normal(shape) * math.sqrt(2.0 / shape[0])
        elif isinstance(step.operation, Offset):
            shape = step.operation.values.shape
            drawn[f"{step.name}.values"] = rng.standard_normal(shape) * math.sqrt(1.0 / shape[-1])
    arrays = parameters(network) | drawn
    return with_parameters(network, {name: array.astype(np.float32) for name, array in arrays.items()})


def trained(
    network: Network,
    inputs: Array,
    targets: Array,
    loss: Loss,
    recipe: Recipe,
    told: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Network:
    """Return the network trained on inputs (n, ...) and targets (n,), float32, in an order drawn anew each epoch.

    told: called after each epoch with its number and the mean loss on the way. Weight matrices decay, biases, norms and
    positions do not.
    """
    rng = np.random.default_rng(recipe.seed)
    network = beginning(network, rng)
    adam = Adam(parameters(network), recipe.decay)
    steps = recipe.epochs * -(-len(inputs) // recipe.batch)
    for epoch in range(recipe.epochs):
        order, total = rng.permutation(len(inputs)), 0.0
        for first in range(0, len(inputs), recipe.batch):
            rows = order[first : first + recipe.batch]
            values: dict[str, Array] = {}
            value, upstream = loss(forward(network, inputs[rows], values), targets[rows])
            rate = recipe.rate * 0.5 * (1.0 + math.cos(math.pi * (adam.steps + 1) / steps))
            adam.step(gradients(network, values, upstream), rate)
            total += value * len(rows)
        told(epoch, total / len(inputs))
    return network


class Adam:
    """Adam over arrays that it changes in place; decay times a weight matrix is added to its gradient."""

    def __init__(self, arrays: dict[str, Array], decay: float) -> None:
        self.arrays, self.decay, self.steps = arrays, decay, 0
        self.first = {name: np.zeros_like(array) for name, array in arrays.items()}
        self.second = {name: np.zeros_like(array) for name, array in arrays.items()}

    def step(self, gradient: dict[str, Array], rate: float) -> None:
        """Take one step at a rate."""
        self.steps += 1
        for name, array in self.arrays.items():
            g = gradient[name] + self.decay * array if name.endswith(".weight") else gradient[name]
            self.first[name] = FIRST * self.first[name] + (1.0 - FIRST) * g
            self.second[name] = SECOND * self.second[name] + (1.0 - SECOND) * g**2
            mean = self.first[name] / (1.0 - FIRST**self.steps)
            size = self.second[name] / (1.0 - SECOND**self.steps)
            array -= rate * mean / (np.sqrt(size) + TINY)
