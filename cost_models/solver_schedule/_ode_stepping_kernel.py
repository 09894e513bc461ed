"""Compiled: one step of an adaptive integration whose size is chosen from outside, and what a solver knows of it.

The same steps, estimates and counts as in `_ode_integration_kernel`, whose loop is not cut up for this: a call for each
step would cost a fifth of its speed.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.solver_schedule._ode_integration_kernel import (
    attempt,
    automatic_step,
    largest_within,
    rms,
    scaled_rms,
    stiffness_of,
)
from designgym.cost_models.solver_schedule._ode_right_sides_kernel import jacobian, right_side
from designgym.cost_models.solver_schedule._ode_steps_kernel import ESTIMATE_ORDER, RODAS43, STAGES


@over_designs
def begun(method, rtol, atol, number, parameters, end, vectors):
    """Return the automatic first step of an integration. vectors: (2, n), the initial state, and its slope to be."""
    n = vectors.shape[1]
    right_side(number, parameters, vectors[0], vectors[1])
    order = ESTIMATE_ORDER[method]
    h = automatic_step(number, parameters, vectors[0], vectors[1], end, order, rtol, atol, np.empty(n), np.empty(n))
    return (h,)


@over_designs
def stepped(method, rtol, atol, t, h, fresh, rejected, sample, number, parameters, end, truth, scale, vectors, jacobi):
    """Try a step of size h from time t, and take it where its estimated error is below 1.

    fresh: whether the slope is to be worked out first. rejected: whether the latest step was, so that the Jacobian
    stands. sample: number of the first uniform time that is not passed. vectors: (2, n), the state and its slope, moved
    where the step is taken. jacobi: (n, n), filled and read. truth, scale: see `integrated`.
    Return the size of the estimated error, and of a step that was taken the largest error within, the estimated error
    over the scale, the estimate of stiffness, and the next sample.
    """
    n = vectors.shape[1]
    y, slope = vectors[0], vectors[1]
    after, trial, error = np.empty(n), np.zeros(n), np.empty(n)
    k, slopes, states = np.zeros((7, n)), np.empty((2, n)), np.empty((2, n))
    if fresh > 0:
        right_side(number, parameters, y, slope)
    if method == RODAS43 and not rejected > 0:
        jacobian(number, parameters, y, jacobi)
    attempt(method, number, parameters, y, slope, jacobi, h, k, states, slopes, after, error, np.empty((n, n)),
            np.empty(n, np.int64))  # fmt: skip
    size = rms(error, rtol, atol, y, after)
    if not size < 1.0:
        return size, 0.0, 0.0, 0.0, sample
    local, last = scaled_rms(error, trial, scale[0]), STAGES[method] - 1
    largest, passed = largest_within(method, t, min(t + h, end), h, y, after, k, end, truth, scale, sample, trial)
    if method == RODAS43:
        stiffness = stiffness_of(states, slopes[0], slopes[1])
    else:
        stiffness = stiffness_of(states, k[last - 1], k[last])
    for d in range(n):
        y[d], slope[d] = after[d], k[last, d]
    return size, largest, local, stiffness, passed
