"""Compiled: a sampler's schedule as matrices, its inputs as sums of the starting noise and of what was denoised so far.

Every solver here is linear in x and in the denoised points D, so that a schedule of any of them is one lower triangular
matrix; two spellings of one update have one matrix. A path is a number: 0 variance preserving, 1 variance exploding,
2 rectified flow; their formulas are cited in `paths`, the solvers' in `solvers`. Nothing compiled is imported here, for
Numba's cache does not see it change.
"""

import math

import numpy as np
from numba import njit

VP, VE, FLOW = 0, 1, 2
LEAST_BETA, MOST_BETA = 0.1, 20.0
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(64)

# Solvers, by number.
EULER, DDIM, HEUN, DPMPP2M, DPMPP3M, UNIP3, DPM2M, DPM3M, DEIS1, DEIS2, DEIS3, DEIS_LOG1, DEIS_LOG2, DEIS_LOG3 = range(
    14
)
UNIPC1, UNIPC2, UNIPC3, UNIPC1_NOISE, UNIPC2_NOISE, UNIPC3_NOISE = range(14, 20)
BY_T, BY_LOG_SNR, DATA_BY_LOG_SNR = 0, 1, 2  # what is a polynomial in what: noise in t, noise or data in log-SNR


@njit(cache=True)
def log_alpha(t):
    """Return log(alpha) of the variance-preserving path."""
    return -(MOST_BETA - LEAST_BETA) * t * t / 4.0 - LEAST_BETA * t / 2.0


@njit(cache=True)
def alpha_of(path, t):
    """Return how much of the data is left."""
    return math.exp(log_alpha(t)) if path == VP else 1.0 if path == VE else t


@njit(cache=True)
def sigma_of(path, t):
    """Return the standard deviation of the noise."""
    return math.sqrt(-math.expm1(2.0 * log_alpha(t))) if path == VP else t if path == VE else 1.0 - t


@njit(cache=True)
def drift_of(path, t):
    """Return d log(alpha) / dt, for alpha > 0."""
    return -(LEAST_BETA + (MOST_BETA - LEAST_BETA) * t) / 2.0 if path == VP else 0.0 if path == VE else 1.0 / t


@njit(cache=True)
def ratio_slope_of(path, t):
    """Return d rho / dt, rho = sigma / alpha > 0. Where the path preserves variance rho^2 is alpha^-2 - 1."""
    if path == VP:
        return -drift_of(path, t) / (alpha_of(path, t) * sigma_of(path, t))
    return 1.0 if path == VE else -1.0 / (t * t)


@njit(cache=True)
def log_snr_of(path, t):
    """Return log(alpha / sigma), infinite where one of them is 0."""
    alpha, sigma = alpha_of(path, t), sigma_of(path, t)
    if alpha == 0.0 or sigma == 0.0:
        return -math.inf if alpha == 0.0 else math.inf
    return math.log(alpha) - math.log(sigma)


@njit(cache=True)
def time_of(path, log_snr):
    """Return the time of a log-SNR."""
    if path == VP:  # a quadratic in t, solved without cancellation
        twice = (
            math.log1p(math.exp(-2.0 * log_snr))
            if log_snr > 0
            else -2.0 * log_snr + math.log1p(math.exp(2.0 * log_snr))
        )
        return 2.0 * twice / (math.sqrt(LEAST_BETA**2 + 2.0 * (MOST_BETA - LEAST_BETA) * twice) + LEAST_BETA)
    return math.exp(-log_snr) if path == VE else 1.0 / (1.0 + math.exp(-log_snr))


@njit(cache=True)
def lagrange(nodes, j, at):
    """Return the polynomial that is 1 at node j and 0 at the others."""
    value = 1.0
    for i in range(len(nodes)):
        if i != j:
            value *= (at - nodes[i]) / (nodes[j] - nodes[i])
    return value


@njit(cache=True)
def interpolated(path, what, nodes, begin, end, weights):
    """Write what a step from `begin` to `end` takes of the noise, or the data, at each node, exact for polynomials.

    nodes: times, or log-SNRs. Noise: the integral of the polynomial times d rho, in t by way of its square root, since
    d rho / dt goes as t^-1/2 where the path preserves variance (64 points). Data: times d (1 / rho).
    """
    weights[: len(nodes)] = 0.0
    low, high = (math.sqrt(begin), math.sqrt(end)) if what == BY_T else (log_snr_of(path, begin), log_snr_of(path, end))
    half, middle = (high - low) / 2.0, (high + low) / 2.0
    for q in range(len(POINTS)):
        place = middle + half * POINTS[q]
        if what == BY_T:
            at, slope = place * place, 2.0 * place * ratio_slope_of(path, place * place)
        else:
            at, slope = place, -math.exp(-place) if what == BY_LOG_SNR else math.exp(place)
        for j in range(len(nodes)):
            weights[j] += half * WEIGHTS[q] * slope * lagrange(nodes, j, at)


@njit(cache=True)
def differences(solver, h, past, weights):
    """Write a multistep solver's weights of data, or noise, at the latest nodes, the newest first, of a whole of 1.

    h: the step in log-SNR, negative for noise. past: log-SNR steps before it, the newest first, over |h|: ratios.
    """
    whole = -math.expm1(-h)
    if solver == DPMPP2M:
        weights[0], weights[1] = 1.0 + 0.5 / past[0], -0.5 / past[0]
        return
    # The first and the second difference, as Lu et al. and `diffusers` take them: the second is not doubled.
    r0, r1 = past[0], past[1]
    first, second = (1.0 - whole / h) / whole, ((whole - h) / (h * h) + 0.5) / whole
    lead = r0 / (r0 + r1)
    weights[0] = 1.0 + first * (1.0 + lead) / r0 + second / ((r0 + r1) * r0)
    weights[1] = -first * ((1.0 + lead) / r0 + lead / r1) - second / (r0 + r1) * (1.0 / r0 + 1.0 / r1)
    weights[2] = first * lead / r1 + second / ((r0 + r1) * r1)


@njit(cache=True)
def nodes_of(solver):
    """Return how many evaluations a solver's step goes back on, this one's included."""
    if solver <= HEUN or solver in (UNIPC1, UNIPC1_NOISE):
        return 1
    if solver in (DEIS3, DEIS_LOG3):
        return 4
    three = (DPMPP3M, UNIP3, DPM3M, DEIS2, DEIS_LOG2, UNIPC3, UNIPC3_NOISE)
    return 3 if solver in three else 2


@njit(cache=True)
def of_noise(solver):
    """Return whether a solver takes noise for a polynomial, not data."""
    return DPM2M <= solver <= DEIS_LOG3 or solver >= UNIPC1_NOISE


@njit(cache=True)
def add(x, weight, noise, node, matrix, alphas, sigmas):
    """Add a weight times what was found at a node, data or noise, to a row over the starting noise and the data."""
    if noise:  # (x - alpha D) / sigma
        share = weight / sigmas[node]
        for i in range(len(x)):
            x[i] += share * matrix[node, i]
        x[1 + node] -= share * alphas[node]
    else:
        x[1 + node] += weight


@njit(cache=True)
def begin_step(path, begin, end, noise, x):
    """Scale x as a step does that finds no data, or no noise; return what the step takes of it where it is constant."""
    alpha, sigma, alpha_end, sigma_end = (
        alpha_of(path, begin), sigma_of(path, begin), alpha_of(path, end), sigma_of(path, end)
    )  # fmt: skip
    if noise:
        x *= alpha_end / alpha
        return sigma_end - alpha_end * (sigma / alpha)
    x *= sigma_end / sigma
    return alpha_end - alpha * (sigma_end / sigma)


@njit(cache=True)
def exact(path, begin, end, noise, in_t, nodes, times, x, matrix, alphas, sigmas, weights):
    """Take a step that is exact where noise, or data, is a polynomial through some nodes, in t or in log-SNR."""
    begin_step(path, begin, end, noise, x)
    places = np.empty(len(nodes))
    for j in range(len(nodes)):
        places[j] = times[nodes[j]] if in_t else log_snr_of(path, times[nodes[j]])
    what = BY_T if in_t else BY_LOG_SNR if noise else DATA_BY_LOG_SNR
    interpolated(path, what, places, begin, end, weights)
    scale = alpha_of(path, end) if noise else sigma_of(path, end)
    for j in range(len(nodes)):
        add(x, scale * weights[j], noise, nodes[j], matrix, alphas, sigmas)


@njit(cache=True)
def predict(path, solver, begin, end, nodes, times, x, matrix, alphas, sigmas, weights):
    """Take a step from where x is. nodes: the evaluations that it may go back on, the newest first."""
    noise = of_noise(solver)
    if solver == EULER and path == VP:
        slope = (end - begin) * alpha_of(path, begin) * ratio_slope_of(path, begin)
        x *= 1.0 + (end - begin) * drift_of(path, begin)
        add(x, slope, True, nodes[0], matrix, alphas, sigmas)
    elif nodes_of(solver) == 1:  # Euler, on the other paths, is DDIM
        noise = noise and alpha_of(path, begin) > 0.0
        add(x, begin_step(path, begin, end, noise, x), noise, nodes[0], matrix, alphas, sigmas)
    elif solver in (UNIP3, UNIPC3, UNIPC3_NOISE) or DEIS1 <= solver <= DEIS_LOG3:
        in_t = DEIS1 <= solver <= DEIS3
        own = nodes[: nodes_of(solver)]
        exact(path, begin, end, noise, in_t, own, times, x, matrix, alphas, sigmas, weights)
    else:
        count = nodes_of(solver)
        log_snrs = np.array([log_snr_of(path, times[node]) for node in nodes[:count]])
        h = log_snr_of(path, end) - log_snrs[0]
        kind = DPMPP2M if count == 2 else DPMPP3M
        differences(kind, -h if noise else h, (log_snrs[:-1] - log_snrs[1:]) / h, weights)
        whole = begin_step(path, begin, end, noise, x)
        for j in range(count):
            add(x, whole * weights[j], noise, nodes[j], matrix, alphas, sigmas)


@njit(cache=True)
def correct(path, solver, begin, end, nodes, times, x, matrix, alphas, sigmas, weights):
    """Take UniPC's step again from where x was, with what was found at its end, the first of the nodes."""
    noise = solver >= UNIPC1_NOISE
    if nodes_of(solver) > 1:
        own = nodes[: nodes_of(solver) + 1]
        exact(path, begin, end, noise, False, own, times, x, matrix, alphas, sigmas, weights)
        return
    noise = noise and alpha_of(path, begin) > 0.0
    whole = begin_step(path, begin, end, noise, x)
    for node in nodes[:2]:
        add(x, 0.5 * whole, noise, node, matrix, alphas, sigmas)


@njit(cache=True)
def heun(path, begin, end, first, second, x, matrix, alphas, sigmas):
    """Take the mean of two slopes, that at the start and that found at the step's end: in rho, on the flow in t."""
    if path == FLOW:  # dx / dt = D - noise
        for node in (first, second):
            add(x, 0.5 * (end - begin), False, node, matrix, alphas, sigmas)
            add(x, -0.5 * (end - begin), True, node, matrix, alphas, sigmas)
        return
    whole = begin_step(path, begin, end, True, x)
    for node in (first, second):
        add(x, 0.5 * whole, True, node, matrix, alphas, sigmas)


@njit(cache=True)
def write(source, out):
    """Copy an array by a loop: Numba compiles the assignment to a slice for seconds."""
    for i in range(len(out)):
        out[i] = source[i]


@njit(cache=True)
def fill(path, scale, times, solvers, matrix, alphas, sigmas):
    """Write the matrix of a schedule and the scales of its evaluations; return how many evaluations it makes.

    times: (steps + 1,). solvers: (steps,). matrix: (evaluations + 1, evaluations + 1): row e holds how much of the
    starting noise, and of what was denoised at each evaluation before, is in what evaluation e is given; the last row
    is the sample. scale: the standard deviation of the starting noise. alphas, sigmas: (evaluations,).
    """
    total, steps = len(alphas), len(solvers)
    x, before, weights = np.zeros(total + 1), np.zeros(total + 1), np.empty(8)
    at, nodes = np.empty(total), np.empty(total, np.int64)
    x[0] = scale
    e = 0
    matrix[:] = 0.0
    for i in range(steps):
        begin, end = times[i], times[i + 1]
        write(x, matrix[e])
        at[e], alphas[e], sigmas[e] = begin, alpha_of(path, begin), sigma_of(path, begin)
        # Steps have a time each; Heun's second evaluation is at the next one's, which takes its place.
        for k in range(i, 0, -1):
            nodes[k] = nodes[k - 1]
        nodes[0] = e
        if i > 0 and solvers[i - 1] >= UNIPC1:
            write(before, x)
            correct(path, solvers[i - 1], times[i - 1], begin, nodes, at, x, matrix, alphas, sigmas, weights)
        write(x, before)
        if solvers[i] != HEUN:
            # After a correction x is no longer where noise and data were found, and first-order steps of them differ.
            of_noise_too = solvers[i] == DDIM and i > 0 and solvers[i - 1] >= UNIPC1_NOISE
            solver = UNIPC1_NOISE if of_noise_too else solvers[i]
            predict(path, solver, begin, end, nodes, at, x, matrix, alphas, sigmas, weights)
        else:
            predict(path, DDIM, begin, end, nodes, at, x, matrix, alphas, sigmas, weights)
            write(x, matrix[e + 1])
            alphas[e + 1], sigmas[e + 1] = alpha_of(path, end), sigma_of(path, end)
            write(before, x)
            heun(path, begin, end, e, e + 1, x, matrix, alphas, sigmas)
            e += 1
        e += 1
    write(x, matrix[total])
    return e
