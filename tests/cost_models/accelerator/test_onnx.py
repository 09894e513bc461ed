"""ONNX import: small real graphs whose m, k and n are worked by hand, and files that must be refused."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer
from designgym.cost_models.accelerator.workloads import workload

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'designgym[onnx]'")
FLOAT = 1
Shape = list[int | str | None]


def value(name: str, shape: Shape | None, kind: int = FLOAT) -> Any:
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def weight(name: str, *shape: int) -> Any:
    return onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name)


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(operator, inputs.split(), [output], name=f"the_{output}", **attributes)


def save(
    path: Path, nodes: list[Any], inputs: list[Any], weights: list[Any], functions: list[Any] | None = None
) -> str:
    graph = onnx.helper.make_graph(nodes, "net", inputs, [value("y", None)], weights)
    domains = {"local"} | {node.domain for node in nodes}
    opsets = [onnx.helper.make_opsetid(domain, 1 if domain else 17) for domain in {"", *domains}]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=functions or [])
    file = path / "net.onnx"
    onnx.save(model, file)
    return str(file)


def conv(path: Path, data: Shape, kernel: tuple[int, ...], **attributes: Any) -> Layer:
    file = save(path, [node("Conv", "x w", "y", **attributes)], [value("x", data)], [weight("w", *kernel)])
    (layer,) = workload(file)
    return layer


def multiply(path: Path, operator: str, a: Shape, b: Shape, **attributes: Any) -> Layer:
    file = save(path, [node(operator, "a b", "y", **attributes)], [value("a", a), value("b", b)], [])
    (layer,) = workload(file)
    return layer


def test_conv_with_pads(tmp_path: Path) -> None:
    layer = conv(tmp_path, [1, 3, 224, 224], (64, 3, 7, 7), strides=[2, 2], pads=[3, 3, 3, 3])
    assert layer == Layer("the_y", 229, 229, 7, 7, 3, 64, 2, 2)
    assert (layer.m, layer.k, layer.n, layer.count) == (112 * 112, 147, 64, 1)


def test_conv_with_unequal_axes(tmp_path: Path) -> None:
    # Height: (20 + 1 + 0 - 3) // 2 + 1 = 10. Width: (9 + 0 + 2 - 5) // 1 + 1 = 7.
    layer = conv(tmp_path, [1, 4, 20, 9], (8, 4, 3, 5), strides=[2, 1], pads=[1, 0, 0, 2])
    assert (layer.out_h, layer.out_w, layer.k, layer.n) == (10, 7, 60, 8)
    assert (layer.ifmap_h, layer.ifmap_w) == (21, 11)


@pytest.mark.parametrize(
    ("auto_pad", "out"), [("SAME_UPPER", 112), ("SAME_LOWER", 112), ("VALID", 111), ("NOTSET", 111)]
)
def test_conv_auto_pad(tmp_path: Path, auto_pad: str, out: int) -> None:
    layer = conv(tmp_path, [1, 3, 224, 224], (32, 3, 3, 3), strides=[2, 2], auto_pad=auto_pad)
    assert (layer.out_h, layer.out_w) == (out, out)


def test_conv_groups_depthwise_and_batch(tmp_path: Path) -> None:
    layer = conv(tmp_path, [1, 96, 14, 14], (96, 1, 3, 3), group=96, pads=[1, 1, 1, 1])
    assert (layer.m, layer.k, layer.n, layer.count) == (196, 9, 1, 96)
    layer = conv(tmp_path, [5, 96, 27, 27], (256, 48, 5, 5), group=2, pads=[2, 2, 2, 2])
    assert (layer.m, layer.k, layer.n, layer.count) == (729, 1200, 128, 2 * 5)


def test_conv_dilation_keeps_m_k_n(tmp_path: Path) -> None:
    # A 3 x 3 kernel with dilation 4 reaches 9: (33 + 2 * 4 - 9) + 1 = 33.
    layer = conv(tmp_path, [1, 16, 33, 33], (8, 16, 3, 3), dilations=[4, 4], pads=[4, 4, 4, 4])
    assert (layer.m, layer.k, layer.n) == (33 * 33, 144, 8)
    assert 41 - (layer.out_h + 2) <= (4 - 1) * (3 - 1)  # rows of the padded ifmap that are left out


def test_conv_over_one_axis(tmp_path: Path) -> None:
    layer = conv(tmp_path, [1, 80, 3000], (384, 80, 3), strides=[2], pads=[1, 1])
    assert layer == conv_layer("the_y", (1, 1500), (1, 3), 80, 384, stride=(1, 2))


def test_conv_weights_need_not_be_stored(tmp_path: Path) -> None:
    file = save(tmp_path, [node("Conv", "x w", "y")], [value("x", [1, 3, 9, 9]), value("w", [4, 3, 3, 3])], [])
    assert workload(file)[0].m == 49
    model = onnx.load(save(tmp_path, [node("Conv", "x w", "y")], [value("x", [1, 3, 9, 9])], [weight("w", 4, 3, 3, 3)]))
    onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert workload(file)[0].k == 27


@pytest.mark.parametrize(
    ("a", "b", "attributes"),
    [
        ([5, 7], [7, 9], {}),
        ([7, 5], [7, 9], {"transA": 1}),
        ([5, 7], [9, 7], {"transB": 1}),
        ([7, 5], [9, 7], {"transA": 1, "transB": 1}),
    ],
)
def test_gemm(tmp_path: Path, a: Shape, b: Shape, attributes: dict[str, int]) -> None:
    assert multiply(tmp_path, "Gemm", a, b, **attributes) == gemm_layer("the_y", 5, 7, 9)


@pytest.mark.parametrize(
    ("a", "b", "mkn", "count"),
    [
        ([5, 7], [7, 9], (5, 7, 9), 1),
        ([1, 128, 768], [768, 3072], (128, 768, 3072), 1),
        ([4, 128, 768], [768, 3072], (512, 768, 3072), 1),  # one matrix of weights: the batch adds rows
        ([4, 128, 768], [1, 768, 3072], (512, 768, 3072), 1),
        ([1, 12, 128, 64], [1, 12, 64, 128], (128, 64, 128), 12),  # heads
        ([2, 12, 128, 64], [2, 12, 64, 128], (128, 64, 128), 24),
        ([2, 1, 128, 64], [1, 12, 64, 128], (128, 64, 128), 24),  # broadcast
        ([128, 64], [12, 64, 128], (128, 64, 128), 12),
        ([7], [7, 9], (1, 7, 9), 1),
        ([5, 7], [7], (5, 7, 1), 1),
        ([3, 5, 7], [7], (15, 7, 1), 1),
    ],
)
def test_matmul(tmp_path: Path, a: Shape, b: Shape, mkn: tuple[int, int, int], count: int) -> None:
    layer = multiply(tmp_path, "MatMul", a, b)
    assert (layer.m, layer.k, layer.n) == mkn
    assert layer.count == count


def attention_model(path: Path, batch: int | str = 1, sequence: int | str = 32) -> str:
    """Save one attention block: width 24, 3 heads of 8, with the reshapes and transposes an exporter writes."""
    split = onnx.numpy_helper.from_array(np.array([0, 0, 3, 8]), "split")
    join = onnx.numpy_helper.from_array(np.array([0, 0, 24]), "join")
    nodes = []
    for name, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [
            node("MatMul", f"x w{name}", f"{name}0"),
            node("Reshape", f"{name}0 split", f"{name}1"),
            node("Transpose", f"{name}1", name, perm=order),
        ]
    nodes += [
        node("MatMul", "q k", "scores"),
        node("Softmax", "scores", "weights", axis=-1),
        node("MatMul", "weights v", "heads"),
        node("Transpose", "heads", "moved", perm=[0, 2, 1, 3]),
        node("Reshape", "moved join", "joined"),
        node("MatMul", "joined wo", "y"),
    ]
    weights = [weight(f"w{name}", 24, 24) for name in "qkvo"]
    return save(path, nodes, [value("x", [batch, sequence, 24])], [split, join, *weights])


def test_attention_is_counted_per_head(tmp_path: Path) -> None:
    layers = workload(attention_model(tmp_path))
    assert [(layer.name, layer.m, layer.k, layer.n, layer.count) for layer in layers] == [
        ("the_q0", 32, 24, 24, 1),
        ("the_k0", 32, 24, 24, 1),
        ("the_v0", 32, 24, 24, 1),
        ("the_scores", 32, 8, 32, 3),
        ("the_heads", 32, 32, 8, 3),
        ("the_y", 32, 24, 24, 1),
    ]


def test_named_sizes_are_options(tmp_path: Path) -> None:
    file = attention_model(tmp_path, "batch", "sequence")
    layers = workload(f"{file}:batch=2,sequence=10")
    assert [(layer.m, layer.k, layer.n, layer.count) for layer in layers[2:5]] == [
        (20, 24, 24, 1),
        (10, 8, 10, 6),
        (10, 10, 8, 6),
    ]
    with pytest.raises(
        ValueError, match=r"must be one of the model's batch, sequence; got 'sequense'. Did you mean 'sequence'"
    ):
        workload(f"{file}:sequense=10")
    with pytest.raises(ValueError, match=r"must be left out, the model has none; got 'batch'"):
        workload(f"{attention_model(tmp_path)}:batch=2")


def test_a_small_network_in_its_order(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w1", "a", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "a", "b"),
        node("Conv", "b w2", "c", group=16, pads=[1, 1, 1, 1]),
        node("Add", "b c", "d"),
        node("GlobalAveragePool", "d", "e"),
        node("Flatten", "e", "f"),
        node("Gemm", "f w3", "y", transB=1),
    ]
    weights = [weight("w1", 16, 3, 3, 3), weight("w2", 16, 1, 3, 3), weight("w3", 10, 16)]
    layers = workload(save(tmp_path, nodes, [value("x", [1, 3, 32, 32])], weights))
    assert layers == (
        conv_layer("the_a", (16, 16), (3, 3), 3, 16, stride=(2, 2)),
        conv_layer("the_c", (16, 16), (3, 3), 16, 16, groups=16),
        gemm_layer("the_y", 1, 16, 10),
    )


def test_integer_operators(tmp_path: Path) -> None:
    inputs = [value("x", [1, 3, 9, 9], onnx.TensorProto.UINT8), value("w", [4, 3, 3, 3], onnx.TensorProto.UINT8)]
    inputs += [value("a", [5, 7], onnx.TensorProto.UINT8), value("b", [7, 9], onnx.TensorProto.UINT8), value("s", [])]
    inputs += [value("z", [], onnx.TensorProto.UINT8)]
    nodes = [
        node("ConvInteger", "x w", "c"),
        node("QLinearConv", "x s z w s z s z", "d"),
        node("MatMulInteger", "a b", "e"),
        node("QLinearMatMul", "a s z b s z s z", "y"),
    ]
    layers = workload(save(tmp_path, nodes, inputs, []))
    assert [(layer.m, layer.k, layer.n) for layer in layers] == [(49, 27, 4), (49, 27, 4), (5, 7, 9), (5, 7, 9)]


def test_local_functions_are_looked_into(tmp_path: Path) -> None:
    function = onnx.helper.make_function(
        "local", "Dense", ["x", "w"], ["y"], [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="inner")],
        [onnx.helper.make_opsetid("", 17)],
    )  # fmt: skip
    call = onnx.helper.make_node("Dense", ["x", "w"], ["y"], domain="local")
    file = save(tmp_path, [call], [value("x", [5, 7])], [weight("w", 7, 9)], [function])
    (layer,) = workload(file)
    assert (layer.m, layer.k, layer.n) == (5, 7, 9)


def refusal(file: str) -> str:
    with pytest.raises(ValueError) as error:
        workload(file)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_size_without_a_number_names_the_tensor_and_the_remedy(tmp_path: Path) -> None:
    file = save(tmp_path, [node("Conv", "x w", "y")], [value("x", ["batch", 3, 9, 9])], [weight("w", 4, 3, 3, 3)])
    assert refusal(file) == (
        f"{file}: every size must be a number, got (batch, 3, 9, 9) for the tensor 'x'. "
        f"Give sizes after the path ({file}:batch=1), or export the model with fixed shapes."
    )
    assert workload(f"{file}:batch=1")[0].m == 49
    file = save(tmp_path, [node("MatMul", "a b", "y")], [value("a", ["rows", 7]), value("b", ["batch", 7, 9])], [])
    assert f"for the tensor 'a'. Give sizes after the path ({file}:rows=1,batch=1)" in refusal(file)
    file = save(tmp_path, [node("Conv", "x w", "y")], [value("x", [None, 3, 9, 9])], [weight("w", 4, 3, 3, 3)])
    message = refusal(file)
    assert "got (?, 3, 9, 9) for the tensor 'x'. Export the model with fixed shapes." in message


def test_an_inner_tensor_without_a_shape_is_named(tmp_path: Path) -> None:
    nodes = [node("NonZero", "x", "where"), node("Cast", "where", "cast", to=FLOAT), node("MatMul", "cast w", "y")]
    message = refusal(save(tmp_path, nodes, [value("x", [4, 5])], [weight("w", 6, 9)]))
    assert "for the tensor 'cast' that MatMul node 'the_y' reads. Fold the model's constants" in message


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("ConvTranspose", "x w", {}),
        ("Einsum", "x w", {"equation": "abcd,befg->aefg"}),
        ("LSTM", "x w w", {"hidden_size": 4}),
        ("FusedMatMul", "x w", {"domain": "com.microsoft"}),
        ("QLinearConv", "x w", {"domain": "com.microsoft"}),
    ],
)
def test_other_operators_that_multiply_are_refused_by_name(
    tmp_path: Path, operator: str, inputs: str, attributes: dict[str, Any]
) -> None:
    file = save(
        tmp_path, [node(operator, inputs, "y", **attributes)], [value("x", [1, 3, 9, 9])], [weight("w", 3, 4, 3, 3)]
    )
    message = refusal(file)
    assert message.startswith(f"{file}: operator {operator} of node 'the_y' is not priced, only Conv, ")


def test_every_standard_operator_is_priced_refused_or_free_of_multiplies() -> None:
    from designgym.cost_models.accelerator.onnx_import import PRICED, REFUSED

    names = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert set(PRICED) <= names
    refused = {name for name in names - set(PRICED) if REFUSED.fullmatch(name)}
    linear = {"LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor"}
    known = {"ConvTranspose", "DeformConv", "Einsum", "RNN", "LSTM", "GRU", "DFT", "STFT", *linear}
    newer = {"Attention", "LinearAttention", "FlexAttention", "CausalConvWithState"}  # of opset 23 and later
    assert known <= refused <= known | newer


def test_control_flow_around_a_multiply_is_refused(tmp_path: Path) -> None:
    branch = onnx.helper.make_graph([node("MatMul", "x x", "out")], "branch", [], [value("out", [4, 4])])
    nodes = [node("If", "flag", "y", then_branch=branch, else_branch=branch)]
    inputs = [value("flag", [], onnx.TensorProto.BOOL), value("x", [4, 4])]
    assert "operator If of node 'the_y' runs a MatMul an unknown number of times" in refusal(
        save(tmp_path, nodes, inputs, [])
    )


def test_an_operator_nobody_knows_is_warned_about(tmp_path: Path) -> None:
    nodes = [node("MatMul", "a b", "c"), node("Swirl", "c", "y", domain="elsewhere")]
    file = save(tmp_path, nodes, [value("a", [5, 7]), value("b", [7, 9])], [])
    with pytest.warns(UserWarning, match=r"operator Swirl \(domain elsewhere\) of node 'the_y' is not known"):
        assert len(workload(file)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        workload(attention_model(tmp_path))


def test_models_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path, [node("Conv", "x w", "y")], [value("x", [1, 5, 9, 9])], [weight("w", 4, 3, 3, 3)])
    assert "Conv node 'the_y': channels must be 3 * group 1, got 5." in refusal(file)
    file = save(tmp_path, [node("Conv", "x w", "y")], [value("x", [1, 3, 2, 9])], [weight("w", 4, 3, 3, 3)])
    assert "Conv node 'the_y': the kernel must reach over at most 2, got 3." in refusal(file)
    file = save(tmp_path, [node("Conv", "x w", "y")], [value("x", [1, 3, 9, 9, 9])], [weight("w", 4, 3, 3, 3, 3)])
    assert "Conv node 'the_y' must run over 1 or 2 axes" in refusal(file)
    file = save(tmp_path, [node("MatMul", "a b", "y")], [value("a", [5, 7]), value("b", [6, 9])], [])
    assert "MatMul node 'the_y' must multiply (m, k) by (k, n), got (5, 7) by (6, 9)." in refusal(file)
    file = save(tmp_path, [node("Relu", "x", "y")], [value("x", [1, 3])], [])
    assert "must hold at least one of Conv, " in refusal(file)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html></html>", b"\x00\x01\x02\x03", bytes(range(256))])
def test_a_file_that_is_no_onnx_model_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    assert refusal(str(file)).startswith(f"workload file {file} must be an ONNX model, got")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal("none.onnx") == "workload file none.onnx must exist, found none. Check the path."
    (tmp_path / "folder.onnx").mkdir()
    assert "must be an ONNX model, got" in refusal(str(tmp_path / "folder.onnx"))


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = attention_model(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'designgym\[onnx\]'"):
        workload(file)


def test_onnx_is_imported_only_for_a_model() -> None:
    code = (
        "import sys; from designgym.cost_models.accelerator.workloads import workload; workload('resnet18');"
        "sys.exit('onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Models that nobody here wrote: the onnx package's own, whose weights are left out.
MODELS = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def test_the_onnx_packages_resnet50_is_the_built_in_one() -> None:
    def sizes(name: str) -> list[tuple[int, ...]]:
        return sorted((layer.m, layer.k, layer.n, layer.ifmap_words, layer.count) for layer in workload(name))

    assert sizes(str(MODELS / "light_resnet50.onnx")) == sizes("resnet50")


def test_the_onnx_packages_alexnet_has_the_built_in_ones_filters() -> None:
    def filters(name: str) -> list[tuple[int, ...]]:
        return [(layer.filter_h * layer.filter_w * layer.channels, layer.n, layer.count) for layer in workload(name)]

    assert filters(str(MODELS / "light_bvlc_alexnet.onnx")) == filters("alexnet")  # its image is smaller: 224 x 224


# GFLOPS (of multiply-accumulates) in the torchvision documentation of the same networks.
@pytest.mark.parametrize(
    ("model", "published"),
    [("light_vgg19", 19.63e9), ("light_densenet121", 2.83e9), ("light_squeezenet", 0.35e9)],
)
def test_macs_of_the_onnx_packages_models_equal_the_published_count(model: str, published: float) -> None:
    layers = workload(str(MODELS / f"{model}.onnx"))
    assert abs(sum(layer.macs * layer.count for layer in layers) - published) <= 0.005e9
