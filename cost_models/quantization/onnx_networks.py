"""Reads a network with its weights from an ONNX file: dense layers, convolutions, attention, normalisation.

Source: the operators' definitions, https://onnx.ai/onnx/operators/. ONNX images are (n, channels, height, width); here
they are turned to channels last once, where a convolution first reads them, and back where something else does.
"""

import dataclasses
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.networks import INPUT, Network, Step
from designgym.cost_models.quantization.onnx_operators import OPERATORS, Refused, Source
from designgym.cost_models.quantization.operations import Operation, Product, Transpose, Weighted

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
FLOAT_KINDS = (1, 10, 11)  # float32, float16, float64 in onnx.TensorProto


def network_of_onnx(path: str) -> Network:
    """Return the network of an ONNX file, computing in float32, named after the file.

    Operators: those of `onnx_operators.OPERATORS`; what has only constant inputs is folded. The first axis is the
    batch, of any or a fixed size. A Softmax at the end is left out: outputs are logits here.
    ValueError in one line: no ONNX model, an operator or form of it that is not taken (named, with those that are),
    more than one input or output, sizes that are not numbers, NaN among the weights.
    ImportError: the extra `onnx` is not installed.
    """
    model = _load(path)
    reading = Reading(path, model)
    for node in model.graph.node:
        reading.take(node)
    return reading.network()


class Reading:
    """An ONNX graph on its way to steps: what `onnx_operators` reads constants and sources from and adds steps to."""

    def __init__(self, path: str, model: Any) -> None:
        from onnx.numpy_helper import to_array

        self.path, self.graph = path, model.graph
        self.version = next((s.version for s in model.opset_import if s.domain in ("", "ai.onnx")), 0)
        self.constants: dict[str, NDArray[Any]] = {t.name: to_array(t) for t in model.graph.initializer}
        self.readers = Counter(name for node in model.graph.node for name in node.input)
        self.readers.update(value.name for value in model.graph.output)
        fed = [value for value in model.graph.input if value.name not in self.constants]
        if len(fed) != 1 or len(model.graph.output) != 1:
            raise ValueError(
                f"{path} must have one input and one output, got {len(fed)} and {len(model.graph.output)}. "
                f"Cut it with onnx.utils.extract_model."
            )
        self.batch, shape = self._input_shape(fed[0])
        self.shapes: dict[str, tuple[int, ...]] = {INPUT: shape}
        self.sources = {fed[0].name: Source(INPUT)}
        self.steps: list[Step] = []

    def _input_shape(self, value: Any) -> tuple[int, tuple[int, ...]]:
        """Return the fixed batch, 0 if it is free, and an example's shape."""
        kind = value.type.tensor_type
        sizes = [dim.dim_value for dim in kind.shape.dim]
        if len(sizes) < 2 or min(sizes[1:]) < 1 or kind.elem_type not in FLOAT_KINDS:
            raise ValueError(
                f"{self.path}: input {value.name!r} must be real numbers of fixed sizes after the batch's, got sizes "
                f"{', '.join(str(dim.dim_value or dim.dim_param or '?') for dim in kind.shape.dim) or 'unknown'}. "
                f"Export it with fixed shapes."
            )
        return max(sizes[0], 0), tuple(sizes[1:])

    def take(self, node: Any) -> None:
        """Fold a node of constants, or add its steps."""
        read = [name for name in node.input if name]
        if node.op_type == "Constant" or (read and all(name in self.constants for name in read)):
            self._fold(node)
            return
        title = f"{self.path}: {node.op_type} node {node.name or node.output[0]!r}"
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
            raise ValueError(
                f"{title}: operator must be one of {', '.join(OPERATORS)}; got {node.op_type}. Write the network with "
                f"these."
            )
        try:
            OPERATORS[node.op_type](self, node)
        except Refused as error:
            raise ValueError(f"{title} {error}") from None
        except (IndexError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{title} must be as ONNX defines it, got: {reason}. Export it again.") from None

    def _fold(self, node: Any) -> None:
        from onnx.reference import ReferenceEvaluator

        try:
            found = ReferenceEvaluator(node).run(None, {name: self.constants[name] for name in node.input if name})
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.path}: constants that {node.op_type} node {node.name or node.output[0]!r} reads must fold, "
                f"got: {reason}. Fold them on export."
            ) from None
        self.constants.update(zip(node.output, (np.asarray(value) for value in found), strict=False))

    def constant(self, node: Any, place: int, what: str) -> NDArray[Any]:
        """Return the node's constant input, or say that it must be one."""
        name = node.input[place]
        if name not in self.constants:
            raise Refused(f"must have constant {what}, got the activation {name!r}. Fold it on export.")
        return self.constants[name]

    def source(self, name: str) -> Source:
        """Return where an activation is, as it is."""
        if name not in self.sources:
            what = "the constant" if name in self.constants else "the unknown"
            raise Refused(f"must read activations here, got {what} {name!r}. Swap the operands or fold them.")
        return self.sources[name]

    def unscaled(self, name: str) -> Source:
        """Return where an activation is, in any layout, for a reader that takes in no factor."""
        source = self.source(name)
        if source.factor != 1.0:
            raise Refused("reads a product with a constant, which is taken only on the way to a MatMul, Gemm or Conv.")
        return source

    def plain(self, name: str) -> str:
        """Return the step of a tensor as ONNX has it, channels first, for a reader that takes in no factor."""
        self.unscaled(name)
        return self.scaled(name).step

    def scaled(self, name: str, images: bool = False) -> Source:
        """Return where a tensor is, in the layout asked for, for a reader that takes in the factor."""
        source = self.source(name)
        if source.images == images:
            return source
        if images and len(self.shapes[source.step]) != 3:
            raise Refused(f"must read images, (n, channels, height, width), got {self.shapes[source.step]} an example.")
        axes = CHANNELS_LAST if images else CHANNELS_FIRST
        step = self.add(f"{source.step}_{'nhwc' if images else 'nchw'}", Transpose(axes), source.step)
        return Source(step, images, source.factor)

    def add(self, name: str, operation: Operation, *reads: str) -> str:
        """Add a step and return its name: the one given, as an identifier, with a number if it is taken."""
        plain = re.sub(r"\W+", "_", name).strip("_")
        plain = plain if plain and not plain[0].isdigit() else f"step_{plain}"
        own, number = plain, 2
        while own in self.shapes:
            own, number = f"{plain}_{number}", number + 1
        zeros = [np.zeros((1, *self.shapes[read]), np.float32) for read in reads]
        try:
            shape = operation.apply(*zeros).shape[1:]
        except (ValueError, IndexError) as error:
            raise Refused(
                f"cannot take {' and '.join(str(self.shapes[read]) for read in reads)} an example: "
                f"{' '.join(str(error).split())}. Correct the model."
            ) from None
        self.shapes[own] = shape
        self.steps.append(Step(own, reads, operation))
        return own

    def maker(self, tensor: str) -> Operation | None:
        """Return the operation whose output this tensor alone is, read but once: one that may be changed."""
        step = next((step for step in self.steps if step.name == self.source(tensor).step), None)
        alone = sum(source.step == self.source(tensor).step for source in self.sources.values()) == 1
        return step.operation if step and alone and self.readers[tensor] == 1 else None

    def change(self, tensor: str, output: str, operation: Weighted | Product) -> None:
        """Put another operation in the place of the one that makes a tensor, so that it makes the output instead."""
        source = self.sources.pop(tensor)
        self.sources[output] = source
        self.steps = [dataclasses.replace(s, operation=operation) if s.name == source.step else s for s in self.steps]

    def network(self) -> Network:
        """Return what the output needs, without a Softmax at the end."""
        try:
            result = self.plain(self.graph.output[0].name)
        except Refused as error:
            raise ValueError(f"{self.path}: the output {error}") from None
        by_name = {step.name: step for step in self.steps}
        if (
            result in by_name
            and type(by_name[result].operation).__name__ == "Softmax"
            and len(self.shapes[result]) == 1
        ):
            result = by_name[result].reads[0]
        needed, steps = {result}, []
        for step in reversed(self.steps):
            if step.name in needed:
                steps.append(step)
                needed.update(step.reads)
        if not any(isinstance(step.operation, Weighted) for step in steps):
            raise ValueError(f"{self.path} must have at least one layer with weights, got none. Check the file.")
        return Network(Path(self.path).stem, self.shapes[INPUT], tuple(reversed(steps)))


def _load(path: str) -> Any:
    """Return the model, its local functions inlined."""
    try:
        import onnx
        import onnx.inliner

        decode_error = importlib.import_module("google.protobuf.message").DecodeError  # no type stubs come with it
    except ImportError as error:
        raise ImportError(
            f"reading {path} needs the onnx package. Install it: pip install 'designgym[onnx]'."
        ) from error
    try:
        model = onnx.load(path)
    except FileNotFoundError:
        raise ValueError(f"network file {path} must exist, with its external data; found none. Check it.") from None
    except (OSError, ValueError, decode_error, onnx.checker.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"network file {path} must be an ONNX model, got: {reason}. Export it again.") from None
    if model.ir_version < 1 or not model.graph.node:
        raise ValueError(f"network file {path} must be an ONNX model, got a file without a graph. Export it again.")
    return onnx.inliner.inline_local_functions(model) if model.functions else model
