"""Compiled: the weights of an output rounded one after another, each with what rounding the others did in mind.

Fed back: GPTQ, Frantar et al., ICLR 2023, arXiv:2210.17323. Descended: the error of a layer's outputs, the objective of
AdaRound, Nagel et al., ICML 2020, arXiv:2004.10568, by coordinate descent in place of its relaxation.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs

NOISE = 1e-12  # of d^2 H_ii: a smaller gain than that is rounding's


def nearest_of(numbers, row, x):
    """Return the place of the number nearest to x in an increasing row; of two as near the lower one."""
    low, high = 0, numbers.shape[1] - 1
    while low < high:
        middle = (low + high) // 2
        if x > 0.5 * (numbers[row, middle] + numbers[row, middle + 1]):
            low = middle + 1
        else:
            high = middle
    return low


@over_designs
def fed_back(output, order, factor, weights, scales, lists, numbers, codes):
    """Write an output's codes, in an order, the error of each made up for by the weights that come after it.

    order: of inputs, (1, inputs). factor: the upper triangle U with U'U = H^-1, in that order. weights, scales, lists
    (the row of numbers that a weight is rounded to), codes: (outputs, inputs). Returns the inputs.
    """
    inputs = order.shape[1]
    left = np.empty(inputs)  # weights yet to be rounded, in the order
    for i in range(inputs):
        left[i] = weights[output, order[0, i]]
    for i in range(inputs):
        j = order[0, i]
        row, scale = lists[output, j], scales[output, j]
        code = nearest_of(numbers, row, left[i] / scale)
        codes[output, j] = code
        wrong = (left[i] - numbers[row, code] * scale) / factor[i, i]
        for k in range(i + 1, inputs):
            left[k] -= wrong * factor[i, k]
    return (inputs,)


def step_gain(numbers, row, code, to, scale, slope, curvature):
    """Return by how much the error changes when a weight goes from one code to another, and how far it goes."""
    far = (numbers[row, to] - numbers[row, code]) * scale
    return far * (2.0 * slope + far * curvature) + NOISE * far * far * curvature, far


@over_designs
def descended(output, most_passes, gram, weights, scales, lists, numbers, codes):
    """Move an output's codes, at most one step from where they are, while that lowers (q - w)' H (q - w).

    gram: H, (inputs, inputs). Others as above; codes are read, and written. Returns the passes over all inputs.
    """
    inputs, last, passes = gram.shape[0], numbers.shape[1] - 1, 0
    first, slope = np.empty(inputs, np.int64), np.zeros(inputs)
    for j in range(inputs):
        first[j] = codes[output, j]
        wrong = numbers[lists[output, j], first[j]] * scales[output, j] - weights[output, j]
        for k in range(inputs):
            slope[k] += gram[j, k] * wrong
    moved = True
    while moved and passes < most_passes:
        moved, passes = False, passes + 1
        for j in range(inputs):
            row, scale, code = lists[output, j], scales[output, j], codes[output, j]
            best, best_far, to = 0.0, 0.0, code
            for near in (code - 1, code + 1):
                if 0 <= near <= last and abs(near - first[j]) <= 1:
                    gain, far = step_gain(numbers, row, code, near, scale, slope[j], gram[j, j])
                    if gain < best:
                        best, best_far, to = gain, far, near
            if to != code:
                moved = True
                codes[output, j] = to
                for k in range(inputs):
                    slope[k] += gram[j, k] * best_far
    return (passes,)
