"""Scales by rule and granularity, microscaling blocks against `gfloat`, ternary weights and mixtures of data types."""

import gfloat
import numpy as np
import onnx.helper
import onnx.reference
import pytest
import torch
from gfloat import formats as theirs

from designgym.cost_models.quantization.casting import cast
from designgym.cost_models.quantization.codebooks import SPARE, grid, mixture_rounded, ternary
from designgym.cost_models.quantization.formats import format_of
from designgym.cost_models.quantization.microscaling import BLOCK, MX, microscaled, microscaling_of
from designgym.cost_models.quantization.scales import (
    Scaling,
    affine,
    calibrated,
    quantised_weight,
    scales_of,
)

BLOCKS = {
    "mxfp8_e4m3": theirs.format_info_mxfp8_e4m3, "mxfp8_e5m2": theirs.format_info_mxfp8_e5m2,
    "mxfp6_e2m3": theirs.format_info_mxfp6_e2m3, "mxfp6_e3m2": theirs.format_info_mxfp6_e3m2,
    "mxfp4_e2m1": theirs.format_info_mxfp4_e2m1, "mxint8": theirs.format_info_mxint8,
}  # fmt: skip


def weights(inputs: int = 70, outputs: int = 9) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.normal(size=(inputs, outputs)) * np.exp(rng.normal(size=outputs))).astype(np.float32)


@pytest.mark.parametrize("name", ["int4", "E2M1", "e4m3fn", "uint8"])
def test_absmax_brings_the_largest_number_to_the_end(name: str) -> None:
    form, rows = format_of(name), np.abs(weights().T.astype(np.float64))
    assert scales_of(rows, form, "absmax") == pytest.approx(rows.max(axis=1) / form.high, rel=1e-15)
    assert scales_of(np.zeros((2, 5)), form, "mse").tolist() == [1.0, 1.0]


def test_a_full_integer_uses_its_lowest_number() -> None:
    rows = np.array([[-8.0, 3.0]])
    assert scales_of(rows, format_of("int4full"), "absmax")[0] == 1.0
    assert scales_of(rows, format_of("int4"), "absmax")[0] == 8 / 7


@pytest.mark.parametrize("name", ["int3", "E2M1", "E3M2"])
def test_mse_takes_the_best_of_fourteen_scales(name: str) -> None:
    form, rows = format_of(name), weights().T.astype(np.float64)
    found = scales_of(rows, form, "mse")
    for row, scale in zip(rows, found, strict=True):
        tried = scales_of(row[None], form, "absmax")[0] * np.linspace(0.35, 1.0, 14)
        errors = [np.mean((cast(row / one, form) * one - row) ** 2) for one in tried]
        assert scale == pytest.approx(tried[int(np.argmin(errors))], rel=1e-12)


def test_powers_of_two_are_the_least_that_clip_nothing() -> None:
    rows = np.array([[7.0], [7.1], [3.4], [28.0]])
    assert scales_of(rows, format_of("int4"), "power_of_two").tolist() == [1.0, 2.0, 0.5, 4.0]


def test_granularity_says_what_shares_a_scale() -> None:
    form, w = format_of("int4"), weights()
    tensor = quantised_weight(w, form, Scaling("absmax", "tensor"))
    channel = quantised_weight(w, form, Scaling("absmax", "channel"))
    group = quantised_weight(w, form, Scaling("absmax", "group", 32))
    assert tensor == pytest.approx(cast(w * (7 / np.abs(w).max()), form) * (np.abs(w).max() / 7), rel=1e-6)
    scale = np.abs(w).max(axis=0, keepdims=True).astype(np.float64) / 7
    assert channel == pytest.approx(cast(w / scale, form) * scale, rel=1e-6)
    for first in (0, 32, 64):
        part = w[first : first + 32]
        own = np.abs(part).max(axis=0, keepdims=True).astype(np.float64) / 7
        assert group[first : first + 32] == pytest.approx(cast(part / own, form) * own, rel=1e-6)
    errors = [np.mean((one - w) ** 2) for one in (tensor, channel, group)]
    assert errors[0] > errors[1] > errors[2]


def test_rows_do_not_depend_on_each_other() -> None:
    form, w = format_of("E3M2"), weights(300, 40)
    whole = quantised_weight(w, form, Scaling())
    alone = np.concatenate([quantised_weight(w[:, j : j + 1], form, Scaling()) for j in range(40)], axis=1)
    assert (whole == alone).all()


def test_affine_integers_have_zero_among_them() -> None:
    x = np.random.default_rng(0).uniform(-1.0, 3.0, 1000)
    rounds = affine(x, 4)
    assert rounds(np.zeros(3)).tolist() == [0.0] * 3
    assert len(np.unique(rounds(x))) == 16
    positive = affine(np.array([0.0, 15.0]), 4)
    assert (positive.scale, positive.zero) == (1.0, 0.0)


@pytest.mark.parametrize("low", [-1.0, 0.5, -7.0])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_affine_integers_are_those_of_torch_and_onnx(low: float, bits: int) -> None:
    x = np.random.default_rng(0).uniform(low, low + 4.0, 2000).astype(np.float32)
    rounds = affine(x, bits)
    theirs = torch.fake_quantize_per_tensor_affine(
        torch.tensor(x), rounds.scale, int(rounds.zero), 0, 2**bits - 1
    ).numpy()
    assert rounds(x) == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    if bits == 8:
        operator = onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
        _, scale, zero = onnx.reference.ReferenceEvaluator(operator).run(None, {"x": x})
        assert (rounds.scale, rounds.zero) == (pytest.approx(float(scale), rel=1e-5), float(zero))


def test_calibrated_activations_saturate_at_what_was_seen() -> None:
    seen = np.linspace(0.0, 2.0, 100, dtype=np.float32)
    rounds = calibrated(seen, format_of("uint4"), "absmax")
    assert rounds(np.array([-1.0, 2.0, 5.0])).tolist() == pytest.approx([0.0, 2.0, 2.0])


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_those_of_gfloat(name: str) -> None:
    rng, info = np.random.default_rng(0), BLOCKS[name]
    x = rng.normal(size=(400, BLOCK)) * np.exp2(rng.integers(-20, 20, (400, 1)))
    x = x.astype(np.float32).astype(np.float64)
    found = microscaled(x, MX[name])
    for row, own in zip(x, found, strict=True):
        scale = 2.0 ** (np.floor(np.log2(np.abs(row).max())) - MX[name].largest_exponent)
        told = gfloat.round_ndarray(info.etype, row / scale, sat=True) * scale
        assert own.tolist() == told.tolist()
        # theirs without saturation, where nothing saturates
        if np.abs(row / scale).max() <= info.etype.max:
            whole = gfloat.quantize_block(info, row, gfloat.compute_scale_amax)
            assert own.tolist() == whole.tolist()


def test_blocks_go_along_the_last_axis_and_the_last_may_be_short() -> None:
    x = np.random.default_rng(0).normal(size=(3, 70))
    found = microscaled(x, MX["mxfp4_e2m1"])
    assert found.shape == x.shape
    for first, last in ((0, 32), (32, 64), (64, 70)):
        assert (found[:, first:last] == microscaled(x[:, first:last], MX["mxfp4_e2m1"])).all()
    assert microscaled(np.zeros((1, 40)), MX["mxint8"]).tolist() == [[0.0] * 40]
    assert MX["mxfp4_e2m1"].bits == 4.25
    with pytest.raises(ValueError, match="Did you mean 'mxfp4_e2m1'"):
        microscaling_of("mxfp4_e2m2")


def test_ternary_weights_are_signs_times_the_mean_size() -> None:
    rows = weights().T.astype(np.float64)
    found, mean = ternary(rows), np.abs(rows).mean(axis=1, keepdims=True)
    assert set(np.unique(np.round(found / mean, 12))) == {-1.0, 0.0, 1.0}
    assert ((found != 0) == (np.abs(rows) > 0.5 * mean)).all()
    assert ternary(np.zeros((1, 4))).tolist() == [[0.0] * 4]


@pytest.mark.parametrize("bits", [3, 4])
def test_a_mixture_takes_the_spare_number_that_errs_least(bits: int) -> None:
    rows = np.random.default_rng(0).standard_t(3, (50, 64))
    found = mixture_rounded(rows, bits)
    errors = []
    for spare in SPARE[bits]:
        numbers = grid(bits, spare)
        assert len(numbers) == 2**bits
        scale = np.abs(rows).max(axis=1, keepdims=True) / np.abs(numbers).max()
        distance = np.abs(rows[:, :, None] / scale[:, :, None] - numbers)
        errors.append((scale * distance.min(axis=2)) ** 2)
    least = np.min([error.sum(axis=1) for error in errors], axis=0)
    assert ((found - rows) ** 2).sum(axis=1) == pytest.approx(least)
    assert len({int(np.argmin([error[k].sum() for error in errors])) for k in range(50)}) > 1, "groups differ"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    broken = weights()
    broken[3, 2] = bad
    for work in (
        lambda: quantised_weight(broken, format_of("int4"), Scaling()),
        lambda: microscaled(broken, MX["mxint8"]),
        lambda: affine(broken, 4),
        lambda: ternary(broken),
        lambda: mixture_rounded(broken, 4),
    ):
        with pytest.raises(ValueError, match=rf"must be finite, got {bad}"):
            work()


def test_wrong_options_are_one_line() -> None:
    for options, why in (
        ({"rule": "max"}, r"rule must be one of .*power_of_two.*, got 'max'"),
        ({"granularity": "row"}, "granularity must be one of tensor, channel, group, got 'row'"),
        ({"group": 0}, "at least 1 input, got 0"),
    ):
        with pytest.raises(ValueError, match=why):
            Scaling(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 or 4 bits, got 5"):
        mixture_rounded(np.ones((1, 4)), 5)
