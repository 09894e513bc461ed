"""A systolic array priced by SCALE-Sim itself: the simulator in its own process, energy and area from our tables.

Cycles and words: the `scalesim` package, version 3.0.0 (Samajdar et al., ISPASS 2020,
doi:10.1109/ISPASS48437.2020.00016; Raj et al., ISPASS 2025, arXiv:2504.15377), unchanged.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from designgym.cost_models.accelerator import systolic_array
from designgym.cost_models.accelerator.layers import GEOMETRY, Layer
from designgym.cost_models.accelerator.systolic_array import DESIGN, SystolicArray
from designgym.cost_models.accelerator.systolic_kernel import DATAFLOWS
from designgym.cost_models.accelerator.systolic_layers import checked, metrics_of_totals
from designgym.cost_models.accelerator.technology import Technology
from designgym.cost_models.base import Columns, Failure, batch_length
from designgym.cost_models.simulators.installed import SCALESIM, ready_python
from designgym.cost_models.simulators.process import Limits, Outcome, run_process

MODEL = "1"  # raise it with any number that changes while package, script, layers and technology stay
DRIVER = Path(__file__).with_name("scale_sim_driver.py")
LOG_CHARACTERS = 4000
TIME_LIMIT_S = 3600.0
MEMORY_BYTE = 8 * 2**30

WAITS = {
    "cycles": "cycles of all layers, stalls included",
    "utilization": "multiply-accumulates over those the array could do in `cycles`, stalls included",
    "latency_s": "time of one inference: `cycles` over the clock",
    "dram_words": "words to and from DRAM, as SCALE-Sim counts them",
}
METRICS = tuple(replace(metric, meaning=WAITS.get(metric.name, metric.meaning)) for metric in systolic_array.METRICS)

Counts = dict[str, int]


@dataclass(frozen=True)
class ScaleSim:
    """One inference of a network, batch 1, on a rows x cols array of 8-bit multiply-accumulate units, simulated.

    workload: a name, a file (see `workloads.workload`), or layers. Equal layers are simulated once and multiplied; a
        depthwise layer is one of its channels times their number.
    technology: a name or a .json file (see `technology.technology`), or a `Technology`.
    bandwidth: "user": SCALE-Sim's USER mode, each of its three DRAM interfaces (ifmap, filter, ofmap) as wide as the
        design's dram_words_per_cycle says, the array waiting where they are too slow. "calc": its CALC mode, whose
        interfaces are as wide as it takes: no stalls, and what counts is words fetched, not whole prefetches.
    time_limit_s, memory_byte: what one design may take; beyond it, its evaluation has failed.

    Designs: the columns of `SystolicArray`, all but the clock whole numbers. cycles are the index of the last one, with
    stalls, without the first prefetch and the final drain. Energy and area are the tables of `technology` applied to
    SCALE-Sim's words; partial sums are written to DRAM and never read back, as the tool has it.

    Time: .2 s, and about 5 us a word that the array reads or writes, two per multiply-accumulate over the array's side:
    layers of .2 to 2 million multiply-accumulates took .4 to 3 s of one core; ResNet-50 would take minutes on large
    arrays and hours on small ones. Memory: 45 MB, and 30 byte x cycles x (rows + 2 cols) of the largest layer.

    Error: none against the tool: on the 340 and 50 quickest runs of the tables in tests/reference/accelerator "calc"
    gives cycles, SRAM words and DRAM words exactly, and "user" the same SRAM words, and the same cycles once its stalls
    are taken off. Its makers check compute cycles alone against hardware, by simulating RTL. Its stalls are disputed,
    and here they are as it computes them:
    - A prefetch that comes late is waited for twice (issue 130 of scalesim-project/SCALE-Sim). Interfaces that look
      wide enough can still stall the array, and DRAM reads hardly fall with larger SRAMs (issue 27).
    - What is prefetched is the stream that the array will ask for, with each repetition of a word and each idle port:
      overlapping windows fill an SRAM that would hold their image.
    - A read counts as DRAM words the whole prefetch, half an SRAM: 2.9 times "calc"'s words for the ifmap and 1.9 times
      for the filters (medians of those 340; a twentieth above 34 and 51 times). Writes are within 9 %.
    - A wider interface never took more cycles on 24 random designs of two small layers, 1 to 64 words a cycle.
    `SystolicArray`'s latency shares one interface among all traffic and waits for each word once: over 100 random
    designs of a small convolution the RMS of the logarithm of "user"'s cycles over its is 1.13, Spearman's rank
    correlation .53, and 36 % of the designs stall (`designgym bench scale-sim`).
    """

    workload: str | tuple[Layer, ...] = "resnet50"
    technology: str | Technology = "horowitz45"
    bandwidth: Literal["user", "calc"] = "user"
    time_limit_s: float = TIME_LIMIT_S
    memory_byte: int = MEMORY_BYTE

    slow = True
    stored = True

    def __post_init__(self) -> None:
        systolic_array.check_choice("bandwidth", self.bandwidth, ("user", "calc"))
        self._limits  # noqa: B018  both, and the workload's kind, are wrong now rather than at the first design
        self._closed  # noqa: B018

    @property
    def metrics(self) -> tuple[systolic_array.Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return METRICS

    @cached_property
    def version(self) -> str:
        """Changes with the package, the script that drives it, the layers' geometry, the technology and the mode."""
        geometry = [[getattr(layer, field.name) for field in fields(layer)[1:]] for layer in self.layers]
        told = (geometry, self._closed._technology, self.bandwidth, systolic_array.MODEL, DRIVER.read_text("utf-8"))
        return f"{MODEL}-{SCALESIM.version}-{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The workload's layers, equal ones merged; reads the workload's file, if it is one."""
        return self._closed.layers

    @cached_property
    def _closed(self) -> SystolicArray:
        return SystolicArray(self.workload, psum="scalesim", technology=self.technology)

    @cached_property
    def _limits(self) -> Limits:
        return Limits(seconds=self.time_limit_s, cpu_s=2 * self.time_limit_s, memory_byte=self.memory_byte)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns of `SystolicArray`, each (n,), whole numbers but for the clock.

        Return every metric and "violation", float64 (n,); violation is inf where the simulation failed.
        NotInstalled, a ValueError in one line, where scalesim is not installed.
        """
        return self.evaluate_reporting(designs)[0]

    def evaluate_reporting(self, designs: Columns) -> tuple[Columns, tuple[Failure | None, ...]]:
        """Return what `evaluate` returns, and why each design's simulation failed, with its log; None where not."""
        n = batch_length(checked(designs))
        can_be_clocked = np.asarray(designs["clock_hz"]) <= self._closed._technology.supply_v[-1][0]
        ran = [self._totals({name: int(designs[name][i]) for name in DESIGN[:7]}) if can_be_clocked[i] else None
               for i in range(n)]  # fmt: skip
        failures = tuple(found if isinstance(found, Failure) else None for found in ran)
        failed = np.array([failure is not None for failure in failures], bool)
        totals = {
            name: np.array([found[name] if isinstance(found, dict) else np.nan for found in ran], np.float64)
            for name in TOTALS
        }
        columns = metrics_of_totals(self._closed, designs, totals)
        for name, column in columns.items():
            columns[name] = np.where(failed, np.inf if name == "violation" else np.nan, column)
        return columns, failures

    def check_ready(self) -> None:
        """Raise NotInstalled where scalesim is not installed here: better known before any design is handed out."""
        ready_python(SCALESIM)

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return why it cannot be built, "" where it can."""
        return self._closed.reason(design)

    def features(self, designs: Columns) -> Columns:
        """Return what is known of designs without simulating them: see `SystolicArray.features`."""
        return self._closed.features(designs)

    def simulate(self, design: dict[str, int]) -> list[Counts] | Failure:
        """Return what SCALE-Sim reports of one copy of each of `layers`: see `simulate_layers`."""
        return simulate_layers(ready_python(SCALESIM), design, self.layers, self.bandwidth, self._limits)

    def _totals(self, design: dict[str, int]) -> dict[str, float] | Failure:
        found = self.simulate(design)
        if isinstance(found, Failure):
            return found
        totals = dict.fromkeys(TOTALS, 0.0)
        for layer, counts in zip(self.layers, found, strict=True):
            cycles = counts["cycles"]
            # Partial sums go to DRAM and never come back: the ofmap SRAM reads none.
            told = counts | {"macs": layer.macs, "latency": cycles, "psum_reads": 0}
            for name in TOTALS:
                totals[name] += float(layer.count * told[name])
        return totals


WORDS = tuple(f"{memory}_{operand}_words" for memory in ("sram", "dram") for operand in ("ifmap", "filter", "ofmap"))
TOTALS = ("macs", "cycles", "latency", "psum_reads", *WORDS)


def simulate_layers(
    python: Path, design: dict[str, int], layers: Sequence[Layer], bandwidth: str, limits: Limits
) -> list[Counts] | Failure:
    """Return what SCALE-Sim reports of one copy of each layer, all simulated in one process.

    python: of an environment with scalesim. design: rows ... dram_words_per_cycle, as in `SystolicArray`.
    cycles: the index of the last one, stalls included; stall_cycles; cycles_with_prefetch: from the first word fetched
    to the last one written; words as sram_ifmap_words ... dram_ofmap_words.
    """
    sizes = [[getattr(layer, name) for name in GEOMETRY] for layer in layers]
    job = {"config": configuration(design, bandwidth), "layers": sizes}
    with tempfile.TemporaryDirectory(prefix="designgym-scalesim-") as made:
        directory = Path(made)
        (directory / "job.json").write_text(json.dumps(job), encoding="utf-8")
        # One thread: its matrices are indexed, not multiplied, and each thread would reserve memory of its own.
        variables = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        outcome = run_process([str(python), "-I", str(DRIVER)], directory, limits, variables, temporary=True)
    if outcome.exit_code != 0:
        return _failure(outcome, outcome.reason)
    try:
        found: list[Counts] = json.loads(outcome.stdout)
        complete = len(found) == len(layers) and all(counts.keys() >= {"cycles", *WORDS} for counts in found)
    except (ValueError, TypeError, AttributeError):
        complete = False
    return found if complete else _failure(outcome, "it did not print a count of every kind for every layer")


def _failure(outcome: Outcome, how: str) -> Failure:
    log = outcome.stderr.decode("utf-8", "replace")[-LOG_CHARACTERS:]
    said = log.strip().splitlines()
    return Failure(f"SCALE-Sim: {how}{f', after: {said[-1][:200]}' if said else ''}", log)


def configuration(design: dict[str, int], bandwidth: str) -> dict[str, dict[str, str]]:
    """Return one design as SCALE-Sim's configuration file, section by section.

    Version 3.0.0 takes the width of the read interfaces from its section on layouts, and from `Bandwidth` that of the
    write interface alone.
    """
    width = design["dram_words_per_cycle"]
    layout = {"CustomLayout": False, "SRAMBankBandwidth": width, "SRAMBankNum": 1, "SRAMBankPort": 2}
    sections: dict[str, dict[str, object]] = {
        "general": {"run_name": "designgym"},
        "architecture_presets": {
            "ArrayHeight": design["rows"],
            "ArrayWidth": design["cols"],
            "IfmapSramSzkB": design["ifmap_sram_kb"],
            "FilterSramSzkB": design["filter_sram_kb"],
            "OfmapSramSzkB": design["ofmap_sram_kb"],
            # Where each operand's addresses begin. They meet in no buffer, so that any three would do.
            "IfmapOffset": 0,
            "FilterOffset": 10_000_000,
            "OfmapOffset": 20_000_000,
            "Dataflow": DATAFLOWS[design["dataflow"]],
            "Bandwidth": width,
            "ReadRequestBuffer": 32,  # of Ramulator's traces, which are off
            "WriteRequestBuffer": 32,
        },
        "layout": {f"{of}{key}": value for of in ("Ifmap", "Filter") for key, value in layout.items()},
        "sparsity": {"SparsitySupport": False},
        "run_presets": {"InterfaceBandwidth": bandwidth.upper(), "UseRamulatorTrace": False},
    }
    return {name: {key: str(value) for key, value in keys.items()} for name, keys in sections.items()}
