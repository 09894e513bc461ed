"""Compiled: least squares over a straight-line program's constants, by Levenberg's and Marquardt's damped steps.

Steps are bent by the residuals' second derivative along them, which takes them round the narrow curved valleys that
nested constants make: Transtrum and Sethna, "Improvements to the Levenberg-Marquardt algorithm", 2012, arXiv:1201.5885.
Linear systems are solved by modified Gram-Schmidt, which does not square their condition (Björck, BIT 7, 1967).
"""

import math

from designgym.cost_models.quantization._program_kernel import backward, forward, residuals

PROBE = 0.1  # share of a step at which its curvature is measured
BENT = 0.75  # most of the bend over the step
LESS, MORE = 0.3, 3.0  # damping shrinks by a step that helps, and grows, faster each time, by one that does not
MOST = 1e8  # damping at which a fit ends


def damped_step(slopes, residual, constants, damping, work, step):
    """Write the step that least squares of slopes' rows 1 to constants and the residuals ask for; False for none.

    work: at least (2 constants + 1, points + constants).
    """
    n, m = len(residual), constants
    for j in range(m):
        size = 0.0
        for t in range(n):
            work[j, t] = slopes[1 + j, t]
            size += work[j, t] * work[j, t]
        for i in range(m):
            work[j, n + i] = 0.0
        work[j, n + j] = math.sqrt(damping * size) if size > 0 else 1.0
    rest = work[2 * m]
    for t in range(n):
        rest[t] = -residual[t]
    for i in range(m):
        rest[n + i] = 0.0
    for j in range(m):
        q, triangle = work[j], work[m + j]
        size = 0.0
        for t in range(n + m):
            size += q[t] * q[t]
        size = math.sqrt(size)
        if not 0.0 < size < math.inf:
            return False
        triangle[j] = size
        for t in range(n + m):
            q[t] /= size
        for i in range(j + 1, m + 1):
            other = work[i] if i < m else rest
            along = 0.0
            for t in range(n + m):
                along += q[t] * other[t]
            for t in range(n + m):
                other[t] -= along * q[t]
            triangle[i] = along
    for j in range(m - 1, -1, -1):
        along = work[m + j, m]
        for i in range(j + 1, m):
            along -= work[m + j, i] * step[i]
        step[j] = along / work[m + j, j]
        if not abs(step[j]) < 1e100:
            return False
    return True


def curvature(slopes, residual, probed, constants, step):
    """Turn residuals PROBE of a step along into their second derivative along it."""
    for t in range(len(residual)):
        along = 0.0
        for j in range(constants):
            along += slopes[1 + j, t] * step[j]
        probed[t] = (2.0 / PROBE) * ((probed[t] - residual[t]) / PROBE - along)


def bend_step(slopes, constants, bend, step):
    """Add half its second derivative to a step where that is short beside it.

    Each constant is measured by what it moves.
    """
    moved, bent = 0.0, 0.0
    for j in range(constants):
        size = 0.0
        for t in range(slopes.shape[1]):
            size += slopes[1 + j, t] * slopes[1 + j, t]
        moved += size * step[j] * step[j]
        bent += size * bend[j] * bend[j]
    if 0.25 * bent <= BENT * BENT * moved:
        for j in range(constants):
            step[j] += 0.5 * bend[j]


def tried(ops, lefts, rights, constants, count, squarings, target, weights, kept, share, step, rows, out, rising):
    """Write the residuals, and their slopes by value, a share of a step from the constants kept; return the squares."""
    for j in range(constants):
        value = kept[j] + share * step[j]
        for t in range(rows.shape[1]):
            rows[1 + j, t] = value
    if not forward(ops, lefts, rights, 1 + constants, count, rows):
        return math.inf
    return residuals(rows[constants + count], target, weights, squarings, out, rising)


def fit(
    ops,
    lefts,
    rights,
    constants,
    count,
    squarings,
    target,
    weights,
    steps,
    bent,
    damping,
    tolerance,
    rows,
    slopes,
    work,
):
    """Improve the constants in their rows, over the first `count` instructions; return the squares, inf for none.

    squarings, target, weights: see `residuals`. steps: tries at most; 0 only sums up. bent: whether steps bend.
    tolerance: share of the sum whose gain is the last. work: at least (2 constants + 8, points + 2 constants).
    """
    # Every callee is inlined: one place works out residuals, in turn a little along a step and at its end.
    n, m, room = rows.shape[1], constants, 2 * constants + 1
    residual, other, rising = work[room, :n], work[room + 1, :n], work[room + 2, :n]
    kept, step, bend = work[room + 3], work[room + 4], work[room + 5]
    for j in range(m):
        kept[j], step[j] = rows[1 + j, 0], 0.0
    least, share, more = math.inf, 1.0, MORE
    for _ in range((2 if bent else 1) * steps + 1):
        squares = tried(
            ops, lefts, rights, m, count, squarings, target, weights, kept, share, step, rows, other, rising
        )
        probing = share < 1.0
        if probing:
            curvature(slopes, residual, other, m, step)
        elif squares < least:
            done = least - squares < tolerance * least
            least = squares
            damping, more = damping * LESS, MORE
            for j in range(m):
                kept[j] += step[j]
            for t in range(n):
                residual[t] = other[t]
            if done or steps == 0:
                break
            backward(ops, lefts, rights, 1 + m, count, rows, slopes)
            for j in range(m):
                for t in range(n):
                    slopes[1 + j, t] *= rising[t]
        else:
            damping = more * damping + 1e-15
            more *= MORE
            if not damping < MOST or least == math.inf:
                break
        solved = damped_step(slopes, other if probing else residual, m, damping, work, bend if probing else step)
        if probing and solved and squares < math.inf:
            bend_step(slopes, m, bend, step)
        elif not probing and not solved:
            for j in range(m):
                step[j] = math.nan  # no residuals: the damping grows
        share = PROBE if bent and not probing else 1.0
    for j in range(m):
        for t in range(n):
            rows[1 + j, t] = kept[j]
    return least
