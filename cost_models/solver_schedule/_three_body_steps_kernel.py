"""Compiled: forces among three bodies in a plane, and one step of Hermite's method or of leapfrog.

Hermite's method as predict, evaluate, correct: Makino and Aarseth, PASJ 44, 141, 1992. Units: AU, year, solar mass.

A state is a column of a table, (FIELDS, lanes) in one row: positions x0, y0, ..., y2, velocities, accelerations, jerks,
then the criterion of steps, squared. `each` is the number of lanes, `lane` the column, unsigned both: how far numbers
lie apart is then known when a loop over lanes is compiled, so that it runs them side by side.
"""

import math

import numpy as np

GRAVITY = 4.0 * math.pi**2  # AU^3 / (Msun yr^2)
V, A, J, SQUARE, FIELDS = np.uint64(6), np.uint64(12), np.uint64(18), np.uint64(24), 25
ONE, TWO, THREE, FOUR, FIVE = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4), np.uint64(5)


def six(s, at, each):
    """Return six numbers of a lane, the first of them at a place."""
    return s[at], s[at + each], s[at + TWO * each], s[at + THREE * each], s[at + FOUR * each], s[at + FIVE * each]


def set_six(s, at, each, values):
    """Write what `six` reads."""
    s[at], s[at + each], s[at + TWO * each] = values[0], values[1], values[2]
    s[at + THREE * each], s[at + FOUR * each], s[at + FIVE * each] = values[3], values[4], values[5]


def of_pair(x, v, i, k, weight):
    """Return how body k pulls body i for each of its solar masses: acceleration, jerk, and two times, squared.

    The times are r / v, and that of a fall from rest, r^2 over the gravity of both.
    """
    dx, dy = x[2 * k] - x[2 * i], x[2 * k + 1] - x[2 * i + 1]
    dvx, dvy = v[2 * k] - v[2 * i], v[2 * k + 1] - v[2 * i + 1]
    r2, v2 = dx * dx + dy * dy, dvx * dvx + dvy * dvy
    near = 1.0 / math.sqrt(r2)
    pull, turn = GRAVITY * near * near * near, 3.0 * (dx * dvx + dy * dvy) * near * near
    jx, jy = pull * (dvx - turn * dx), pull * (dvy - turn * dy)
    return pull * dx, pull * dy, jx, jy, r2 / v2, r2 * r2 * near / (GRAVITY * weight)


def joined(p, q, r, m):
    """Return what three bodies feel, (6,), of how pairs pull: p of 0 and 1, q of 0 and 2, r of 1 and 2, (2,) each."""
    return (
        m[1] * p[0] + m[2] * q[0], m[1] * p[1] + m[2] * q[1],
        m[2] * r[0] - m[0] * p[0], m[2] * r[1] - m[0] * p[1],
        -(m[0] * q[0]) - m[1] * r[0], -(m[0] * q[1]) - m[1] * r[1],
    )  # fmt: skip


def forces(x, v, m):
    """Return accelerations and jerks, six each, and the criterion of steps, squared: the least time of a pair."""
    p = of_pair(x, v, 0, 1, m[0] + m[1])
    q = of_pair(x, v, 0, 2, m[0] + m[2])
    r = of_pair(x, v, 1, 2, m[1] + m[2])
    least = min(min(min(np.inf, p[4], p[5]), q[4], q[5]), r[4], r[5])
    return joined(p[:2], q[:2], r[:2], m), joined(p[2:4], q[2:4], r[2:4], m), least


def evaluate(s, lane, each, m):
    """Evaluate forces where the bodies are. m: their three masses."""
    a, j, least = forces(six(s, lane, each), six(s, lane + V * each, each), m)
    set_six(s, lane + A * each, each, a)
    set_six(s, lane + J * each, each, j)
    s[lane + SQUARE * each] = least


def predicted(x, v, a, j, h):
    """Return where a coordinate is a step of h later, by its first three derivatives."""
    return x + h * (v + 0.5 * h * (a + h / 3.0 * j))


def sped(v, a, j, h):
    """Return the velocity then."""
    return v + h * (a + 0.5 * h * j)


def corrected(v, a, j, a1, j1, h):
    """Return the velocity then, by derivatives at both ends."""
    return v + 0.5 * h * (a + a1) + h * h / 12.0 * (j - j1)


def drifted(x, v, after, a, a1, h):
    """Return the coordinate then. after: its velocity then."""
    return x + (0.5 * h * (v + after) + h * h / 12.0 * (a - a1))


def hermite_step(s, lane, each, m, h):
    """Predict, evaluate, correct: a lane's state to that a step of h later, its criterion that of the predicted one."""
    x, v = six(s, lane, each), six(s, lane + V * each, each)
    a, j = six(s, lane + A * each, each), six(s, lane + J * each, each)
    px = (
        predicted(x[0], v[0], a[0], j[0], h), predicted(x[1], v[1], a[1], j[1], h),
        predicted(x[2], v[2], a[2], j[2], h), predicted(x[3], v[3], a[3], j[3], h),
        predicted(x[4], v[4], a[4], j[4], h), predicted(x[5], v[5], a[5], j[5], h),
    )  # fmt: skip
    pv = (
        sped(v[0], a[0], j[0], h), sped(v[1], a[1], j[1], h), sped(v[2], a[2], j[2], h),
        sped(v[3], a[3], j[3], h), sped(v[4], a[4], j[4], h), sped(v[5], a[5], j[5], h),
    )  # fmt: skip
    b, k, least = forces(px, pv, m)
    w = (
        corrected(v[0], a[0], j[0], b[0], k[0], h), corrected(v[1], a[1], j[1], b[1], k[1], h),
        corrected(v[2], a[2], j[2], b[2], k[2], h), corrected(v[3], a[3], j[3], b[3], k[3], h),
        corrected(v[4], a[4], j[4], b[4], k[4], h), corrected(v[5], a[5], j[5], b[5], k[5], h),
    )  # fmt: skip
    y = (
        drifted(x[0], v[0], w[0], a[0], b[0], h), drifted(x[1], v[1], w[1], a[1], b[1], h),
        drifted(x[2], v[2], w[2], a[2], b[2], h), drifted(x[3], v[3], w[3], a[3], b[3], h),
        drifted(x[4], v[4], w[4], a[4], b[4], h), drifted(x[5], v[5], w[5], a[5], b[5], h),
    )  # fmt: skip
    set_six(s, lane, each, y)
    set_six(s, lane + V * each, each, w)
    set_six(s, lane + A * each, each, b)
    set_six(s, lane + J * each, each, k)
    s[lane + SQUARE * each] = least


def leapfrog_step(s, m, h):
    """Kick, drift, kick (Verlet): a state alone to that a step of h later."""
    for i in range(6):
        s[6 + i] += 0.5 * h * s[12 + i]
        s[i] += h * s[6 + i]
    evaluate(s, np.uint64(0), ONE, m)
    for i in range(6):
        s[6 + i] += 0.5 * h * s[12 + i]
