"""Compiled: denoise points under a mixture of Gaussians, and carry them along schedules or an exact path.

Points are taken a block at a time, coordinates outside and points inside, so that loops over them vectorise without
reassociating a sum: the same bits whatever the batch. Formulas are cited in `mixtures` and `paths`. Nothing compiled is
imported here, for Numba's cache does not see it change.
"""

import math

import numpy as np
from numba import njit, prange

BLOCK = 32  # points at a time
RUN = 64  # schedules that one thread takes one after another, each from where it differs from the one before
LEAST = -45.0  # a component this far below the likeliest, in the logarithm, has less than a double's last digit


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

    kind: a, p, q, where b_k = (p s_k^2 + q) / (alpha^2 s_k^2 + sigma^2). Denoised points have 1, alpha, 0; noise has
    0, 0, sigma; the flow's velocity, denoised points less noise, 1, alpha, -sigma: finite at both its ends.
    """
    d, points = x.shape
    top = responsibilities(x, alpha, sigma, weights, stds, means, logits)
    total, kept = np.zeros(points), np.zeros(points)
    out[:] = 0.0
    for k in range(len(weights)):
        square = stds[k] * stds[k]
        b = (kind[1] * square + kind[2]) / (alpha * alpha * square + sigma * sigma)
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
def sample_some(task, matrices, alphas, sigmas, alike, noise, weights, stds, means, out):
    """Write the samples of one run of schedules and one block of points into out, (schedules, d, n)."""
    schedules, evaluations = alphas.shape
    d, n = noise.shape
    blocks = -(-n // BLOCK)
    run, first = task // blocks, task % blocks * BLOCK
    last = min(first + BLOCK, n)
    own, x = noise[:, first:last].copy(), np.empty((d, last - first))
    logits, found = np.empty((len(weights), last - first)), np.empty((evaluations, d, last - first))
    for s in range(run * RUN, min((run + 1) * RUN, schedules)):
        for e in range(alike[s] if s > run * RUN else 0, evaluations):
            mix(matrices[s, e, : e + 1], own, found, x)
            kind = (1.0, alphas[s, e], 0.0)
            average(x, alphas[s, e], sigmas[s, e], kind, weights, stds, means, logits, found[e])
        mix(matrices[s, evaluations], own, found, x)
        out[s, :, first:last] = x


@njit(cache=True, error_model="numpy", parallel=True)
def samples(tasks, matrices, alphas, sigmas, alike, noise, weights, stds, means, out):
    """Write samples of every schedule into out, (schedules, d, n). noise: (d, n); matrices, alphas, sigmas: see `fill`.

    What a schedule begins with as the one before it did, see `begun_alike`, is evaluated once for both.
    """
    for task in prange(tasks):
        sample_some(task, matrices, alphas, sigmas, alike, noise, weights, stds, means, out)


@njit(cache=True, error_model="numpy")
def samples_serial(tasks, matrices, alphas, sigmas, alike, noise, weights, stds, means, out):
    """The same on one thread."""
    for task in range(tasks):
        sample_some(task, matrices, alphas, sigmas, alike, noise, weights, stds, means, out)


@njit(cache=True, error_model="numpy")
def carry_some(task, alphas, sigmas, kinds, steps, noise, weights, stds, means, out):
    """Write where the exact path carries one block of points into out, (d, n)."""
    d, n = noise.shape
    first = task * BLOCK
    last = min(first + BLOCK, n)
    x = noise[:, first:last].copy()
    logits, at = np.empty((len(weights), last - first)), np.empty_like(x)
    slopes = np.empty((4, d, last - first))
    for i in range(len(steps)):
        h = steps[i]
        for stage in range(4):
            place = 2 * i + (stage + 1) // 2
            share = 0.0 if stage == 0 else h if stage == 3 else 0.5 * h
            for j in range(d):
                for p in range(last - first):
                    at[j, p] = x[j, p] + (share * slopes[stage - 1, j, p] if stage else 0.0)
            average(at, alphas[place], sigmas[place], kinds[place], weights, stds, means, logits, slopes[stage])
        for j in range(d):
            for p in range(last - first):
                inner = slopes[1, j, p] + slopes[2, j, p]
                x[j, p] += h / 6.0 * (slopes[0, j, p] + 2.0 * inner + slopes[3, j, p])
    out[:, first:last] = x


@njit(cache=True, error_model="numpy", parallel=True)
def carried(tasks, alphas, sigmas, kinds, steps, noise, weights, stds, means, out):
    """Carry points, (d, n), along the exact path by the classical Runge-Kutta method; write where they end into out.

    alphas, sigmas: at the beginning, the middle and the end of each step, (2 steps + 1,). kinds: what the slope is
    there, see `average`, (2 steps + 1, 3); steps: their lengths, (steps,).
    """
    for task in prange(tasks):
        carry_some(task, alphas, sigmas, kinds, steps, noise, weights, stds, means, out)


@njit(cache=True, error_model="numpy")
def carried_serial(tasks, alphas, sigmas, kinds, steps, noise, weights, stds, means, out):
    """The same on one thread."""
    for task in range(tasks):
        carry_some(task, alphas, sigmas, kinds, steps, noise, weights, stds, means, out)
