"""How far samples are from a mixture: sliced Wasserstein and Frechet distances to its exact quantiles and moments.

Sources: Rabin et al., SSVM 2011, doi:10.1007/978-3-642-24785-9_37 (sliced); Dowson and Landau, J. Multivariate Analysis
12(3), 1982, doi:10.1016/0047-259X(82)90077-X (Frechet distance of normal distributions with these moments).
"""

import functools

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture

DIRECTIONS = 64
BISECTIONS = 60

Floats = NDArray[np.float64]


def directions(dimensions: int) -> Floats:
    """Return the directions of slices, (64, d): equal angles in a plane, else drawn once for all, `default_rng(7)`."""
    if dimensions == 2:
        angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        return np.column_stack([np.cos(angles), np.sin(angles)])
    drawn = np.random.default_rng(7).standard_normal((DIRECTIONS, dimensions))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@functools.lru_cache(16)
def quantiles(name: str, count: int) -> Floats:
    """Return the mixture's quantiles (i + .5) / count along each direction, (64, count), by bisection."""
    from scipy.special import ndtr

    model, probability = mixture(name), (np.arange(count) + 0.5) / count
    out = np.empty((DIRECTIONS, count))
    for row, direction in zip(out, directions(model.dimensions), strict=True):
        centres = model.means @ direction
        low = np.full(count, (centres - 40 * model.stds).min())
        high = np.full(count, (centres + 40 * model.stds).max())
        for _ in range(BISECTIONS):
            row[:] = (low + high) / 2
            below = np.zeros(count)
            for weight, centre, std in zip(model.weights, centres, model.stds, strict=True):
                below += weight * ndtr((row - centre) / std)
            high, low = np.where(below >= probability, row, high), np.where(below >= probability, low, row)
    out.flags.writeable = False
    return out


def sliced_w2(samples: Floats, name: str) -> float:
    """Return the root of the mean over directions of the squared Wasserstein-2 distance. samples: (d, n)."""
    projected = np.sort(directions(len(samples)) @ samples, axis=1)
    return float(np.sqrt(np.mean((projected - quantiles(name, samples.shape[1])) ** 2)))


def frechet2(samples: Floats, model: Mixture) -> float:
    """Return the squared Frechet distance of the samples' mean and covariance, (d, n), to the mixture's own."""
    own, truth = np.atleast_2d(np.cov(samples)), model.covariance()
    values, vectors = np.linalg.eigh(truth)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    both = np.linalg.eigvalsh(root @ own @ root)
    apart = samples.mean(axis=1) - model.mean()
    cross = 2.0 * float(np.sqrt(np.maximum(both, 0.0)).sum())
    return float(apart @ apart) + float(np.trace(own)) + float(np.trace(truth)) - cross
