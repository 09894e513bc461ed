"""Inference with any number format, layer by layer: weights and activations rounded, products in floating point.

Before a layer is rounded its inputs may be equalised (SmoothQuant: Xiao et al., ICML 2023, arXiv:2211.10438, equation
4): input j is divided by s_j = max|X_j|^a / max|W_j|^(1 - a) and its weights are multiplied by it, which changes no
float. Scales of activations and what is equalised come from the float network on the first 256 training examples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.formats import Format
from designgym.cost_models.quantization.integers import CALIBRATION, fitting
from designgym.cost_models.quantization.microscaling import Microscaling, microscaled
from designgym.cost_models.quantization.networks import INPUT, Network, check_fits, forward
from designgym.cost_models.quantization.operations import Array, Unfold, Weighted
from designgym.cost_models.quantization.scales import Rule, Scaling, calibrated, quantised_weight

Singles = NDArray[np.float32]
Reads = Callable[[Array], Array]  # what comes to a layer, as it multiplies it


@dataclass(frozen=True)
class Setting:
    """How a layer is rounded.

    weight, activation: formats, None for float. scaling: of weights; its rule is also that of activations, which have
    one scale. smoothing: the exponent a of SmoothQuant, None for none. An integer format of activations is taken
    without a sign, of as many bits, where calibration saw none below 0.
    """

    weight: Format | Microscaling | None = None
    activation: Format | Microscaling | None = None
    scaling: Scaling = field(default_factory=Scaling)
    smoothing: float | None = None

    def __post_init__(self) -> None:
        if self.smoothing is not None and not 0.0 <= self.smoothing <= 1.0:
            raise ValueError(f"smoothing must be in [0, 1], got {self.smoothing}. Choose .5, say, or None.")


def smoothing_factors(weight: NDArray[np.floating], seen: NDArray[np.floating], exponent: float) -> NDArray[np.float64]:
    """Return s of each input, (inputs,), by what was seen of it, (..., inputs); 1 where either is 0 throughout."""
    activations = np.abs(seen.reshape(-1, seen.shape[-1]).astype(np.float64)).max(axis=0)
    weights = np.abs(weight.astype(np.float64)).max(axis=1)
    known = (activations > 0) & (weights > 0)
    activations, weights = np.where(known, activations, 1.0), np.where(known, weights, 1.0)
    return np.where(known, activations**exponent / weights ** (1.0 - exponent), 1.0)


def rounded_forward(network: Network, data: Dataset, settings: Mapping[str, Setting], inputs: Array) -> Singles:
    """Return the outputs, (n, outputs), float32, for inputs (n, ...): layers rounded by their settings, others float.

    ValueError where the data do not fit, for a setting of what is no weighted layer, and for smoothing a convolution,
    whose inputs are channels of another layer's pixels.
    """
    check_fits(network, data)
    weighted = [step.name for step in network.steps if isinstance(step.operation, Weighted)]
    for name in settings:
        if name not in weighted:
            raise ValueError(f"settings must be of {', '.join(weighted)}, got {name!r}. Name a weighted layer.")
    seen: dict[str, Array] = {}
    forward(network, data.inputs["train"][:CALIBRATION], seen)
    values: dict[str, Array] = {INPUT: np.asarray(inputs, np.float32)}
    for step in network.steps:
        read = [values[name] for name in step.reads]
        if isinstance(step.operation, Weighted) and step.name in settings:
            values[step.name] = _rounded(step.name, step.operation, settings[step.name], seen[step.reads[0]], read[0])
        else:
            values[step.name] = step.operation.apply(*read)
    return np.asarray(values[network.steps[-1].name], np.float32)


def _rounded(name: str, operation: Weighted, setting: Setting, seen: Array, x: Array) -> Array:
    weight = operation.weight
    if setting.smoothing is not None:
        if operation.unfold is not None:
            raise ValueError(f"smoothing is for dense layers, got the convolution {name}. Leave it out there.")
        factors = smoothing_factors(weight, seen, setting.smoothing)
        seen, x, weight = seen / factors, x / factors, weight * factors[:, None]
    patches = reader(operation.unfold, setting.activation, setting.scaling.rule, seen)(x)
    flat = patches.reshape(-1, len(weight)) @ weight_rounded(weight, setting) + operation.bias
    return flat.reshape(*patches.shape[:-1], -1)


def weight_rounded(weight: NDArray[np.floating], setting: Setting) -> Singles:
    """Return a weight matrix, (inputs, outputs), as a setting has it; blocks go along the inputs of an output."""
    if setting.weight is None:
        return weight.astype(np.float32)
    if isinstance(setting.weight, Microscaling):
        return np.ascontiguousarray(microscaled(weight.T, setting.weight).T)
    return quantised_weight(weight, setting.weight, setting.scaling)


def reader(unfold: Unfold | None, form: Format | Microscaling | None, rule: Rule, seen: Array) -> Reads:
    """Return what makes of the numbers that come to a layer those that it multiplies, (n, ..., inputs), rounded.

    seen: what came of the calibration set. Blocks go along an output's inputs, a patch's of a convolution, as those of
    its weights do: only then have both one scale for a block's sum of products.
    """
    cut = _as_it_is if unfold is None else unfold.apply
    if isinstance(form, Microscaling):
        return lambda x: microscaled(cut(x), form)
    rounds = _single if form is None else calibrated(seen, fitting(form, seen), rule)
    return lambda x: cut(rounds(x))


def _as_it_is(x: Array) -> Array:
    return x


def _single(x: Array) -> Singles:
    return x.astype(np.float32)
