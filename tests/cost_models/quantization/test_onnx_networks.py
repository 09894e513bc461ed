"""ONNX files become networks with the same outputs; what is not taken is named in one line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.quantization import operations as ops
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.networks import Network, check_fits, forward, layers, parameters
from designgym.cost_models.quantization.onnx_operators import OPERATORS
from designgym.cost_models.quantization.zoo import network

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'designgym[onnx]'")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from designgym.cost_models.quantization.onnx_networks import network_of_onnx  # noqa: E402

RNG = np.random.default_rng(0)
DIGITS = dataset("digits").inputs["test"]


class Graph:
    """Nodes and constants, saved as a model."""

    def __init__(self, inputs: tuple[Any, ...], opset: int = 20) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs, self.opset = inputs, opset

    def constant(self, array: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = f"/{name or operator.lower()}/{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [output], name=name, **attributes))
        return output

    def save(self, path: Path, output: str | None = None) -> str:
        value = onnx.helper.make_tensor_value_info
        last = value(output or self.nodes[-1].output[0], onnx.TensorProto.FLOAT, None)
        fed = value("x", onnx.TensorProto.FLOAT, list(self.inputs))
        graph = onnx.helper.make_graph(self.nodes, "net", [fed], [last], self.constants)
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        file = path / "net.onnx"
        onnx.save(model, file)
        return str(file)


def theirs(file: str, x: np.ndarray) -> np.ndarray:
    """What the reference implementation of ONNX makes of the file."""
    (outputs,) = ReferenceEvaluator(file).run(None, {"x": x})
    return outputs


def exported(net: Network, path: Path) -> str:
    """The network as an ONNX file: dense layers as Gemm, over tokens as MatMul and Add, convolutions channels first."""
    graph = Graph(("batch", *net.input_shape))
    made = {"input": "x"}
    shape = {name: value.shape[1:] for name, value in values_of(net, np.zeros((1, *net.input_shape))).items()}
    for step in net.steps:
        read = [made[name] for name in step.reads]
        made[step.name] = _nodes(graph, step.name, step.operation, read, shape[step.reads[0]])
    return graph.save(path)


def values_of(net: Network, x: np.ndarray) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    forward(net, x, values)
    return values


def _nodes(graph: Graph, name: str, operation: Any, read: list[str], shape: tuple[int, ...]) -> str:
    match operation:
        case ops.Weighted(weight, bias, ops.Unfold(kernel, stride, padding)):
            filters = weight.reshape(kernel, kernel, -1, weight.shape[1]).transpose(3, 2, 0, 1)
            first = graph.node("Transpose", *read, perm=[0, 3, 1, 2])
            inputs = (first, graph.constant(filters), graph.constant(bias))
            out = graph.node("Conv", *inputs, name=name, strides=[stride] * 2, pads=[padding] * 4)
            return graph.node("Transpose", out, perm=[0, 2, 3, 1])
        case ops.Weighted(weight, bias) if len(shape) == 1:
            return graph.node("Gemm", *read, graph.constant(weight.T), graph.constant(bias), name=name, transB=1)
        case ops.Weighted(weight, bias):
            product = graph.node("MatMul", *read, graph.constant(weight), name=name)
            return graph.node("Add", graph.constant(bias), product)
        case ops.Relu():
            return graph.node("Relu", *read, name=name)
        case ops.Softmax(axis):
            return graph.node("Softmax", *read, name=name, axis=axis)
        case ops.LayerNorm(scale, offset, epsilon):
            inputs = (*read, graph.constant(scale), graph.constant(offset))
            return graph.node("LayerNormalization", *inputs, name=name, epsilon=epsilon)
        case ops.Product(transpose, factor):
            b = graph.node("Transpose", read[1], perm=[0, 1, 3, 2]) if transpose else read[1]
            product = graph.node("MatMul", read[0], b, name=name)
            return graph.node("Mul", product, graph.constant(np.float32(factor))) if factor != 1.0 else product
        case ops.Add():
            return graph.node("Add", *read, name=name)
        case ops.Offset(values):
            return graph.node("Add", *read, graph.constant(values[None]), name=name)
        case ops.Reshape(to):
            return graph.node("Reshape", *read, graph.constant(np.array([-1, *to])), name=name)
        case ops.Transpose(axes):
            return graph.node("Transpose", *read, name=name, perm=axes)
        case ops.Mean(axis):
            return graph.node("ReduceMean", *read, graph.constant(np.array([axis])), name=name, keepdims=0)
    raise AssertionError(operation)


@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer", "breast_cancer"])
def test_shipped_networks_survive_the_way_out_and_back(tmp_path: Path, name: str) -> None:
    net = network(name)
    data = dataset("breast_cancer" if name == "breast_cancer" else "digits")
    x = data.inputs["test"]
    file = exported(net, tmp_path)
    found = network_of_onnx(file)
    check_fits(found, data)
    outputs = forward(found, x)
    assert outputs.dtype == np.float32
    assert outputs == pytest.approx(forward(net, x), rel=1e-5, abs=1e-5)
    assert outputs == pytest.approx(theirs(file, x), rel=1e-5, abs=1e-4)
    assert layers(found) == layers(net), "the same layers by the same names, biases folded in"
    for own, array in parameters(net).items():
        if own.endswith(("weight", "bias")):
            assert np.array_equal(parameters(found)[own], array)


def test_a_convolutional_network_as_exporters_write_it(tmp_path: Path) -> None:
    """Channels first throughout, a fixed batch, a residual, padding by name, a Softmax at the end."""
    graph = Graph((2, 3, 9, 9), opset=17)
    weights = {name: RNG.normal(size=shape).astype(np.float32) * 0.3 for name, shape in
               {"a": (4, 3, 3, 3), "b": (4, 4, 3, 3), "c": (5, 4, 2, 2), "d": (80, 6)}.items()}  # fmt: skip
    a = graph.node("Conv", "x", graph.constant(weights["a"]), auto_pad="SAME_UPPER", strides=[2, 2])
    a = graph.node("Relu", a)
    b = graph.node("Conv", a, graph.constant(weights["b"]), graph.constant(np.ones(4, np.float32)), pads=[1] * 4)
    b = graph.node("Dropout", graph.node("Add", a, b))
    c = graph.node("Conv", graph.node("Relu", b), graph.constant(weights["c"]))
    c = graph.node("Identity", graph.node("Add", c, graph.constant(RNG.normal(size=(1, 5, 1, 1)).astype(np.float32))))
    flat = graph.node("Flatten", c)
    last = graph.node("Gemm", flat, graph.constant(weights["d"]), alpha=0.5)
    shares = graph.node("Softmax", last)
    file = graph.save(tmp_path, shares)
    x = RNG.normal(size=(2, 3, 9, 9)).astype(np.float32)
    found = network_of_onnx(file)
    logits = forward(found, x)
    assert ops.Softmax().apply(logits) == pytest.approx(theirs(file, x), abs=1e-6)
    assert logits == pytest.approx(theirs(graph.save(tmp_path, last), x), rel=1e-5, abs=1e-5)
    assert [(layer.inputs, layer.outputs, layer.positions) for layer in layers(found)] == [
        (27, 4, 25), (36, 4, 25), (16, 5, 16), (80, 6, 1)]  # fmt: skip
    turned = [step for step in found.steps if isinstance(step.operation, ops.Transpose)]
    assert len(turned) == 2, "to channels last once, and back before the constant"


def test_scales_go_where_they_are_multiplied(tmp_path: Path) -> None:
    """Queries and keys scaled apart, after a Transpose or before, and by a constant that must be folded first."""
    graph = Graph(("n", 4, 6))
    w = [graph.constant(RNG.normal(size=(6, 6)).astype(np.float32)) for _ in range(3)]
    root = graph.node("Sqrt", graph.constant(np.float32(1 / np.sqrt(6))))
    query = graph.node("Mul", graph.node("Transpose", graph.node("MatMul", "x", w[0]), perm=[0, 2, 1]), root)
    bias = graph.constant(RNG.normal(size=6).astype(np.float32))
    key = graph.node("Div", graph.node("Add", graph.node("MatMul", "x", w[1]), bias), graph.constant(np.float32([1.7])))
    share = graph.node("Softmax", graph.node("MatMul", query, key), axis=1)
    value = graph.node("Mul", graph.constant(np.float32(3.0)), graph.node("Relu", "x"))
    mixed = graph.node("MatMul", value, share)
    mean = graph.node("ReduceMean", mixed, graph.constant(np.array([-1])))
    scaled = graph.node("Mul", graph.node("Reshape", mean, graph.constant(np.array([0, -1]))), root)
    file = graph.save(tmp_path, graph.node("Gemm", scaled, graph.constant(np.ones((4, 2), np.float32))))
    x = RNG.normal(size=(5, 4, 6)).astype(np.float32)
    assert forward(network_of_onnx(file), x) == pytest.approx(theirs(file, x), rel=1e-5, abs=1e-5)


def test_shapes_that_a_file_works_out_are_folded(tmp_path: Path) -> None:
    graph = Graph(("n", 2, 6, 6))
    images = graph.node("Conv", "x", graph.constant(RNG.normal(size=(4, 2, 3, 3)).astype(np.float32)))
    sizes = graph.node("Shape", images)
    places = graph.constant(np.array([0, 1]))
    target = graph.node("Concat", graph.node("Gather", sizes, places), graph.constant(np.array([-1])), axis=0)
    rows = graph.node("Reshape", images, target)
    width = graph.node("Cast", graph.node("Shape", rows, start=2), to=onnx.TensorProto.FLOAT)
    scaled = graph.node("Div", rows, graph.node("Sqrt", width))
    file = graph.save(tmp_path, graph.node("MatMul", scaled, graph.node("Transpose", scaled, perm=[0, 2, 1])))
    x = RNG.normal(size=(3, 2, 6, 6)).astype(np.float32)
    expected = theirs(file, x)
    assert expected.shape == (3, 4, 4)
    assert forward(network_of_onnx(file), x) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_steps_are_named_by_identifiers_that_differ(tmp_path: Path) -> None:
    graph = Graph(("n", 3))
    square = graph.constant(np.eye(3, dtype=np.float32))
    for name in ("/0/Gemm", "fc.1", "fc 1", "input"):
        last = graph.node("Gemm", graph.nodes[-1].output[0] if graph.nodes else "x", square, name=name)
    found = network_of_onnx(graph.save(tmp_path, last))
    assert [step.name for step in found.steps] == ["step_0_Gemm", "fc_1", "fc_1_2", "input_2"]


def one(operator: str, *constants: Any, shape: tuple[Any, ...] = ("n", 2, 4, 4), opset: int = 20, **own: Any) -> Graph:
    graph = Graph(shape, opset)
    graph.node(operator, "x", *(graph.constant(c) for c in constants), name="it", **own)
    return graph


def scaled_relu() -> Graph:
    graph = one("Relu")
    graph.node("Softmax", graph.node("Mul", graph.nodes[-1].output[0], graph.constant(np.float32(2.0))))
    return graph


def cut_batch() -> Graph:
    graph = Graph(("n", 4))
    graph.node("MatMul", "x", graph.node("Relu", "x"), name="it")
    return graph


W = np.ones((3, 2, 3, 3), np.float32)
M = np.ones((4, 3), np.float32)


@pytest.mark.parametrize(
    ("graph", "line"),
    [
        (one("Sigmoid"), r"operator must be one of Gemm, Conv, MatMul, .*; got Sigmoid\."),
        (one("MaxPool", kernel_shape=[2, 2]), "MaxPool node 'it': operator must be one of"),
        (one("Conv", W[:, :1], group=2, shape=("n", 2, 4, 4)), "Conv node 'it' must have group 1, got 2"),
        (one("Conv", W, dilations=[2, 2]), r"must have dilations \[1, 1\], got \[2, 2\]"),
        (one("Conv", W[..., :2]), r"must have a square kernel over two axes, got weights \(3, 2, 3, 2\)"),
        (one("Conv", W, strides=[1, 2]), r"one stride for both axes, got \[1, 2\]"),
        (one("Conv", W, pads=[0, 0, 1, 1]), r"one padding for all four sides, got \[0, 0, 1, 1\]"),
        (one("Conv", W[:, :1]), "must read 1 channels, got 2"),
        (one("Conv", np.ones((3, 2, 5, 5), np.float32)), "cannot take"),
        (one("MatMul", W), r"must have one matrix of weights, got \(3, 2, 3, 3\)"),
        (one("MatMul", np.ones((5, 3), np.float32)), r"cannot take \(2, 4, 4\) an example: the last axis must be 5"),
        (one("Gemm", M, shape=(4, "n"), transA=1), "must be real numbers of fixed sizes .* got sizes 4, n"),
        (one("Gemm", M, shape=("n", 4), transA=1), "must have transA 0, got 1"),
        (one("Gemm", M.T, shape=("n", 4)), "the last axis must be 3, got 4"),
        (one("Softmax", opset=12, axis=1), "must be along one axis of an example, got 1 in opset 12"),
        (one("Softmax", axis=0), "along one axis of an example, got 0"),
        (one("LayerNormalization", np.ones((4, 4), np.float32), axis=2), "must be over the last axis, got axis 2"),
        (one("LayerNormalization", np.ones(1, np.float32)), r"a scale and a bias a feature, \(4,\), got \(1,\)"),
        (one("Flatten", axis=2), "must keep the batch alone, axis 1, got axis 2"),
        (one("Reshape", np.array([-1, 8])), r"must keep the batch as its first axis, got shape \[-1, 8\]"),
        (one("Reshape", np.array([1, -1])), r"must keep the batch as its first axis, got shape \[1, -1\]"),
        (one("Transpose", perm=[1, 0, 2, 3]), r"must keep the batch as its first axis, got perm \[1, 0, 2, 3\]"),
        (one("ReduceMean", np.array([2, 3])), r"along one axis of an example, got axes \[2, 3\]"),
        (one("Mul", np.ones(4, np.float32)), "must be by one constant number"),
        (one("Div", np.float32(0.0)), "must not divide by 0"),
        (one("Add", np.ones((3, 1, 1, 1), np.float32)), r"must add a constant that fits \(2, 4, 4\) an example"),
        (scaled_relu(), "reads a product with a constant, which is taken only on the way to a MatMul"),
        (cut_batch(), "must multiply matrices within an example, got vectors"),
        (one("Relu"), "must have at least one layer with weights, got none"),
        (one("MatMul", np.full((4, 3), np.nan, np.float32)), "network net: weights must be finite, got 12 "),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_named_in_one_line(tmp_path: Path, graph: Graph, line: str) -> None:
    with pytest.raises(ValueError, match=line) as error:
        network_of_onnx(graph.save(tmp_path))
    assert "\n" not in str(error.value)


def test_files_that_are_no_models_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name, line in (
        ("text.onnx", "must be an ONNX model"),
        ("empty.onnx", "without a graph"),
        ("no.onnx", "must exist"),
    ):
        with pytest.raises(ValueError, match=line) as error:
            network_of_onnx(str(tmp_path / name))
        assert "\n" not in str(error.value)


def test_every_operator_is_named_where_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got Tanh") as error:
        network_of_onnx(one("Tanh").save(tmp_path))
    assert all(operator in str(error.value) for operator in OPERATORS)


def test_without_onnx_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['onnx'] = None\n"
        "from designgym.cost_models.quantization.onnx_networks import network_of_onnx\n"
        "network_of_onnx('a.onnx')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (
        "ImportError: reading a.onnx needs the onnx package. Install it: pip install 'designgym[onnx]'." in done.stderr
    )
