"""Gradients of a network's loss by hand: each operation's rule, and the walk back through the steps.

Source: reverse accumulation, Griewank and Walther, "Evaluating Derivatives", SIAM 2008, chapter 3; the rules follow
from the operations' definitions in `designgym.cost_models.quantization.operations`.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.networks import INPUT, Network
from designgym.cost_models.quantization.operations import (
    Add,
    Array,
    LayerNorm,
    Mean,
    Offset,
    Product,
    Relu,
    Reshape,
    Softmax,
    Transpose,
    Unfold,
    Weighted,
)
from designgym.cost_models.quantization.scores import negative_log_likelihood

Back = tuple[tuple[Array, ...], dict[str, Array]]  # gradients by what is read, and by the operation's own arrays


def gradients(network: Network, values: dict[str, Array], upstream: Array) -> dict[str, Array]:
    """Return the gradient by each parameter, named as in `networks.parameters`.

    values: all outputs, as `forward` fills them in. upstream: the loss's gradient by the network's output, as large.
    """
    pending = {network.steps[-1].name: upstream}
    found: dict[str, Array] = {}
    for step in reversed(network.steps):
        if step.name not in pending:  # nothing reads it: it is no part of the loss
            continue
        read = tuple(values[name] for name in step.reads)
        to_reads, to_arrays = back(step.operation, read, values[step.name], pending.pop(step.name))
        found |= {f"{step.name}.{array}": value for array, value in to_arrays.items()}
        for name, value in zip(step.reads, to_reads, strict=True):
            if name != INPUT:
                pending[name] = pending[name] + value if name in pending else value
    return found


def cross_entropy(outputs: Array, labels: NDArray[np.int64]) -> tuple[float, Array]:
    """Return the mean of -ln softmax(outputs)[label] and its gradient by outputs, (n, classes)."""
    shares = Softmax().apply(outputs)
    shares[np.arange(len(labels)), labels] -= 1
    return float(negative_log_likelihood(outputs, labels)), shares / len(labels)


def half_squared_error(outputs: Array, targets: Array) -> tuple[float, Array]:
    """Return the mean of (output - target)^2 / 2 and its gradient by outputs, (n, 1). targets: (n,)."""
    away = outputs - targets[:, None]
    return 0.5 * float((away**2).mean()), away / len(targets)


@singledispatch
def back(operation: Any, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    """Return the gradients by what was read and by the operation's arrays, from the one by its output."""
    raise TypeError(f"{type(operation).__name__} has no gradient. Write its rule here.")


@back.register
def _weighted(operation: Weighted, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    (x,) = reads
    patches = x if operation.unfold is None else operation.unfold.apply(x)
    inputs, outputs = operation.weight.shape
    flat = upstream.reshape(-1, outputs)
    own = {"weight": patches.reshape(-1, inputs).T @ flat, "bias": flat.sum(axis=0)}
    to_patches = (flat @ operation.weight.T).reshape(patches.shape)
    return (to_patches if operation.unfold is None else folded(operation.unfold, to_patches, x.shape),), own


def folded(unfold: Unfold, patches: Array, shape: tuple[int, ...]) -> Array:
    """Return the sum of patches back in their places in images of the shape: the transpose of `Unfold.apply`."""
    n, height, width, channels = shape
    k, s, p = unfold.kernel, unfold.stride, unfold.padding
    _, rows, columns, _ = patches.shape
    parts = patches.reshape(n, rows, columns, k, k, channels)
    padded = np.zeros((n, height + 2 * p, width + 2 * p, channels), patches.dtype)
    for i in range(k):
        for j in range(k):
            padded[:, i : i + s * rows : s, j : j + s * columns : s] += parts[:, :, :, i, j]
    return padded[:, p : p + height, p : p + width]


@back.register
def _relu(operation: Relu, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    return (upstream * (out > 0),), {}


@back.register
def _softmax(operation: Softmax, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    return (out * (upstream - (upstream * out).sum(axis=operation.axis, keepdims=True)),), {}


@back.register
def _layer_norm(operation: LayerNorm, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    (x,) = reads
    unit, deviation = operation.normalised(x)
    others = tuple(range(x.ndim - 1))
    own = {"scale": (upstream * unit).sum(axis=others), "offset": upstream.sum(axis=others)}
    g = upstream * operation.scale
    along = (g * unit).mean(axis=-1, keepdims=True)
    return ((g - g.mean(axis=-1, keepdims=True) - unit * along) / deviation,), own


@back.register
def _product(operation: Product, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    a, b = reads
    g = upstream * upstream.dtype.type(operation.factor)
    if operation.transpose:
        return (g @ b, g.swapaxes(-1, -2) @ a), {}
    return (g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g), {}


@back.register
def _add(operation: Add, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    return (upstream, upstream), {}


@back.register
def _offset(operation: Offset, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    total = upstream.sum(axis=0)
    missing = tuple(range(total.ndim - operation.values.ndim))
    total = total.sum(axis=missing)
    stretched = tuple(i for i, size in enumerate(operation.values.shape) if size == 1)
    return (upstream,), {"values": total.sum(axis=stretched, keepdims=True)}


@back.register
def _reshape(operation: Reshape, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    return (upstream.reshape(reads[0].shape),), {}


@back.register
def _transpose(operation: Transpose, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    return (upstream.transpose(np.argsort(operation.axes)),), {}


@back.register
def _mean(operation: Mean, reads: tuple[Array, ...], out: Array, upstream: Array) -> Back:
    (x,) = reads
    spread = np.expand_dims(upstream, operation.axis) / upstream.dtype.type(x.shape[operation.axis])
    return (np.broadcast_to(spread, x.shape),), {}
