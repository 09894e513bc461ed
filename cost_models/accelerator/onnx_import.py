"""Reads the convolutions and matrix multiplies of an ONNX model, weights not needed.

Source: the operators' definitions, https://onnx.ai/onnx/operators/; tensor shapes come from onnx.shape_inference.
"""

import difflib
import importlib
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer

Shape = tuple[int | str, ...]  # a size that is not a number is its name, "?" if it has none

STANDARD = ("", "ai.onnx")  # the standard operators' domain, by its two names
CONVOLUTIONS = {"Conv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3)}  # places of data and weights among inputs
MULTIPLIES = {"Gemm": (0, 1), "MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}
PRICED = {**CONVOLUTIONS, **MULTIPLIES}
# Operators that multiply and accumulate in another way, in any domain: ConvTranspose, FusedMatMul, Attention, ...
REFUSED = re.compile(
    r".*(Conv(?!ert)|MatMul|Gemm|Attention|LSTM|GRU|RNN|MoE).*|Einsum|DFT|STFT|Linear(Classifier|Regressor)|SVM.*"
)


def read_onnx(path: str, sizes: Mapping[str, int] | None = None) -> tuple[Layer, ...]:
    """Return the layers of an ONNX model in its order: Conv, Gemm, MatMul and their integer forms.

    sizes: values of the inputs' named dynamic sizes, {"batch": 1, "sequence": 128}.
    - Conv over one or two axes, with pads or auto_pad: a group is a copy (a depthwise layer is one layer per channel),
      and so is an image of the batch. A dilated filter keeps its m, k and n, but its windows are taken to be dense:
      `ifmap_words` leaves out up to (dilation - 1) * (kernel - 1) rows and columns.
    - Gemm, and MatMul: one matrix of weights counts the whole batch in m; two batched operands, as in attention, are a
      copy per batch and head.
    - Operators without multiply-accumulates are passed over. Those that have them and are not priced (ConvTranspose,
      LSTM, Attention, ...), and control flow around priced ones, are an error that names operator and node.

    ValueError in one line: a file that is no ONNX model, a tensor whose shape is not known, an operator as above.
    ImportError: the extra `onnx` is not installed.
    """
    model = _inlined(path, _load(path), dict(sizes or {}))
    for node in model.graph.node:
        if not _is_priced(node):
            _refuse(path, node)
    model = _with_shapes(path, model)
    shapes = _shapes(model.graph)
    layers: list[Layer] = []
    for node in filter(_is_priced, model.graph.node):
        data, weights = (_known(path, model.graph, shapes, node, node.input[i]) for i in PRICED[node.op_type])
        lower = _convolution if node.op_type in CONVOLUTIONS else _multiply
        try:
            layers.append(lower(node.name or node.output[0], _attributes(node), data, weights))
        except ValueError as error:
            raise ValueError(f"{path}: {node.op_type} {error}") from None
    if not layers:
        raise ValueError(
            f"{path} must hold at least one of {', '.join(PRICED)}, got none: nothing to price. Check the file."
        )
    return tuple(layers)


def _load(path: str) -> Any:
    try:
        import onnx

        decode_error = importlib.import_module("google.protobuf.message").DecodeError  # no type stubs come with it
    except ImportError as error:
        raise ImportError(
            f"reading {path} needs the onnx package. Install it: pip install 'designgym[onnx]'."
        ) from error
    try:
        model = onnx.load(path, load_external_data=False)
    except FileNotFoundError:
        raise ValueError(f"workload file {path} must exist, found none. Check the path.") from None
    except (OSError, decode_error) as error:
        raise ValueError(f"workload file {path} must be an ONNX model, got: {_line(error)}. Export it again.") from None
    if model.ir_version < 1 or not model.graph.node:
        raise ValueError(f"workload file {path} must be an ONNX model, got a file without a graph. Export it again.")
    return model


def _inlined(path: str, model: Any, sizes: dict[str, int]) -> Any:
    """Return the model with its named sizes set and its local functions inlined."""
    import onnx.inliner

    named = {dim.dim_param for value in _inputs(model.graph) for dim in value.type.tensor_type.shape.dim} - {""}
    for name in sizes:
        if name not in named:
            near = difflib.get_close_matches(name, named, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            allowed = f"one of the model's {', '.join(sorted(named))}" if named else "left out, the model has none"
            raise ValueError(f"{path}: a named size must be {allowed}; got {name!r}.{hint}")
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
    return onnx.inliner.inline_local_functions(model)


def _with_shapes(path: str, model: Any) -> Any:
    """Return the model with every shape that follows from those it states."""
    import onnx.shape_inference

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} must be a valid ONNX model, got: {_line(error)}. Run onnx.checker on it.") from None


def _inputs(graph: Any) -> list[Any]:
    """Return what the model is fed: its inputs but for the weights, which older models list among them."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def _shape(value: Any) -> Shape:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.dim_value > 0 else dim.dim_param or "?" for dim in dims)


def _shapes(graph: Any) -> dict[str, Shape]:
    """Return the shape of every tensor that has one; one without is absent."""
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {value.name: _shape(value) for value in values if value.type.tensor_type.HasField("shape")}
    shapes.update({tensor.name: tuple(tensor.dims) for tensor in graph.initializer})
    shapes.update({tensor.values.name: tuple(tensor.dims) for tensor in graph.sparse_initializer})
    return shapes


def _known(path: str, graph: Any, shapes: dict[str, Shape], node: Any, tensor: str) -> tuple[int, ...]:
    """Return the tensor's shape in numbers, or say which tensor keeps it from being known and what to do."""
    shape = shapes.get(tensor)
    if shape is not None and all(isinstance(size, int) for size in shape):
        return tuple(int(size) for size in shape)
    open_inputs = [value for value in _inputs(graph) if any(isinstance(size, str) for size in _shape(value))]
    if open_inputs:
        names = {size: None for value in open_inputs for size in _shape(value) if isinstance(size, str) and size != "?"}
        after = f"{path}:" + ",".join(f"{name}=1" for name in names)
        remedy = f"Give sizes after the path ({after}), or export" if names else "Export"
        raise ValueError(
            f"{path}: every size must be a number, got ({_text(_shape(open_inputs[0]))}) for the tensor "
            f"{open_inputs[0].name!r}. {remedy} the model with fixed shapes."
        )
    found = "no shape" if shape is None else f"({_text(shape)})"
    raise ValueError(
        f"{path}: every size must be a number, got {found} for the tensor {tensor!r} that {node.op_type} node "
        f"{node.name or node.output[0]!r} reads. Fold the model's constants, or export it with fixed shapes."
    )


def _text(shape: Iterable[int | str]) -> str:
    return ", ".join(str(size) for size in shape)


def _is_priced(node: Any) -> bool:
    return node.op_type in PRICED and node.domain in STANDARD


def _refuse(path: str, node: Any) -> None:
    """Raise on a node that multiplies and accumulates in a way that is not priced; warn of an operator not known."""
    name = node.name or node.output[0]
    if REFUSED.fullmatch(node.op_type):
        raise ValueError(
            f"{path}: operator {node.op_type} of node {name!r} is not priced, only {', '.join(PRICED)} are. "
            f"Write it with these, or cut it out with onnx.utils.extract_model."
        )
    for inner in _inner_nodes(node):
        if _is_priced(inner) or REFUSED.fullmatch(inner.op_type):
            raise ValueError(
                f"{path}: operator {node.op_type} of node {name!r} runs a {inner.op_type} an unknown number of times. "
                f"Export the model without control flow."
            )
    if node.domain not in (*STANDARD, "ai.onnx.ml"):
        warnings.warn(
            f"{path}: operator {node.op_type} (domain {node.domain}) of node {name!r} is not known here: it is "
            f"taken to do no multiply-accumulates.",
            stacklevel=5,
        )


def _inner_nodes(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        for graph in (*attribute.graphs, attribute.g):
            for inner in graph.node:
                yield inner
                yield from _inner_nodes(inner)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def _convolution(name: str, attributes: dict[str, Any], data: tuple[int, ...], weights: tuple[int, ...]) -> Layer:
    """data: (batch, channels, *sizes); weights: (filters, channels / group, *kernel)."""
    axes = len(data) - 2
    if axes not in (1, 2) or len(weights) != len(data):
        raise ValueError(f"node {name!r} must run over 1 or 2 axes, got data {data}, weights {weights}. Cut it out.")
    groups = attributes.get("group", 1)
    if data[1] != weights[1] * groups:
        raise ValueError(
            f"node {name!r}: channels must be {weights[1]} * group {groups}, got {data[1]}. Correct the model."
        )
    kernel = weights[2:]
    stride = tuple(attributes.get("strides", [1] * axes))
    out = _output(name, attributes, data[2:], kernel, stride)
    return conv_layer(name, _pair(out), _pair(kernel), data[1], weights[0], _pair(stride), groups=groups, count=data[0])


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width; one axis is an image of one row."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (1, sizes[0])


def _output(
    name: str, attributes: dict[str, Any], sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the output's size along each axis, by the operator's padding rule."""
    axes = len(sizes)
    pads, dilations = attributes.get("pads", [0] * 2 * axes), attributes.get("dilations", [1] * axes)
    mode = attributes.get("auto_pad", b"NOTSET").decode()
    out = []
    for i, size in enumerate(sizes):
        if mode.startswith("SAME"):
            out.append(-(-size // stride[i]))
            continue
        padded = size + (pads[i] + pads[i + axes] if mode == "NOTSET" else 0)
        reach = (kernel[i] - 1) * dilations[i] + 1
        if reach > padded:
            raise ValueError(
                f"node {name!r}: the kernel must reach over at most {padded}, got {reach}. Correct the model."
            )
        out.append((padded - reach) // stride[i] + 1)
    return tuple(out)


def _multiply(name: str, attributes: dict[str, Any], a: tuple[int, ...], b: tuple[int, ...]) -> Layer:
    """a: (*batch, m, k), b: (*batch, k, n), transposed where Gemm says so; a vector is one row or one column."""
    a, b = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    (m, k), (k_b, n) = a[-2:], b[-2:]
    if attributes.get("transA", 0):
        m, k = k, m
    if attributes.get("transB", 0):
        k_b, n = n, k_b
    if k != k_b:
        raise ValueError(f"node {name!r} must multiply (m, k) by (k, n), got {a} by {b}. Correct the model.")
    if math.prod(b[:-2]) == 1:  # one matrix of weights for the whole batch: its rows are rows of one multiply
        return gemm_layer(name, math.prod(a[:-2]) * m, k, n)
    axes = max(len(a), len(b)) - 2
    batches = zip(*((1,) * (axes - len(x) + 2) + x[:-2] for x in (a, b)), strict=True)
    return gemm_layer(name, m, k, n, count=math.prod(max(pair) for pair in batches))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
