"""A systolic array and the bits of the network that runs on it: accuracy, time, energy and silicon of one inference.

Sources: `mixed_precision` for accuracy, `systolic_array` and `systolic_widths` for cycles, traffic, energy and area,
`energies` and `mac_areas` for arithmetic of other widths. Such spaces are searched jointly in, for instance, Wang et
al., "HAQ", CVPR 2019, arXiv:1811.08886, and Jiang et al., "Hardware/Software Co-Exploration", TCAD 2020,
arXiv:1907.04650.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer
from designgym.cost_models.accelerator.systolic_array import MODEL as ARRAY
from designgym.cost_models.accelerator.systolic_array import layer_table
from designgym.cost_models.accelerator.systolic_widths import METRICS, Widths, price_widths
from designgym.cost_models.accelerator.technology import WORD_BITS, technology
from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization.energies import INTEGER_ADD, multiply_j
from designgym.cost_models.quantization.formats import integer
from designgym.cost_models.quantization.mac_areas import mac_area_ratio, multiplier_share
from designgym.cost_models.quantization.mixed_precision import BITS, MixedPrecision
from designgym.cost_models.quantization.networks import INPUT, Network, shapes
from designgym.cost_models.quantization.operations import Product, Weighted

MODEL = "1"  # raise it with any number that is not the parts' own
OUTPUT_BITS = 8  # of the network's last layer
FROM_NETWORK = ("accuracy", "accuracy_drop", "nll", "r2", "r2_drop", "model_byte")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class QuantizedAccelerator:
    """A network at batch 1, each layer at bits of its own, on an array whose multipliers take the widest of them.

    network, data, split, rule: as of `MixedPrecision`; networks that multiply activations (attention) are refused.
    technology: as of `SystolicArray`. psum_bits: of additions and of partial sums in SRAM and DRAM, which stay on
    chip where they fit.

    Designs, as columns: those of `SystolicArray` and those of `MixedPrecision`. Operands lie packed in memories, so
    that traffic and what a buffer holds go by their bits; outputs are written at the widest activations of the layers
    that read them, the network's own at 8 bits. The array makes one product a cycle in each processing element,
    whatever its bits: narrow numbers save traffic, energy (operands narrower than the multiplier do not toggle the
    rest of it) and, by the widest weights and activations of any layer, part of the multiplier's silicon; no cycles.
    Left out: what is no weighted layer (pooling, additions), biases and scales, on-chip hand-over from layer to layer:
    every layer reads weights and padded inputs from DRAM. Accuracy is that of exact sums.
    Error: accuracy is measured. At 8 bits throughout and psum_bits=8, all else is what `SystolicArray` says, with its
    errors against SCALE-Sim; narrower words are beyond what that tool counts. Areas and energies of multipliers: see
    `mac_areas` and `energies`; products of 8 by 4 bits take .50 of the energy of 8 by 8 here and .35 as synthesised,
    8 by 2 bits .25 and .08. By `horowitz45` multiply-accumulates are below 1 % of the energy, DRAM about half.
    """

    network: str = "mlp"
    data: str = ""
    split: str = "validation"
    rule: str = "mse"
    technology: str = "horowitz45"
    psum_bits: int = 32

    def __post_init__(self) -> None:
        if isinstance(self.psum_bits, bool) or self.psum_bits not in range(8, 65):
            raise ValueError(f"psum_bits must be a whole number from 8 to 64, got {self.psum_bits!r}. Choose 32.")
        multiplier_share(technology(self.technology))  # what is wrong with it shows now
        self.quantised  # noqa: B018  (and with a network)
        self._shapes  # noqa: B018

    @cached_property
    def quantised(self) -> MixedPrecision:
        """The network and its bits."""
        return MixedPrecision(self.network, self.data, self.split, self.rule)

    @cached_property
    def _shapes(self) -> tuple[Layer, ...]:
        return layers_on_array(self.quantised.float_network)

    @cached_property
    def _tables(self) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        return layer_table(self._shapes), technology(self.technology).tables()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return (*(metric for metric in self.quantised.metrics if metric.name in FROM_NETWORK), *METRICS)

    @cached_property
    def version(self) -> str:
        """Changes with the network, data, technology's numbers and every option."""
        own = technology(self.technology)
        told = repr((self.quantised.version, ARRAY, self._shapes, own, own.node_nm, self.psum_bits))
        return f"{MODEL}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns named above, each (n,). Return every metric and "violation", float64 (n,)."""
        found = self.quantised.evaluate(designs)
        told = {metric.name: found[metric.name] for metric in self.metrics if metric.name in FROM_NETWORK}
        bits = [
            np.stack([np.asarray(designs[pair[kind]], np.int64) for pair in self.quantised.columns]) for kind in (0, 1)
        ]
        widths = self._widths(*bits)
        priced = price_widths(*self._tables, True, designs, widths)
        cannot = priced["violation"] > 0
        return {name: np.where(cannot, np.nan, column) for name, column in told.items()} | priced

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return why it cannot be built, "" where it can."""
        return technology(self.technology).clock_reason(float(design["clock_hz"][0]))

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show the bits of each layer, as `MixedPrecision` does."""
        return self.quantised.pictures(designs, names)

    def _widths(self, weights: Integers, activations: Integers) -> Widths:
        """weights, activations: bits, (layers, n)."""
        read = [
            [activations[i] for i in reading] or [np.full(weights.shape[1], OUTPUT_BITS)] for reading in self._readers
        ]
        outputs = np.stack([np.max(bits, axis=0) for bits in read])
        return Widths(
            weights.astype(np.float64), activations.astype(np.float64), outputs.astype(np.float64),
            float(self.psum_bits), self._mac_energy[weights - BITS[0], activations - BITS[0]],
            mac_area_ratio(weights.max(axis=0), activations.max(axis=0), technology(self.technology)),
        )  # fmt: skip

    @cached_property
    def _mac_energy(self) -> Floats:
        """Energy of a multiply-accumulate over that of 8 bits with an addition of 8 bits, by bits of both, (7, 7)."""
        whole = multiply_j(integer(BITS[-1]), integer(BITS[-1])) + INTEGER_ADD(WORD_BITS)
        sums = INTEGER_ADD(self.psum_bits)
        return np.array([[(multiply_j(integer(w), integer(a)) + sums) / whole for a in BITS] for w in BITS])

    @cached_property
    def _readers(self) -> tuple[tuple[int, ...], ...]:
        return readers(self.quantised.float_network)


def layers_on_array(network: Network) -> tuple[Layer, ...]:
    """Return the weighted layers of a network as an accelerator computes them, in order.

    ValueError names a product of activations, of which an array of integers makes none.
    """
    found, shape = [], shapes(network)
    for step in network.steps:
        operation = step.operation
        if isinstance(operation, Product):
            raise ValueError(
                f"network {network.name}: {step.name} multiplies activations, which stay floats here. Take a network "
                "without attention, such as cnn."
            )
        if not isinstance(operation, Weighted):
            continue
        inputs, outputs = operation.weight.shape
        made = shape[step.name][:-1]
        if operation.unfold is None:
            found.append(gemm_layer(step.name, int(np.prod(made, dtype=int)), inputs, outputs))
        else:
            kernel, stride = operation.unfold.kernel, operation.unfold.stride
            size = (made[0], made[1])
            found.append(conv_layer(step.name, size, (kernel, kernel), inputs // kernel**2, outputs, (stride, stride)))
    return tuple(found)


def readers(network: Network) -> tuple[tuple[int, ...], ...]:
    """Return, for each weighted layer, the places of those that read what it makes, through all that is none."""
    made: dict[str, set[int]] = {INPUT: set()}  # by step: the weighted layers whose outputs it holds
    reading: list[set[int]] = []
    for step in network.steps:
        sources = set().union(*(made[name] for name in step.reads))
        made[step.name] = sources
        if isinstance(step.operation, Weighted):
            for source in sources:
                reading[source].add(len(reading))
            made[step.name] = {len(reading)}
            reading.append(set())
    return tuple(tuple(sorted(found)) for found in reading)
