"""Compiled: denoise points under a mixture of Gaussians or a network, and carry them along schedules or an exact path.

Points are taken a block at a time, coordinates outside and points inside, so that loops over them vectorise without
reassociating a sum: the same bits whatever the batch. Formulas are cited in `mixtures`, `networks` and `paths`. Nothing
compiled is imported here, for Numba's cache does not see it change. A model is a mixture's weights, standard deviations
and means, and where a network denoises in its place that one's arrays (see `networks`) and the data's root mean square.
"""

import math

import numpy as np
from numba import njit, prange
from numba.extending import overload

BLOCK = 32  # points at a time
RUN = 64  # schedules that one thread takes one after another, each from where it differs from the one before
LEAST = -45.0  # a component this far below the likeliest, in the logarithm, has less than a double's last digit
MIXTURE = 3  # arrays of a model without a network
SPREAD = 4.0  # of log-SNR, as a network sees it
HALF, ONE = np.float32(0.5), np.float32(1.0)


@njit(cache=True, error_model="numpy")
def responsibilities(x, alpha, sigma, weights, stds, means, logits):
    """Write the logarithm of what each component weighs at points x, (d, points), up to a term, (k, points).

    Return the largest of each point, (points,).
    """
    d, points = x.shape
    top = np.full(points, -np.inf)
    for k in range(len(weights)):
        variance = alpha * alpha * stds[k] * stds[k] + sigma * sigma
        own, mean = logits[k], means[k]
        own[:] = 0.0
        for j in range(d):
            centre, row = alpha * mean[j], x[j]
            for p in range(points):
                away = row[p] - centre
                own[p] += away * away
        constant, half = math.log(weights[k]) - 0.5 * d * math.log(variance), -0.5 / variance
        for p in range(points):
            own[p] = constant + half * own[p]
            top[p] = max(top[p], own[p])
    return top


@njit(cache=True, error_model="numpy")
def average(x, alpha, sigma, kind, weights, stds, means, logits, out):
    """Write the mean over the data given x = alpha x0 + sigma z, (d, points), of a mu_k + b_k (x - alpha mu_k).

    kind: a, p, r, where b_k = (p s_k^2 + r sigma) / (alpha^2 s_k^2 + sigma^2). Denoised points have 1, alpha, 0; r of
    the noise 0, 0, r; the flow's velocity, denoised points less noise, 1, alpha, -1: finite at both its ends.
    """
    d, points = x.shape
    top = responsibilities(x, alpha, sigma, weights, stds, means, logits)
    total, kept = np.zeros(points), np.zeros(points)
    out[:] = 0.0
    for k in range(len(weights)):
        square = stds[k] * stds[k]
        b = (kind[1] * square + kind[2] * sigma) / (alpha * alpha * square + sigma * sigma)
        own, mean, some = logits[k], means[k], False
        for p in range(points):
            away = own[p] - top[p]
            own[p] = math.exp(away) if away > LEAST else 0.0
            some = some or own[p] > 0.0
        if not some:
            continue
        for p in range(points):
            total[p] += own[p]
            kept[p] += own[p] * b
        for j in range(d):
            row, centre = out[j], (kind[0] - b * alpha) * mean[j]
            for p in range(points):
                row[p] += own[p] * centre
    for j in range(d):
        for p in range(points):
            out[j, p] = (out[j, p] + kept[p] * x[j, p]) / total[p]


@njit(cache=True, error_model="numpy")
def gate(v):
    """Return a single-precision number where it is large, 0 where it is small, smooth between."""
    return HALF * v * (ONE + v / np.sqrt(ONE + v * v))


@njit(cache=True, error_model="numpy")
def gated(x, out):
    """Write the gate of x, (w, points), into out."""
    for j in range(len(x)):
        given, row = x[j], out[j]
        for p in range(len(row)):
            row[p] = gate(given[p])


@njit(cache=True, error_model="numpy")
def add_product(w, x, out):
    """Add w x, (n, m) by (m, points), to out; m is a multiple of 4. Every point's sum is taken in one order."""
    for j in range(len(w)):
        row = out[j]
        for i in range(0, w.shape[1], 4):
            w0, w1, w2, w3 = w[j, i], w[j, i + 1], w[j, i + 2], w[j, i + 3]
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            for p in range(len(row)):
                row[p] = row[p] + w0 * x0[p] + w1 * x1[p] + w2 * x2[p] + w3 * x3[p]


@njit(cache=True, error_model="numpy")
def level_of(alpha, sigma, w_time, b_time, w_level, b_level):
    """Return what each block, and the input before them, is told of the noise level, (blocks + 1, w)."""
    at = math.tanh((math.log(alpha) - math.log(sigma)) / SPREAD) * (0.5 * math.pi)
    frequencies = w_time.shape[1] // 2
    waves, time, level = np.empty(2 * frequencies, np.float32), b_time.copy(), b_level.copy()
    for k in range(frequencies):
        waves[k], waves[frequencies + k] = math.sin((k + 1) * at), math.cos((k + 1) * at)
    for e in range(len(time)):
        for k in range(len(waves)):
            time[e] += w_time[e, k] * waves[k]
        time[e] = gate(time[e])
    for k in range(len(level)):
        for j in range(level.shape[1]):
            for e in range(len(time)):
                level[k, j] += w_level[k, j, e] * time[e]
    return level


@njit(cache=True, error_model="numpy")
def network(x, alpha, sigma, kind, skipped, model, out):
    """Write what `average` writes, with the data that a network finds in x, (d, points). skipped: bits of blocks.

    The network itself computes in single precision, what it is given and gives is in double.
    """
    w_time, b_time, w_level, b_level, w_in, w_first, w_second, b_second, w_out, b_out, scale = model[3:]
    level = level_of(alpha, sigma, w_time, b_time, w_level, b_level)
    d, points = x.shape
    whole = math.sqrt(alpha * alpha * scale * scale + sigma * sigma)
    given, found = (x / whole).astype(np.float32), np.empty((d, points), np.float32)
    hidden, inner = np.empty((len(w_in), points), np.float32), np.empty((len(w_in), points), np.float32)
    open_ = np.empty_like(hidden)
    for j in range(len(hidden)):
        hidden[j] = level[0, j]
    add_product(w_in, given, hidden)
    for k in range(len(w_first)):
        if not (skipped >> k) & 1:
            gated(hidden, open_)
            for j in range(len(hidden)):
                inner[j] = level[1 + k, j]
                hidden[j] += b_second[k, j]
            add_product(w_first[k], open_, inner)
            gated(inner, inner)
            add_product(w_second[k], inner, hidden)
    gated(hidden, open_)
    for j in range(d):
        found[j] = b_out[j]
    add_product(w_out, open_, found)
    # Data are clean x + learned found; the noise, (x - alpha data) / sigma, has no sigma to divide by.
    clean, learned = alpha * scale * scale / (whole * whole), sigma * scale / whole
    share = kind[0] * clean + kind[2] * sigma / (whole * whole)
    of_found = kind[0] * learned - kind[2] * alpha * scale / whole
    for j in range(d):
        for p in range(points):
            out[j, p] = share * x[j, p] + of_found * found[j, p]


def find(x, alpha, sigma, kind, skipped, model, logits, out):
    """Write the mean that `average` describes, by the mixture or by the network of a model."""
    if len(model) > MIXTURE:
        network(x, alpha, sigma, kind, skipped, model, out)
    else:
        average(x, alpha, sigma, kind, model[0], model[1], model[2], logits, out)


@overload(find)
def compiled_find(x, alpha, sigma, kind, skipped, model, logits, out):
    """Choose while compiling: what samples a mixture holds no network's code, which takes as long to compile again."""
    if len(model) > MIXTURE:
        return lambda x, alpha, sigma, kind, skipped, model, logits, out: network(
            x, alpha, sigma, kind, skipped, model, out
        )
    return lambda x, alpha, sigma, kind, skipped, model, logits, out: average(
        x, alpha, sigma, kind, model[0], model[1], model[2], logits, out
    )


@njit(cache=True, error_model="numpy")
def mix(shares, noise, found, x):
    """Write what an evaluation is given, shares of the noise, (d, points), and of what was found, into x."""
    for j in range(len(x)):
        row, first, share = x[j], noise[j], shares[0]
        for p in range(len(row)):
            row[p] = share * first[p]
        for i in range(len(shares) - 1):
            share, before = shares[1 + i], found[i, j]
            if share != 0.0:
                for p in range(len(row)):
                    row[p] += share * before[p]


@njit(cache=True)
def begun_alike(matrices, alphas, sigmas):
    """Return how many first evaluations of each schedule are given what the one before was given, (schedules,)."""
    alike = np.zeros(len(matrices), np.int64)
    for s in range(1, len(matrices)):
        e = 0
        while e < alphas.shape[1]:
            same = alphas[s, e] == alphas[s - 1, e] and sigmas[s, e] == sigmas[s - 1, e]
            for i in range(e + 1):
                same = same and matrices[s, e, i] == matrices[s - 1, e, i]
            if not same:
                break
            e += 1
        alike[s] = e
    return alike


@njit(cache=True, error_model="numpy")
def sample_some(task, matrices, alphas, sigmas, skipped, alike, noise, model, out):
    """Write the samples of one run of schedules and one block of points into out, (schedules, d, n)."""
    schedules, evaluations = alphas.shape
    d, n = noise.shape
    blocks = -(-n // BLOCK)
    run, first = task // blocks, task % blocks * BLOCK
    last = min(first + BLOCK, n)
    own, x = noise[:, first:last].copy(), np.empty((d, last - first))
    logits, found = np.empty((len(model[0]), last - first)), np.empty((evaluations, d, last - first))
    for s in range(run * RUN, min((run + 1) * RUN, schedules)):
        for e in range(alike[s] if s > run * RUN else 0, evaluations):
            mix(matrices[s, e, : e + 1], own, found, x)
            kind = (1.0, alphas[s, e], 0.0)
            find(x, alphas[s, e], sigmas[s, e], kind, skipped[s, e], model, logits, found[e])
        mix(matrices[s, evaluations], own, found, x)
        for j in range(d):
            for p in range(last - first):
                out[s, j, first + p] = x[j, p]


@njit(cache=True, error_model="numpy", parallel=True)
def samples(tasks, matrices, alphas, sigmas, skipped, alike, noise, model, out):
    """Write samples of every schedule into out, (schedules, d, n). noise: (d, n); matrices, alphas, sigmas: see `fill`.

    skipped: bits of a network's blocks, (schedules, evaluations). What a schedule begins with as the one before it did,
    alike, (schedules,), see `begun_alike`, is evaluated once for both.
    """
    for task in prange(tasks):
        sample_some(task, matrices, alphas, sigmas, skipped, alike, noise, model, out)


@njit(cache=True, error_model="numpy")
def samples_serial(tasks, matrices, alphas, sigmas, skipped, alike, noise, model, out):
    """The same on one thread."""
    for task in range(tasks):
        sample_some(task, matrices, alphas, sigmas, skipped, alike, noise, model, out)


@njit(cache=True, error_model="numpy")
def carry_some(task, alphas, sigmas, kinds, steps, noise, model, out):
    """Write where the exact path carries one block of points into out, (d, n)."""
    d, n = noise.shape
    first = task * BLOCK
    last = min(first + BLOCK, n)
    x = noise[:, first:last].copy()
    logits, at = np.empty((len(model[0]), last - first)), np.empty_like(x)
    slopes = np.empty((4, d, last - first))
    for i in range(len(steps)):
        h = steps[i]
        for stage in range(4):
            place = 2 * i + (stage + 1) // 2
            share = 0.0 if stage == 0 else h if stage == 3 else 0.5 * h
            for j in range(d):
                for p in range(last - first):
                    at[j, p] = x[j, p] + (share * slopes[stage - 1, j, p] if stage else 0.0)
            find(at, alphas[place], sigmas[place], kinds[place], 0, model, logits, slopes[stage])
        for j in range(d):
            for p in range(last - first):
                inner = slopes[1, j, p] + slopes[2, j, p]
                x[j, p] += h / 6.0 * (slopes[0, j, p] + 2.0 * inner + slopes[3, j, p])
    for j in range(d):
        for p in range(last - first):
            out[j, first + p] = x[j, p]


@njit(cache=True, error_model="numpy", parallel=True)
def carried(tasks, alphas, sigmas, kinds, steps, noise, model, out):
    """Carry points, (d, n), along the exact path by the classical Runge-Kutta method; write where they end into out.

    alphas, sigmas: at the beginning, the middle and the end of each step, (2 steps + 1,). kinds: what the slope is
    there, see `average`, (2 steps + 1, 3); steps: their lengths, (steps,).
    """
    for task in prange(tasks):
        carry_some(task, alphas, sigmas, kinds, steps, noise, model, out)


@njit(cache=True, error_model="numpy")
def carried_serial(tasks, alphas, sigmas, kinds, steps, noise, model, out):
    """The same on one thread."""
    for task in range(tasks):
        carry_some(task, alphas, sigmas, kinds, steps, noise, model, out)
