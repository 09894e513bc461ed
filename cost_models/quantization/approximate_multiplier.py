"""What a network's layers cost and how accurate it is where additions stand in for their multiplications (L-Mul).

Luo and Sun, "Addition is All You Need for Energy-efficient Language Models", 2024, arXiv:2410.00907; see `lmul`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.adder_layers import AdderLayers
from designgym.cost_models.quantization.datasets import SPLITS, dataset
from designgym.cost_models.quantization.energies import FLOAT_ADD, FLOAT_MULTIPLY, INTEGER_ADD
from designgym.cost_models.quantization.networks import Layer, digest, layers
from designgym.cost_models.quantization.prefixes import Walk
from designgym.cost_models.quantization.strips import Row, strips
from designgym.cost_models.quantization.whole import accuracy_metrics, float_score
from designgym.cost_models.registry import nearest

NETWORKS = ("mlp", "breast_cancer", "wine")  # of dense layers, that classify
MANTISSA_BITS, OFFSETS = range(1, 9), range(1, 7)
SIGN_AND_EXPONENT_BITS, ACCUMULATOR_BITS = 9, 32


@dataclass(frozen=True)
class ApproximateMultiplier:
    """A network of dense layers, each with L-Mul of its own mantissa bits, 1 to 8, and offset l, 1 to 6.

    network: mlp (digits), breast_cancer or wine. split: validation, or test, which no search should see.
    Numbers have the exponents of float32, so that a product is one integer addition of 9 + mantissa bits; it is summed
    in a 32-bit float. Energies go through published points, see `energies`; by the same points the 32-bit product
    alone takes 37 times a 32-bit integer addition, with its sum 4.6 times.
    Error: products are exactly the paper's, in the adder form; accuracy is measured, of 449 digits one is .0022.
    """

    network: str = "mlp"
    split: str = "validation"

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise ValueError(f"network must be one of dense layers. {nearest(self.network, NETWORKS)}")
        if self.split not in SPLITS[1:]:
            raise ValueError(f"split must be one of {', '.join(SPLITS[1:])}, got {self.split!r}. Choose one.")

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The weighted layers, in order."""
        return layers(_adder_layers(self.network).network)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Names of the columns of each layer: mantissa bits, offset."""
        return tuple((f"{layer.name}_mantissa_bits", f"{layer.name}_offset") for layer in self.layers)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return (
            *accuracy_metrics(self.split),
            Metric("energy_j", "J", "lower", "arithmetic of one example at 45 nm; memory left out"),
            Metric("energy_ratio", "1", "lower", "the same over that of 32-bit multiplications and additions"),
        )

    @property
    def float_score(self) -> float:
        """Accuracy of the float network on the split."""
        own = _adder_layers(self.network)
        return float_score(own.network, own.data, self.split)

    @cached_property
    def version(self) -> str:
        """Changes with weights, data and split."""
        own = _adder_layers(self.network)
        return f"1-{digest(own.network, own.data, (self.split,), (self.split,))}"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns named above, each (n,). "violation" is always 0."""
        chosen = np.stack([np.asarray(designs[name], np.int64) for pair in self.columns for name in pair], axis=1)
        mantissa_bits, offsets = chosen[:, 0::2], chosen[:, 1::2]
        found = _walk(self.network, self.split).scores(offsets, mantissa_bits)
        energy_j = np.zeros(len(chosen))
        for i, layer in enumerate(self.layers):
            by_bits = np.array([INTEGER_ADD(SIGN_AND_EXPONENT_BITS + bits) for bits in MANTISSA_BITS])
            energy_j += layer.macs * (by_bits[mantissa_bits[:, i] - 1] + FLOAT_ADD(ACCUMULATOR_BITS))
        whole_j = sum(layer.macs for layer in self.layers) * (FLOAT_MULTIPLY(32) + FLOAT_ADD(ACCUMULATOR_BITS))
        return {
            "accuracy": found[:, 0], "accuracy_drop": self.float_score - found[:, 0], "nll": found[:, 1],
            "energy_j": energy_j, "energy_ratio": energy_j / whole_j, "violation": np.zeros(len(chosen)),
        }  # fmt: skip

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show mantissa bits and offset of each layer."""
        meaning = "Mantissa bits of what a layer multiplies, and l of the 2^-l that it adds."
        return strips(names, self.layers, [self._rows(designs, i) for i in range(len(names))], meaning)

    def _rows(self, designs: Columns, i: int) -> list[Row]:
        bits, offsets = ([int(designs[pair[side]][i]) for pair in self.columns] for side in (0, 1))
        shades = [one / MANTISSA_BITS[-1] for one in bits]
        none = [0.0] * len(offsets)  # an offset costs nothing
        return [Row("mantissa bits", shades, list(map(str, bits))), Row("offset l", none, list(map(str, offsets)))]


@lru_cache(len(NETWORKS))
def _adder_layers(network: str) -> AdderLayers:
    return AdderLayers(zoo.network(network), dataset(zoo.DATASETS[network]))


@lru_cache(2 * len(NETWORKS))
def _walk(network: str, split: str) -> Walk:
    return Walk(_adder_layers(network), split)
