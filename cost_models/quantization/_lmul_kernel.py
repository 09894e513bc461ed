"""Compiled: a dense layer whose products are L-Mul's in the adder form, see `lmul`: float64 bit patterns added up.

Numbers of m mantissa bits are float64 whose other fraction bits are 0: the sum of two patterns, less 1.0's, plus 2^-l's
place in the fraction, is the pattern of the product, carries into the exponent included.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs

SIDE = 64  # examples at a time
ONE, FRACTION = np.int64(1023) << np.int64(52), np.int64(52)


@over_designs
def added_up(way, offset, sizes, signs, weight_sizes, weight_signs, bias, out):
    """Write a layer's outputs by an offset l into out, (ways * outputs, examples); return how many examples there are.

    way: the offset's place. sizes: of what the layer reads, bit patterns of absolute values, (inputs, examples); signs:
    -1, 0 and 1, as large. weight_sizes, weight_signs: (inputs, outputs). bias: (1, outputs).
    """
    outputs, examples = weight_sizes.shape[1], sizes.shape[1]
    products, sums = np.empty(SIDE), np.empty(SIDE)
    bits = products.view(np.int64)
    for first in range(0, examples, SIDE):
        count = min(SIDE, examples - first)
        for k in range(outputs):
            for i in range(count):
                sums[i] = bias[0, k]
            for j in range(sizes.shape[0]):
                sign = weight_signs[j, k]
                if sign == 0.0:
                    continue
                added = weight_sizes[j, k] - ONE + (np.int64(1) << (FRACTION - offset))
                row, own = sizes[j, first:], signs[j, first:]
                for i in range(count):
                    bits[i] = row[i] + added
                for i in range(count):
                    sums[i] += sign * own[i] * products[i]
            for i in range(count):
                out[way * outputs + k, first + i] = sums[i]
    return (examples,)
