"""Compiled: one adaptive integration, from the first step's choice to the end or to where it gives up.

Step control as scipy's `solve_ivp` does it (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I,
1993, section II.4), with the controllers of Gustafsson, ACM TOMS 17(4), 1991, doi:10.1145/210232.210242, and
Soederlind, ACM TOMS 29(1), 2003, doi:10.1145/641876.641877. The estimate of stiffness is Hairer's (II, section IV.2).
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.solver_schedule._ode_right_sides_kernel import jacobian, right_side
from designgym.cost_models.solver_schedule._ode_steps_kernel import (
    ESTIMATE_ORDER,
    RODAS43,
    STAGES,
    explicit_step,
    interpolate,
    rosenbrock_step,
)

FINISHED, SPENT, TOO_SMALL = range(3)  # how an integration ended
LEAST_ERROR = 2.0**-52  # errors below are reported as this one, rounding
LEAST_PAST = 1e-4  # controllers take errors of steps before for no less (Hairer's DOPRI5)
NOT_ROUNDING = 1e3 * 2.0**-52  # states that differ relatively by less tell no stiffness


def rms(values, rtol, atol, y, after):
    """Return the root mean square of values over what tolerances allow."""
    total = 0.0
    for d in range(len(values)):
        one = values[d] / (atol + max(abs(y[d]), abs(after[d])) * rtol)
        total += one * one
    return math.sqrt(total / len(values))


def scaled_rms(values, base, scale):
    """Return the root mean square of values less a base, over a scale by component."""
    total = 0.0
    for d in range(len(values)):
        one = (values[d] - base[d]) / scale[d]
        total += one * one
    return math.sqrt(total / len(values))


def automatic_step(number, parameters, y, slope, end, order, rtol, atol, trial, trial_slope):
    """Return a first step at the price of one evaluation (Hairer, Norsett and Wanner, section II.4, as in scipy)."""
    d0, d1 = rms(y, rtol, atol, y, y), rms(slope, rtol, atol, y, y)
    h0 = 1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1
    h0 = min(h0, end)
    for d in range(len(y)):
        trial[d] = y[d] + h0 * slope[d]
    right_side(number, parameters, trial, trial_slope)
    for d in range(len(y)):
        trial[d] = trial_slope[d] - slope[d]
    d2 = rms(trial, rtol, atol, y, y) / h0
    h1 = max(1e-6, h0 * 1e-3) if d1 <= 1e-15 and d2 <= 1e-15 else (0.01 / max(d1, d2)) ** (1.0 / (order + 1.0))
    return min(100.0 * h0, h1, end)


def stiffness_of(states, slopes_before, slopes_last):
    """Return by how much the right side differs between two states, over how much they differ: a rate."""
    states_apart, slopes_apart, size = 0.0, 0.0, 0.0
    for d in range(states.shape[1]):
        states_apart += (states[1, d] - states[0, d]) ** 2
        slopes_apart += (slopes_last[d] - slopes_before[d]) ** 2
        size += states[1, d] ** 2
    if not states_apart > NOT_ROUNDING**2 * size:
        return 0.0
    return math.sqrt(slopes_apart / states_apart)


def attempt(method, number, parameters, y, slope, jacobi, h, k, states, slopes, after, error, matrix, pivots):
    """Take a step from y by any method: write the state after it, NaN where there is none, and its estimated error.

    The other arguments are those of `explicit_step` and `rosenbrock_step`; a tuple of them would be counted each step.
    """
    if method == RODAS43:
        there = rosenbrock_step(number, parameters, y, slope, jacobi, h, k, states, slopes, error, matrix, pivots)
        for d in range(len(y)):
            after[d] = states[1, d] + error[d] if there else np.nan
    else:
        for d in range(len(y)):
            k[0, d] = slope[d]
        explicit_step(method, number, parameters, y, h, k, states, error)
        for d in range(len(y)):
            after[d] = states[1, d]


def growth(size, past, powers, safety, min_factor, max_factor):
    """Return what the controller multiplies a step by that was accepted with an error of this size, and remember it.

    past: sizes of the two steps accepted before, the latest first. powers: of the three sizes.
    """
    factor = safety * size ** powers[0]
    if powers[1] != 0.0 or powers[2] != 0.0:
        factor *= past[0] ** powers[1] * past[1] ** powers[2]
    past[1], past[0] = past[0], max(size, LEAST_PAST)
    return max(min_factor, min(max_factor, factor))


def largest_within(method, t, t_new, h, y, after, k, end, truth, scale, sample, trial):
    """Return the largest error at the uniform times up to t_new, and the number of the first time after it."""
    largest, times = 0.0, truth.shape[0]
    while sample < times and (sample + 1) * end / times <= t_new:
        interpolate(method, ((sample + 1) * end / times - t) / h, y, after, h, k, trial)
        largest = max(largest, scaled_rms(trial, truth[sample], scale[0]))
        sample += 1
    return largest, sample


@over_designs
def integrated(
    method, rtol, atol, gain_i, gain_p, gain_d, safety, min_factor, max_factor, first_step,
    number, parameters, start, end, truth, scale, most_evaluations, record,
):  # fmt: skip
    """Integrate from time 0 to `end`, by one design; see `ode_integrator`.

    first_step: 0 for the automatic one. parameters: see `right_side`. start, scale: (1, n). truth: the solution at
    uniform times, the last of them the end, (times, n). record: filled with time and state after each accepted step,
    (rows, 1 + n), the last row with the last of them; for one design.
    Returns error, largest error, evaluations, Jacobians, steps, rejected steps, largest local error, stiffness, how
    it ended, and the time that it reached. Errors are root mean squares over components, each over its scale.
    """
    n = start.shape[1]
    y, after, trial, error, slope = start[0].copy(), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    k, slopes, states, jacobi = np.zeros((7, n)), np.empty((2, n)), np.empty((2, n)), np.empty((n, n))
    matrix, pivots = np.empty((n, n)), np.empty(n, np.int64)
    zero, past = np.zeros(n), np.ones(2)
    right_side(number, parameters, y, slope)
    evaluations, jacobians, steps, rejections, ended = 1, 0, 0, 0, FINISHED
    h, deadbeat = first_step, -1.0 / (ESTIMATE_ORDER[method] + 1.0)
    if h <= 0.0:
        h = automatic_step(number, parameters, y, slope, end, ESTIMATE_ORDER[method], rtol, atol, trial, after)
        evaluations += 1
    # The gains of a PID controller as powers of the latest three errors, over the order of a step's error.
    powers = deadbeat * (gain_i + gain_p + gain_d), -deadbeat * (gain_p + 2.0 * gain_d), deadbeat * gain_d
    t, sample, rejected = 0.0, 0, False
    largest, local, stiffness = 0.0, 0.0, 0.0
    while t < end:
        least = 10.0 * (np.nextafter(t, np.inf) - t)
        fresh = method == RODAS43 and steps > 0 and not rejected  # its last stage is no slope at the step's end
        price = 5 + fresh if method == RODAS43 else STAGES[method] - 1
        if (rejected and not h >= least) or evaluations + price > most_evaluations:
            ended = TOO_SMALL if rejected and not h >= least else SPENT
            break
        evaluations += price
        t_new = min(t + max(h, least), end)
        h = t_new - t
        if fresh:
            right_side(number, parameters, y, slope)
        if method == RODAS43 and not rejected:
            jacobian(number, parameters, y, jacobi)
            jacobians += 1
        attempt(method, number, parameters, y, slope, jacobi, h, k, states, slopes, after, error, matrix, pivots)
        size = rms(error, rtol, atol, y, after)
        if not size < 1.0:
            factor = safety * size**deadbeat
            h *= factor if factor > min_factor else min_factor
            rejected, rejections = True, rejections + 1
            continue
        factor = growth(size, past, powers, safety, min_factor, max_factor)
        here, sample = largest_within(method, t, t_new, h, y, after, k, end, truth, scale, sample, trial)
        largest, local = max(largest, here), max(local, scaled_rms(error, zero, scale[0]))
        last = STAGES[method] - 1
        if method == RODAS43:
            stiffness = max(stiffness, stiffness_of(states, slopes[0], slopes[1]))
        else:
            stiffness = max(stiffness, stiffness_of(states, k[last - 1], k[last]))
        t, steps = t_new, steps + 1
        for d in range(n):
            y[d], slope[d] = after[d], k[last, d]
        if record.shape[0] > 0:
            row = min(steps, record.shape[0]) - 1
            record[row, 0] = t
            for d in range(n):
                record[row, 1 + d] = y[d]
        h *= min(1.0, factor) if rejected else factor
        rejected = False
    at_end = scaled_rms(y, truth[truth.shape[0] - 1], scale[0])
    return (
        max(at_end, LEAST_ERROR), max(largest, at_end, LEAST_ERROR), evaluations, jacobians, steps, rejections, local,
        stiffness, ended, t,
    )  # fmt: skip
