"""Compiled: one step of an adaptive integration whose size is chosen from outside, and what a solver knows of it.

The same steps, estimates and counts as in `_ode_integration_kernel`, whose loop is not cut up for this: a call for each
step would cost a fifth of its speed. Of many integrations side by side each has a column of two tables, `numbers` and
`counts`, two rows of `vectors`, its state and its slope, and n rows of `jacobi`, for n components.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.solver_schedule._ode_integration_kernel import (
    LEAST_PAST,
    attempt,
    automatic_step,
    largest_within,
    rms,
    scaled_rms,
    stiffness_of,
)
from designgym.cost_models.solver_schedule._ode_right_sides_kernel import jacobian, right_side
from designgym.cost_models.solver_schedule._ode_steps_kernel import ESTIMATE_ORDER, RODAS43, STAGES

NUMBERS = T, H, SIZE, PAST, PAST_BEFORE, LATEST, STIFFNESS, LARGEST, LOCAL, STIFFEST = tuple(range(10))
COUNTS = EVALUATIONS, JACOBIANS, STEPS, REJECTIONS, SAMPLE, REJECTED, REJECTED_BEFORE, RUNNING = tuple(range(8))


@over_designs
def begun(row, method, rtol, atol, number, parameters, end, numbers, counts, vectors):
    """Begin an integration from its state among vectors, with the automatic first step, which is returned."""
    y, slope = vectors[2 * row], vectors[2 * row + 1]
    n, order = len(y), ESTIMATE_ORDER[method]
    right_side(number, parameters, y, slope)
    h = automatic_step(number, parameters, y, slope, end, order, rtol, atol, np.empty(n), np.empty(n))
    numbers[:, row] = 0.0
    numbers[H, row] = h
    numbers[SIZE, row] = numbers[PAST, row] = numbers[PAST_BEFORE, row] = numbers[LATEST, row] = 1.0
    counts[:, row] = 0
    counts[EVALUATIONS, row], counts[RUNNING, row] = 2, 1
    return (h,)


@over_designs
def controlled(row, method, gain_i, gain_p, gain_d, safety, min_factor, max_factor, numbers, counts):
    """Return what a controller multiplies the step tried last by, as `integrated` does it; 1 before the first try."""
    size, power = numbers[SIZE, row], -1.0 / (ESTIMATE_ORDER[method] + 1.0)
    if counts[STEPS, row] + counts[REJECTIONS, row] == 0:
        return (1.0,)
    if counts[REJECTED, row] > 0:
        factor = safety * size**power
        return (factor if factor > min_factor else min_factor,)
    factor = safety * size ** (power * (gain_i + gain_p + gain_d))
    factor *= numbers[PAST, row] ** (-power * (gain_p + 2.0 * gain_d)) * numbers[PAST_BEFORE, row] ** (power * gain_d)
    factor = max(min_factor, min(max_factor, factor))
    return (min(1.0, factor) if counts[REJECTED_BEFORE, row] > 0 else factor,)


def take(
    row, method, t, after_t, h, y, slope, after, k, states, slopes, error, trial, size, end, truth, scale, numbers,
    counts,
):  # fmt: skip
    """Take a step that was tried, whose estimated error is `size`, and note what the solver knows of it."""
    times = truth.shape[0] // scale.shape[0]
    own_scale, own_truth = scale[row], truth[times * row : times * row + times]
    local, last = scaled_rms(error, trial, own_scale), STAGES[method] - 1
    largest, counts[SAMPLE, row] = largest_within(
        method, t, after_t, h, y, after, k, end, own_truth, scale[row : row + 1], counts[SAMPLE, row], trial
    )
    if method == RODAS43:
        stiffness = stiffness_of(states, slopes[0], slopes[1])
    else:
        stiffness = stiffness_of(states, k[last - 1], k[last])
    for d in range(len(y)):
        y[d], slope[d] = after[d], k[last, d]
    counts[STEPS, row] += 1
    counts[RUNNING, row] = after_t < end
    numbers[T, row], numbers[STIFFNESS, row] = after_t, stiffness
    numbers[PAST_BEFORE, row], numbers[PAST, row] = numbers[PAST, row], numbers[LATEST, row]
    numbers[LATEST, row] = max(size, LEAST_PAST)
    numbers[LARGEST, row] = max(numbers[LARGEST, row], largest)
    numbers[LOCAL, row] = max(numbers[LOCAL, row], local)
    numbers[STIFFEST, row] = max(numbers[STIFFEST, row], stiffness)


@over_designs
def stepped(
    row, factor, looser, method, rtol, atol, most_evaluations, number, parameters, end, truth, scale,
    numbers, counts, vectors, jacobi,
):  # fmt: skip
    """Try a step `factor` times the one tried last, at tolerances `looser` times these; return evaluations spent on it.

    It is at least what rounding allows, at most what is left, and is taken where its estimated error is below 1. An
    integration stops running at its end, where the step after a rejected one would be below rounding, and where its
    evaluations do not suffice for the try; one that does not run stands still. truth: (integrations * times, n); scale:
    (integrations, n); see `integrated`.
    """
    t, h = numbers[T, row], numbers[H, row] * factor
    rejected, taken_before = counts[REJECTED, row] > 0, counts[STEPS, row] > 0
    least = 10.0 * (np.nextafter(t, np.inf) - t)
    fresh = method == RODAS43 and taken_before and not rejected  # its last stage is no slope at the step's end
    price = 5 + fresh if method == RODAS43 else STAGES[method] - 1
    stuck = rejected and not h >= least
    if counts[RUNNING, row] == 0 or stuck or counts[EVALUATIONS, row] + price > most_evaluations:
        counts[RUNNING, row] = 0
        return (0,)
    after_t = min(t + max(h, least), end)
    h = after_t - t
    n = vectors.shape[1]
    y, slope, jacobi_here = vectors[2 * row], vectors[2 * row + 1], jacobi[n * row : n * row + n]
    after, trial, error = np.empty(n), np.zeros(n), np.empty(n)
    k, slopes, states = np.zeros((7, n)), np.empty((2, n)), np.empty((2, n))
    if fresh:
        right_side(number, parameters, y, slope)
    if method == RODAS43 and not rejected:
        jacobian(number, parameters, y, jacobi_here)
        counts[JACOBIANS, row] += 1
    attempt(method, number, parameters, y, slope, jacobi_here, h, k, states, slopes, after, error, np.empty((n, n)),
            np.empty(n, np.int64))  # fmt: skip
    rtol, atol = rtol * looser, atol * looser
    size = rms(error, rtol, atol, y, after)
    numbers[H, row], numbers[SIZE, row] = h, size
    counts[EVALUATIONS, row] += price
    counts[REJECTED_BEFORE, row], counts[REJECTED, row] = rejected, not size < 1.0
    if not size < 1.0:
        counts[REJECTIONS, row] += 1
        return (price,)
    take(row, method, t, after_t, h, y, slope, after, k, states, slopes, error, trial, size, end, truth, scale, numbers,
         counts)  # fmt: skip
    return (price,)
