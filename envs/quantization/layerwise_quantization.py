"""Choose the bits of a trained network layer by layer, told what each layer is like, under a wall of operations.

Source: Wang et al., "HAQ: Hardware-Aware Automated Quantization", CVPR 2019, arXiv:1811.08886, sections 3.1 to 3.3.
There a policy that went over its budget has bits taken away afterwards; here what leads over it is closed, so that a
design is always the one that was chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.mixed_precision import BITS, MixedPrecision
from designgym.cost_models.quantization.networks import Layer
from designgym.envs.objective import Objective
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.bounds import DROP
from designgym.envs.quantization.mixed_precision import objective_of, parameters
from designgym.envs.space import DesignSpace

FEATURES = (
    "layer", "is_activation", "inputs", "outputs", "positions", "weights", "macs", "bits_before", "operations_left",
)  # fmt: skip


def layerwise_quantization(
    network: str = "mlp",
    data: str = "",
    split: str = "validation",
    rule: str = "mse",
    elements: int = 1,
    drop: float = DROP,
    wall: float = 1.0,
    front: bool = False,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose bits layer by layer: for the fewest `bit_operations_ratio`, or below a wall of it for the most accuracy.

    The designs of MixedPrecision-v0 and its numbers, made choice by choice: weights, then activations of each layer in
    order. What is observed of a choice is named in `FEATURES`. wall: the largest `bit_operations_ratio` allowed, which
    no open choice leads over; below 1, where it is one, accuracy is maximised, as HAQ has it, `drop` does not count,
    and defaults are 2 bits. Other options: as of MixedPrecision-v0. ValueError in one line for an option that is wrong.
    """
    model = MixedPrecision(network, data, split, rule, elements)
    features = OperationsWall(model.layers, wall)
    if objective is None:
        objective = objective_of(model, drop, front)
        if wall < 1.0 and not front:
            objective = Objective(maximize=(model.quality,), reward="weighted")
    bits = parameters(model, BITS[-1] if wall == 1.0 else BITS[0])
    space = DesignSpace(*bits, constraints=features.constraints(model.columns))
    return DesignProblem(space, cost_model or model, objective, choice_features=features)


@dataclass(frozen=True)
class OperationsWall:
    """What each choice of bits is told, and which of them keep below a wall of bit operations.

    share: of the bit operations of 8 bits everywhere, at most 1. ValueError where 2 bits everywhere go over it.
    """

    layers: tuple[Layer, ...]
    share: float = 1.0

    def __post_init__(self) -> None:
        least = (BITS[0] / BITS[-1]) ** 2
        if not least <= self.share <= 1.0:
            raise ValueError(
                f"wall must be in [{least:g}, 1] of the bit operations at {BITS[-1]} bits, of which {BITS[0]} bits "
                f"everywhere take {least:g}, got {self.share}. Choose .2, say."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return FEATURES

    @property
    def most(self) -> int:
        """The bit operations allowed."""
        # The share as it is written, .29 and no nearest binary fraction: a design of just so many is below the wall.
        return math.floor(Fraction(repr(float(self.share))) * BITS[-1] ** 2 * sum(layer.macs for layer in self.layers))

    def constraints(self, columns: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Return what the space is told of it: nothing where all designs keep within."""
        if self.share == 1.0:
            return ()
        terms = (f"{layer.macs} * {pair[0]} * {pair[1]}" for layer, pair in zip(self.layers, columns, strict=True))
        return (f"{' + '.join(terms)} <= {self.most}",)

    def observe(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        """Return `FEATURES` of the next choice, (9,), in [0, 1].

        Its layer's place in the network; 1 for activations; the layer's inputs of one output, outputs, positions,
        weights and multiply-accumulates, each log(1 + x) over the largest layer's; bits of the choice before over 8, 0
        for the first; and the share below the wall that is left if all to come takes 2 bits.
        """
        features = self._fixed[len(chosen)].copy()
        features[-2] = BITS[chosen[-1]] / BITS[-1] if chosen else 0.0
        features[-1] = 1.0 - self._least(chosen) / self.most
        return features

    def open(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """Return which of 2 to 8 bits the next choice may take, bool (7,)."""
        macs = self.layers[len(chosen) // 2].macs
        beside = BITS[chosen[-1]] if len(chosen) % 2 else BITS[0]
        more = [macs * beside * (bits - BITS[0]) for bits in BITS]
        return self._least(chosen) + np.array(more) <= self.most

    def _least(self, chosen: Sequence[int]) -> int:
        """Bit operations if everything that is not chosen takes the fewest bits."""
        bits = [BITS[index] for index in chosen] + [BITS[0]] * (2 * len(self.layers) - len(chosen))
        return sum(layer.macs * w * a for layer, w, a in zip(self.layers, bits[0::2], bits[1::2], strict=True))

    @cached_property
    def _fixed(self) -> NDArray[np.float64]:
        """What is known of each choice beforehand, (choices, 9)."""
        sizes = np.log1p([[one.inputs, one.outputs, one.positions, one.weights, one.macs] for one in self.layers])
        sizes /= sizes.max(axis=0)
        table = np.zeros((2 * len(self.layers), len(FEATURES)))
        for i in range(len(self.layers)):
            table[2 * i : 2 * i + 2, 0] = i / max(len(self.layers) - 1, 1)
            table[2 * i + 1, 1] = 1.0
            table[2 * i : 2 * i + 2, 2:7] = sizes[i]
        return table
