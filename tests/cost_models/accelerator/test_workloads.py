"""Workloads: published multiply-accumulate and parameter counts, SCALE-Sim's table, topology files, options."""

import csv
import warnings
from pathlib import Path

import pytest

from designgym.cost_models.accelerator.layers import Layer, gemm_layer
from designgym.cost_models.accelerator.workloads import merge_equal, workload, workload_names

SCALESIM = Path(__file__).parents[2] / "reference" / "accelerator" / "scalesim.csv"
CONV_HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
GEMM_HEADER = "Layer, M, N, K,\n"


def macs(layers: tuple[Layer, ...], prefix: str = "") -> int:
    return sum(layer.macs * layer.count for layer in layers if layer.name.startswith(prefix))


def weights(layers: tuple[Layer, ...], prefix: str = "") -> int:
    return sum(layer.k * layer.n * layer.count for layer in layers if layer.name.startswith(prefix))


# Published counts, each to the digits printed.
# AlexNet, VGG-16: Chen, Krishna, Emer and Sze, ISSCC 2016, doi:10.1109/ISSCC.2016.7418007 (multiply-accumulates and
#   weights of the convolutions); Sze, Chen, Yang and Emer, Proc. IEEE 105(12), 2017, doi:10.1109/JPROC.2017.2761740,
#   Table II (fully connected layers).
# ResNet-18, ResNet-50, MobileNetV2: GFLOPS (of multiply-accumulates) in the torchvision documentation of
#   ResNet18_Weights, ResNet50_Weights and MobileNet_V2_Weights. MobileNetV2 also: its paper, Table 4, 300 M.
@pytest.mark.parametrize(
    ("name", "prefix", "published", "digit"),
    [
        ("alexnet", "conv", 666e6, 1e6),
        ("alexnet", "fc", 58.6e6, 1e5),
        ("vgg16", "conv", 15.3e9, 1e8),
        ("vgg16", "fc", 124e6, 1e6),
        ("resnet18", "", 1.81e9, 1e7),
        ("resnet50", "", 4.09e9, 1e7),
        ("mobilenetv2", "", 0.30e9, 1e7),
    ],
)
def test_macs_equal_the_published_count(name: str, prefix: str, published: float, digit: float) -> None:
    assert abs(macs(workload(name), prefix) - published) <= digit / 2


@pytest.mark.parametrize(("name", "published"), [("alexnet", 2.3e6), ("vgg16", 14.7e6)])
def test_convolution_weights_equal_the_published_count(name: str, published: float) -> None:
    assert abs(weights(workload(name), "conv") - published) <= 0.5e5


@pytest.mark.parametrize(
    ("name", "published"), [("resnet18", 11_689_512), ("resnet50", 25_557_032), ("mobilenetv2", 3_504_872)]
)
def test_parameters_equal_the_published_count_exactly(name: str, published: int) -> None:
    # num_params in the torchvision documentation. Besides weights: a scale and a shift per channel of every convolution
    # (batch normalisation), and the classifier's 1,000 biases.
    layers = workload(name)
    channels = sum(layer.n * layer.count for layer in layers[:-1])
    assert weights(layers) + 2 * channels + 1000 == published


def test_bert_base_macs() -> None:
    # 22.5 G operations at 128 tokens, two to a multiply-accumulate: Jiao et al., TinyBERT, Findings of EMNLP 2020,
    # arXiv:1909.10351, Table 1. They count the additions of biases and such too: 0.7 % more than the multiplies.
    assert 2 * macs(workload("bert-base")) == pytest.approx(22.5e9, rel=0.01)


def test_bert_base_parameters_equal_the_published_count_exactly() -> None:
    # 109,482,240 in the published checkpoint bert-base-uncased, "110M" in Devlin et al., NAACL 2019, section 3. Besides
    # the multiplies' weights and biases: embeddings of 30,522 words, 512 positions and 2 segments; normalisation (scale
    # and shift) after them and twice a block.
    dense = tuple(layer for layer in workload("bert-base") if layer.name not in ("attention.qk", "attention.av"))
    biases = sum(layer.n * layer.count for layer in dense)
    assert weights(dense) + biases + (30522 + 512 + 2) * 768 + 2 * 768 * (1 + 2 * 12) == 109_482_240


# Operations (two to a multiply-accumulate) of GPT-2 small on 1,024 tokens, printed in transformer_sizing.ipynb of
# https://github.com/karpathy/nanoGPT: those of one block, of all 12, and of the head on every token.
NANOGPT_BLOCK = {
    "attn.c_attn": 3_623_878_656,
    "attention.qk": 1_610_612_736,
    "attention.av": 1_610_612_736,
    "attn.c_proj": 1_207_959_552,
    "mlp.c_fc": 4_831_838_208,
    "mlp.c_proj": 4_831_838_208,
}
NANOGPT_TRANSFORMER = 212_600_881_152
NANOGPT_HEAD = 79_047_426_048


@pytest.mark.parametrize(("layer", "published"), NANOGPT_BLOCK.items())
def test_gpt2_prefill_layers_equal_the_published_count(layer: str, published: int) -> None:
    assert 2 * macs(workload("gpt2-prefill"), layer) == 12 * published


def test_gpt2_prefill_is_the_published_blocks_and_the_head_on_one_token() -> None:
    assert 2 * macs(workload("gpt2-prefill")) == NANOGPT_TRANSFORMER + NANOGPT_HEAD // 1024


def test_gpt2_decode_is_one_token_of_prefill() -> None:
    assert 1024 * 2 * macs(workload("gpt2-decode")) == NANOGPT_TRANSFORMER + NANOGPT_HEAD


@pytest.mark.parametrize("name", ["bert-base", "gpt2-prefill", "gpt2-decode"])
def test_attention_is_counted_per_head(name: str) -> None:
    by_name = {layer.name: layer for layer in workload(name)}
    qk, av = by_name["attention.qk"], by_name["attention.av"]
    assert qk.count == av.count == 12 * 12
    assert (qk.k, av.n) == (64, 64)
    assert qk.n == av.k


def test_lengths_are_options() -> None:
    def multiply(name: str, layer: str) -> tuple[int, int, int]:
        found = next(candidate for candidate in workload(name) if candidate.name == layer)
        return found.m, found.k, found.n

    assert multiply("bert-base:sequence=384", "attention.qk") == (384, 64, 384)
    assert multiply("gpt2-prefill:sequence=17", "attention.av") == (17, 17, 64)
    assert multiply("gpt2-decode:context=300", "attention.qk") == (1, 64, 300)
    assert multiply("gpt2-decode:context=300", "mlp.c_fc") == (1, 768, 3072)
    assert workload("bert-base:sequence=128") == workload("bert-base")
    assert workload("gpt2-prefill:sequence=1024") == workload("gpt2-prefill")
    assert workload("gpt2-decode:context=1024") == workload("gpt2-decode")


def test_a_depthwise_layer_is_one_layer_per_channel() -> None:
    depthwise = [layer for layer in workload("mobilenetv2") if layer.name.endswith("depthwise")]
    assert len(depthwise) == 17
    assert all((layer.k, layer.n) == (9, 1) for layer in depthwise)
    assert [layer.count for layer in depthwise[:3]] == [32, 96, 144]


# Layers of the table that are layers of a workload here: (workload, layer).
IN_TABLE = {
    "resnet18.layer2.0.downsample": ("resnet18", "layer2.0.downsample"),
    "resnet18.layer3.0.downsample": ("resnet18", "layer3.0.downsample"),
    "resnet18.layer4.0.downsample": ("resnet18", "layer4.0.downsample"),
    "resnet18.fc": ("resnet18", "fc"),
    "mobilenetv2.pw14.64-384": ("mobilenetv2", "bottleneck4.1.expand"),
    "mobilenetv2.pw14.384-64": ("mobilenetv2", "bottleneck4.1.project"),
    "mobilenetv2.pw7.160-960": ("mobilenetv2", "bottleneck6.1.expand"),
    "mobilenetv2.dw3x3.14.perchannel": ("mobilenetv2", "bottleneck4.1.depthwise"),
    "bert.qk.head.s128": ("bert-base", "attention.qk"),
    "bert.av.head.s128": ("bert-base", "attention.av"),
}


def test_layers_equal_those_of_scalesims_table() -> None:
    with SCALESIM.open(newline="") as file:
        rows = {row["layer"]: row for row in csv.DictReader(file)}
    assert {name for name in rows if not name.startswith("resnet20.")} == set(IN_TABLE)
    for row_name, (network, layer_name) in IN_TABLE.items():
        layer = next(layer for layer in workload(network) if layer.name == layer_name)
        row = rows[row_name]
        assert [layer.m, layer.k, layer.n] == [int(row[size]) for size in "MKN"], row_name
        if layer.filter_h * layer.filter_w > 1 or layer.stride_h > 1:
            assert [layer.ifmap_h, layer.ifmap_w] == [int(row["ifmap_h"]), int(row["ifmap_w"])], row_name


@pytest.mark.parametrize("name", workload_names())
def test_networks_meet_their_outputs_exactly_and_merge(name: str) -> None:
    layers = workload(name)
    assert all(layer.divides for layer in layers)
    assert len({layer.name for layer in layers}) == len(layers)
    merged = merge_equal(layers)
    assert macs(merged) == macs(layers)
    assert len(merged) <= len(layers)


def test_names() -> None:
    expected = "alexnet vgg16 resnet18 resnet50 mobilenetv2 bert-base gpt2-prefill gpt2-decode"
    assert workload_names() == tuple(expected.split())
    assert len(merge_equal(workload("resnet18"))) == 12  # 21 layers


def test_gemm() -> None:
    assert workload("gemm:m=5,k=7,n=9") == (gemm_layer("gemm", 5, 7, 9),)
    assert workload("gemm: n=9, m=5, k=7") == (gemm_layer("gemm", 5, 7, 9),)


def test_conv() -> None:
    # LeNet-5's second convolution: 5 x 5 windows of six 14 x 14 channels make 16 channels of 10 x 10.
    assert workload("conv:out=10,kernel=5,channels=6,filters=16") == (Layer("conv", 14, 14, 5, 5, 6, 16),)
    (strided,) = workload("conv:out=3,kernel=3,channels=2,filters=4,stride=2")
    assert (strided.ifmap_h, strided.stride_h, strided.stride_w, strided.m, strided.k) == (7, 2, 2, 9, 18)
    assert strided.divides


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("conv:out=3", "workload 'conv': kernel, channels, filters must be given. Write conv:out=...,kernel=...,"),
        ("resnet5", "got 'resnet5'. Did you mean 'resnet50'?"),
        ("ResNet18", "got 'ResNet18'. Did you mean 'resnet18'?"),
        ("bert_base:sequence=4", "Did you mean 'bert-base'?"),
        ("qqqq", "workload must be one of alexnet, vgg16, resnet18, resnet50, mobilenetv2, bert-base, gpt2-prefill, "),
        ("", "got ''."),
        ("bert-base:sequense=4", "an option must be one of sequence; got 'sequense'. Did you mean 'sequence'?"),
        ("resnet18:sequence=4", "workload 'resnet18': an option must be left out, it has none; got 'sequence'."),
        ("bert-base:sequence=0", "options must read name=integer, the integer >= 1, got 'sequence=0'. Correct it."),
        ("bert-base:sequence", "options must read name=integer, the integer >= 1, got 'sequence'."),
        ("bert-base:sequence=1.5", "got 'sequence=1.5'"),
        ("bert-base:sequence=4,sequence=5", "option 'sequence' must be given once, got it twice."),
        ("gemm", "workload 'gemm': m, k, n must be given. Write gemm:m=...,k=...,n=...."),
        ("gemm:m=5,n=9", "workload 'gemm': k must be given."),
        ("gemm:m=1000000,k=1000000,n=1000000", "must be at most 2**53"),
        ("none.csv", "workload file none.csv must exist, found none. Check the path."),
        ("none.csv:rows=4", "workload none.csv takes no options, got rows."),
    ],
)
def test_a_wrong_name_is_answered_in_one_line(name: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        workload(name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def read(path: Path, text: str) -> tuple[Layer, ...]:
    file = path / "net.csv"
    file.write_text(text)
    return workload(str(file))


def test_topology_with_one_stride(tmp_path: Path) -> None:
    # Rows in the manner of the tool's own files: padding of blanks and tabs, no trailing comma, blank rows, remarks.
    text = (
        CONV_HEADER
        + "\nConv1     ,227 ,227 ,11 ,11 ,3 ,96 ,4 ,\n\tConv2, 13, 13, 3, 3, 8, 16, 1\n,,,\nFC,1,1,1,1,9,5,1,# dense\n"
    )
    assert read(tmp_path, text) == (
        Layer("Conv1", 227, 227, 11, 11, 3, 96, 4, 4),
        Layer("Conv2", 13, 13, 3, 3, 8, 16),
        Layer("FC", 1, 1, 1, 1, 9, 5),
    )


def test_topology_with_two_strides(tmp_path: Path) -> None:
    header = CONV_HEADER.replace("Strides", "Stride height, Stride width")
    layer = Layer("a", 11, 9, 3, 3, 2, 4, 2, 3)
    assert read(tmp_path, header + "a,11,9,3,3,2,4,2,3,\n") == (layer,)
    assert read(tmp_path, CONV_HEADER + "a,11,9,3,3,2,4,2,3,\n") == (layer,)
    assert read(tmp_path, header + "a,11,9,3,3,2,4,2,\n") == (Layer("a", 11, 9, 3, 3, 2, 4, 2, 2),)


def test_topology_of_gemms_reads_columns_by_their_header(tmp_path: Path) -> None:
    assert read(tmp_path, GEMM_HEADER + "QKT,128,96,64,\n") == (gemm_layer("QKT", 128, 64, 96),)
    assert read(tmp_path, "Layer,M,K,N\nQKT,128,64,96\n") == (gemm_layer("QKT", 128, 64, 96),)


def test_topology_depthwise_batch_and_sparsity(tmp_path: Path) -> None:
    assert read(tmp_path, CONV_HEADER + "Conv_DP_1,16,16,3,3,32,1,1,\n") == (
        Layer("Conv_DP_1", 16, 16, 3, 3, 1, 1, count=32),
    )
    header = CONV_HEADER.replace("\n", " Batch Size, Sparsity,\n")
    assert read(tmp_path, header + "a,5,5,3,3,2,4,1,6,4:4,\n") == (Layer("a", 5, 5, 3, 3, 2, 4, count=6),)
    assert read(tmp_path, CONV_HEADER + "a,5,5,3,3,2,4,1,1:1,\n") == (Layer("a", 5, 5, 3, 3, 2, 4),)
    assert read(tmp_path, CONV_HEADER + "a,5,5,3,3,2,4,1,,,110,\n") == (Layer("a", 5, 5, 3, 3, 2, 4),)


def test_a_partial_window_is_warned_about(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"net\.csv row 2: layer 'Conv1': .* 113 x 112 .* Use an ifmap of 229 x 229"
    ) as caught:
        (layer,) = read(tmp_path, CONV_HEADER + "Conv1,230,229,7,7,3,64,2,\n")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (layer.out_h, layer.out_w) == (113, 112)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, CONV_HEADER + "Conv1,229,229,7,7,3,64,2,\n")


GOOD = "a,5,5,3,3,2,4,1,\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: the header must be 'Layer name, IFMAP Height"),
        (GOOD, "row 1: the header must be"),
        ("Layer,M,N\n", "row 1: the header must be"),
        (CONV_HEADER, "row 2: a topology must have at least one layer, got none."),
        (CONV_HEADER + GOOD + "b,5,5,3,3,2,4,\n", "row 3: a row must have at least 8 cells"),
        (CONV_HEADER + GOOD + "\nb,5,5,3,three,2,4,1,\n", "row 4: Filter Width must be an integer >= 1, got 'three'."),
        (CONV_HEADER + "b,5,,3,3,2,4,1,\n", "row 2: IFMAP Width must be an integer >= 1, got ''."),
        (CONV_HEADER + "b,5,5,3,3,2,4,0,\n", "row 2: Stride height must be an integer >= 1, got '0'."),
        (CONV_HEADER + "b,5,5,3,3,-2,4,1,\n", "row 2: Channels must be an integer >= 1, got '-2'."),
        (CONV_HEADER + "b,5,5,6,3,2,4,1,\n", "row 2: layer 'b': filter_h must be in [1, 5]"),
        (
            CONV_HEADER + "b,5,5,3,3,2,4,1,2:4,\n",
            "row 2: Sparsity must be 1:1, for only dense layers are priced, got '2:4'.",
        ),
        (CONV_HEADER + "b,5,5,3,3,2,4,1,1,7,\n", "row 2: cell '7' must stand under a known column"),
        (GEMM_HEADER + "b,5,5,\n", "row 2: a row must have at least 4 cells (Layer, M, N, K), got 3."),
        (GEMM_HEADER + "b,5,5,x,\n", "row 2: K must be an integer >= 1, got 'x'."),
        (GEMM_HEADER + "b,10000000,10000000,10000000,\n", "row 2: layer 'b': multiply-accumulates"),
    ],
)
def test_a_bad_topology_names_file_row_and_fault(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'net.csv'} {said}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.csv"
    file.write_bytes(bytes(range(128, 256)))
    with pytest.raises(ValueError, match="must be a readable CSV text"):
        workload(str(file))
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(ValueError, match="must be a readable CSV text"):
        workload(str(folder))
