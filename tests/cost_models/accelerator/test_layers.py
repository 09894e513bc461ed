"""Layers: sizes worked by hand, against SCALE-Sim's own table, and against windows laid out one by one."""

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer, merge_equal

SCALESIM = Path(__file__).parents[2] / "reference" / "accelerator" / "scalesim.csv"


def test_sizes_by_hand() -> None:
    # ResNet-50's first layer: 224 + 2 * 3 of padding, of which the windows reach 229.
    layer = Layer("conv1", 229, 229, 7, 7, 3, 64, 2, 2)
    assert (layer.out_h, layer.out_w, layer.m, layer.k, layer.n) == (112, 112, 12544, 147, 64)
    assert layer.macs == 118_013_952
    assert layer.ifmap_words == 229 * 229 * 3
    assert layer.divides


def test_a_partial_window_counts_as_in_scalesim() -> None:
    layer = Layer("conv1", 230, 230, 7, 7, 3, 64, 2, 2)  # (230 - 7) % 2 = 1
    assert not layer.divides
    assert layer.out_h == 113  # ceil((230 - 7 + 2) / 2)
    assert layer.ifmap_words == 230 * 230 * 3


def test_a_stride_beyond_the_filter_skips_words() -> None:
    layer = Layer("downsample", 55, 55, 1, 1, 64, 128, 2, 2)
    assert (layer.m, layer.ifmap_words) == (28 * 28, 28 * 28 * 64)


def test_a_gemm_is_a_layer_with_its_m_k_n() -> None:
    layer = gemm_layer("qk", 128, 64, 96, count=144)
    assert (layer.m, layer.k, layer.n, layer.count) == (128, 64, 96, 144)
    assert layer.ifmap_words == 128 * 64
    assert layer.macs == 128 * 64 * 96


def test_a_conv_from_its_output_keeps_what_the_windows_reach() -> None:
    layer = conv_layer("conv1", (112, 56), (7, 3), 3, 64, stride=(2, 4))
    assert layer == Layer("conv1", 229, 223, 7, 3, 3, 64, 2, 4)
    assert (layer.out_h, layer.out_w) == (112, 56)


def test_groups_are_copies() -> None:
    layer = conv_layer("depthwise", (14, 14), (3, 3), 96, 96, groups=96)
    assert (layer.k, layer.n, layer.count) == (9, 1, 96)
    assert conv_layer("conv2", (27, 27), (5, 5), 96, 256, groups=2, count=3).count == 6
    with pytest.raises(ValueError, match=r"layer 'x': filters must be a multiple of groups = 3, got 64\."):
        conv_layer("x", (14, 14), (3, 3), 96, 64, groups=3)


def test_sizes_equal_scalesims_on_every_row_of_the_table() -> None:
    with SCALESIM.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 96
    columns = ["ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w"]
    for row in rows:
        layer = Layer(row["layer"], *(int(row[column]) for column in columns))
        assert [layer.m, layer.k, layer.n] == [int(row[c]) for c in "MKN"], row["layer"]


axis = st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(1, 8)).filter(lambda sizes: sizes[1] <= sizes[0])


@given(axis, axis, st.integers(1, 3))
def test_ifmap_words_are_the_distinct_words_under_the_windows(
    rows: tuple[int, int, int], cols: tuple[int, int, int], channels: int
) -> None:
    layer = Layer("x", rows[0], cols[0], rows[1], cols[1], channels, 1, rows[2], cols[2])
    touched = {
        (i * rows[2] + a, j * cols[2] + b)
        for i in range(layer.out_h)
        for j in range(layer.out_w)
        for a in range(rows[1])
        for b in range(cols[1])
    }
    inside = [(y, x) for y, x in touched if y < rows[0] and x < cols[0]]
    assert layer.ifmap_words == len(inside) * channels
    assert layer.divides == (len(inside) == len(touched))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_a_conv_from_its_output_has_that_output(oh: int, ow: int, kh: int, kw: int, sh: int, sw: int) -> None:
    layer = conv_layer("x", (oh, ow), (kh, kw), 2, 3, stride=(sh, sw))
    assert (layer.out_h, layer.out_w) == (oh, ow)
    assert layer.divides


def test_numpy_integers_become_plain_ones() -> None:
    layer = gemm_layer("x", *np.array([4, 5, 6]))
    assert type(layer.m) is int
    assert layer == gemm_layer("x", 4, 5, 6)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None])
@pytest.mark.parametrize("field", ["ifmap_h", "filter_w", "channels", "filters", "stride_h", "count"])
def test_a_size_that_is_no_positive_integer_is_named(field: str, wrong: object) -> None:
    sizes: dict[str, object] = {"ifmap_h": 8, "ifmap_w": 8, "filter_h": 3, "filter_w": 3, "channels": 4, "filters": 5}
    with pytest.raises(ValueError) as error:
        Layer("conv7", **{**sizes, field: wrong})  # type: ignore[arg-type]
    expected = f"layer 'conv7': {field} must be an integer >= 1, got {wrong!r}. Give it a whole positive size."
    assert str(error.value) == expected


def test_a_filter_larger_than_its_ifmap_is_refused() -> None:
    with pytest.raises(ValueError) as error:
        Layer("conv7", 8, 2, 3, 3, 4, 5)
    message = "layer 'conv7': filter_w must be in [1, 2] (ifmap_w, padded), got 3. Lower filter_w or raise ifmap_w."
    assert str(error.value) == message


def test_a_layer_too_large_for_exact_sums_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'x': multiply-accumulates .* must be at most 2\*\*53, got about 2\*\*60\."):
        gemm_layer("x", 10**6, 10**6, 10**6)


@pytest.mark.parametrize("size", ["m", "k", "n"])
def test_a_gemm_names_its_own_sizes(size: str) -> None:
    with pytest.raises(ValueError, match=f"layer 'x': {size} must be an integer >= 1, got 0"):
        gemm_layer("x", **{"m": 1, "k": 1, "n": 1, size: 0})


def test_merging_joins_equal_geometry_in_order_of_first_occurrence() -> None:
    a, b = gemm_layer("a", 8, 4, 2), Layer("b", 5, 5, 3, 3, 1, 1)
    merged = merge_equal([a, b, gemm_layer("c", 8, 4, 2, count=5), gemm_layer("d", 4, 8, 2), gemm_layer("e", 8, 4, 2)])
    assert [layer.name for layer in merged] == ["a +2", "b", "d"]
    assert [layer.count for layer in merged] == [7, 1, 1]
    assert merge_equal([]) == ()


def test_merging_keeps_every_sum() -> None:
    layers = [gemm_layer(f"{i}", 1 + i % 3, 4, 2 + i % 2, count=1 + i) for i in range(20)]
    merged = merge_equal(layers)
    assert len(merged) == 6
    for of in ("macs", "ifmap_words", "m"):
        assert sum(getattr(x, of) * x.count for x in merged) == sum(getattr(x, of) * x.count for x in layers)


def test_layers_pickle_and_hash() -> None:
    layer = gemm_layer("x", 4, 5, 6, count=2)
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert len({layer, gemm_layer("x", 4, 5, 6, count=2)}) == 1
