"""Problems of every make that the faces and suites are tried on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.kernels import over_designs
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    Objective,
    Ordinal,
    Permutation,
    Subset,
)


@over_designs
def price_array(rows, cols, dataflow, sram_kb, words_per_cycle, clock_hz, macs):
    """A matrix multiply on an array: time of compute or memory, energy, area, by how much the clock is too fast."""
    compute_s = macs / (rows * cols) * (1.0 + 0.1 * dataflow) / clock_hz
    memory_s = macs / (64.0 * sram_kb) / (words_per_cycle * clock_hz)
    latency_s = max(compute_s, memory_s)
    area_mm2 = 1e-3 * rows * cols + 4e-3 * sram_kb + 0.1 * words_per_cycle
    energy_j = macs * 1e-12 * (clock_hz / 1e9) ** 2 + 0.05 * area_mm2 * latency_s
    return latency_s, energy_j, area_mm2, max(0.0, rows * clock_hz / 2e11 - 1.0)


@dataclass(frozen=True)
class Array:
    """Compiled, and says why a design cannot be built."""

    macs: float = 4e9

    metrics = (
        Metric("latency_s", "s", "lower", "time of one multiply"),
        Metric("energy_j", "J", "lower", "energy of one multiply"),
        Metric("area_mm2", "mm2", "lower", "silicon"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        names = ("rows", "cols", "dataflow", "sram_kb", "words_per_cycle", "clock_hz")
        values = price_array(*(designs[name] for name in names), self.macs)
        return dict(zip(("latency_s", "energy_j", "area_mm2", "violation"), values, strict=True))

    def reason(self, design: Columns) -> str:
        rows, clock_hz = design["rows"].item(), design["clock_hz"].item()
        return f"{rows} rows must be clocked below {2e11 / rows:g} Hz" if rows * clock_hz > 2e11 else ""


POWERS = tuple(2**i for i in range(3, 12))


def array(
    macs: float = 4e9,
    cost_model: Array | None = None,
    objective: Objective = Objective(minimize=("latency_s",), subject_to=("area_mm2 <= 20",)),
) -> DesignProblem:
    """A compiled model over plain parameters."""
    space = DesignSpace(
        Integer("rows", 4, 256, 4),
        Integer("cols", 4, 256, 4),
        Categorical("dataflow", ("os", "ws", "is")),
        Ordinal("sram_kb", POWERS),
        Ordinal("words_per_cycle", (1, 2, 4, 8, 16, 32, 64)),
        Ordinal("clock_hz", (2e8, 5e8, 7e8, 1e9)),
    )
    return DesignProblem(space, cost_model or Array(macs), objective)


@dataclass(frozen=True)
class Schedule:
    """In NumPy, some metrics integers; NaN where it cannot be built, inf where it fails; gives no reasons."""

    metrics = (
        Metric("speed", "1", "higher", "relative speed"),
        Metric("moved_words", "word", "lower", "words moved"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        spread = designs["banks_1"] - designs["banks_0"]
        speed = np.log2(1.0 + designs["tile"] * (1 + designs["order"] % 5)) + designs["depth"]
        moved = 1000 // designs["tile"] + designs["order"] + spread
        violation = np.where(spread > 3, spread - 3.0, 0.0)
        violation[(designs["tile"] == 8) & (designs["order"] == 5)] = np.inf
        speed = np.where(np.isfinite(violation), speed, np.nan)
        moved = np.where(violation > 1, np.nan, moved) if (violation > 1).any() else moved
        return {"speed": speed, "moved_words": moved, "violation": violation}


def even_sum(designs: Columns) -> NDArray[np.bool_]:
    return (designs["tile"] + designs["banks_0"]) % 2 == 0


def schedule(
    cost_model: Schedule | None = None,
    objective: Objective = Objective(minimize=("moved_words",), maximize=("speed",), reward="weighted"),
) -> DesignProblem:
    """Two objectives over conditional parameters, an order, a subset, and constraints of both kinds; 360 designs."""
    space = DesignSpace(
        Categorical("loop", ("flat", "tiled", "fused")),
        Integer("tile", 2, 8, 3, default=5, when=("loop", {"tiled", "fused"})),
        Ordinal("depth", (0.5, 1.5), when=("tile", {5, 8})),
        Permutation("order", ("m", "n", "k"), when=("loop", {"tiled"})),
        Subset("banks", 5, 2),
        constraints=("tile + banks_1 <= 11", "loop != 'fused'", even_sum),
    )
    return DesignProblem(space, cost_model or Schedule(), objective)


@dataclass(frozen=True)
class Circuit:
    """Over real numbers."""

    metrics = (Metric("gain", "1", "higher", "gain"), Metric("power_w", "W", "lower", "power"))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        power_w = designs["volts"] ** 2 * designs["width"] * 1e-3
        gain = np.log1p(designs["volts"]) * designs["stages"] + 0.1 * designs["bias"]
        return {"gain": gain, "power_w": power_w, "violation": np.maximum(0.0, designs["width"] - 4.0)}


def circuit(objective: Objective = Objective(minimize=("power_w",), maximize=("gain",))) -> DesignProblem:
    """Real numbers, one of them on a logarithmic scale, one conditional."""
    space = DesignSpace(
        Integer("stages", 1, 3),
        Float("volts", 0.4, 1.2),
        Float("width", 0.01, 10.0, log=True),
        Float("bias", -1.0, 1.0, default=0.25, when=("stages", {2, 3})),
        constraints=("volts * stages <= 3",),
    )
    return DesignProblem(space, Circuit(), objective)


@dataclass(frozen=True)
class Parts:
    """Of a bill."""

    metrics = (Metric("worth", "1", "higher", "worth"), Metric("price_usd", "USD", "lower", "price"))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        worth = np.sqrt(designs["cores"]) + np.sqrt(designs["banks"]) + 0.5 * np.sqrt(designs["links"])
        price_usd = 3.0 * designs["cores"] + 2.0 * designs["banks"] + 1.0 * designs["links"]
        return {"worth": worth, "price_usd": price_usd, "violation": np.zeros(len(worth))}


@dataclass(frozen=True)
class Purse:
    """Closes what cannot be paid if all to come is the cheapest."""

    most: int = 20

    @property
    def names(self) -> tuple[str, ...]:
        return "price_of_one", "money_left"

    def observe(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        return np.array([(3 - len(chosen)) / 3, 1.0 - self._least(chosen) / self.most])

    def open(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        return self._least(chosen) + (3 - len(chosen)) * np.arange(6) <= self.most

    def _least(self, chosen: Sequence[int]) -> int:
        return 6 + sum(price * index for price, index in zip((3, 2, 1), chosen, strict=False))


def purse(objective: Objective = Objective(maximize=("worth",), reward="weighted")) -> DesignProblem:
    """A bill that must be paid, 216 designs before that; the stepwise face tells what is left, and closes the rest."""
    parts = (Integer(name, 1, 6) for name in ("cores", "banks", "links"))
    space = DesignSpace(*parts, constraints=("3 * cores + 2 * banks + links <= 20",))
    return DesignProblem(space, Parts(), objective, choice_features=Purse(20))


PROBLEMS: dict[str, Callable[[], DesignProblem]] = {
    "array": array, "schedule": schedule, "circuit": circuit, "purse": purse,
}  # fmt: skip
