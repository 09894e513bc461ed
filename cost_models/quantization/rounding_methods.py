"""Weights rounded after training: to the nearest, by GPTQ, by coordinate descent; and the bias that makes up for it.

All three choose among the same numbers, see `grids`, and none trains anything: what they know of data is the matrix
X'X / n of what a layer reads, and its mean. GPTQ: Frantar et al., ICLR 2023, arXiv:2210.17323. Learned rounding: the
error of a layer's outputs, which AdaRound (Nagel et al., ICML 2020, arXiv:2004.10568) relaxes, here descended weight by
weight, none further than a step from the nearest number. Bias correction: Nagel et al., ICCV 2019, arXiv:1906.04721.
"""

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


def rounded_matrix(grid: Grid, gram: Floats, rounding: str) -> Floats:
    """Return a grid's matrix, (inputs, outputs), rounded.

    gram: X'X / n of what the layer reads, (inputs, inputs). rounding: nearest, gptq or learned. ValueError names the
    nearest of another.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"unknown rounding {rounding!r}. {nearest(rounding, ROUNDINGS)}")
    codes = {"nearest": lambda: grid.nearest, "gptq": lambda: gptq(grid, gram), "learned": lambda: learned(grid, gram)}
    return grid.matrix(codes[rounding]())


def gptq(grid: Grid, gram: Floats) -> Integers:
    """Return the codes by GPTQ, (outputs, inputs): inputs of the largest mean square first, X'X damped by 1 %."""
    from designgym.cost_models.quantization._rounding_kernel import fed_back

    if not np.diag(gram).any():
        return grid.nearest  # nothing ever comes in: any weight will do
    order = np.argsort(-np.diag(gram), kind="stable")
    inverse = np.linalg.inv(damped(gram)[np.ix_(order, order)])
    factor = np.ascontiguousarray(np.linalg.cholesky(inverse).T)
    codes = grid.nearest.copy()
    fed_back(
        np.arange(len(codes)), order[None].copy(), factor, grid.weights, grid.scales, grid.lists, grid.numbers, codes
    )
    return codes


def learned(grid: Grid, gram: Floats) -> Integers:
    """Return the codes by descent from the nearest, (outputs, inputs). The layer's error is never above theirs."""
    from designgym.cost_models.quantization._rounding_kernel import descended

    codes, outputs = grid.nearest.copy(), np.arange(len(grid.nearest))
    descended(outputs, MOST_PASSES, gram, grid.weights, grid.scales, grid.lists, grid.numbers, codes)
    return codes


def corrected_bias(bias: NDArray[np.floating], change: Floats, mean: Floats) -> Floats:
    """Return the bias, (outputs,), less what a change of weights, (inputs, outputs), adds to an output on average.

    mean: of what the layer reads, (inputs,).
    """
    return np.asarray(bias.astype(np.float64) - mean @ change)


def layer_error(change: Floats, gram: Floats) -> float:
    """Return the mean over examples of the squared error in a layer's outputs that a change of weights makes."""
    return float(np.sum(change * (gram @ change)))
