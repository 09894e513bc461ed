"""A systolic array with three SRAMs and a DRAM, priced on a network: cycles, traffic, energy and area.

Cycles and words as SCALE-Sim 3.0.0 counts them (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016);
energy and area from the tables of `technology`.
"""

import difflib
import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator import systolic_kernel
from designgym.cost_models.accelerator.layers import Layer, merge_equal
from designgym.cost_models.accelerator.technology import Technology, technology
from designgym.cost_models.accelerator.workloads import workload
from designgym.cost_models.base import Columns, Metric

DESIGN = (
    "rows", "cols", "dataflow", "ifmap_sram_kb", "filter_sram_kb", "ofmap_sram_kb", "dram_words_per_cycle", "clock_hz",
)  # fmt: skip
COUNTED = ("counted", "replayed")  # rules for DRAM words that are no formula
MODEL = "1"  # raise it with any number that tests/cost_models/accelerator/golden holds

METRICS = (
    Metric("cycles", "cycle", "lower", "compute cycles of all layers, DRAM not waited for"),
    Metric("utilization", "1", "higher", "multiply-accumulates over those the array could do in `cycles`"),
    Metric("latency_s", "s", "lower", "time of one inference: per layer, compute or DRAM, whichever takes longer"),
    Metric("energy_j", "J", "lower", "energy of one inference: MACs, SRAMs, DRAM, and idle power"),
    Metric("area_mm2", "mm2", "lower", "processing elements, SRAMs and DRAM interface"),
    Metric("edp_js", "J s", "lower", "energy_j times latency_s"),
    Metric("sram_words", "word", "lower", "words read and written by the array, as SCALE-Sim counts them"),
    Metric("dram_words", "word", "lower", "words to and from DRAM"),
    Metric("power_w", "W", "lower", "energy_j over latency_s"),
)


@dataclass(frozen=True)
class SystolicArray:
    """One inference of a network, batch 1, on a rows x cols array of 8-bit multiply-accumulate units.

    workload: a name, a file (see `workloads.workload`), or layers.
    psum: "buffered": partial sums stay in the ofmap SRAM where half of it holds all that are open at a time; those that
        spill are written to DRAM and read back, and every accumulation reads the SRAM once. "scalesim": all of them go
        to DRAM and never come back, as in the tool.
    dram: "closed": formulas, millions of designs a second. "counted": every word replayed (`dram_counted`), seconds a
        layer; "replayed": whole fills of the buffers, as SCALE-Sim's USER mode has them (`stall_replay`), in as much
        time as `ReplayedArray` takes, of designs whose numbers but the clock are whole. Partial sums under both as
        under `psum`.
    technology: a name or a .json file (see `technology.technology`), or a `Technology`.
    index_of_last: a layer's cycles are the index of its last one, as the tool reports, one less than their number.

    Designs, as columns: rows, cols >= 1; dataflow, an index into ("os", "ws", "is"); ifmap_sram_kb, filter_sram_kb,
    ofmap_sram_kb, half of each the active buffer; dram_words_per_cycle > 0, shared by all traffic; clock_hz. Only a
    clock above the last of the voltage curve cannot be built: violation is then the clock's relative excess.

    Error, against SCALE-Sim 3.0.0 on 96 layers of networks and on 420 random ones made to be awkward
    (tests/reference/accelerator): cycles, utilization and SRAM words exact on all; DRAM words, counted, exact on all.
    Replayed, DRAM words are exact against USER mode where `ReplayedArray` is.
    Closed, within 5 % on 91 and 391 (ifmap), 90 and 411 (filter), 96 and 418 (writes). Where the ifmap is wrong it is
    far too high, up to 7 and 15 times: the rule has an overflowing ifmap fetched anew for each window, whereas windows
    that overlap find some of it still there. So it is hard on small ifmap SRAMs where filters are larger than strides.
    Latency is a bound that overlaps compute and DRAM perfectly and spreads DRAM evenly over a layer; SCALE-Sim's own
    stalls are not followed, for its users dispute them. Energy and area: see `Technology`; no measured error.
    """

    workload: str | tuple[Layer, ...] = "resnet50"
    psum: Literal["buffered", "scalesim"] = "buffered"
    dram: Literal["closed", "counted", "replayed"] = "closed"
    technology: str | Technology = "horowitz45"
    index_of_last: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.workload, str | tuple | list):
            raise ValueError(f"workload must be a name, a path or layers, got {self.workload!r}. Try 'resnet50'.")
        check_choice("psum", self.psum, ("buffered", "scalesim"))
        check_choice("dram", self.dram, ("closed", *COUNTED))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return METRICS

    @property
    def slow(self) -> bool:
        """Whether one design takes seconds or minutes."""
        return self.dram in COUNTED

    @cached_property
    def version(self) -> str:
        """Changes with the model, the layers' geometry, the technology's numbers and every option."""
        geometry = [[getattr(layer, field.name) for field in fields(layer)[1:]] for layer in self.layers]
        told = repr((geometry, self._technology, self.psum, self.dram, self.index_of_last))
        return f"{MODEL}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The workload's layers, equal ones merged; reads the workload's file, if it is one."""
        return merge_equal(workload(self.workload) if isinstance(self.workload, str) else self.workload)

    @cached_property
    def _technology(self) -> Technology:
        return technology(self.technology) if isinstance(self.technology, str) else self.technology

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        return self._technology.tables()

    @cached_property
    def _network(self) -> tuple[NDArray[np.float64], float, int, int]:
        macs = float(sum(layer.macs * layer.count for layer in self.layers))
        return layer_table(self.layers), macs, int(self.psum == "buffered"), int(self.index_of_last)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns named above, each (n,). Return every metric and "violation", float64 (n,)."""
        try:
            columns = [designs[name] for name in DESIGN]
        except KeyError as missing:
            raise ValueError(f"designs must have the columns {', '.join(DESIGN)}; {missing} is missing.") from None
        if self.dram in COUNTED:
            return self._evaluate_counted(designs)
        if len({column.dtype for column in columns}) > 1:  # one compiled form for integers and one for the rest
            columns = [column.astype(np.float64) for column in columns]
        (cycles, utilization, latency_s, energy_j, area_mm2, edp_js, sram_words, dram_words, power_w, violation) = (
            systolic_kernel.price_network(*columns, *self._network, *self._tables)
        )
        return {
            "cycles": cycles, "utilization": utilization, "latency_s": latency_s, "energy_j": energy_j,
            "area_mm2": area_mm2, "edp_js": edp_js, "sram_words": sram_words, "dram_words": dram_words,
            "power_w": power_w, "violation": violation,
        }  # fmt: skip

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return why it cannot be built, "" where it can."""
        return self._technology.clock_reason(float(design["clock_hz"][0]))

    def features(self, designs: Columns) -> Columns:
        """Return counts over the network's layers that a learned model is helped by: see `systolic_features`."""
        from designgym.cost_models.accelerator.systolic_features import features

        return features(self, designs)

    def bounds(self, designs: Columns) -> Columns:
        """Return closed-form lower bounds of latency_s and energy_j: see `systolic_features`."""
        from designgym.cost_models.accelerator.systolic_features import bounds

        return bounds(self, designs)

    def price_layers(self, design: Columns) -> dict[str, Any]:
        """Return what each of `layers` costs on one design: see `systolic_layers.price_layers`."""
        from designgym.cost_models.accelerator.systolic_layers import price_layers

        return price_layers(self, design)

    def _evaluate_counted(self, designs: Columns) -> Columns:
        from designgym.cost_models.accelerator.systolic_layers import evaluate_layer_by_layer

        return evaluate_layer_by_layer(self, designs)


def check_choice(option: str, value: object, allowed: tuple[str, ...]) -> None:
    """ValueError, in one line that names the nearest, for an option that is none of those allowed."""
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, 1, 0.0)[0]
        raise ValueError(f"{option} must be one of {', '.join(allowed)}, got {value!r}. Did you mean {near!r}?")


def layer_table(layers: tuple[Layer, ...]) -> NDArray[np.float64]:
    """Return the layers as `systolic_kernel` reads them: a row each, columns M, K, N ... COUNT."""
    return np.array(
        [
            [la.m, la.k, la.n, la.m * la.k, la.k * la.n, la.m * la.n, la.ifmap_words, touches(la), la.count]
            for la in layers
        ],
        dtype=np.float64,
    )


def touches(layer: Layer) -> int:
    """Return how often the windows of one copy touch a word: m k, less what hangs over the ifmap's end."""

    def along(size: int, width: int, stride: int, windows: int) -> int:
        return sum(min(width, max(0, size - i * stride)) for i in range(windows))

    down = along(layer.ifmap_h, layer.filter_h, layer.stride_h, layer.out_h)
    return down * along(layer.ifmap_w, layer.filter_w, layer.stride_w, layer.out_w) * layer.channels
