"""What one step of a network does to arrays: each operation is a small value with one function, `apply`.

Arrays lead with a batch axis, which every operation leaves in place; axes are counted with it, so that axis 1 is an
example's first. Definitions: ONNX operators of the like names, https://onnx.ai/onnx/operators/; convolution as a matrix
product of patches: Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document
Processing", 2006; layer normalisation: Ba, Kiros and Hinton, arXiv:1607.06450.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]  # float32 in use, float64 where gradients are checked


@dataclass(frozen=True)
class Unfold:
    """Cut images, (n, height, width, channels), into the square patches that a convolution multiplies."""

    kernel: int
    stride: int = 1
    padding: int = 0

    def apply(self, images: Array) -> Array:
        """Return patches, (n, height', width', kernel * kernel * channels): row by row, channels innermost."""
        p, k = self.padding, self.kernel
        padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0))) if p else images
        windows = sliding_window_view(padded, (k, k), axis=(1, 2))[:, :: self.stride, :: self.stride]
        patches = windows.transpose(0, 1, 2, 4, 5, 3)
        return patches.reshape(*patches.shape[:3], -1)


@dataclass(frozen=True, eq=False)
class Weighted:
    """y = x @ weight + bias over the last axis: a fully connected layer, or with patches a convolution.

    weight: (inputs, outputs); bias: (outputs,). With unfold, inputs = kernel * kernel * channels in its order.
    """

    weight: Array
    bias: Array
    unfold: Unfold | None = None
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ("weight", "bias")

    def apply(self, x: Array) -> Array:
        """x: (n, ..., inputs), or images with unfold."""
        patches = x if self.unfold is None else self.unfold.apply(x)
        if patches.shape[-1] != self.weight.shape[0]:
            raise ValueError(f"the last axis must be {self.weight.shape[0]}, got {patches.shape[-1]}")
        # One multiply of a tall matrix: NumPy would go through the leading axes one by one.
        flat = patches.reshape(-1, self.weight.shape[0]) @ self.weight + self.bias
        return flat.reshape(*patches.shape[:-1], self.weight.shape[1])


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""

    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ()

    def apply(self, x: Array) -> Array:
        """x: any shape."""
        return np.maximum(x, 0)


@dataclass(frozen=True)
class Softmax:
    """exp(x) / sum(exp(x)) along an axis."""

    axis: int = -1
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ()

    def apply(self, x: Array) -> Array:
        """x: any shape."""
        powers = np.exp(x - x.max(axis=self.axis, keepdims=True))
        return powers / powers.sum(axis=self.axis, keepdims=True)


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, over the last axis. scale, offset: (features,)."""

    scale: Array
    offset: Array
    epsilon: float = 1e-5
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ("scale", "offset")

    def normalised(self, x: Array) -> tuple[Array, Array]:
        """Return what scale and offset are applied to, and the deviation it was divided by, (..., 1)."""
        away = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((away * away).mean(axis=-1, keepdims=True) + x.dtype.type(self.epsilon))
        return away / deviation, deviation

    def apply(self, x: Array) -> Array:
        """x: (n, ..., features)."""
        return self.normalised(x)[0] * self.scale + self.offset


@dataclass(frozen=True)
class Product:
    """factor * a @ b of two activations, as in attention; transpose: b's last two axes are swapped first."""

    transpose: bool = False
    factor: float = 1.0
    reads: ClassVar[int] = 2
    arrays: ClassVar[tuple[str, ...]] = ()

    def apply(self, a: Array, b: Array) -> Array:
        """a: (n, ..., rows, inner); b: (n, ..., inner, columns), or (n, ..., columns, inner) with transpose."""
        return (a @ (b.swapaxes(-1, -2) if self.transpose else b)) * a.dtype.type(self.factor)


@dataclass(frozen=True)
class Add:
    """Sum of two activations of one shape: a residual connection."""

    reads: ClassVar[int] = 2
    arrays: ClassVar[tuple[str, ...]] = ()

    def apply(self, a: Array, b: Array) -> Array:
        """a, b: the same shape."""
        if a.shape != b.shape:
            raise ValueError(f"summands must have one shape, got {a.shape} and {b.shape}")
        return a + b


@dataclass(frozen=True, eq=False)
class Offset:
    """x + values, the same for every example: the positions of tokens. values: broadcasts to an example's shape."""

    values: Array
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ("values",)

    def apply(self, x: Array) -> Array:
        """x: (n, ...)."""
        return x + self.values


@dataclass(frozen=True)
class Reshape:
    """Each example in another shape, C order. shape: without the batch axis."""

    shape: tuple[int, ...]
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ()

    def apply(self, x: Array) -> Array:
        """x: (n, ...) with as many entries an example as shape has."""
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ValueError(f"an example must keep its size, got {x.shape[1:]} for {self.shape}")
        return x.reshape(len(x), *self.shape)


@dataclass(frozen=True)
class Transpose:
    """Axes in another order. axes: with the batch axis, so (0, ...)."""

    axes: tuple[int, ...]
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if sorted(self.axes) != list(range(len(self.axes))) or self.axes[0] != 0:
            raise ValueError(f"axes must be an order of 0, 1, ... that begins with the batch's 0, got {self.axes}.")

    def apply(self, x: Array) -> Array:
        """x: as many axes as there are here."""
        return x.transpose(self.axes)


@dataclass(frozen=True)
class Mean:
    """Mean along an axis, which goes away. axis: with the batch axis, so 1 or more."""

    axis: int
    reads: ClassVar[int] = 1
    arrays: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.axis < 1:
            raise ValueError(f"axis must be at least 1, got {self.axis}: the mean is within an example.")

    def apply(self, x: Array) -> Array:
        """x: (n, ...)."""
        return np.asarray(x.mean(axis=self.axis))


Operation = Weighted | Relu | Softmax | LayerNorm | Product | Add | Offset | Reshape | Transpose | Mean
