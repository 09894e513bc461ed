"""Compiled: straight-line programs at many points at once, their derivatives, and values of twice the precision.

A program is rows of numbers, one column a point: x, its constants, then what each instruction comes to. Derivatives are
accumulated in reverse (Griewank and Walther, Evaluating Derivatives, 2nd ed. 2008, chapter 3); double-double arithmetic
is Dekker's, Numerische Mathematik 18, 1971, doi:10.1007/BF01397083.
"""

import math

ADD, SUBTRACT, MULTIPLY, DIVIDE = 0, 1, 2, 3
SPLITTER = 134217729.0  # 2^27 + 1


def forward(ops, lefts, rights, first, count, rows):
    """Work out the first `count` instructions, from row `first` on; False where a divisor is 0 or changes its sign."""
    n = rows.shape[1]
    for i in range(count):
        a, b, r = rows[lefts[i]], rows[rights[i]], rows[first + i]
        if ops[i] == ADD:
            for t in range(n):
                r[t] = a[t] + b[t]
        elif ops[i] == SUBTRACT:
            for t in range(n):
                r[t] = a[t] - b[t]
        elif ops[i] == MULTIPLY:
            for t in range(n):
                r[t] = a[t] * b[t]
        else:
            sign = 1.0 if b[0] > 0 else -1.0
            for t in range(n):
                if not sign * b[t] > 0:
                    return False
            for t in range(n):
                r[t] = a[t] / b[t]
    return True


def backward(ops, lefts, rights, first, count, rows, adjoints):
    """Write the derivatives of the last of `count` instructions by every row below it."""
    n = rows.shape[1]
    for row in range(first + count):
        for t in range(n):
            adjoints[row, t] = 0.0
    for t in range(n):
        adjoints[first + count - 1, t] = 1.0
    for i in range(count - 1, -1, -1):
        a, b, r = rows[lefts[i]], rows[rights[i]], rows[first + i]
        own, u, v = adjoints[first + i], adjoints[lefts[i]], adjoints[rights[i]]
        if ops[i] == MULTIPLY:
            for t in range(n):
                u[t] += own[t] * b[t]
            for t in range(n):
                v[t] += own[t] * a[t]
        elif ops[i] == DIVIDE:
            for t in range(n):
                part = own[t] / b[t]
                u[t] += part
                v[t] -= part * r[t]
        else:
            sign = 1.0 if ops[i] == ADD else -1.0
            for t in range(n):
                u[t] += own[t]
            for t in range(n):
                v[t] += sign * own[t]


def sum_of(ah, al, bh, bl):
    """Return a + b in double-double."""
    s = ah + bh
    d = s - ah
    e = (ah - (s - d)) + (bh - d)
    t = al + bl
    d = t - al
    f = (al - (t - d)) + (bl - d)
    e += t
    high = s + e
    e = (e - (high - s)) + f
    return high + e, e - ((high + e) - high)


def product_of(ah, al, bh, bl):
    """Return a b in double-double."""
    p = ah * bh
    t = SPLITTER * ah
    a1 = t - (t - ah)
    a2 = ah - a1
    t = SPLITTER * bh
    b1 = t - (t - bh)
    b2 = bh - b1
    e = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    e += ah * bl + al * bh
    return p + e, e - ((p + e) - p)


def quotient_of(ah, al, bh, bl):
    """Return a / b in double-double."""
    first = ah / bh
    ph, pl = product_of(bh, bl, first, 0.0)
    rh, rl = sum_of(ah, al, -ph, -pl)
    second = rh / bh
    ph, pl = product_of(bh, bl, second, 0.0)
    rh, rl = sum_of(rh, rl, -ph, -pl)
    high = first + second
    return sum_of(high, second - (high - first), rh / bh, 0.0)


def forward_twice(ops, lefts, rights, first, count, high, low):
    """The same as `forward` in double-double; the divisors' signs are not looked at."""
    n = high.shape[1]
    for i in range(count):
        ah, al, bh, bl = high[lefts[i]], low[lefts[i]], high[rights[i]], low[rights[i]]
        rh, rl = high[first + i], low[first + i]
        if ops[i] == ADD:
            for t in range(n):
                rh[t], rl[t] = sum_of(ah[t], al[t], bh[t], bl[t])
        elif ops[i] == SUBTRACT:
            for t in range(n):
                rh[t], rl[t] = sum_of(ah[t], al[t], -bh[t], -bl[t])
        elif ops[i] == MULTIPLY:
            for t in range(n):
                rh[t], rl[t] = product_of(ah[t], al[t], bh[t], bl[t])
        else:
            for t in range(n):
                rh[t], rl[t] = quotient_of(ah[t], al[t], bh[t], bl[t])


def relative_errors(value, low, target, target_low, squarings, out):
    """Write value^(2^squarings) / target^(2^squarings) - 1, (points,); where squarings > 0 a value's sign is lost."""
    for t in range(len(out)):
        sign = -1.0 if squarings > 0 and value[t] < 0 else 1.0
        high, rest = sum_of(sign * value[t], sign * low[t], -target[t], -target_low[t])
        out[t] = (high + rest) / target[t]
    for _ in range(squarings):
        for t in range(len(out)):
            out[t] = out[t] * (2.0 + out[t])


def residuals(value, target, weights, squarings, out, slopes):
    """Write weights * (value - target), squared up as in `relative_errors`, and its slope by value; return the squares.

    The sign that squarings lose is that of the first point: where weights = 1 / target these are relative errors.
    """
    total = 0.0
    sign = -1.0 if squarings > 0 and value[0] * target[0] < 0 else 1.0
    for t in range(len(out)):
        out[t] = (sign * value[t] - target[t]) * weights[t]
        slopes[t] = sign * weights[t]
    for _ in range(squarings):
        for t in range(len(out)):
            slopes[t] *= 2.0 * (1.0 + out[t])
            out[t] = out[t] * (2.0 + out[t])
    for t in range(len(out)):
        total += out[t] * out[t]
    return total if total < math.inf else math.inf
