"""Weights set to 0 in a pattern: N of each M consecutive inputs of an output stay, by one of three saliencies.

Magnitude: the N largest in size (Mishra et al., 2021, arXiv:2104.08378). Wanda: the N largest |w| ||x|| (Sun et al.,
ICLR 2024, arXiv:2306.11695). Optimal Brain Surgeon (Hassibi and Stork, NeurIPS 1992): one weight of an output after the
other, the one whose loss w^2 / (2 [H^-1]) is least, the others of the output moved to make up for it; H is that of the
layer's squared error in its outputs, X'X / n (Frantar and Alistarh, NeurIPS 2022, arXiv:2208.11580).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Saliency = Literal["magnitude", "wanda", "obs"]

DAMPING = 0.01  # of the mean diagonal of X'X / n, added to it (Frantar et al., GPTQ, ICLR 2023, arXiv:2210.17323)

Floats = NDArray[np.float64]


def pruned(
    weight: NDArray[np.floating], kept: int, group: int, saliency: Saliency, inputs: NDArray[np.floating]
) -> Floats:
    """Return a matrix, (inputs, outputs), of which `kept` of each `group` inputs of an output are not 0.

    inputs: what the layer reads, (n, inputs). The last group may be short; it keeps as many, if it has them.
    ValueError for kept outside 1 to group.
    """
    if not 1 <= kept <= group:
        raise ValueError(f"kept must be 1 to {group} of {group}, got {kept}. Choose such a number.")
    whole, seen = weight.astype(np.float64), inputs.astype(np.float64)
    if saliency == "obs":
        inverse: Floats = np.linalg.inv(hessian(seen)).astype(np.float64)
        return np.stack([surgery(column, inverse, kept, group) for column in whole.T], axis=1)
    norms = np.ones(len(whole)) if saliency == "magnitude" else np.linalg.norm(seen, axis=0)
    return whole * best_of_groups(np.abs(whole) * norms[:, None], kept, group)


def best_of_groups(scores: Floats, kept: int, group: int) -> NDArray[np.bool_]:
    """Return which entries of each column are among the `kept` largest of their group of rows; of equals the first."""
    stays = np.zeros(scores.shape, bool)
    for first in range(0, len(scores), group):
        part = scores[first : first + group]
        order = np.argsort(-part, axis=0, kind="stable")
        np.put_along_axis(stays[first : first + group], order[:kept], True, axis=0)
    return stays


def hessian(inputs: Floats) -> Floats:
    """Return X'X / n, damped, (inputs, inputs)."""
    return damped(inputs.T @ inputs / len(inputs))


def damped(gram: Floats) -> Floats:
    """Return a matrix X'X / n with a share of its mean diagonal added to the diagonal."""
    return np.asarray(gram + DAMPING * np.diag(gram).mean() * np.eye(len(gram)))


def surgery(column: Floats, inverse: Floats, kept: int, group: int) -> Floats:
    """Return an output's weights, (inputs,), after one by one has been taken out. inverse: of the Hessian."""
    weights, own = column.copy(), inverse.copy()
    alive = np.ones(len(weights), bool)
    groups = np.arange(len(weights)) // group
    surplus = np.maximum(np.bincount(groups) - kept, 0)  # that each group has yet to lose
    for _ in range(int(surplus.sum())):
        losses = np.where(alive & (surplus[groups] > 0), weights**2 / np.diag(own), np.inf)
        place = int(np.argmin(losses))
        weights -= weights[place] / own[place, place] * own[:, place]
        own -= np.outer(own[:, place], own[place]) / own[place, place]
        own[place, place] = 1.0  # out of the way: its row and column are 0 but for rounding
        alive[place], weights[~alive] = False, 0.0
        weights[place] = 0.0
        surplus[groups[place]] -= 1
    return weights


def inverse_product(vectors: Floats, damping: float, x: Floats) -> Floats:
    """Return F^-1 x, (d, ...), of F = damping I + the mean of v v' over vectors, (m, d), without making F.

    By the rank-one updates of Sherman and Morrison, as M-FAC has them for the empirical Fisher matrix (Frantar, Kurtic
    and Alistarh, NeurIPS 2021, arXiv:2107.03356, section 3.1): m d numbers are kept in place of d d. ValueError for a
    damping of 0 or less.
    """
    if not damping > 0:
        raise ValueError(f"damping must be above 0, got {damping}. Choose 1e-4, say.")
    m = len(vectors)
    solved = np.empty_like(vectors)  # F_i^-1 v_i, F_i of the vectors before
    scales = np.empty(m)
    for i, vector in enumerate(vectors):
        solved[i] = vector / damping - solved[:i].T @ ((solved[:i] @ vector) / scales[:i])
        scales[i] = m + vector @ solved[i]
    return np.asarray(x / damping - solved.T @ ((solved @ x).T / scales).T)
