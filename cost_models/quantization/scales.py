"""Scales of number formats, by rule and granularity: what a weight matrix or an activation is divided by when rounded.

Rules: "absmax", under which the largest number in size comes to the format's end; "mse", the best by mean squared error
of 14 scales, .35 to 1 of that; "power_of_two", the least power of two that is not below it, a shift in hardware. What a
scale belongs to: the whole "tensor", a "channel" (the weights of one output), or a "group" of a channel's consecutive
inputs. Integers may have a zero point too (`affine`). Survey: Nagel et al., "A White Paper on Neural Network
Quantization", 2021, arXiv:2106.08295.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.casting import check_finite, rows_errors, rows_rounded
from designgym.cost_models.quantization.formats import Format, integer

Rule = Literal["absmax", "mse", "power_of_two"]
Granularity = Literal["tensor", "channel", "group"]

RULES: tuple[Rule, ...] = ("mse", "absmax", "power_of_two")  # the best first
GRANULARITIES: tuple[Granularity, ...] = ("channel", "tensor", "group")

FACTORS = np.linspace(0.35, 1.0, 14)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Scaling:
    """How scales are found, and what each of them belongs to. group: inputs of a channel that share one."""

    rule: Rule = "mse"
    granularity: Granularity = "channel"
    group: int = 32

    def __post_init__(self) -> None:
        for what, value, known in (
            ("rule", self.rule, get_args(Rule)), ("granularity", self.granularity, get_args(Granularity))
        ):  # fmt: skip
            if value not in known:
                raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}. Choose one.")
        if self.group < 1:
            raise ValueError(f"a group must have at least 1 input, got {self.group}. Raise it.")


def scales_of(rows: Floats, form: Format, rule: Rule) -> Floats:
    """Return the scale of each row, (r, n), by a rule: (r,); 1 for a row of zeros.

    Of an unsigned format numbers below 0 do not count: they are rounded to 0. ValueError for what is no number, and for
    infinities, which no scale serves.
    """
    check_finite(rows)
    largest = np.maximum(rows.max(axis=1), 0.0) / form.high
    if form.signed:
        largest = np.maximum(largest, np.maximum(-rows.min(axis=1), 0.0) / -form.low)
    scales = np.where(largest > 0.0, largest, 1.0)
    if rule == "power_of_two":
        fraction, exponent = np.frexp(scales)
        return np.ldexp(1.0, np.where(fraction == 0.5, exponent - 1, exponent))
    if rule == "mse":
        tried = scales[:, None] * FACTORS
        best = np.take_along_axis(tried, rows_errors(rows, tried, form).argmin(axis=1)[:, None], axis=1)[:, 0]
        return np.where(largest > 0.0, best, 1.0)
    return scales


def rows_of(weight: NDArray[np.floating], scaling: Scaling) -> Floats:
    """Return a weight matrix, (inputs, outputs), as rows of which each has a scale; groups are filled up with zeros."""
    channels = np.ascontiguousarray(weight.T, np.float64)
    if scaling.granularity == "tensor":
        return channels.reshape(1, -1)
    if scaling.granularity == "channel":
        return channels
    outputs, inputs = channels.shape
    filled = np.zeros((outputs, -(-inputs // scaling.group) * scaling.group))
    filled[:, :inputs] = channels
    return filled.reshape(-1, scaling.group)


def weight_of(rows: Floats, inputs: int, outputs: int) -> Singles:
    """Return the matrix, (inputs, outputs), whose rows by `rows_of` these are."""
    return np.ascontiguousarray(rows.reshape(outputs, -1)[:, :inputs].T, np.float32)


def quantised_weight(weight: NDArray[np.floating], form: Format, scaling: Scaling) -> Singles:
    """Return a weight matrix, (inputs, outputs), rounded to a format under scales of its own."""
    rows = rows_of(weight, scaling)
    return weight_of(rows_rounded(rows, scales_of(rows, form, scaling.rule), form), *weight.shape)


@dataclass(frozen=True)
class Quantiser:
    """Rounds activations to a format under one scale that was found beforehand. zero: of an integer, where 0 comes."""

    form: Format
    scale: float
    zero: float = 0.0

    def __call__(self, values: NDArray[np.floating]) -> Singles:
        """Return values of any shape, rounded, float32."""
        array = np.asarray(values)
        rows = np.ascontiguousarray(array, np.float64).reshape(1, -1)
        low, high = self.form.low - self.zero, self.form.high - self.zero
        found = rows_rounded(rows, np.array([self.scale]), self.form, low, high)
        return found.astype(np.float32).reshape(array.shape)


def calibrated(values: NDArray[np.floating], form: Format, rule: Rule) -> Quantiser:
    """Return what rounds activations like these, a calibration set, to a format: one scale for the tensor."""
    rows = np.ascontiguousarray(values, np.float64).reshape(1, -1)
    return Quantiser(form, float(scales_of(rows, form, rule)[0]))


def affine(values: NDArray[np.floating], bits: int) -> Quantiser:
    """Return what rounds to an unsigned integer with a zero point, from the least to the largest of these and 0.

    0 itself is a number of the grid (Jacob et al., CVPR 2018, arXiv:1712.05877, section 2.1).
    """
    array = np.asarray(values, np.float64)
    check_finite(array)
    form = integer(bits, signed=False)
    low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    scale = (high - low) / form.high if high > low else 1.0
    return Quantiser(form, scale, float(np.rint(-low / scale)))
