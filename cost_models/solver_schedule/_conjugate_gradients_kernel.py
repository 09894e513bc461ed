"""Compiled: conjugate gradients on the 5-point stencil, preconditioned by symmetric successive over-relaxation.

Saad, Iterative Methods for Sparse Linear Systems, 2nd edition, 2003, algorithm 9.1 and section 10.2.
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs


def preconditioned(residual, diagonal, omega, n, z):
    """Solve (D / omega + L) D^-1 (D / omega + L') z = residual, all (n + 2, n + 2), 0 on the boundary.

    Of the preconditioner's usual form a factor, (2 - omega) / omega, is left out: the method does not notice it.
    """
    scale = omega / diagonal
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            z[i, j] = scale * (residual[i, j] + z[i - 1, j] + z[i, j - 1])
    for i in range(n, 0, -1):
        for j in range(n, 0, -1):
            z[i, j] = scale * (diagonal * z[i, j] + z[i + 1, j] + z[i, j + 1])


def times_matrix(p, diagonal, n, q):
    """Write the matrix times p and return p times it."""
    product = 0.0
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            q[i, j] = diagonal * p[i, j] - (p[i - 1, j] + p[i + 1, j] + p[i, j - 1] + p[i, j + 1])
            product += p[i, j] * q[i, j]
    return product


@over_designs
def conjugate_gradients(row, shift, omega, limit, n, residuals, most):
    """Solve one system; return the iterations after which the norm of its residual is below the limit.

    row: that of its first guess's residual, among residuals, (rows, n * n). most: iterations after which it is given
    up, and one more returned. The solution itself is nowhere needed: the residual follows from the directions.
    """
    r, p, q, z = np.zeros((n + 2, n + 2)), np.zeros((n + 2, n + 2)), np.zeros((n + 2, n + 2)), np.zeros((n + 2, n + 2))
    diagonal, square = 4.0 + shift, 0.0
    for i in range(n):
        for j in range(n):
            r[i + 1, j + 1] = residuals[row, i * n + j]
            square += r[i + 1, j + 1] ** 2
    iterations, before = 0, 1.0
    while not math.sqrt(square) < limit:
        if iterations == most:
            return (most + 1,)
        preconditioned(r, diagonal, omega, n, z)
        product = 0.0
        for i in range(1, n + 1):
            for j in range(1, n + 1):
                product += r[i, j] * z[i, j]
        share = product / before if iterations else 0.0
        for i in range(1, n + 1):
            for j in range(1, n + 1):
                p[i, j] = z[i, j] + share * p[i, j]
        length = product / times_matrix(p, diagonal, n, q)
        square = 0.0
        for i in range(1, n + 1):
            for j in range(1, n + 1):
                r[i, j] -= length * q[i, j]
                square += r[i, j] ** 2
        before, iterations = product, iterations + 1
    return (iterations,)
