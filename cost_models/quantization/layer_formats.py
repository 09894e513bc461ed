"""The number formats that a layer may be given, each a whole number, and the columns of a design that choose one.

A layer's family tells its kind of numbers, and which other columns matter: integers have bits, and activations bits of
their own; minifloats exponent and mantissa bits, and blocks an element and a length, for weights and activations alike;
ternary weights and mixtures of 3 or 4 bits (see `codebooks`) multiply integers. No combination is impossible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.codebooks import SELECTOR_BITS, TERNARY_BITS
from designgym.cost_models.quantization.formats import Format, integer, minifloat
from designgym.cost_models.quantization.grids import Grid, block_grid, format_grid, mixture_grid, ternary_grid
from designgym.cost_models.quantization.microscaling import MX, Microscaling
from designgym.cost_models.quantization.scales import GRANULARITIES, RULES, Granularity, Rule, Scaling

FAMILIES = ("integer", "minifloat", "microscaling", "ternary", "mixture")
BITS = tuple(range(2, 9))  # of integers
EXPONENT_BITS, MANTISSA_BITS = tuple(range(2, 6)), tuple(range(6))  # E1My is an integer's grid
ELEMENTS, BLOCKS = tuple(MX), (8, 16, 32)
MIXTURE_BITS = (3, 4)
HOLDING = {
    3: integer(4),
    4: integer(6),
}  # bits of a mixture, and the integer that holds all its numbers, or their twice
GROUP = 32  # inputs
SMOOTHINGS: dict[str, float | None] = {"none": None, "0.25": 0.25, "0.5": 0.5, "0.75": 0.75, "1": 1.0}

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class WeightFormat:
    """A kind of weights. bits: stored of each. group_bits: stored of what shares a scale, beside it.

    number: what a multiplier sees of a weight. blocks: of microscaling weights.
    """

    family: str
    name: str
    bits: float
    number: Format
    blocks: Microscaling | None = None
    group_bits: int = 0

    @property
    def by_rule(self) -> bool:
        """Whether scales of these weights are found by a rule."""
        return self.family in ("integer", "minifloat")

    def grid(self, weight: NDArray[Any], rule: Rule, granularity: Granularity) -> Grid:
        """Return the numbers that a weight matrix, (inputs, outputs), may be rounded to."""
        scaling = Scaling(rule, granularity, GROUP)
        if self.blocks is not None:
            return block_grid(weight, self.blocks)
        if self.family == "ternary":
            return ternary_grid(weight, scaling)
        if self.family == "mixture":
            return mixture_grid(weight, int(self.bits), scaling)
        return format_grid(weight, self.number, scaling)


INTEGERS = tuple(integer(bits) for bits in BITS)
MINIFLOATS = tuple(minifloat(exponent, mantissa) for exponent in EXPONENT_BITS for mantissa in MANTISSA_BITS)
BLOCKED = tuple(replace(MX[element], block=block) for element in ELEMENTS for block in BLOCKS)
ACTIVATIONS: tuple[Format | Microscaling, ...] = (*INTEGERS, *MINIFLOATS, *BLOCKED)
WEIGHTS = (
    *(WeightFormat("integer", form.name, form.bits, form) for form in INTEGERS),
    *(WeightFormat("minifloat", form.name, form.bits, form) for form in MINIFLOATS),
    *(
        WeightFormat("microscaling", f"{form.name}/{form.block}", form.element.bits, form.element, form)
        for form in BLOCKED
    ),
    WeightFormat("ternary", "ternary", float(TERNARY_BITS), integer(2)),
    *(
        WeightFormat("mixture", f"mixture{bits}", bits, HOLDING[bits], group_bits=SELECTOR_BITS)
        for bits in MIXTURE_BITS
    ),
)
FIRST = {family: next(i for i, one in enumerate(WEIGHTS) if one.family == family) for family in FAMILIES}
SIZES = (len(WEIGHTS), len(ACTIVATIONS), len(RULES), len(GRANULARITIES), len(SMOOTHINGS))


COLUMNS = (
    "family", "bits", "exponent_bits", "mantissa_bits", "element", "block", "mixture_bits", "activation_bits", "rule",
    "granularity",
)  # fmt: skip


class Chosen(NamedTuple):
    """Places in WEIGHTS, ACTIVATIONS, RULES, GRANULARITIES and SMOOTHINGS, each a number or (n,)."""

    weight: Any
    activation: Any
    rule: Any
    granularity: Any
    smoothing: Any


def columns(prefix: str, smooth: bool) -> tuple[str, ...]:
    """Return the names of a layer's columns. smooth: whether there is one of smoothing."""
    return tuple(prefix + name for name in (*COLUMNS, *(("smoothing",) if smooth else ())))


def chosen(designs: Mapping[str, NDArray[Any]], prefix: str, smooth: bool) -> Chosen:
    """Return what designs choose for a layer, by the columns whose names begin with a prefix; of idle ones 0.

    smooth: whether there is a column of smoothing. ValueError, in one line, for what no column that matters may hold.
    """
    count = len(designs[prefix + "family"])

    def place(name: str, values: Sequence[int], where: NDArray[np.bool_]) -> Integers:
        return np.where(where, places(prefix + name, designs[prefix + name], values, where), 0)

    family = place("family", range(len(FAMILIES)), np.ones(count, bool))
    whole, floats, blocks, ternary, mixed = is_of = [family == one for one in range(len(FAMILIES))]
    exponent, mantissa = place("exponent_bits", EXPONENT_BITS, floats), place("mantissa_bits", MANTISSA_BITS, floats)
    own = [
        place("bits", BITS, whole),
        exponent * len(MANTISSA_BITS) + mantissa,
        place("element", range(len(ELEMENTS)), blocks) * len(BLOCKS) + place("block", BLOCKS, blocks),
        np.zeros_like(family),
        place("mixture_bits", MIXTURE_BITS, mixed),
    ]
    weight = np.select(is_of, [FIRST[name] + one for name, one in zip(FAMILIES, own, strict=True)])
    activation = place("activation_bits", BITS, whole | ternary | mixed)
    return Chosen(
        weight, np.where(floats | blocks, weight, activation), place("rule", range(len(RULES)), ~blocks),
        place("granularity", range(len(GRANULARITIES)), ~blocks),
        place("smoothing", range(len(SMOOTHINGS)), np.full(count, smooth)) if smooth else np.zeros_like(family),
    )  # fmt: skip


def places(name: str, column: NDArray[Any], values: Sequence[int], where: NDArray[np.bool_] | bool = True) -> Integers:
    """Return the places of numbers among values, which increase; ValueError for one that matters and is none."""
    found = np.minimum(np.searchsorted(values, column), len(values) - 1)
    wrong = where & (np.asarray(values)[found] != column)
    if wrong.any():
        allowed = (
            f"{values[0]} to {values[-1]}" if values[-1] - values[0] < len(values) else ", ".join(map(str, values))
        )
        raise ValueError(f"{name} must be one of {allowed}, got {column[wrong][0]}. Choose such a number.")
    return found


def packed(own: Chosen) -> Integers:
    """Return each choice as one whole number."""
    return np.asarray(np.ravel_multi_index(own, SIZES), np.int64)


def unpacked(place: int) -> Chosen:
    """Return the choice that a whole number stands for."""
    return Chosen(*(int(one) for one in np.unravel_index(place, SIZES)))
