"""Small cost models for the tests of problems: what they priced is counted, and they fail on request."""

from dataclasses import dataclass, field

import numpy as np

from designgym.cost_models.base import Columns, Metric, batch_length

METRICS = (Metric("cost", "", "lower", "what is paid"), Metric("gain", "", "higher", "what is got"))


@dataclass(frozen=True)
class Sums:
    """cost: 1 + sum of the columns' squares; gain: 2 + cosine of their sum. calls: the designs of every call."""

    scale: float = 1.0
    violation_above: float = np.inf
    calls: list[Columns] = field(default_factory=list, compare=False)

    metrics = METRICS
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        self.calls.append(designs)
        columns = [column.astype(float) for column in designs.values()]
        # One after another: the order in which NumPy sums along an axis depends on the batch.
        total = np.asarray(sum(columns))
        cost = self.scale * (1.0 + sum(column**2 for column in columns))
        violation = np.maximum(0.0, total - self.violation_above)
        broken = violation > 0
        return {
            "cost": np.where(broken, np.nan, cost),
            "gain": np.where(broken, np.nan, 2 + np.cos(total)),
            "violation": violation,
        }

    @property
    def priced(self) -> int:
        """Designs priced so far."""
        return sum(batch_length(call) for call in self.calls)


@dataclass(frozen=True)
class Fails:
    """Raises from the n-th call on."""

    after: int
    calls: list[int] = field(default_factory=list, compare=False)

    metrics = METRICS
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        self.calls.append(batch_length(designs))
        if len(self.calls) > self.after:
            raise RuntimeError("the simulator is gone")
        return Sums().evaluate(designs)


@dataclass(frozen=True)
class Returns:
    """Returns what it is told to, whatever the designs."""

    columns: dict[str, object]

    metrics = METRICS
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        return self.columns  # type: ignore[return-value]
