"""How each ONNX operator that is taken becomes steps of a network; what has no such form is refused by its reason.

Source: the operators' definitions, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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

if TYPE_CHECKING:
    from designgym.cost_models.quantization.onnx_networks import Reading

ONE_AXIS = 13  # opset from which Softmax is along one axis; before, over all from it on


class Refused(ValueError):
    """A node has a form that is not taken; the text goes on after the node's name."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a tensor's values are: a step's output, images if channels are last in it, times a factor."""

    step: str
    images: bool = False
    factor: float = 1.0


def _attributes(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def _name(node: Any) -> str:
    return str(node.name or node.output[0])


def _single(array: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32)


def _made(reading: Reading, node: Any, operation: Operation, *reads: str) -> None:
    """Add a step that makes the node's output, laid out as in ONNX."""
    reading.sources[node.output[0]] = Source(reading.add(_name(node), operation, *reads))


def _gemm(reading: Reading, node: Any) -> None:
    own = _attributes(node)
    if own.get("transA", 0):
        raise Refused("must have transA 0, got 1: the batch is the first axis.")
    weight = reading.constant(node, 1, "weights").astype(np.float64) * own.get("alpha", 1.0)
    weight = weight.T if own.get("transB", 0) else weight
    bias = np.zeros(weight.shape[1])
    if len(node.input) > 2 and node.input[2]:
        given = reading.constant(node, 2, "bias").astype(np.float64) * own.get("beta", 1.0)
        if given.size not in (1, weight.shape[1]):
            raise Refused(f"must have one bias an output, {weight.shape[1]}, got {given.shape}.")
        bias = np.broadcast_to(given.reshape(-1), bias.shape)
    source = reading.scaled(node.input[0])
    _made(reading, node, Weighted(_single(source.factor * weight), _single(bias)), source.step)


def _conv(reading: Reading, node: Any) -> None:
    own = _attributes(node)
    weight = reading.constant(node, 1, "weights").astype(np.float64)
    if weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
        raise Refused(f"must have a square kernel over two axes, got weights {weight.shape}.")
    for attribute, allowed in (("group", 1), ("dilations", [1, 1])):
        if own.get(attribute, allowed) != allowed:
            raise Refused(f"must have {attribute} {allowed}, got {own[attribute]}.")
    strides = own.get("strides", [1, 1])
    if strides[0] != strides[1]:
        raise Refused(f"must have one stride for both axes, got {strides}.")
    filters, channels, kernel, _ = weight.shape
    source = reading.scaled(node.input[0], images=True)
    shape = reading.shapes[source.step]
    if shape[2] != channels:
        raise Refused(f"must read {channels} channels, got {shape[2]}. Correct the model.")
    unfold = Unfold(kernel, strides[0], _padding(own, shape, kernel, strides[0]))
    given = len(node.input) > 2 and node.input[2]
    bias = reading.constant(node, 2, "bias") if given else np.zeros(filters)
    # From (filters, channels, row, column) to patches, channels innermost.
    columns = source.factor * weight.transpose(2, 3, 1, 0).reshape(-1, filters)
    step = reading.add(_name(node), Weighted(_single(columns), _single(bias), unfold), source.step)
    reading.sources[node.output[0]] = Source(step, images=True)


def _padding(own: dict[str, Any], shape: tuple[int, ...], kernel: int, stride: int) -> int:
    """Return the padding on each of the four sides, where it is one for all. shape: height, width, channels."""
    mode, pads = own.get("auto_pad", b"NOTSET").decode(), own.get("pads", [0, 0, 0, 0])
    if mode == "VALID":
        pads = [0, 0, 0, 0]
    elif mode.startswith("SAME"):
        total = [max(0, (math.ceil(size / stride) - 1) * stride + kernel - size) for size in shape[:2]]
        less, more = [n // 2 for n in total], [n - n // 2 for n in total]
        pads = less + more if mode == "SAME_UPPER" else more + less
    if len(set(pads)) != 1 or pads[0] < 0:
        raise Refused(f"must have one padding for all four sides, got {list(pads)}.")
    return int(pads[0])


def _matmul(reading: Reading, node: Any) -> None:
    if node.input[1] in reading.constants:
        weight = reading.constants[node.input[1]]
        if weight.ndim != 2:
            raise Refused(f"must have one matrix of weights, got {weight.shape}.")
        source = reading.scaled(node.input[0])
        weighted = Weighted(_single(source.factor * weight.astype(np.float64)), np.zeros(weight.shape[1], np.float32))
        _made(reading, node, weighted, source.step)
        return
    a, b = reading.scaled(node.input[0]), reading.scaled(node.input[1])
    if min(len(reading.shapes[a.step]), len(reading.shapes[b.step])) < 2:
        raise Refused("must multiply matrices within an example, got vectors, which would mix examples of a batch.")
    _made(reading, node, Product(factor=a.factor * b.factor), a.step, b.step)


def _add(reading: Reading, node: Any) -> None:
    constants = [name for name in node.input if name in reading.constants]
    if not constants:
        a, b = (reading.unscaled(name) for name in node.input)
        images = a.images and b.images  # of convolutions both: left as they are
        reads = (a.step, b.step) if images else (reading.plain(name) for name in node.input)
        reading.sources[node.output[0]] = Source(reading.add(_name(node), Add(), *reads), images)
        return
    (tensor,) = (name for name in node.input if name not in reading.constants)
    values = reading.constants[constants[0]]
    shape = reading.shapes[reading.source(tensor).step]
    if values.ndim == len(shape) + 1 and values.shape[0] == 1:
        values = values[0]
    source, maker = reading.source(tensor), reading.maker(tensor)
    alone = values.size == values.shape[-1] if values.ndim else True
    if isinstance(maker, Weighted) and not source.images and source.factor == 1.0 and alone:
        if values.size not in (1, len(maker.bias)):
            raise Refused(f"must add one number an output, {len(maker.bias)}, got {values.shape}.")
        bias = maker.bias.astype(np.float64) + values.reshape(-1)
        reading.change(tensor, node.output[0], dataclasses.replace(maker, bias=_single(bias)))
        return
    step = reading.plain(tensor)
    shape = reading.shapes[step]
    if values.ndim > len(shape) or np.broadcast_shapes(values.shape, shape) != shape:
        raise Refused(f"must add a constant that fits {shape} an example, got {values.shape}.")
    _made(reading, node, Offset(_single(values)), step)


def _scale(reading: Reading, node: Any) -> None:
    """Mul or Div by one constant: taken into what makes the tensor, or into what reads it."""
    constants = [name for name in node.input if name in reading.constants]
    divides = node.op_type == "Div"
    if len(constants) != 1 or reading.constants[constants[0]].size != 1 or (divides and constants[0] != node.input[1]):
        raise Refused("must be by one constant number, as in attention's scale.")
    (tensor,) = (name for name in node.input if name not in reading.constants)
    value = float(reading.constants[constants[0]].reshape(()))
    if divides and value == 0.0:
        raise Refused("must not divide by 0.")
    factor = 1.0 / value if divides else value
    source, maker = reading.source(tensor), reading.maker(tensor)
    if isinstance(maker, Product) and source.factor == 1.0:
        reading.change(tensor, node.output[0], dataclasses.replace(maker, factor=maker.factor * factor))
    elif isinstance(maker, Weighted) and source.factor == 1.0:
        weight, bias = (_single(factor * x.astype(np.float64)) for x in (maker.weight, maker.bias))
        reading.change(tensor, node.output[0], dataclasses.replace(maker, weight=weight, bias=bias))
    else:
        reading.sources[node.output[0]] = dataclasses.replace(source, factor=source.factor * factor)


def _relu(reading: Reading, node: Any) -> None:
    source = reading.unscaled(node.input[0])
    reading.sources[node.output[0]] = Source(reading.add(_name(node), Relu(), source.step), source.images)


def _softmax(reading: Reading, node: Any) -> None:
    step = reading.plain(node.input[0])
    rank = len(reading.shapes[step]) + 1
    axis = _attributes(node).get("axis", -1 if reading.version >= ONE_AXIS else 1) % rank
    if axis == 0 or (reading.version < ONE_AXIS and axis != rank - 1):
        raise Refused(f"must be along one axis of an example, got {axis} in opset {reading.version}.")
    _made(reading, node, Softmax(-1 if axis == rank - 1 else axis), step)


def _layer_normalization(reading: Reading, node: Any) -> None:
    own, step = _attributes(node), reading.plain(node.input[0])
    rank = len(reading.shapes[step]) + 1
    if own.get("axis", -1) % rank != rank - 1:
        raise Refused(f"must be over the last axis, got axis {own['axis']}.")
    scale = reading.constant(node, 1, "scale").reshape(-1)
    given = len(node.input) > 2 and node.input[2]
    offset = reading.constant(node, 2, "bias").reshape(-1) if given else np.zeros_like(scale)
    features = reading.shapes[step][-1:]
    if not scale.shape == offset.shape == features:
        raise Refused(f"must have a scale and a bias a feature, {features}, got {scale.shape} and {offset.shape}.")
    _made(reading, node, LayerNorm(_single(scale), _single(offset), float(own.get("epsilon", 1e-5))), step)


def _flatten(reading: Reading, node: Any) -> None:
    source = reading.scaled(node.input[0])
    shape = reading.shapes[source.step]
    axis = _attributes(node).get("axis", 1)
    if axis not in (1, -len(shape)):
        raise Refused(f"must keep the batch alone, axis 1, got axis {axis}.")
    _reshaped(reading, node, (math.prod(shape),))


def _reshape(reading: Reading, node: Any) -> None:
    target = [int(size) for size in reading.constant(node, 1, "shape").reshape(-1)]
    shape = reading.shapes[reading.scaled(node.input[0]).step]
    if _attributes(node).get("allowzero", 0) and 0 in target:
        raise Refused(f"must keep all values, got shape {target} with allowzero.")
    sizes = [shape[i] if size == 0 and i < len(shape) else size for i, size in enumerate(target[1:])]
    if sizes.count(-1) == 1:
        rest = -math.prod(sizes)
        sizes[sizes.index(-1)] = math.prod(shape) // rest if rest else -1
    free = target[:1] == [0] or target[:1] == [-1] or (reading.batch > 0 and target[:1] == [reading.batch])
    if not free or not sizes or min(sizes) < 1 or math.prod(sizes) != math.prod(shape):
        raise Refused(f"must keep the batch as its first axis, got shape {target} for {shape} an example.")
    _reshaped(reading, node, tuple(sizes))


def _reshaped(reading: Reading, node: Any, shape: tuple[int, ...]) -> None:
    source = reading.scaled(node.input[0])
    step = reading.add(_name(node), Reshape(shape), source.step)
    reading.sources[node.output[0]] = Source(step, factor=source.factor)


def _transpose(reading: Reading, node: Any) -> None:
    source = reading.scaled(node.input[0])
    rank = len(reading.shapes[source.step]) + 1
    axes = tuple(_attributes(node).get("perm", range(rank - 1, -1, -1)))
    if axes[0] != 0:
        raise Refused(f"must keep the batch as its first axis, got perm {list(axes)}.")
    step = reading.add(_name(node), Transpose(axes), source.step)
    reading.sources[node.output[0]] = Source(step, factor=source.factor)


def _reduce_mean(reading: Reading, node: Any) -> None:
    own, step = _attributes(node), reading.plain(node.input[0])
    shape = reading.shapes[step]
    given = reading.constant(node, 1, "axes") if len(node.input) > 1 and node.input[1] else own.get("axes", [])
    axes = [int(axis) % (len(shape) + 1) for axis in given]
    if len(axes) != 1 or axes[0] == 0:
        raise Refused(f"must be along one axis of an example, got axes {list(axes)}.")
    mean = reading.add(_name(node), Mean(axes[0]), step)
    if own.get("keepdims", 1):
        kept = tuple(1 if i == axes[0] - 1 else size for i, size in enumerate(shape))
        mean = reading.add(f"{mean}_kept", Reshape(kept), mean)
    reading.sources[node.output[0]] = Source(mean)


def _shape(reading: Reading, node: Any) -> None:
    """Fold the sizes of an activation; a free batch is 0, which a Reshape takes for "as it is"."""
    own, source = _attributes(node), reading.source(node.input[0])
    shape = reading.shapes[source.step]
    sizes = [reading.batch, *((shape[2], *shape[:2]) if source.images else shape)]
    reading.constants[node.output[0]] = np.array(sizes, np.int64)[own.get("start", 0) : own.get("end")]


def _same(reading: Reading, node: Any) -> None:
    """Identity, and Dropout, which does nothing once trained."""
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] and reading.constant(node, 2, "mode").any():
        raise Refused("must be in inference, got training_mode 1. Export it for inference.")
    reading.sources[node.output[0]] = reading.source(node.input[0])


OPERATORS: dict[str, Callable[[Reading, Any], None]] = {
    "Gemm": _gemm,
    "Conv": _conv,
    "MatMul": _matmul,
    "Add": _add,
    "Mul": _scale,
    "Div": _scale,
    "Relu": _relu,
    "Softmax": _softmax,
    "LayerNormalization": _layer_normalization,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "ReduceMean": _reduce_mean,
    "Shape": _shape,
    "Identity": _same,
    "Dropout": _same,
}
