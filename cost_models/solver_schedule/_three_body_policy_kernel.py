"""Compiled: what a small policy sees of three bodies, the eta that it chooses, and whole episodes that it plays.

A policy is a row of numbers: a bias and a weight for each feature, then for each hidden unit (tanh) its bias, its
weights and the weight of what it tells. The sum is log10 of an eta; the nearest of the ten is taken.
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.solver_schedule._three_body_kernel import (
    GRAVITY,
    INTERVALS,
    UNFINISHED_ERROR,
    begun,
    energy,
    hermite_interval,
    of_masses,
    published_reward,
    relative_error,
)

FEATURES = 10
DISTANCE_UNIT_AU, SPEED_UNIT = 10.0, math.sqrt(3.0) * 2.0 * math.pi  # of observations
FARTHEST, MOST_DIGITS = 1e3, 16.0  # what is observed is clipped here
ACTIONS, LEAST_LOG_ETA, ACTIONS_PER_DECADE = 10, -4.0, 3.0
LEAST_DISTANCE_AU, MOST_ECCENTRICITY = 1e-4, 3.0  # of features
MOST_LEFT, MOST_EXCEEDED = 4.0, 1.5  # decades


def clipped(value, most):
    """Return a value within +-most; 0 for what is no number."""
    return max(-most, min(most, value)) if value == value else 0.0


def observe(s, digits, seen):
    """Write what is observed of a state: positions, velocities, digits that the energy has kept, (13,)."""
    for i in range(6):
        seen[i] = clipped(s[i] / DISTANCE_UNIT_AU, FARTHEST)
        seen[6 + i] = clipped(s[6 + i] / SPEED_UNIT, FARTHEST)
    seen[12] = clipped(digits, MOST_DIGITS)


def pair_features(dx, dy, dvx, dvy, features):
    """Write the features of the closest pair: its distance, its orbit's pericentre and eccentricity, its approach."""
    pull = 2.0 * GRAVITY
    r, v2, along, turn = math.hypot(dx, dy), dvx * dvx + dvy * dvy, dx * dvx + dy * dvy, dx * dvy - dy * dvx
    latus = turn * turn / pull
    eccentricity = math.sqrt(max(0.0, 1.0 + 2.0 * (0.5 * v2 - pull / r) * latus / pull))
    features[0] = math.log10(max(r, LEAST_DISTANCE_AU))
    features[1] = math.log10(max(latus / (1.0 + eccentricity), LEAST_DISTANCE_AU))
    features[2] = min(eccentricity, MOST_ECCENTRICITY)
    features[3] = along / (r * math.sqrt(v2)) if r * v2 > 0.0 else 0.0


def featured(seen, done, log_bound, features):
    """Write the features of an observation, (FEATURES,). done: intervals before. log_bound: log10 of the error's bound.

    Besides the closest pair's: log10 of the energy, of the second least distance and of the least time scale of a pair;
    decades that the error has left to the bound, and decades it exceeds it by; the share of the time that has passed.
    """
    nearest, second, scale, total = np.inf, np.inf, np.inf, 0.0
    for pair in range(3):
        i, k = pair // 2, 1 + (pair + 1) // 2
        dx, dy = DISTANCE_UNIT_AU * (seen[2 * k] - seen[2 * i]), DISTANCE_UNIT_AU * (seen[2 * k + 1] - seen[2 * i + 1])
        dvx = SPEED_UNIT * (seen[6 + 2 * k] - seen[6 + 2 * i])
        dvy = SPEED_UNIT * (seen[7 + 2 * k] - seen[7 + 2 * i])
        r = max(math.hypot(dx, dy), LEAST_DISTANCE_AU)
        scale = min(scale, r * r / (dvx * dvx + dvy * dvy), r * r * r / (2.0 * GRAVITY))
        body = pair  # there are as many
        vx, vy = SPEED_UNIT * seen[6 + 2 * body], SPEED_UNIT * seen[7 + 2 * body]
        total += 0.5 * (vx * vx + vy * vy) - GRAVITY / r
        if r < nearest:
            nearest, second = r, nearest
            pair_features(dx, dy, dvx, dvy, features)
        elif r < second:
            second = r
    left = seen[12] + log_bound if done > 0 else MOST_LEFT
    features[4] = math.log10(max(abs(total), LEAST_DISTANCE_AU))
    features[5] = math.log10(second)
    features[6] = 0.5 * math.log10(scale)
    features[7] = max(0.0, min(MOST_LEFT, left))
    features[8] = max(0.0, min(MOST_EXCEEDED, -left))
    features[9] = done / INTERVALS


def chosen(features, policy):
    """Return the action that a policy takes, in range(ACTIONS)."""
    told, width = policy[0], FEATURES + 2
    for m in range(FEATURES):
        told += policy[1 + m] * features[m]
    for unit in range((len(policy) - 1 - FEATURES) // width):
        place = 1 + FEATURES + unit * width
        heat = policy[place]
        for m in range(FEATURES):
            heat += policy[place + 1 + m] * features[m]
        told += policy[place + 1 + FEATURES] * math.tanh(heat)
    action = math.floor((told - LEAST_LOG_ETA) * ACTIONS_PER_DECADE + 0.5)
    return int(max(0, min(ACTIONS - 1, action)))


@over_designs
def acted(row, done, log_bound, observations, policy):
    """Return the action of a policy, (1, numbers), on each of observations, (n, 13). done: intervals before."""
    features = np.empty(FEATURES)
    featured(observations[row], done, log_bound, features)
    return (chosen(features, policy[0]),)


@over_designs
def played(policy, start, log_bound, policies, starts, masses, etas, most_evaluations, actions):
    """Play an episode to the end, whatever the error.

    policy, start: rows of the tables; see `integrated`, which returns the same. etas: those of the actions, (1, n).
    actions: filled with what was done, (starts, INTERVALS) or nothing; for one policy.
    """
    s, m = begun(starts[start]), of_masses(masses)
    first, evaluations, through, error, largest, total = energy(s, m), 0, True, 1.0, 1e-16, 0.0
    seen, features, record = np.empty(13), np.empty(FEATURES), np.empty((0, 13))
    for k in range(INTERVALS):
        observe(s, -math.log10(error), seen)
        featured(seen, k, log_bound, features)
        action = chosen(features, policies[policy])
        if actions.shape[0] > 0:
            actions[start, k] = action
        done, through = hermite_interval(s, m, etas[0, action], most_evaluations - evaluations, record, 0)
        evaluations += done
        error = relative_error(energy(s, m), first)
        if not through:
            break
        largest = max(largest, error)
        total += published_reward(error, etas[0, action], k + 1)
    if not through:
        error = max(error, UNFINISHED_ERROR)
    return evaluations, error, max(largest, error), total, through
