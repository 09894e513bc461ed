"""What a network costs and how accurate it is with its weight matrices cut to lower ranks, layer by layer.

Sources: see `factors`. A layer of rank k keeps k (inputs + outputs) numbers, or its matrix whole where that is fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import SPLITS, dataset
from designgym.cost_models.quantization.factors import low_rank
from designgym.cost_models.quantization.networks import Layer, digest, layers
from designgym.cost_models.quantization.prefixes import Walk
from designgym.cost_models.quantization.strips import Row, strips
from designgym.cost_models.quantization.variant_layers import VariantLayers, patches_of, weighted_steps
from designgym.cost_models.quantization.whole import accuracy_metrics, float_score
from designgym.cost_models.registry import nearest

METHODS = ("plain", "activation_aware")
NETWORKS = ("mlp", "cnn", "breast_cancer", "wine")  # of few layers, that classify


@dataclass(frozen=True)
class LowRank:
    """A network whose weight matrices have ranks of their own, from 1 to the full one; the rest stays in float32.

    network: mlp, cnn (digits), breast_cancer or wine. method: plain, the nearest matrix, or activation_aware, that
    which changes the layer's outputs on the training examples of the float network least. split: validation, or test,
    which no search should see.
    Error: accuracy is measured; of 449 digits one is .0022. By the plain method all accuracies of MLP and CNN in
    quant_sparsity_lowrank.csv are met to an image and nll to .0005; by the other, whose calibration set the table does
    not say, accuracies to .05.
    """

    network: str = "mlp"
    method: str = "plain"
    split: str = "validation"

    def __post_init__(self) -> None:
        for what, value, known in (("network", self.network, NETWORKS), ("method", self.method, METHODS)):
            if value not in known:
                raise ValueError(f"unknown {what} {value!r}. {nearest(value, known)}")
        if self.split not in SPLITS[1:]:
            raise ValueError(f"split must be one of {', '.join(SPLITS[1:])}, got {self.split!r}. Choose one.")

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The weighted layers, in order."""
        return layers(zoo.network(self.network))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, one a layer."""
        return tuple(f"{layer.name}_rank" for layer in self.layers)

    @property
    def full_ranks(self) -> tuple[int, ...]:
        """The largest rank of each layer's matrix."""
        return tuple(min(layer.inputs, layer.outputs) for layer in self.layers)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return (
            *accuracy_metrics(self.split),
            Metric("stored_weights", "1", "lower", "numbers kept of all matrices, in two factors or whole"),
            Metric("stored_ratio", "1", "lower", "the same over those of the whole matrices"),
            Metric("macs", "1", "lower", "multiply-accumulates of one example"),
        )

    @property
    def float_score(self) -> float:
        """Accuracy of the float network on the split."""
        return float_score(zoo.network(self.network), dataset(zoo.DATASETS[self.network]), self.split)

    @cached_property
    def version(self) -> str:
        """Changes with weights, data, split and method."""
        data = dataset(zoo.DATASETS[self.network])
        return f"1-{digest(zoo.network(self.network), data, ('train', self.split), (self.split, self.method))}"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns named above, each (n,), from 1 to the full rank. "violation" is always 0."""
        ranks = np.stack([np.asarray(designs[name], np.int64) for name in self.columns], axis=1)
        found = _walk(self.network, self.method, self.split).scores(ranks - 1, np.zeros_like(ranks))
        sizes = np.array([[layer.inputs + layer.outputs, layer.weights, layer.positions] for layer in self.layers])
        kept = np.minimum(ranks * sizes[:, 0], sizes[:, 1]).astype(np.float64)
        stored = kept.sum(axis=1)
        return {
            "accuracy": found[:, 0], "accuracy_drop": self.float_score - found[:, 0], "nll": found[:, 1],
            "stored_weights": stored, "stored_ratio": stored / sizes[:, 1].sum(), "macs": kept @ sizes[:, 2],
            "violation": np.zeros(len(ranks)),
        }  # fmt: skip

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show the rank of each layer's matrix."""
        meaning = "A layer’s rank, of the largest that its matrix can have."
        return strips(names, self.layers, [[self._row(designs, i)] for i in range(len(names))], meaning)

    def _row(self, designs: Columns, i: int) -> Row:
        ranks = [(int(designs[name][i]), full) for name, full in zip(self.columns, self.full_ranks, strict=True)]
        return Row("rank", [rank / full for rank, full in ranks], [f"{rank} of {full}" for rank, full in ranks])


@lru_cache(8)
def _walk(network: str, method: str, split: str) -> Walk:
    own, data = zoo.network(network), dataset(zoo.DATASETS[network])
    seen, matrices = patches_of(own, data), []
    for step in weighted_steps(own):
        weight = step.operation.weight
        read = seen[step.name] if method == "activation_aware" else None
        matrices.append([one.astype(np.float32) for one in low_rank(weight, range(1, min(weight.shape) + 1), read)])
    return Walk(VariantLayers(own, data, matrices), split)
