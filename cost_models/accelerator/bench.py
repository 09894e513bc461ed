"""Time the systolic array's forms side by side in one run: compiled on all threads and on one, NumPy, and SCALE-Sim.

SCALE-Sim: Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016, the `scalesim` 3.0.0 package.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.cost_models.accelerator.layers import GEOMETRY, Layer
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_numpy import evaluate_numpy
from designgym.cost_models.base import Columns

SCALESIM_PYTHON = "DESIGNGYM_SCALESIM_PYTHON"  # environment variable: an interpreter that can import scalesim
HOW_TO_GET_SCALESIM = (
    "not measured: it needs NumPy below 2, so an environment of its own: "
    "`python3.11 -m venv scalesim-env && scalesim-env/bin/pip install scalesim==3.0.0 'numpy<2'`, "
    f"then set {SCALESIM_PYTHON}=scalesim-env/bin/python"
)
SMALL_MACS = 10_000_000  # layers of more keep SCALE-Sim busy for minutes

# Runs in SCALE-Sim's environment: layers and dataflows in, seconds of its compute stage out. That stage lays out which
# address each port sees in each cycle; the memory stage after it takes longer.
SCALESIM_RUN = """
import json, sys, time
from scalesim.compute.operand_matrix import operand_matrix
from scalesim.compute.systolic_compute_is import systolic_compute_is
from scalesim.compute.systolic_compute_os import systolic_compute_os
from scalesim.compute.systolic_compute_ws import systolic_compute_ws
from scalesim.layout_utils import layouts
from scalesim.scale_config import scale_config
from scalesim.topology_utils import topologies

systems = {"os": systolic_compute_os, "ws": systolic_compute_ws, "is": systolic_compute_is}
job = json.load(sys.stdin)
took = []
for layer in job["layers"]:
    for dataflow, system in systems.items():
        config, topology, operands, array = scale_config(), topologies(), operand_matrix(), system()
        config.array_rows, config.array_cols = job["rows"], job["cols"]
        config.df, config.valid_conf_flag = dataflow, True
        topology.load_layer_params_from_list("layer", ["layer", *layer, 1, 1])
        topology.topo_calc_hyperparams()
        start = time.perf_counter()
        operands.set_params(config, topology, layouts(), 0)
        ifmap, filters, ofmap = (operands.get_ifmap_matrix()[1], operands.get_filter_matrix()[1],
                                 operands.get_ofmap_matrix()[1])
        array.set_params(config_obj=config, ifmap_op_mat=ifmap, filter_op_mat=filters, ofmap_op_mat=ofmap)
        array.get_demand_matrices()
        took.append(time.perf_counter() - start)
print(json.dumps(took))
"""


Row = tuple[str, float, str, float | None, str]


def measure(scalesim_python: str | None = None, designs: int = 1_000_000, repeats: int = 9) -> dict[str, Any]:
    """Return {"notes": texts, "rows": [(what, figure, unit, ratio or None, what the ratio is to)]}.

    scalesim_python: the interpreter of an environment with scalesim; default: that of DESIGNGYM_SCALESIM_PYTHON.
    Without one, a note says how to make it. Rates of the compiled and NumPy forms are the best of `repeats`, of
    batches from columns to all nine metrics; SCALE-Sim runs once.
    """
    notes = [f"best of {repeats} repeats each, {designs:,} ResNet-18 designs at once, all nine metrics"]
    rows = _forms(designs, repeats)
    python = scalesim_python or os.environ.get(SCALESIM_PYTHON)
    if python:
        rows += _against_scalesim(python, designs, repeats)
        notes.append(f"layers are ResNet-18's below {SMALL_MACS:,} MACs on 32 x 32; SCALE-Sim's memory stage left out")
    else:
        notes.append(f"SCALE-Sim {HOW_TO_GET_SCALESIM}")
    return {"notes": notes, "rows": rows}


def _forms(designs: int, repeats: int) -> list[Row]:
    from numba import get_num_threads

    from designgym.cost_models.accelerator.systolic_kernel import price_network

    model, batch = SystolicArray("resnet18"), random_designs(designs)
    few = {name: column[: max(1, designs // 10)] for name, column in batch.items()}
    arguments = (*batch.values(), *model._network, *model._tables)
    threaded = designs / _best(lambda: model.evaluate(batch), repeats)
    serial = designs / _best(lambda: price_network.serial(*arguments), repeats)
    plain = len(few["rows"]) / _best(lambda: evaluate_numpy(model, few), repeats)
    one = {name: column[:1] for name, column in batch.items()}
    single = _best(lambda: [model.evaluate(one) for _ in range(1000)], repeats) / 1000
    return [
        (f"compiled, {get_num_threads()} threads", threaded, "designs/s", threaded / plain, "NumPy"),
        ("compiled, one thread", serial, "designs/s", serial / plain, "NumPy"),
        ("NumPy", plain, "designs/s", None, ""),
        ("compiled, one design a call", 1e6 * single, "µs", None, ""),
    ]


def _against_scalesim(python: str, designs: int, repeats: int) -> list[Row]:
    small = tuple(layer for layer in SystolicArray("resnet18").layers if layer.macs < SMALL_MACS)
    model, batch = SystolicArray(small), random_designs(designs)
    kernel = len(small) * designs / _best(lambda: model.evaluate(batch), repeats)
    tool = _scalesim_layers_per_s(python, small)
    return [
        ("compiled, all threads, layer by layer", kernel, "layers/s", kernel / tool, "SCALE-Sim's compute stage"),
        ("SCALE-Sim 3.0.0's compute stage", tool, "layers/s", None, ""),
    ]


def random_designs(n: int, seed: int = 0) -> Columns:
    """Return n designs, uniform over the environment's values."""
    rng = np.random.default_rng(seed)
    names = ("ifmap_sram_kb", "filter_sram_kb", "ofmap_sram_kb")
    return {
        "rows": rng.integers(1, 65, n) * 4,
        "cols": rng.integers(1, 65, n) * 4,
        "dataflow": rng.integers(0, 3, n),
        **{name: 2 ** rng.integers(3, 12, n) for name in names},
        "dram_words_per_cycle": 2 ** rng.integers(0, 7, n),
        "clock_hz": 50_000_000 * rng.integers(2, 6, n),
    }


def _best(run: Callable[[], object], repeats: int) -> float:
    run()  # compiles, or warms up
    return min(_seconds(run) for _ in range(repeats))


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _scalesim_layers_per_s(python: str, layers: tuple[Layer, ...]) -> float:
    sizes = [[getattr(layer, name) for name in GEOMETRY] for layer in layers]
    job = json.dumps({"layers": sizes, "rows": 32, "cols": 32})
    try:
        done = subprocess.run([python, "-c", SCALESIM_RUN], input=job, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ValueError(f"{SCALESIM_PYTHON} must be an interpreter, got {python!r}: {error.strerror}.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(
            f"{python} must run scalesim 3.0.0, got: {last}. It is {HOW_TO_GET_SCALESIM.partition(': ')[2]}."
        )
    took = json.loads(done.stdout.strip().splitlines()[-1])
    return len(took) / sum(took)
