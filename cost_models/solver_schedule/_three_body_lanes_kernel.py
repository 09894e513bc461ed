"""Compiled: an interval of three bodies, four states at a time, each by an eta of its own.

States take from tens to thousands of steps, each one its own number: a lane that is done takes the next state.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.solver_schedule._three_body_kernel import (
    INTERVAL_YR,
    energy,
    of_masses,
    published_reward,
    relative_error,
    step_length,
)
from designgym.cost_models.solver_schedule._three_body_steps_kernel import FIELDS, SQUARE, evaluate, hermite_step

LANES = 4  # a register of AVX2: a step of four takes 1.4 times as long as one of one, of eight 2.4 times
TAU, ETA = np.uint64(FIELDS), np.uint64(FIELDS + 1)


def stride(s, lane, each, m):
    """Take the next step of a lane's interval. TAU: years of it that have passed. ETA: its eta."""
    tau = s[lane + TAU * each]
    h = step_length(s[lane + ETA * each], s[lane + SQUARE * each], tau)
    hermite_step(s, lane, each, m, h)
    s[lane + TAU * each] = tau + h


def stepper(lanes: int) -> Callable[..., Any]:
    """Return a function that takes the next step in every lane.

    count: their number. As a constant it would have the loop unrolled before what it calls is inlined, and what is
    unrolled runs one lane after another.
    """
    each = np.uint64(lanes)

    def step(s, m, count):
        for lane in range(count):
            stride(s, lane, each, m)

    return step


def finish(row, evaluations, through, tasks, came, states, m):
    """Write what a row has come to; see `carried`."""
    error = relative_error(energy(states[row], m), tasks[1, row])
    came[0, row], came[1, row], came[2, row] = evaluations, error, -math.log10(error)
    came[3, row], came[4, row] = published_reward(error, tasks[0, row], tasks[2, row]), through


def carrier(lanes: int) -> Callable[..., Any]:
    """Return a function that carries states on; see `carried`."""
    each, wide, step = np.uint64(lanes), (FIELDS + 2) * lanes, stepper(lanes)

    def load(s, lane, row, tasks, states, m):
        for k in range(np.uint64(12)):
            s[lane + k * each] = states[row, k]
        s[lane + TAU * each], s[lane + ETA * each] = 0.0, tasks[0, row]
        evaluate(s, lane, each, m)

    def ended(s, lane, spent, most):
        return not s[lane + TAU * each] < INTERVAL_YR or spent >= most

    def carry(s, held, spent, tasks, m):
        while True:
            step(s, m, each)
            over = False
            for lane in range(each):
                if held[lane] >= 0:
                    spent[lane] += 1
                    over = over or ended(s, lane, spent[lane], tasks[3, held[lane]])
            if over:
                return

    def carry_alone(s, lane, row, spent, tasks, m):
        while not ended(s, lane, spent[lane], tasks[3, row]):
            stride(s, lane, each, m)
            spent[lane] += 1

    def close(s, lane, row, evaluations, tasks, came, states, m):
        for k in range(np.uint64(12)):
            states[row, k] = s[lane + k * each]
        finish(row, evaluations, not s[lane + TAU * each] < INTERVAL_YR, tasks, came, states, m)

    def carried(first, gap, order, tasks, came, states, m):
        s, held, spent = np.zeros(wide), np.full(lanes, -1), np.zeros(lanes, np.int64)
        coming, running, total = first, 0, 0
        while True:
            for lane in range(each):
                while held[lane] < 0 and coming < order.shape[1]:
                    row = order[0, coming]
                    coming += gap
                    if tasks[3, row] < 1:
                        finish(row, 0, False, tasks, came, states, m)
                        continue
                    load(s, lane, row, tasks, states, m)
                    if ended(s, lane, 1, tasks[3, row]):
                        close(s, lane, row, 1, tasks, came, states, m)
                    else:
                        held[lane], spent[lane], running = row, 1, running + 1
            if running == 0:
                return total
            alone = running == 1
            if not alone:
                carry(s, held, spent, tasks, m)
            for lane in range(each):
                row = held[lane]
                if row >= 0 and alone:
                    carry_alone(s, lane, row, spent, tasks, m)
                if row >= 0 and ended(s, lane, spent[lane], tasks[3, row]):
                    close(s, lane, row, spent[lane], tasks, came, states, m)
                    held[lane], running, total = -1, running - 1, total + spent[lane]

    return carried


carried_in_lanes = carrier(LANES)


@over_designs
def carried(first, gap, order, tasks, came, states, masses):
    """Carry the states first, first + gap, ... of an order an interval on by their own etas, in place.

    order: (1, m), rows of states, (n, 12), the slowest first. tasks: (4, n), of each row its eta, the energy that its
    episode began with, the number of the decision, counted from 1, and the evaluations that there may be. came: (5, n),
    filled with evaluations, the relative error of the energy after them, its -log10, the published reward, and whether
    the interval was come through. Returns how many evaluations there were.
    """
    return (carried_in_lanes(first, gap, order, tasks, came, states, of_masses(masses)),)
