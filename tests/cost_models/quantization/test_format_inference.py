"""What comes of networks in number formats, computed anew in plain NumPy: every family and every method.

Minifloats and blocks by tables of numbers and `ml_dtypes`, GPTQ by the elimination that its Cholesky factor stands for.
"""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.networks import parameters
from designgym.envs import make_problem

Floats = NDArray[np.float64]
Parameters = dict[str, Floats]
Rounds = Callable[[Floats], Floats]

LAYERS = ("layer1", "layer2", "layer3")
DATA = dataset("digits")
TRAIN, VALIDATION = (DATA.inputs[split].astype(np.float64) for split in ("train", "validation"))
FACTORS = np.linspace(0.35, 1.0, 14)
E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
BLOCKS = {
    "mxfp4_e2m1": (ml_dtypes.float4_e2m1fn, 2, 6.0), "mxfp6_e2m3": (ml_dtypes.float6_e2m3fn, 2, 7.5),
    "mxfp6_e3m2": (ml_dtypes.float6_e3m2fn, 4, 28.0), "mxfp8_e4m3": (ml_dtypes.float8_e4m3fn, 8, 448.0),
}  # fmt: skip


def weights_of(name: str) -> Parameters:
    return {key: array.astype(np.float64) for key, array in parameters(zoo.network(name)).items()}


def nll(logits: Floats) -> float:
    shifted, labels = logits - logits.max(axis=1, keepdims=True), DATA.targets["validation"]
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


def found(network: str = "mlp", **given: Any) -> float:
    problem = make_problem("FormatSearch-v0", network=network, tied=True)
    return float(problem.evaluate(problem.space.parse(given)).metrics["nll"][0])


def nearest(x: Floats, numbers: Any) -> Floats:
    """Round to one of some numbers; of two as near to that of the even place from 0 up."""
    positive = np.array(sorted(one for one in numbers if one >= 0))
    sizes = np.abs(x) if min(numbers) < 0 else np.maximum(x, 0.0)
    above = np.clip(np.searchsorted(positive, sizes), 1, len(positive) - 1)
    low, high = positive[above - 1], positive[above]
    up = (sizes > (low + high) / 2) | ((sizes == (low + high) / 2) & (above % 2 == 0))
    return np.where(x < 0, -1.0, 1.0) * np.where(up, high, low)


def nearest_of_all(x: Floats, numbers: Any) -> Floats:
    """Round to one of some numbers that are not alike above and below 0."""
    ordered = np.array(sorted(numbers))
    return ordered[np.searchsorted((ordered[1:] + ordered[:-1]) / 2, x)]


def scale_of(x: Floats, numbers: Any, rule: str) -> float:
    largest = float(np.abs(x).max() / max(numbers)) or 1.0
    if rule == "absmax":
        return largest
    if rule == "power_of_two":
        return float(2.0 ** np.ceil(np.log2(largest)))
    errors = [np.mean((nearest(x / (f * largest), numbers) * f * largest - x) ** 2) for f in FACTORS]
    return float(FACTORS[int(np.argmin(errors))] * largest)


def by_scales(weight: Floats, granularity: str, rounds: Rounds) -> Floats:
    """Round what shares a scale by itself: the matrix, its columns, or 32 of a column."""
    if granularity == "tensor":
        return rounds(weight)
    step = 32 if granularity == "group" else len(weight)
    rounded = np.empty_like(weight)
    for first in range(0, len(weight), step):
        for column in range(weight.shape[1]):
            part = slice(first, first + step), column
            rounded[part] = rounds(weight[part])
    return rounded


def to_grid(numbers: Any, rule: str) -> Rounds:
    def rounds(x: Floats) -> Floats:
        scale = scale_of(x, numbers, rule)
        return nearest(x / scale, numbers) * scale

    return rounds


def ternary(x: Floats) -> Floats:
    size = np.abs(x).mean()
    return np.clip(np.rint(x / size), -1.0, 1.0) * size


def mixture(bits: int) -> Rounds:
    sizes, spares = {3: ((0, 1, 2, 4), (-6, -3, 3, 6)), 4: (E2M1, (-8, -5, 5, 8))}[bits]

    def rounds(x: Floats) -> Floats:
        tried = []
        for spare in spares:
            numbers = {*sizes, *(-one for one in sizes), spare}
            scale = np.abs(x).max() / max(abs(one) for one in numbers)
            tried.append(nearest_of_all(x / scale, numbers) * scale)
        return min(tried, key=lambda one: float(((one - x) ** 2).sum()))

    return rounds


def in_blocks(element: str, block: int) -> Rounds:
    kind, exponent, largest = BLOCKS[element]

    def rounds(x: Floats) -> Floats:
        rounded = np.empty_like(x)
        for first in range(0, x.shape[-1], block):
            part = x[..., first : first + block]
            size = np.abs(part).max(axis=-1, keepdims=True)
            scale = 2.0 ** (np.floor(np.log2(np.where(size > 0, size, 1.0))) - exponent)
            units = np.clip(part / scale, -largest, largest).astype(np.float32)
            rounded[..., first : first + block] = units.astype(kind).astype(np.float64) * scale
        return rounded

    return rounds


def mlp(own: Parameters, weighs: Rounds, takes: Callable[[Floats], Rounds]) -> float:
    """Return the nll of the MLP. takes: from what calibration saw to what rounds the like."""
    x, seen = VALIDATION, TRAIN[:256]
    for name in LAYERS:
        weight, bias = own[f"{name}.weight"], own[f"{name}.bias"]
        x, seen = takes(seen)(x) @ weighs(weight) + bias, seen @ weight + bias
        x, seen = (x, seen) if name == LAYERS[-1] else (np.maximum(x, 0.0), np.maximum(seen, 0.0))
    return nll(x)


def takes_grid(numbers: Any, rule: str) -> Callable[[Floats], Rounds]:
    def takes(seen: Floats) -> Rounds:
        scale = scale_of(seen, numbers, rule)
        return lambda x: nearest(x / scale, numbers) * scale

    return takes


SIGNED_E2M1 = (*E2M1, *(-one for one in E2M1[1:]))


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
@pytest.mark.parametrize("rule", ["mse", "power_of_two"])
def test_weights_and_activations_of_every_family_of_scales(granularity: str, rule: str) -> None:
    own = weights_of("mlp")
    numbers = to_grid(SIGNED_E2M1, rule)
    told = mlp(own, lambda w: by_scales(w, granularity, numbers), takes_grid(SIGNED_E2M1, rule))
    given: dict[str, Any] = {"granularity": granularity, "rule": rule}
    assert found(family="minifloat", exponent_bits=2, mantissa_bits=1, **given) == pytest.approx(told, abs=1e-5)
    takes = takes_grid(range(64), rule)
    told = mlp(own, lambda w: by_scales(w, granularity, ternary), takes)
    assert found(family="ternary", activation_bits=6, **given) == pytest.approx(told, abs=1e-5)
    for bits in (3, 4):
        rounds = mixture(bits)
        told = mlp(own, lambda w, rounds=rounds: by_scales(w, granularity, rounds), takes)  # type: ignore[misc]
        assert found(family="mixture", mixture_bits=bits, activation_bits=6, **given) == pytest.approx(told, abs=1e-5)


@pytest.mark.parametrize("block", [8, 16, 32])
@pytest.mark.parametrize("element", BLOCKS)
def test_blocks_go_along_the_inputs_of_an_output(element: str, block: int) -> None:
    rounds, given = in_blocks(element, block), {"family": "microscaling", "element": element, "block": block}
    assert found(**given) == pytest.approx(mlp(weights_of("mlp"), lambda w: rounds(w.T).T, lambda _: rounds), abs=1e-5)


@pytest.mark.parametrize(("element", "block"), [("mxfp4_e2m1", 32), ("mxfp8_e4m3", 8)])
def test_blocks_of_a_convolution_go_along_the_patch_as_those_of_its_weights(element: str, block: int) -> None:
    """So that a block's products have one scale, and are one sum: that is what is priced."""
    own, rounds, x = weights_of("cnn"), in_blocks(element, block), VALIDATION.reshape(-1, 8, 8, 1)
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2)):
        padded, out = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), range(0, x.shape[1], stride)
        cut = [[padded[:, i : i + 3, j : j + 3].reshape(len(x), -1) for j in out] for i in out]
        patches = np.array(cut).transpose(2, 0, 1, 3)
        x = np.maximum(rounds(patches) @ rounds(own[f"{name}.weight"].T).T + own[f"{name}.bias"], 0.0)
    logits = rounds(x.reshape(len(x), -1)) @ rounds(own["layer4.weight"].T).T + own["layer4.bias"]
    given = {"family": "microscaling", "element": element, "block": block}
    assert found("cnn", **given) == pytest.approx(nll(logits), abs=1e-5)


def equal_ranges(own: Parameters) -> Parameters:
    own = {name: array.copy() for name, array in own.items()}
    for _ in range(100):
        for first, second in (LAYERS[:2], LAYERS[1:]):
            ranges, after = np.abs(own[f"{first}.weight"]).max(axis=0), np.abs(own[f"{second}.weight"]).max(axis=1)
            factors = np.sqrt(np.where(ranges * after > 0, ranges, 1.0) / np.where(ranges * after > 0, after, 1.0))
            own[f"{first}.weight"] /= factors
            own[f"{first}.bias"] /= factors
            own[f"{second}.weight"] *= factors[:, None]
    return own


def gptq(weight: Floats, gram: Floats, scales: Floats, top: int) -> Floats:
    order, left, rounded = np.argsort(-np.diag(gram), kind="stable"), weight.copy(), np.empty_like(weight)
    inverse = np.linalg.inv(gram + 0.01 * np.diag(gram).mean() * np.eye(len(gram)))
    for i in order:  # and of what is left, the inverse without row and column i
        rounded[i] = np.clip(np.rint(left[i] / scales), -top, top) * scales
        left -= np.outer(inverse[:, i], (left[i] - rounded[i]) / inverse[i, i])
        inverse = inverse - np.outer(inverse[:, i], inverse[i]) / inverse[i, i]
        inverse[i, i] = 1.0  # eliminated: divided by nothing any more
    return rounded


def learned(weight: Floats, gram: Floats, scales: Floats, top: int) -> Floats:
    start = np.clip(np.rint(weight / scales), -top, top)
    codes = start.copy()
    for column, scale in enumerate(scales):
        moved = True
        while moved:
            moved = False
            for j in range(len(weight)):
                slope = gram[j] @ (codes[:, column] * scale - weight[:, column])
                steps = [step for step in (-1, 1) if abs(codes[j, column] + step) <= top
                         and abs(codes[j, column] + step - start[j, column]) <= 1]  # fmt: skip
                gains = [(step * scale) * (2 * slope + step * scale * gram[j, j]) for step in steps]
                if gains and min(gains) < -1e-12 * scale**2 * gram[j, j]:
                    codes[j, column] += steps[int(np.argmin(gains))]
                    moved = True
    return codes * scales


METHODS: dict[str, Any] = {"gptq": gptq, "learned": learned}


def by_method(bits: int, method: str, corrected: bool, across: bool, exponent: float | None) -> float:
    """Return the nll of the MLP in integers, activations of 5 bits."""
    own, read, x = weights_of("mlp"), TRAIN, VALIDATION
    own = equal_ranges(own) if across else own
    top = 2 ** (bits - 1) - 1
    for name in LAYERS:
        weight, bias = own[f"{name}.weight"], own[f"{name}.bias"]
        after, factors = read @ weight + bias, np.ones(len(weight))
        if exponent is not None:
            largest, next_largest = np.abs(read[:256]).max(axis=0), np.abs(weight).max(axis=1)
            known = (largest > 0) & (next_largest > 0)
            factors = np.where(known, largest, 1.0) ** exponent / np.where(known, next_largest, 1.0) ** (1 - exponent)
            factors = np.where(known, factors, 1.0)
        weight, read, x = weight * factors[:, None], read / factors, x / factors
        scales = np.array([scale_of(column, range(-top, top + 1), "mse") for column in weight.T])
        rounded = METHODS[method](weight, read.T @ read / len(read), scales, top)
        bias = bias - corrected * (read.mean(axis=0) @ (rounded - weight))
        scale = scale_of(read[:256], range(32), "mse")
        x = np.clip(np.rint(x / scale), 0, 31) * scale @ rounded + bias
        x, read = (x, after) if name == LAYERS[-1] else (np.maximum(x, 0.0), np.maximum(after, 0.0))
    return nll(x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("corrected", "across", "exponent"),
    [(False, False, None), (True, False, None), (True, True, None), (False, False, 0.5), (True, False, 0.75),
     (True, True, 0.5)],
)  # fmt: skip
def test_methods_know_what_a_layer_reads(method: str, corrected: bool, across: bool, exponent: float | None) -> None:
    """With smoothing, of inputs that are divided; with equal ranges, of the network whose ranges are."""
    given = {"bias_correction": "yes" if corrected else "no", "equalisation": "yes" if across else "no"}
    given |= {"rounding": method, "smoothing": "none" if exponent is None else f"{exponent:g}"}
    told = by_method(3, method, corrected, across, exponent)
    assert found(bits=3, activation_bits=5, **given) == pytest.approx(told, abs=1e-5)
