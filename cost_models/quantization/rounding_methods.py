"""Weights rounded after training: to the nearest, by GPTQ, by coordinate descent; and the bias that makes up for it.

All three choose among the same numbers, see `grids`, and none trains anything: what they know of data is `Inputs`.
GPTQ: Frantar et al., ICLR 2023, arXiv:2210.17323. Learned rounding: the error of a layer's outputs, which AdaRound
(Nagel et al., ICML 2020, arXiv:2004.10568) relaxes, here descended weight by weight, none further than a step from the
nearest number. Bias correction: Nagel et al., ICCV 2019, arXiv:1906.04721.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.grids import Grid
from designgym.cost_models.quantization.pruning import damped
from designgym.cost_models.registry import nearest

Rounding = Literal["nearest", "gptq", "learned"]
ROUNDINGS: tuple[str, ...] = get_args(Rounding)
MOST_PASSES = 50  # over a layer's weights; descent ends after some five

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a layer reads, as far as rounding goes. gram: X'X / n, (inputs, inputs). mean: of X, (inputs,)."""

    gram: Floats
    mean: Floats

    @classmethod
    def of(cls, read: NDArray[np.floating]) -> "Inputs":
        """Return those of what a layer reads, (n, inputs)."""
        whole = read.astype(np.float64)
        return cls(whole.T @ whole / len(whole), whole.mean(axis=0))

    def divided(self, factors: Floats) -> "Inputs":
        """Return those of the inputs divided by factors, (inputs,)."""
        return Inputs(self.gram / factors[:, None] / factors, self.mean / factors)

    @cached_property
    def feedback(self) -> tuple[Integers, Floats]:
        """The order of GPTQ, largest mean square first, (1, inputs), and U with U'U = H^-1 in it, H damped by 1 %."""
        order = np.argsort(-np.diag(self.gram), kind="stable")
        inverse = np.linalg.inv(damped(self.gram)[np.ix_(order, order)])
        return order[None].copy(), np.ascontiguousarray(np.linalg.cholesky(inverse).T)


def rounded_matrix(grid: Grid, inputs: Inputs, rounding: str) -> Floats:
    """Return a grid's matrix, (inputs, outputs), rounded: nearest, gptq or learned. ValueError names the nearest."""
    if rounding not in ROUNDINGS:
        raise ValueError(f"unknown rounding {rounding!r}. {nearest(rounding, ROUNDINGS)}")
    if rounding == "nearest":
        return grid.matrix(grid.nearest)
    return grid.matrix(gptq(grid, inputs) if rounding == "gptq" else learned(grid, inputs))


def gptq(grid: Grid, inputs: Inputs) -> Integers:
    """Return the codes by GPTQ, (outputs, inputs)."""
    from designgym.cost_models.quantization._rounding_kernel import fed_back

    if not np.diag(inputs.gram).any():
        return grid.nearest  # nothing ever comes in: any weight will do
    order, factor = inputs.feedback
    codes, outputs = grid.nearest.copy(), np.arange(len(grid.nearest))
    fed_back(outputs, order, factor, grid.weights, grid.scales, grid.lists, grid.numbers, codes)
    return codes


def learned(grid: Grid, inputs: Inputs) -> Integers:
    """Return the codes by descent from the nearest, (outputs, inputs). The layer's error is never above theirs."""
    from designgym.cost_models.quantization._rounding_kernel import descended

    codes, outputs = grid.nearest.copy(), np.arange(len(grid.nearest))
    descended(outputs, MOST_PASSES, inputs.gram, grid.weights, grid.scales, grid.lists, grid.numbers, codes)
    return codes


def corrected_bias(bias: NDArray[np.floating], change: Floats, inputs: Inputs) -> Floats:
    """Return the bias, (outputs,), less what a change of weights, (inputs, outputs), adds to an output on average."""
    return np.asarray(bias.astype(np.float64) - inputs.mean @ change)


def layer_error(change: Floats, inputs: Inputs) -> float:
    """Return the mean over examples of the squared error in a layer's outputs that a change of weights makes."""
    return float(np.sum(change * (inputs.gram @ change)))
