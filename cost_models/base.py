"""What a cost model is: columns of designs in, columns of metrics out.

A batch is `Columns`, a dict of one-dimensional arrays of one length; a single design is a batch of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from numpy.typing import NDArray

from designgym.cost_models.pictures import Picture

Columns = dict[str, NDArray[Any]]


def batch_length(columns: Mapping[str, NDArray[Any]]) -> int:
    """Return n, the common length of the columns; ValueError names the first that differs."""
    shapes = {column.shape for column in columns.values()}
    if len(shapes) == 1 and len(shape := shapes.pop()) == 1:
        return int(shape[0])
    lengths = {name: column.shape for name, column in columns.items()}
    raise ValueError(f"columns must be one-dimensional and of one length, got {lengths or 'no columns'}.")


@dataclass(frozen=True)
class Metric:
    """A named, measured quantity. name carries the unit as its suffix: `latency_s`."""

    name: str
    unit: str
    better: Literal["lower", "higher"]
    meaning: str


class CostModel(Protocol):
    """Prices designs. Frozen, picklable, without state: the same columns give the same numbers."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""

    @property
    def version(self) -> str:
        """Keys stored optima, logs and caches: it changes when any number changes."""

    def evaluate(self, designs: Columns) -> Columns:
        """Return every metric and "violation", each float64 or int64 of shape (n,).

        Row i depends on design i alone. violation is 0 where the design can be built, else how far it is from
        buildable, and inf where the evaluation itself failed. A metric may be NaN only where violation > 0.
        """


@runtime_checkable
class Explains(Protocol):
    """A cost model that can say why a design cannot be built."""

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return a clause in words, "" where the design can be built."""


@runtime_checkable
class LocalCosts(Protocol):
    """A cost model whose designs are paths, with a stand-in for the loss that is a sum over their steps.

    A path goes from 0 to m by steps that increase; its inner points are a design's one subset, each less one.
    """

    def local_costs(self) -> NDArray[Any]:
        """Return what a step from i to j costs, float64 (m + 1, m + 1), inf unless i < j."""


@runtime_checkable
class Draws(Protocol):
    """A cost model that can show what designs of it are like."""

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """designs: some that can be built, each (n,). names: what each is called, all different, as pictures name it.

        The same designs give the same pictures.
        """


@dataclass(frozen=True)
class Failure:
    """Why one evaluation failed. reason: one line; log: what the simulator said last, as text."""

    reason: str
    log: str = ""


@runtime_checkable
class ReportsFailures(Protocol):
    """A cost model that runs something which may fail, and can say of each design how it went."""

    def evaluate_reporting(self, designs: Columns) -> tuple[Columns, tuple[Failure | None, ...]]:
        """Return what `evaluate` returns, and for each design why its evaluation failed, None where it did not."""


@runtime_checkable
class Features(Protocol):
    """A cost model that knows more of a design than its parameters say, at no cost: counts, remainders, bounds."""

    def features(self, designs: Columns) -> Columns:
        """Return further columns for a learned model, each float64 (n,), finite for every design; never a metric."""


@runtime_checkable
class Bounds(Protocol):
    """A cost model with closed forms of some of its metrics that are not above them, and cost nothing beside them.

    What a learned model is then fitted to is log(metric / bound). A bound that equals its metric on a part of the space
    says so: there is little left to learn there.
    """

    def bounds(self, designs: Columns) -> Columns:
        """Return lower bounds by the metric's name, each float64 (n,), finite and above 0 for every design."""


@dataclass(frozen=True)
class ColumnSpec:
    """What a learned model may know of one column of a design space.

    low, high: smallest and largest value of the column (a category's or a permutation's index), inclusive.
    choices: number of values, 0 for a continuous column.
    """

    name: str
    kind: Literal["integer", "ordinal", "categorical", "permutation", "float"]
    low: float
    high: float
    log: bool = False
    choices: int = 0
