"""What a network's layers cost and how accurate it is, with integers of 2 to 8 bits chosen layer by layer.

Accuracy is that of the quantised network on real data, see `integers`. Mixed precision as a search: Wang et al., "HAQ",
CVPR 2019, arXiv:1811.08886; Dong et al., "HAWQ", ICCV 2019, arXiv:1905.03696.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization.costs import LANES, bit_operations, cycles, model_bits
from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.energies import mac_j
from designgym.cost_models.quantization.formats import Format
from designgym.cost_models.quantization.integers import IntegerLayers
from designgym.cost_models.quantization.luts import luts_per_mac
from designgym.cost_models.quantization.networks import Layer, Network, digest, layers
from designgym.cost_models.quantization.prefixes import Walk
from designgym.cost_models.quantization.scales import RULES
from designgym.cost_models.quantization.sources import check_elements, check_source, contents, unchanged_parts
from designgym.cost_models.quantization.strips import Row, strips
from designgym.cost_models.quantization.whole import float_score, quality_metrics
from designgym.cost_models.registry import nearest

BITS = tuple(range(2, 9))
COST_METRICS = (
    Metric("bit_operations", "1", "lower", "multiply-accumulates of one example times bits of weight and activation"),
    Metric("bit_operations_ratio", "1", "lower", "the same over those of 8 bits everywhere"),
    Metric("model_byte", "byte", "lower", "weights, and 8 bytes of scale and bias for each output channel"),
    Metric("energy_j", "J", "lower", "arithmetic of one example at 45 nm; memory left out"),
    Metric("luts", "1", "lower", "FPGA tables of a processing element for each layer: a structural estimate"),
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixedPrecision:
    """A network whose layers have integers of 2 to 8 bits, weights and activations each their own.

    network: of the package (mlp, cnn, transformer on digits; breast_cancer, wine, diabetes), or the path of an ONNX
    file, and then data: the path of a .npz with inputs and labels. split: validation, or test, which no search should
    see. rule: of scales, mse, absmax or power_of_two; those of activations are found on the first 256 training
    examples as the float network has them. elements: processing elements of a layer, of 16 lanes.
    Products of two activations, in attention, stay floats and cost nothing here.
    Error: accuracy is measured, on as many examples as the split has: of 449 digits one is .0022. On the same weights
    quant_uniform_digits.csv is met to .0005 at 3 to 8 bits; `luts` is an estimate, see `luts`; `energy_j` goes through
    published points by power laws, see `energies`.
    """

    network: str = "mlp"
    data: str = ""
    split: str = "validation"
    rule: str = "mse"
    elements: int = 1

    _written: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_source(self.network, self.data, self.split)
        if self.rule not in RULES:
            raise ValueError(f"unknown rule of scales {self.rule!r}. {nearest(self.rule, RULES)}")
        check_elements(self.elements)
        object.__setattr__(self, "_written", contents(self.network, self.data))
        self.layers  # noqa: B018  (what does not fit together fails here, where it is written)

    @property
    def _parts(self) -> tuple[Network, Dataset]:
        quantised = self._quantised
        return quantised.network, quantised.data

    @property
    def _quantised(self) -> IntegerLayers:
        return _integer_layers(self.network, self.data, self.rule, self._written)

    @property
    def float_network(self) -> Network:
        """The network before it is quantised."""
        return self._parts[0]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The weighted layers, in order."""
        return layers(self._parts[0])

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Names of the columns of each layer: bits of weights, bits of activations."""
        return tuple((f"{layer.name}_weight_bits", f"{layer.name}_activation_bits") for layer in self.layers)

    @property
    def quality(self) -> str:
        """The metric that quantisation takes from: accuracy, or r2 of a regression."""
        return quality_metrics(self._parts[1].task, self.split)[0].name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        own = quality_metrics(self._parts[1].task, self.split)
        return (*own, *COST_METRICS, Metric("cycles", "cycle", "lower", "of one example, layer after layer"))

    @property
    def float_score(self) -> float:
        """Accuracy, or r2, of the float network on the split."""
        return float_score(*self._parts, self.split)

    @cached_property
    def version(self) -> str:
        """Changes with weights, data, split and every option."""
        network, data = self._parts
        return f"2-{digest(network, data, ('train', self.split), (self.split, self.rule, self.elements))}"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns named above, each (n,), bits from 2 to 8. "violation" is always 0."""
        bits = np.stack([np.asarray(designs[name], np.int64) for pair in self.columns for name in pair], axis=1)
        if bits.size and not BITS[0] <= bits.min() <= bits.max() <= BITS[-1]:
            raise ValueError(f"bits must be in [{BITS[0]}, {BITS[-1]}], got {bits.min()} to {bits.max()}. Clip them.")
        weights, activations = bits[:, 0::2], bits[:, 1::2]
        walk = _walk(self.network, self.data, self.rule, self._written, self.split)
        found = walk.scores(weights, activations)
        told = {self.quality: found[:, 0], f"{self.quality}_drop": self.float_score - found[:, 0]}
        if self.quality == "accuracy":
            told["nll"] = found[:, 1]
        costs = {name: self._sums(table, weights, activations) for name, table in self._tables.items()}
        costs["bit_operations_ratio"] = costs["bit_operations"] / self._tables["bit_operations"][:, -1, -1].sum()
        n = len(bits)
        return {**told, **costs, "cycles": np.full(n, float(self._cycles)), "violation": np.zeros(n)}

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show the bits of each layer."""
        meaning = "A number is the bits of a layer’s integers, the stronger its colour the more."
        rows = [[self._row(designs, i, side) for side in (0, 1)] for i in range(len(names))]
        return strips(names, self.layers, rows, meaning)

    def _row(self, designs: Columns, i: int, side: int) -> Row:
        bits = [int(designs[pair[side]][i]) for pair in self.columns]
        levels = [(one - BITS[0]) / (BITS[-1] - BITS[0]) for one in bits]
        return Row(("weights", "activations")[side], levels, [str(one) for one in bits])

    def _sums(self, table: Floats, weights: NDArray[np.int64], activations: NDArray[np.int64]) -> Floats:
        every = np.arange(len(self.layers))
        return np.asarray(table[every, weights - BITS[0], activations - BITS[0]].sum(axis=1))

    @cached_property
    def _cycles(self) -> int:
        return sum(cycles(layer, self.elements) for layer in self.layers)

    @cached_property
    def _tables(self) -> dict[str, Floats]:
        """Costs of each layer by bits of weights and of activations, (layers, 7, 7)."""
        quantised = self._quantised
        tables = {name: np.zeros((len(self.layers), len(BITS), len(BITS))) for name in ("bit_operations", "model_byte")}
        tables |= {name: np.zeros_like(tables["model_byte"]) for name in ("energy_j", "luts")}
        for i, layer in enumerate(self.layers):
            for j, weight_bits in enumerate(BITS):
                for k, activation_bits in enumerate(BITS):
                    pair = quantised.weight_format(weight_bits), quantised.activation_format(i, activation_bits)
                    for name, cost in self._costs(layer, *pair).items():
                        tables[name][i, j, k] = cost
        return tables

    def _costs(self, layer: Layer, weight: Format, activation: Format) -> dict[str, float]:
        return {
            "bit_operations": float(bit_operations([layer], [weight], [activation])),
            "model_byte": model_bits([layer], [weight]) / 8.0,
            "energy_j": layer.macs * mac_j(weight, activation, layer.inputs),
            "luts": self.elements * LANES * luts_per_mac(weight, activation, LANES, layer.inputs),
        }


@lru_cache(16)
def _integer_layers(network: str, data: str, rule: str, written: tuple[str, ...]) -> IntegerLayers:
    return IntegerLayers(*unchanged_parts(network, data, written), rule)  # type: ignore[arg-type]


@lru_cache(16)
def _walk(network: str, data: str, rule: str, written: tuple[str, ...], split: str) -> Walk:
    return Walk(_integer_layers(network, data, rule, written), split)
