"""What a network costs and how accurate it is with a number format chosen for each layer, and a way of rounding.

Formats and columns: see `layer_formats`. Rounding: `rounding_methods`, `equalisation`. Inference: `format_layers`.
Costs: `format_costs`. Bits layer by layer as a search: Wang et al., "HAQ", CVPR 2019, arXiv:1811.08886; integers or
floats: Zhang et al., "Integer or Floating Point?" (MoFQ), 2023, arXiv:2305.12356.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization.costs import cycles
from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.equalisation import equalised, pairs
from designgym.cost_models.quantization.format_costs import LayerCost, layer_cost
from designgym.cost_models.quantization.format_layers import FormatLayers, ways
from designgym.cost_models.quantization.format_strips import MEANING, rows
from designgym.cost_models.quantization.layer_formats import (
    Chosen,
    chosen,
    columns,
    packed,
    places,
    unpacked,
)
from designgym.cost_models.quantization.networks import Layer, Network, check_fits, digest, layers
from designgym.cost_models.quantization.prefixes import Walk
from designgym.cost_models.quantization.rounding_methods import ROUNDINGS
from designgym.cost_models.quantization.sources import check_elements, check_source, contents, unchanged_parts
from designgym.cost_models.quantization.strips import strips
from designgym.cost_models.quantization.variant_layers import weighted_steps
from designgym.cost_models.quantization.whole import float_score, quality_metrics

COST_METRICS = (
    Metric("model_byte", "byte", "lower", "weights, scales and biases, and what inputs are divided by"),
    Metric("energy_j", "J", "lower", "arithmetic of one example at 45 nm; scaling and memory left out"),
    Metric("total_energy_j", "J", "lower", "arithmetic, scaling, and reading all of model_byte from 8 KiB of SRAM"),
    Metric("luts", "1", "lower", "FPGA tables of a processing element for each layer: a structural estimate"),
    Metric("cycles", "cycle", "lower", "of one example, layer after layer"),
)
COSTS = tuple(field.name for field in fields(LayerCost))
SWITCH = ("no", "yes")

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FormatSearch:
    """A network whose layers have number formats of their own, weights rounded by one method throughout.

    network: of the package (mlp, cnn, transformer on digits; breast_cancer, wine, diabetes), or the path of an ONNX
    file, and then data: the path of a .npz with inputs and labels. split: validation, or test, which no search should
    see. tied: one format for all layers. elements: processing elements of a layer, of 16 lanes.
    Inputs of convolutions are not equalised (smoothing); products of two activations, in attention, stay floats and
    cost nothing here. Energy favours integers by construction, see `format_costs`; luts and model_byte judge otherwise.
    Error: accuracy is measured, on as many examples as the split has: of 449 digits one is .0022. Where weights alone
    are rounded, quant_ptq_methods.csv is met on the same weights to an image by rounding to the nearest, bias
    correction and blocks (of the table's own elements: all-finite minifloats and narrow integers), and to .012 of
    accuracy by GPTQ and learned rounding. `luts` is an estimate, see `luts`; energies go through published points by
    power laws, see `energies`, and `total_energy_j` says too little of a model beyond 8 KiB.
    """

    network: str = "mlp"
    data: str = ""
    split: str = "validation"
    tied: bool = False
    elements: int = 1

    _written: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_source(self.network, self.data, self.split)
        check_elements(self.elements)
        if not isinstance(self.tied, bool):
            raise ValueError(f"tied must be true or false, got {self.tied!r}. Choose one.")
        object.__setattr__(self, "_written", contents(self.network, self.data))
        self.layers  # noqa: B018  (what does not fit together fails here, where it is written)

    @property
    def _parts(self) -> tuple[Network, Dataset]:
        return _parts(self.network, self.data, self._written)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The weighted layers, in order."""
        network, data = self._parts
        check_fits(network, data)
        return layers(network)

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """What names of columns begin with: a layer's name each, or nothing where one format is for all."""
        return ("",) if self.tied else tuple(f"{layer.name}_" for layer in self.layers)

    @cached_property
    def smooths(self) -> tuple[bool, ...]:
        """Of each prefix, whether inputs can be equalised: a layer's that is no convolution."""
        dense = tuple(step.operation.unfold is None for step in weighted_steps(self._parts[0]))
        return (any(dense),) if self.tied else dense

    @cached_property
    def equalises(self) -> bool:
        """Whether the network has layers whose ranges can be made equal."""
        return bool(pairs(self._parts[0]))

    @property
    def quality(self) -> str:
        """The metric that quantisation takes from: accuracy, or r2 of a regression."""
        return quality_metrics(self._parts[1].task, self.split)[0].name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return (*quality_metrics(self._parts[1].task, self.split), *COST_METRICS)

    @property
    def float_score(self) -> float:
        """Accuracy, or r2, of the float network on the split."""
        return float_score(*self._parts, self.split)

    @cached_property
    def version(self) -> str:
        """Changes with weights, data, split and every option."""
        own = (self.split, self.tied, self.elements)
        return f"2-{digest(*self._parts, ('train', self.split), own)}"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns of `layer_formats` for each prefix; rounding, bias_correction and, where the network
        has layers to equalise, equalisation, as places in ROUNDINGS and SWITCH; each (n,). "violation" is always 0.
        ValueError in one line for a column that is missing or of another length, or holds what it may not.
        """
        self._check(designs)
        own = self._chosen(designs)
        n, shape = len(own.weight), own.weight.shape
        rounding, corrected = _named(designs, "rounding", ROUNDINGS), _named(designs, "bias_correction", SWITCH)
        across = _named(designs, "equalisation", SWITCH) if self.equalises else np.zeros(n, np.int64)
        multiplied, taken = ways(own, *(np.broadcast_to(one[:, None], shape) for one in (rounding, corrected)))
        scores = np.empty((n, 2 if self.quality == "accuracy" else 1))
        for place in range(len(SWITCH)):
            rows = np.flatnonzero(across == place)
            if len(rows):
                walk = _walk(self.network, self.data, self._written, self.split, bool(place))
                scores[rows] = walk.scores(multiplied[rows], taken[rows])
        told = {self.quality: scores[:, 0], f"{self.quality}_drop": self.float_score - scores[:, 0]}
        if self.quality == "accuracy":
            told["nll"] = scores[:, 1]
        whole = float(sum(cycles(layer, self.elements) for layer in self.layers))
        return {**told, **self._costs(own), "cycles": np.full(n, whole), "violation": np.zeros(n)}

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show the formats of each layer."""
        own, each = self._chosen(designs), []
        for i in range(len(names)):
            words = [ROUNDINGS[int(designs["rounding"][i])]]
            words += [word for name, word in (("bias_correction", "bias"), ("equalisation", "equal"))
                      if name in designs and designs[name][i]]  # fmt: skip
            of_layers = [Chosen(*(int(column[i, k]) for column in own)) for k in range(len(self.layers))]
            each.append(rows(of_layers, " + ".join(words)))
        return strips(names, self.layers, each, MEANING)

    def _check(self, designs: Columns) -> None:
        names = [name for pair in zip(self.prefixes, self.smooths, strict=True) for name in columns(*pair)]
        names += ["rounding", "bias_correction", *(("equalisation",) if self.equalises else ())]
        first = np.shape(designs.get(names[0], 0))
        for name in names:
            if name not in designs:
                raise ValueError(f"designs must have the column {name}, got none. Add it.")
            if np.shape(designs[name]) != first or len(first) != 1:
                got = f"{name} {np.shape(designs[name])} beside {names[0]} {first}"
                raise ValueError(f"columns must be one-dimensional and of one length, got {got}. Mend them.")

    def _chosen(self, designs: Columns) -> Chosen:
        """Return what each layer of each design is given, (n, layers)."""
        each = [chosen(designs, prefix, smooth) for prefix, smooth in zip(self.prefixes, self.smooths, strict=True)]
        if self.tied:
            dense = [step.operation.unfold is None for step in weighted_steps(self._parts[0])]
            each = [each[0]._replace(smoothing=each[0].smoothing * is_dense) for is_dense in dense]
        return Chosen(*(np.stack(column, axis=1) for column in zip(*each, strict=True)))

    def _costs(self, own: Chosen) -> Columns:
        """Return the sums of the layers' costs, in the order of the layers."""
        given = packed(own)
        total = np.zeros((len(given), len(COSTS)))
        for i in range(len(self.layers)):
            each, which = np.unique(given[:, i], return_inverse=True)
            of_each = [_layer_cost(self.layers[i], int(place), self.elements) for place in each]
            total += np.array(of_each).reshape(-1, len(COSTS))[which]
        return dict(zip(COSTS, np.ascontiguousarray(total.T), strict=True))


def _named(designs: Columns, name: str, choices: Sequence[str]) -> Integers:
    return places(name, designs[name], range(len(choices)))


@lru_cache(2**16)
def _layer_cost(layer: Layer, place: int, elements: int) -> tuple[float, ...]:
    return astuple(layer_cost(layer, unpacked(place), elements))


@lru_cache(16)
def _parts(network: str, data: str, written: tuple[str, ...]) -> tuple[Network, Dataset]:
    return unchanged_parts(network, data, written)


@lru_cache(4)
def _walk(network: str, data: str, written: tuple[str, ...], split: str, across: bool) -> Walk:
    """Return what walks through the designs of a network, or of the one whose layers are equalised."""
    own, examples = _parts(network, data, written)
    return Walk(FormatLayers(equalised(own) if across else own, examples), split)
