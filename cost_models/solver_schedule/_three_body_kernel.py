"""Compiled: three bodies in a plane under their own gravity, by Hermite's method of order four or by leapfrog.

Hermite's method as predict, evaluate, correct: Makino and Aarseth, PASJ 44, 141, 1992. Steps of eta times a criterion
of pairs, intervals, and the published reward: Saz Ulibarrena and Portegies Zwart, Communications in Nonlinear Science
and Numerical Simulation, 2025, doi:10.1016/j.cnsns.2025.108723, arXiv:2502.12809. Units: AU, year, solar mass.
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs

GRAVITY = 4.0 * math.pi**2  # AU^3 / (Msun yr^2)
END_YR, INTERVAL_YR, INTERVALS = 10.0, 0.1, 100
HERMITE_ETA, HERMITE_DT, LEAPFROG_DT = range(3)  # the numbers of the methods
LEAST_ERROR, MOST_ERROR = 1e-16, 1e16  # relative errors of the energy are told between these
UNFINISHED_ERROR = 1.0  # at least, where the evaluations did not suffice
MOST_REWARD = 1e3


def forces(x, v, masses, a, j):
    """Write accelerations and jerks, (3, 2); return the criterion of steps, squared.

    That is the least of (r / v)^2 and r / a over pairs, each by itself.
    """
    for i in range(3):
        for d in range(2):
            a[i, d], j[i, d] = 0.0, 0.0
    least = np.inf
    for pair in range(3):
        i, k = pair // 2, 1 + (pair + 1) // 2
        dx, dy = x[k, 0] - x[i, 0], x[k, 1] - x[i, 1]
        dvx, dvy = v[k, 0] - v[i, 0], v[k, 1] - v[i, 1]
        r2, v2 = dx * dx + dy * dy, dvx * dvx + dvy * dvy
        near = 1.0 / math.sqrt(r2)
        pull, turn = GRAVITY * near * near * near, 3.0 * (dx * dvx + dy * dvy) * near * near
        ax, ay = pull * dx, pull * dy
        jx, jy = pull * (dvx - turn * dx), pull * (dvy - turn * dy)
        a[i, 0] += masses[0, k] * ax
        a[i, 1] += masses[0, k] * ay
        a[k, 0] -= masses[0, i] * ax
        a[k, 1] -= masses[0, i] * ay
        j[i, 0] += masses[0, k] * jx
        j[i, 1] += masses[0, k] * jy
        j[k, 0] -= masses[0, i] * jx
        j[k, 1] -= masses[0, i] * jy
        weight = GRAVITY * (masses[0, i] + masses[0, k])
        least = min(least, r2 / v2, r2 * r2 * near / weight)
    return least


def energy(x, v, masses):
    """Return kinetic and potential energy together, Msun AU^2 / yr^2."""
    total = 0.0
    for i in range(3):
        total += 0.5 * masses[0, i] * (v[i, 0] * v[i, 0] + v[i, 1] * v[i, 1])
    for pair in range(3):
        i, k = pair // 2, 1 + (pair + 1) // 2
        dx, dy = x[k, 0] - x[i, 0], x[k, 1] - x[i, 1]
        total -= GRAVITY * masses[0, i] * masses[0, k] / math.sqrt(dx * dx + dy * dy)
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


def load(row, x, v):
    """Read a state: the bodies' positions, then their velocities, (12,)."""
    for i in range(3):
        for d in range(2):
            x[i, d], v[i, d] = row[2 * i + d], row[6 + 2 * i + d]


def save(x, v, row):
    """Write a state where `load` reads it."""
    for i in range(3):
        for d in range(2):
            row[2 * i + d], row[6 + 2 * i + d] = x[i, d], v[i, d]


def note(record, step, h, x, v):
    """Keep a step's length and the state at its end, see `load`, in the record, (rows, 13), if it has a row for it."""
    if step < record.shape[0]:
        record[step, 0] = h
        save(x, v, record[step, 1:])


def arrays():
    """Return what an integration works on: x, v, a, j, and the same as predicted and evaluated, each (3, 2)."""
    return (
        np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2)),
        np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2)),
    )  # fmt: skip


def hermite_step(x, v, a, j, px, pv, a1, j1, masses, h):
    """Predict, evaluate, correct: x, v, a, j to those a step on; return what `forces` does of the predicted state."""
    for i in range(3):
        for d in range(2):
            px[i, d] = x[i, d] + h * (v[i, d] + 0.5 * h * (a[i, d] + h / 3.0 * j[i, d]))
            pv[i, d] = v[i, d] + h * (a[i, d] + 0.5 * h * j[i, d])
    square = forces(px, pv, masses, a1, j1)
    for i in range(3):
        for d in range(2):
            after = v[i, d] + 0.5 * h * (a[i, d] + a1[i, d]) + h * h / 12.0 * (j[i, d] - j1[i, d])
            x[i, d] += 0.5 * h * (v[i, d] + after) + h * h / 12.0 * (a[i, d] - a1[i, d])
            v[i, d], a[i, d], j[i, d] = after, a1[i, d], j1[i, d]
    return square


def leapfrog_step(x, v, a, j, masses, h):
    """Kick, drift, kick (Verlet): x, v, a to those a step on."""
    for i in range(3):
        for d in range(2):
            v[i, d] += 0.5 * h * a[i, d]
            x[i, d] += h * v[i, d]
    forces(x, v, masses, a, j)
    for i in range(3):
        for d in range(2):
            v[i, d] += 0.5 * h * a[i, d]


def hermite_interval(x, v, a, j, px, pv, a1, j1, masses, eta, most, record, noted):
    """Go on for an interval by steps of eta times the criterion; return evaluations, and whether it was come through.

    The criterion is that of the last evaluation: at the interval's start, then at each predicted state. most:
    evaluations there may be. noted: steps that the record holds already, see `note`.
    """
    if most < 1:
        return 0, False
    square, tau, evaluations = forces(x, v, masses, a, j), 0.0, 1
    while tau < INTERVAL_YR:
        if evaluations >= most:
            return evaluations, False
        h = min(eta * math.sqrt(square), INTERVAL_YR - tau)
        square = hermite_step(x, v, a, j, px, pv, a1, j1, masses, h)
        tau += h
        note(record, noted + evaluations - 1, h, x, v)
        evaluations += 1
    return evaluations, True


def by_etas(x, v, a, j, px, pv, a1, j1, masses, etas, most, record):
    """Go on to the end, by the eta of each interval, the last of them for all that follow.

    Returns evaluations, the largest relative error of the energy at ends of intervals, the published return, and
    whether the end was reached.
    """
    first, evaluations, largest, total = energy(x, v, masses), 0, LEAST_ERROR, 0.0
    for k in range(INTERVALS):
        eta = etas[min(k, len(etas) - 1)]
        done, through = hermite_interval(
            x, v, a, j, px, pv, a1, j1, masses, eta, most - evaluations, record, evaluations - k
        )
        evaluations += done
        if not through:
            return evaluations, largest, total, False
        error = relative_error(energy(x, v, masses), first)
        largest = max(largest, error)
        total += published_reward(error, eta, k + 1)
    return evaluations, largest, total, True


def by_dt(x, v, a, j, px, pv, a1, j1, masses, hermite, dt, most, record):
    """Go on to the end by equal steps of either method: Hermite's last is cut, leapfrog's are as many as fit dt.

    Returns what `by_etas` does. The ends of intervals are those of the first steps that come there.
    """
    first, evaluations, largest, total = energy(x, v, masses), 1, LEAST_ERROR, 0.0
    count, step, t, ended = math.ceil(END_YR / dt - 1e-9), 0, 0.0, 0
    forces(x, v, masses, a, j)
    while (t < END_YR - 5e-14) if hermite else (step < count):
        if evaluations >= most:
            return evaluations, largest, total, False
        if hermite:
            h = min(dt, END_YR - t)
            hermite_step(x, v, a, j, px, pv, a1, j1, masses, h)
        else:
            h = END_YR / count
            leapfrog_step(x, v, a, j, masses, h)
        t, step = t + h, step + 1
        note(record, step - 1, h, x, v)
        evaluations += 1
        if t < (ended + 1) * INTERVAL_YR - 1e-9:
            continue
        error = relative_error(energy(x, v, masses), first)
        largest = max(largest, error)
        while ended < INTERVALS and t >= (ended + 1) * INTERVAL_YR - 1e-9:
            ended += 1
            total += published_reward(error, 0.0, ended)
    return evaluations, largest, total, True


@over_designs
def integrated(method, plan, start, plans, starts, masses, most_evaluations, record):
    """Integrate one initial state for END_YR by one plan.

    method: HERMITE_ETA, HERMITE_DT or LEAPFROG_DT. plan, start: rows of the tables. plans: eta of the intervals, or dt
    in years, see `by_etas` and `by_dt`. starts: states, (starts, 12), see `load`. masses: (1, 3). record: filled with
    the steps, see `note`; for one design. Returns evaluations, the relative error of the energy at the end, where
    evaluations did not suffice UNFINISHED_ERROR at least, the largest at ends of intervals, the published return, and
    whether it came to the end.
    """
    x, v, a, j, px, pv, a1, j1 = arrays()
    load(starts[start], x, v)
    first = energy(x, v, masses)
    if method == HERMITE_ETA:
        evaluations, largest, total, through = by_etas(
            x, v, a, j, px, pv, a1, j1, masses, plans[plan], most_evaluations, record
        )
    else:
        evaluations, largest, total, through = by_dt(
            x, v, a, j, px, pv, a1, j1, masses, method == HERMITE_DT, plans[plan, 0], most_evaluations, record
        )
    error = relative_error(energy(x, v, masses), first)
    if not through:
        error = max(error, UNFINISHED_ERROR)
    return evaluations, error, max(largest, error), total, through


@over_designs
def advanced(row, eta, k, first, most_evaluations, states, masses):
    """Carry a state an interval on by its own eta, in place: decision k, counted from 1.

    row: the state's among states, (n, 12), see `load`. first: the energy that its episode began with. most_evaluations:
    that there may be. Returns evaluations, the relative error of the energy after them, its -log10, the published
    reward, and whether the interval was come through.
    """
    x, v, a, j, px, pv, a1, j1 = arrays()
    load(states[row], x, v)
    evaluations, through = hermite_interval(
        x, v, a, j, px, pv, a1, j1, masses, eta, most_evaluations, np.empty((0, 13)), 0
    )
    save(x, v, states[row])
    error = relative_error(energy(x, v, masses), first)
    return evaluations, error, -math.log10(error), published_reward(error, eta, k), through


@over_designs
def energies(row, states, masses):
    """Return the energy of a state; see `advanced`."""
    x, v = np.empty((3, 2)), np.empty((3, 2))
    load(states[row], x, v)
    return (energy(x, v, masses),)
