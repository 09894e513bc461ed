"""Compiled least squares under bounds on the coefficients, by coordinate descent from the latest ones."""

from numba import njit

SWEEPS = 200
ENOUGH = 1e-10  # of the bounds: a sweep that moves no coefficient by more ends the descent


@njit(cache=True)
def bounded_least_squares(squares, products, bounds, coefficients):
    """Move coefficients, (d,), to the minimum of x' squares x / 2 - products' x over |x_j| <= bounds_j, or near it.

    SWEEPS leave 1e-3 of what is predicted at worst; the next call goes on from there.

    squares: (d, d), positive definite. The problem is convex and its bounds are apart, so that descent along one
    coefficient at a time ends at the minimum (Tseng, 2001, doi:10.1023/A:1017501703105).
    """
    d = len(products)
    for _ in range(SWEEPS):
        moved = 0.0
        for j in range(d):
            pull = products[j]
            for k in range(d):
                if k != j:
                    pull -= squares[j, k] * coefficients[k]
            found = min(max(pull / squares[j, j], -bounds[j]), bounds[j])
            moved = max(moved, abs(found - coefficients[j]) / bounds[j])
            coefficients[j] = found
        if moved < ENOUGH:
            return
