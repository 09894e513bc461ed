"""A network as a list of named steps: what quantised inference, costs and search read of it, and its float outputs.

A step's operation (see `operations`) reads outputs of earlier steps by name; "input" is what the network is fed.
Multiply-accumulates are counted as inputs * outputs for each place a weight matrix is used at: Sze et al., "Efficient
Processing of Deep Neural Networks", Proc. IEEE 105(12), 2017, doi:10.1109/JPROC.2017.2761740, section III.
"""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.operations import Array, Operation, Weighted

INPUT = "input"


@dataclass(frozen=True, eq=False)
class Step:
    """One operation, what it reads and the name its output goes by."""

    name: str
    reads: tuple[str, ...]
    operation: Operation


@dataclass(frozen=True, eq=False)
class Network:
    """Steps in order; the last one's output is the result: logits, (n, classes), or predictions, (n, 1).

    input_shape: of one example. ValueError in one line: a name twice, a step that reads what is not there before it, a
    wrong number of reads, NaN or infinity among weights.
    """

    name: str
    input_shape: tuple[int, ...]
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError(f"network {self.name} must have at least one step, got none.")
        known = {INPUT}
        for step in self.steps:
            if step.name in known:
                raise ValueError(f"network {self.name}: names must differ, got {step.name!r} twice. Rename a step.")
            for read in step.reads:
                if read not in known:
                    raise ValueError(
                        f"network {self.name}: step {step.name!r} must read earlier steps, got {read!r}. Reorder them."
                    )
            if len(step.reads) != step.operation.reads:
                raise ValueError(
                    f"network {self.name}: {type(step.operation).__name__} step {step.name!r} must read "
                    f"{step.operation.reads}, got {len(step.reads)}."
                )
            known.add(step.name)
        for name, array in parameters(self).items():
            if not np.isfinite(array).all():
                raise ValueError(
                    f"network {self.name}: weights must be finite, got {int(np.sum(~np.isfinite(array)))} that are not "
                    f"in {name}. Train or export it again."
                )

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type that it computes in: its weights', float32 for all that are shipped or read from files."""
        found = parameters(self).values()
        return np.result_type(*found) if found else np.dtype(np.float32)


@dataclass(frozen=True)
class Layer:
    """A weighted step in numbers. positions: how many times its matrix is used for one example."""

    name: str
    inputs: int
    outputs: int
    positions: int

    @property
    def weights(self) -> int:
        """Entries of the matrix, without the bias."""
        return self.inputs * self.outputs

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one example."""
        return self.weights * self.positions


def forward(network: Network, inputs: ArrayLike, values: dict[str, Array] | None = None) -> Array:
    """Return the network's output, (n, ...), for inputs (n, *input_shape), in the network's own type.

    values: outputs by step, for these inputs: those it has are taken as they are (a prefix computed before), all others
    are computed and put in, "input" too. Without it, an output is dropped after the last step that reads it.
    """
    x = np.asarray(inputs, network.dtype)
    if x.shape[1:] != network.input_shape or x.ndim == 0:
        raise ValueError(
            f"inputs of network {network.name} must be (n, {_text(network.input_shape)}), got {x.shape}. "
            f"Reshape the data."
        )
    kept: dict[str, Array] = {} if values is None else values
    kept.setdefault(INPUT, x)
    last = {read: i for i, step in enumerate(network.steps) for read in step.reads}
    for i, step in enumerate(network.steps):
        if step.name not in kept:
            kept[step.name] = step.operation.apply(*(kept[read] for read in step.reads))
        if values is None:
            for read in set(step.reads):
                if last[read] == i:
                    del kept[read]
    return kept[network.steps[-1].name]


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the shape of one example's output by step, "input" too; ValueError names a step that cannot be applied."""
    values = {INPUT: np.zeros((1, *network.input_shape), network.dtype)}
    for step in network.steps:
        read = [values[name] for name in step.reads]
        try:
            values[step.name] = step.operation.apply(*read)
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"network {network.name}: {type(step.operation).__name__} step {step.name!r} cannot take "
                f"{' and '.join(str(x.shape[1:]) for x in read)} an example: {' '.join(str(error).split())}."
            ) from None
    return {name: value.shape[1:] for name, value in values.items()}


def layers(network: Network) -> tuple[Layer, ...]:
    """Return the weighted steps in order."""
    found, shape = [], shapes(network)
    for step in network.steps:
        if isinstance(step.operation, Weighted):
            inputs, outputs = step.operation.weight.shape
            found.append(Layer(step.name, inputs, outputs, math.prod(shape[step.name][:-1])))
    return tuple(found)


def parameters(network: Network) -> dict[str, Array]:
    """Return all trained arrays by "step.array", such as "layer1.weight", in the order of the steps."""
    return {
        f"{step.name}.{array}": getattr(step.operation, array)
        for step in network.steps
        for array in step.operation.arrays
    }


def with_parameters(network: Network, arrays: Mapping[str, Array]) -> Network:
    """Return the network with other arrays in place of those named, of the same shapes; the rest stay."""
    own = parameters(network)
    for name, array in arrays.items():
        if name not in own:
            raise ValueError(
                f"network {network.name} must have what is replaced, got {name!r}. It has {', '.join(own)}."
            )
        if array.shape != own[name].shape:
            raise ValueError(f"network {network.name}: {name} must be {own[name].shape}, got {array.shape}.")
    steps = []
    for step in network.steps:
        new: dict[str, Any] = {own: arrays.get(f"{step.name}.{own}") for own in step.operation.arrays}
        new = {own: array for own, array in new.items() if array is not None}
        steps.append(dataclasses.replace(step, operation=dataclasses.replace(step.operation, **new)) if new else step)
    return Network(network.name, network.input_shape, tuple(steps))


def in_double(network: Network) -> Network:
    """Return the network with its arrays in float64, whose sums differ from one processor to the next by 1e-16 only."""
    return with_parameters(network, {name: array.astype(np.float64) for name, array in parameters(network).items()})


def digest(network: Network, data: Dataset, splits: Sequence[str], more: object) -> str:
    """Return twelve hexadecimal digits that change with anything that a network's scores on some splits depend on.

    Names and paths are none of it; more: what else counts, with an exact repr.
    """
    told = hashlib.sha256(repr((more, network.input_shape)).encode())
    for step in network.steps:
        operation = step.operation
        options = [(own.name, getattr(operation, own.name)) for own in dataclasses.fields(operation)
                   if own.name not in operation.arrays]  # fmt: skip
        told.update(repr((step.name, step.reads, type(operation).__name__, options)).encode())
    for name, array in parameters(network).items():
        told.update(name.encode() + repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    for split in splits:
        told.update(data.inputs[split].tobytes() + data.targets[split].tobytes())
    return told.hexdigest()[:12]


def check_fits(network: Network, data: Dataset) -> None:
    """Raise ValueError, in one line, if the data are not what the network takes or has outputs for."""
    if data.shape != network.input_shape:
        raise ValueError(
            f"data of network {network.name} must be ({_text(network.input_shape)}) an example, got "
            f"({_text(data.shape)}) in {data.name}. Give the data it was trained on."
        )
    outputs = shapes(network)[network.steps[-1].name]
    if len(outputs) != 1:
        raise ValueError(f"network {network.name} must end in one row of outputs an example, got ({_text(outputs)}).")
    if data.task == "regression" and outputs[0] != 1:
        raise ValueError(f"network {network.name} must have 1 output for the targets of {data.name}, got {outputs[0]}.")
    if data.task == "classification" and data.classes > outputs[0]:
        raise ValueError(
            f"labels must be in [0, {outputs[0] - 1}] for the {outputs[0]} outputs of network {network.name}, got "
            f"{data.classes - 1} in {data.name}. Number the classes from 0."
        )


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in shape)
