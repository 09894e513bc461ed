"""Matrices of weights as products of two smaller ones: the nearest of a rank, or that whose outputs are nearest.

Plain: the singular value decomposition cut off (Eckart and Young, Psychometrika 1, 211, 1936). Activation-aware: of all
matrices of the rank the one that changes a layer's outputs X W least in squares, by the decomposition of R W, R'R = X'X
(Wang et al., "SVD-LLM", ICLR 2025, arXiv:2403.07378, theorem 3.2).
"""

import numpy as np
from numpy.typing import NDArray

DAMPING = 1e-6  # of the mean diagonal of X'X, added to it: inputs that are always 0 make it singular

Floats = NDArray[np.float64]


def low_rank(weight: NDArray[np.floating], ranks: range, inputs: NDArray[np.floating] | None = None) -> list[Floats]:
    """Return the best approximations of a matrix, (inputs, outputs), of several ranks, from one decomposition.

    inputs: what the layer reads, (n, inputs), for the activation-aware one; None for the plain one.
    """
    whole = weight.astype(np.float64)
    root = np.eye(len(whole)) if inputs is None else _root(inputs.astype(np.float64))
    left, sizes, right = np.linalg.svd(root @ whole, full_matrices=False)
    return [np.linalg.solve(root, (left[:, :rank] * sizes[:rank]) @ right[:rank]) for rank in ranks]


def _root(inputs: Floats) -> Floats:
    """Return an upper triangle R with R'R = X'X / n, damped."""
    gram = inputs.T @ inputs / len(inputs)
    gram += DAMPING * np.diag(gram).mean() * np.eye(len(gram))
    return np.asarray(np.linalg.cholesky(gram).T)
