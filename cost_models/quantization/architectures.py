"""The shipped networks' steps, before they have weights: zeros stand where trained ones go.

Sources: convolutions of stride 2 in place of pooling, Springenberg et al., arXiv:1412.6806; the transformer's block,
Vaswani et al., arXiv:1706.03762, with normalisation ahead of each half, Xiong et al., arXiv:2002.04745.
"""

import math

import numpy as np

from designgym.cost_models.quantization.networks import INPUT, Network, Step
from designgym.cost_models.quantization.operations import (
    Add,
    LayerNorm,
    Mean,
    Offset,
    Operation,
    Product,
    Relu,
    Reshape,
    Softmax,
    Transpose,
    Unfold,
    Weighted,
)


def multilayer_perceptron(name: str, sizes: tuple[int, ...]) -> Network:
    """Return layer1, relu1, layer2, ... without a rectifier after the last. sizes: inputs, hidden ones, outputs."""
    steps: list[Step] = []
    for i in range(1, len(sizes)):
        _append(steps, f"layer{i}", _weighted(sizes[i - 1], sizes[i]))
        if i < len(sizes) - 1:
            _append(steps, f"relu{i}", Relu())
    return Network(name, sizes[:1], tuple(steps))


def convolutional() -> Network:
    """Return three convolutions of 3 x 3, to 8, 16 and 16 channels with strides 1, 2 and 2, and a layer 64 to 10."""
    steps: list[Step] = []
    _append(steps, "image", Reshape((8, 8, 1)))
    for i, (channels, filters, stride) in enumerate(((1, 8, 1), (8, 16, 2), (16, 16, 2)), 1):
        _append(steps, f"conv{i}", _weighted(9 * channels, filters, Unfold(kernel=3, stride=stride, padding=1)))
        _append(steps, f"relu{i}", Relu())
    _append(steps, "flat", Reshape((64,)))
    _append(steps, "layer4", _weighted(64, 10))
    return Network("cnn", (64,), tuple(steps))


def transformer(width: int = 16, heads: int = 2, feed_forward: int = 32) -> Network:
    """Return one block over an image's 8 rows as tokens, and a layer to 10 classes from the mean over tokens.

    x = rows @ embedding + positions; x += attention(norm(x)); x += feed_forward(norm(x)), rectified inside; the mean of
    norm(x) over tokens goes to the last layer.
    """
    head = width // heads
    steps: list[Step] = []
    _append(steps, "rows", Reshape((8, 8)))
    _append(steps, "embedding", _weighted(8, width))
    _append(steps, "positions", Offset(np.zeros((8, width), np.float32)))
    _append(steps, "norm1", _norm(width))
    for part in ("query", "key", "value"):
        _append(steps, part, _weighted(width, width), "norm1")
        _append(steps, f"{part}_split", Reshape((8, heads, head)))
        _append(steps, f"{part}_heads", Transpose((0, 2, 1, 3)))
    _append(steps, "scores", Product(transpose=True, factor=1.0 / math.sqrt(head)), "query_heads", "key_heads")
    _append(steps, "attention", Softmax())
    _append(steps, "mixed", Product(), "attention", "value_heads")
    _append(steps, "mixed_tokens", Transpose((0, 2, 1, 3)))
    _append(steps, "joined", Reshape((8, width)))
    _append(steps, "projection", _weighted(width, width))
    _append(steps, "residual1", Add(), "positions", "projection")
    _append(steps, "norm2", _norm(width))
    _append(steps, "expansion", _weighted(width, feed_forward))
    _append(steps, "relu", Relu())
    _append(steps, "contraction", _weighted(feed_forward, width))
    _append(steps, "residual2", Add(), "residual1", "contraction")
    _append(steps, "norm3", _norm(width))
    _append(steps, "mean", Mean(axis=1))
    _append(steps, "classes", _weighted(width, 10))
    return Network("transformer", (64,), tuple(steps))


def _append(steps: list[Step], name: str, operation: Operation, *reads: str) -> None:
    """Append a step that reads the one before it, or those named."""
    steps.append(Step(name, reads or (steps[-1].name if steps else INPUT,), operation))


def _weighted(inputs: int, outputs: int, unfold: Unfold | None = None) -> Weighted:
    return Weighted(np.zeros((inputs, outputs), np.float32), np.zeros(outputs, np.float32), unfold)


def _norm(width: int) -> LayerNorm:
    return LayerNorm(np.ones(width, np.float32), np.zeros(width, np.float32))
