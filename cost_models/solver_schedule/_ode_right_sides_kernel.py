"""Compiled: right sides of ordinary differential equations and their Jacobians, by number; see `ode_problems`.

All are autonomous. parameters: a table of what a problem may vary, whose form is its own.
"""

import math

LOTKA_VOLTERRA, VAN_DER_POL, ROBERTSON, BRUSSELATOR, ARENSTORF, NEURAL_ODE = range(6)

PREY_GROWTH, PREDATION, PREDATOR_DEATH, PREDATOR_GROWTH = 1.5, 1.0, 3.0, 1.0
RATE_1, RATE_2, RATE_3 = 0.04, 1e4, 3e7
FEED_A, FEED_B = 1.0, 3.0
MOON, EARTH = 0.012277471, 1.0 - 0.012277471


def right_side(number, parameters, y, f):
    """Write dy/dt."""
    if number == LOTKA_VOLTERRA:
        f[0] = PREY_GROWTH * y[0] - PREDATION * y[0] * y[1]
        f[1] = -PREDATOR_DEATH * y[1] + PREDATOR_GROWTH * y[0] * y[1]
    elif number == VAN_DER_POL:
        f[0] = y[1]
        f[1] = parameters[0, 0] * (1.0 - y[0] * y[0]) * y[1] - y[0]
    elif number == ROBERTSON:
        f[0] = -RATE_1 * y[0] + RATE_2 * y[1] * y[2]
        f[2] = RATE_3 * y[1] * y[1]
        f[1] = -f[0] - f[2]
    elif number == BRUSSELATOR:
        reaction = y[0] * y[0] * y[1]
        f[0] = FEED_A + reaction - (FEED_B + 1.0) * y[0]
        f[1] = FEED_B * y[0] - reaction
    elif number == ARENSTORF:
        to_earth, to_moon = y[0] + MOON, y[0] - EARTH
        pull_earth = EARTH / (to_earth * to_earth + y[1] * y[1]) ** 1.5
        pull_moon = MOON / (to_moon * to_moon + y[1] * y[1]) ** 1.5
        f[0], f[1] = y[2], y[3]
        f[2] = y[0] + 2.0 * y[3] - pull_earth * to_earth - pull_moon * to_moon
        f[3] = y[1] - 2.0 * y[2] - pull_earth * y[1] - pull_moon * y[1]
    else:  # a row of parameters is a hidden unit: two weights in, its bias, two weights out
        f[0] = f[1] = 0.0
        for unit in range(parameters.shape[0]):
            heat = math.tanh(parameters[unit, 0] * y[0] + parameters[unit, 1] * y[1] + parameters[unit, 2])
            f[0] += parameters[unit, 3] * heat
            f[1] += parameters[unit, 4] * heat


def jacobian(number, parameters, y, j):
    """Write d(dy/dt)/dy, row by row."""
    j[:, :] = 0.0
    if number == LOTKA_VOLTERRA:
        j[0, 0], j[0, 1] = PREY_GROWTH - PREDATION * y[1], -PREDATION * y[0]
        j[1, 0], j[1, 1] = PREDATOR_GROWTH * y[1], -PREDATOR_DEATH + PREDATOR_GROWTH * y[0]
    elif number == VAN_DER_POL:
        j[0, 1] = 1.0
        j[1, 0] = -2.0 * parameters[0, 0] * y[0] * y[1] - 1.0
        j[1, 1] = parameters[0, 0] * (1.0 - y[0] * y[0])
    elif number == ROBERTSON:
        j[0, 0], j[0, 1], j[0, 2] = -RATE_1, RATE_2 * y[2], RATE_2 * y[1]
        j[2, 1] = 2.0 * RATE_3 * y[1]
        j[1, 0], j[1, 1], j[1, 2] = RATE_1, -j[0, 1] - j[2, 1], -j[0, 2]
    elif number == BRUSSELATOR:
        j[0, 0], j[0, 1] = 2.0 * y[0] * y[1] - (FEED_B + 1.0), y[0] * y[0]
        j[1, 0], j[1, 1] = FEED_B - 2.0 * y[0] * y[1], -y[0] * y[0]
    elif number == ARENSTORF:
        j[0, 2] = j[1, 3] = 1.0
        j[2, 3], j[3, 2] = 2.0, -2.0
        j[2, 0] = j[3, 1] = 1.0
        for body in range(2):
            mass, away = (EARTH, y[0] + MOON) if body == 0 else (MOON, y[0] - EARTH)
            square = away * away + y[1] * y[1]
            pull = mass / square**1.5
            j[2, 0] -= pull * (1.0 - 3.0 * away * away / square)
            j[2, 1] += 3.0 * pull * away * y[1] / square
            j[3, 1] -= pull * (1.0 - 3.0 * y[1] * y[1] / square)
        j[3, 0] = j[2, 1]
    else:
        for unit in range(parameters.shape[0]):
            heat = math.tanh(parameters[unit, 0] * y[0] + parameters[unit, 1] * y[1] + parameters[unit, 2])
            slope = 1.0 - heat * heat
            for row in range(2):
                for column in range(2):
                    j[row, column] += parameters[unit, 3 + row] * slope * parameters[unit, column]
