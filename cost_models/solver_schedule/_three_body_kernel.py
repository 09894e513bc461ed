"""Compiled: ten years of three bodies in a plane, by Hermite's method of order four or by leapfrog.

Steps of eta times a criterion of pairs, intervals, and the published reward: Saz Ulibarrena and Portegies Zwart,
Communications in Nonlinear Science and Numerical Simulation, 2025, doi:10.1016/j.cnsns.2025.108723, arXiv:2502.12809.
Units: AU, year, solar mass. A state: positions x0, y0, ..., y2, then velocities; see `_three_body_steps_kernel`.
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.solver_schedule._three_body_steps_kernel import (
    FIELDS,
    GRAVITY,
    ONE,
    SQUARE,
    evaluate,
    hermite_step,
    leapfrog_step,
)

END_YR, INTERVAL_YR, INTERVALS = 10.0, 0.1, 100
HERMITE_ETA, HERMITE_DT, LEAPFROG_DT = range(3)  # the numbers of the methods
LEAST_ERROR, MOST_ERROR = 1e-16, 1e16  # relative errors of the energy are told between these
UNFINISHED_ERROR = 1.0  # at least, where the evaluations did not suffice
MOST_REWARD = 1e3
ALONE = np.uint64(0)  # the lane of a state that has no others beside it


def energy(state, m):
    """Return kinetic and potential energy together, Msun AU^2 / yr^2. m: the three masses."""
    total = 0.0
    for i in range(3):
        vx, vy = state[6 + 2 * i], state[7 + 2 * i]
        total += 0.5 * m[i] * (vx * vx + vy * vy)
    for pair in range(3):
        i, k = pair // 2, 1 + (pair + 1) // 2
        dx, dy = state[2 * k] - state[2 * i], state[2 * k + 1] - state[2 * i + 1]
        total -= GRAVITY * m[i] * m[k] / math.sqrt(dx * dx + dy * dy)
    return total


def relative_error(now, first):
    """Return |now / first - 1| between LEAST_ERROR and MOST_ERROR; what is no number is MOST_ERROR."""
    size = abs(now / first - 1.0)
    return max(size, LEAST_ERROR) if size < MOST_ERROR else MOST_ERROR


def published_reward(error, eta, k):
    """Return the reward of decision k, counted from 1, after which the relative error of the energy is `error`.

    The first earns nothing. eta: 0 for steps that no eta sets, which leaves its term out. At most MOST_REWARD in size.
    """
    if k < 2:
        return 0.0
    digits = math.log10(error)
    size = abs(digits)
    reward = -3500.0 * (digits + 10.0) / (size * size * size) / k if size > 0.0 else -MOST_REWARD
    if eta > 0.0:
        reward += 4.0 / abs(math.log10(eta))
    return max(-MOST_REWARD, min(MOST_REWARD, reward))


def note(record, step, h, s):
    """Keep a step's length and the state at its end in the record, (rows, 13), if it has a row for it."""
    if step < record.shape[0]:
        record[step, 0] = h
        for i in range(12):
            record[step, 1 + i] = s[i]


def begun(start):
    """Return the table of a state alone, see `_three_body_steps_kernel`."""
    s = np.empty(FIELDS)
    for i in range(12):
        s[i] = start[i]
    return s


def of_masses(masses):
    """Return the masses, (1, 3), as a tuple."""
    return masses[0, 0], masses[0, 1], masses[0, 2]


def step_length(eta, square, tau):
    """Return the length of the next step of an interval of which tau have passed. square: the criterion's."""
    return min(eta * math.sqrt(square), INTERVAL_YR - tau)


def hermite_interval(s, m, eta, most, record, noted):
    """Go on for an interval by steps of eta times the criterion; return evaluations, and whether it was come through.

    The criterion is that of the last evaluation: at the interval's start, then at each predicted state. most:
    evaluations there may be. noted: steps that the record holds already, see `note`.
    """
    if most < 1:
        return 0, False
    evaluate(s, ALONE, ONE, m)
    tau, evaluations = 0.0, 1
    while tau < INTERVAL_YR:
        if evaluations >= most:
            return evaluations, False
        h = step_length(eta, s[SQUARE], tau)
        hermite_step(s, ALONE, ONE, m, h)
        tau += h
        note(record, noted + evaluations - 1, h, s)
        evaluations += 1
    return evaluations, True


def by_etas(s, m, etas, most, record):
    """Go on to the end, by the eta of each interval, the last of them for all that follow.

    Returns evaluations, the largest relative error of the energy at ends of intervals, the published return, and
    whether the end was reached.
    """
    first, evaluations, largest, total = energy(s, m), 0, LEAST_ERROR, 0.0
    for k in range(INTERVALS):
        eta = etas[min(k, len(etas) - 1)]
        done, through = hermite_interval(s, m, eta, most - evaluations, record, evaluations - k)
        evaluations += done
        if not through:
            return evaluations, largest, total, False
        error = relative_error(energy(s, m), first)
        largest = max(largest, error)
        total += published_reward(error, eta, k + 1)
    return evaluations, largest, total, True


def by_dt(s, m, hermite, dt, most, record):
    """Go on to the end by equal steps of either method: Hermite's last is cut, leapfrog's are as many as fit dt.

    Returns what `by_etas` does. The ends of intervals are those of the first steps that come there.
    """
    first, evaluations, largest, total = energy(s, m), 1, LEAST_ERROR, 0.0
    count, step, t, ended = math.ceil(END_YR / dt - 1e-9), 0, 0.0, 0
    evaluate(s, ALONE, ONE, m)
    while (t < END_YR - 5e-14) if hermite else (step < count):
        if evaluations >= most:
            return evaluations, largest, total, False
        if hermite:
            h = min(dt, END_YR - t)
            hermite_step(s, ALONE, ONE, m, h)
        else:
            h = END_YR / count
            leapfrog_step(s, m, h)
        t, step = t + h, step + 1
        note(record, step - 1, h, s)
        evaluations += 1
        if t < (ended + 1) * INTERVAL_YR - 1e-9:
            continue
        error = relative_error(energy(s, m), first)
        largest = max(largest, error)
        while ended < INTERVALS and t >= (ended + 1) * INTERVAL_YR - 1e-9:
            ended += 1
            total += published_reward(error, 0.0, ended)
    return evaluations, largest, total, True


@over_designs
def integrated(method, plan, start, plans, starts, masses, most_evaluations, record):
    """Integrate one initial state for END_YR by one plan.

    method: HERMITE_ETA, HERMITE_DT or LEAPFROG_DT. plan, start: rows of the tables. plans: eta of the intervals, or dt
    in years, see `by_etas` and `by_dt`. starts: states, (starts, 12). masses: (1, 3). record: filled with
    the steps, see `note`; for one design. Returns evaluations, the relative error of the energy at the end, where
    evaluations did not suffice UNFINISHED_ERROR at least, the largest at ends of intervals, the published return, and
    whether it came to the end.
    """
    s, m = begun(starts[start]), of_masses(masses)
    first = energy(s, m)
    if method == HERMITE_ETA:
        evaluations, largest, total, through = by_etas(s, m, plans[plan], most_evaluations, record)
    else:
        evaluations, largest, total, through = by_dt(
            s, m, method == HERMITE_DT, plans[plan, 0], most_evaluations, record
        )
    error = relative_error(energy(s, m), first)
    if not through:
        error = max(error, UNFINISHED_ERROR)
    return evaluations, error, max(largest, error), total, through


@over_designs
def energies(row, states, masses):
    """Return the energy of the state in a row, (n, 12)."""
    return (energy(states[row], of_masses(masses)),)
