"""Choose a systolic array, its memories and its clock for one neural network."""

import math

from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_kernel import DATAFLOWS
from designgym.cost_models.base import CostModel
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Integer, Ordinal, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

SRAM_KB = tuple(2**i for i in range(3, 12))
DRAM_WORDS_PER_CYCLE = tuple(2**i for i in range(7))
CLOCKS_HZ = (100_000_000, 150_000_000, 200_000_000, 250_000_000)  # from end to end of the measured voltage curve

# About a quarter of the designs meet it: 23.6 % and 23.3 %.
AREA_BOUND_MM2 = {"horowitz45": 30.0, "eyeriss65": 60.0}


def systolic_array(
    workload: str = "resnet50",
    objective: Objective | None = None,
    area_bound_mm2: float | None = None,
    psum: str = "buffered",
    dram: str = "closed",
    technology: str = "horowitz45",
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Build an accelerator for `workload`, batch 1.

    250,822,656 designs. objective: default least `latency_s` with `area_mm2` at most `area_bound_mm2`, whose default is
    the technology's in AREA_BOUND_MM2, 30 mm2 where it has none; the bound belongs to the default objective alone.
    The rest are options of `SystolicArray`; a cost_model given takes the place of all of them.
    ValueError in one line for a workload, an option or a file that is wrong.
    """
    if cost_model is None:
        model = SystolicArray(workload, psum, dram, technology)  # type: ignore[arg-type]  # it checks the names itself
        model.version  # noqa: B018  reads workload and technology: what is wrong with them shows now, not in a run
        cost_model = model
    if objective is None:
        bound = AREA_BOUND_MM2.get(technology, 30.0) if area_bound_mm2 is None else checked_area(area_bound_mm2)
        objective = Objective(minimize=("latency_s",), subject_to=(f"area_mm2 <= {bound!r}",))
    return DesignProblem(design_space(), cost_model, objective)


def checked_area(given: float) -> float:
    """Return an area that bounds designs, mm2. ValueError for what is none."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
        raise ValueError(f"area_bound_mm2 must be a number above 0, got {given!r}.")
    return float(given)


def design_space() -> DesignSpace:
    """Return the space of `systolic_array`."""
    return DesignSpace(*parameters())


def parameters(largest: int = 256, step: int = 4, sram_kb: tuple[int, ...] = SRAM_KB) -> tuple[Parameter, ...]:
    """Return the eight parameters of an array. largest, step: of rows and columns; sram_kb: sizes of each SRAM."""

    def sram(name: str, holds: str) -> Ordinal:
        meaning = f"SRAM of {holds}, half of it in use while the other half is filled or drained"
        return Ordinal(name, sram_kb, unit="kB", meaning=meaning)

    return (
        Integer("rows", step, largest, step=step, unit="PE", meaning="processing elements along a column"),
        Integer("cols", step, largest, step=step, unit="PE", meaning="processing elements along a row"),
        Categorical("dataflow", DATAFLOWS, meaning="which operand stays put: output, weight or input"),
        sram("ifmap_sram_kb", "the layer's input"),
        sram("filter_sram_kb", "the weights"),
        sram("ofmap_sram_kb", "outputs and partial sums"),
        Ordinal(
            "dram_words_per_cycle",
            DRAM_WORDS_PER_CYCLE,
            unit="word/cycle",
            meaning="rate of the DRAM interface, shared by reads and writes",
        ),
        Ordinal("clock_hz", CLOCKS_HZ, unit="Hz", meaning="clock; a faster one needs a higher supply voltage"),
    )
