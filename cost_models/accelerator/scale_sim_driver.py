"""Simulate the layers of one design with SCALE-Sim: a script of its own, run by the Python of scalesim's environment.

It reads `job.json` in its directory: a configuration as SCALE-Sim reads it, section by section, and the layers as rows
of ifmap_h, ifmap_w, filter_h, filter_w, channels, filters, stride_h, stride_w. It prints one JSON array, an object of
whole numbers per layer; what it says meanwhile goes to standard error. It imports nothing of designgym.

The classes are the package's own, used as its `simulator` uses them, layer by layer so that one layer's traces are gone
before the next ones are made; only traces on disk and progress bars are left out.
"""

import configparser
import contextlib
import json
import sys
import types
from typing import Any

CONFIG = "scale.cfg"


def leave_out_progress_bars() -> None:
    """Put plain iterables in place of tqdm's bars: a quarter of the time goes into making three hidden ones a cycle."""

    class Bar:
        def update(self, n: int = 1) -> None:
            """Nothing to show."""

        def close(self) -> None:
            """Nothing to end."""

    def tqdm(iterable: Any = None, **_: Any) -> Any:
        return Bar() if iterable is None else iterable

    module = types.ModuleType("tqdm")
    module.tqdm = tqdm  # type: ignore[attr-defined]
    sys.modules["tqdm"] = module


def simulate(config: Any, sizes: list[int]) -> dict[str, int]:
    """Return what the package's compute report and detailed access report say of one layer."""
    from scalesim.layout_utils import layouts  # type: ignore[import-not-found]
    from scalesim.single_layer_sim import single_layer_sim  # type: ignore[import-not-found]
    from scalesim.topology_utils import topologies  # type: ignore[import-not-found]

    topology = topologies()
    # Not from a file: version 3.0.0 reads the second stride of a row as its sparsity. 1:1 is dense.
    topology.append_topo_arrays("layer", ["layer", *sizes, 1, 1])
    topology.num_layers, topology.topo_load_flag = 1, True
    layer = single_layer_sim()
    layer.set_params(layer_id=0, config_obj=config, topology_obj=topology, layout_obj=layouts(), verbose=False)
    layer.run()
    overall_cycles, total_cycles, stall_cycles = layer.get_compute_report_items()[:3]
    detail = layer.get_detail_report_items()
    counts = {
        "cycles": total_cycles, "stall_cycles": stall_cycles, "cycles_with_prefetch": overall_cycles,
        "sram_ifmap_words": detail[2], "sram_filter_words": detail[5], "sram_ofmap_words": detail[8],
        "dram_ifmap_words": detail[11], "dram_filter_words": detail[14], "dram_ofmap_words": detail[17],
    }  # fmt: skip
    return {name: int(count) for name, count in counts.items()}


def main() -> None:
    """Do the job."""
    with open("job.json", encoding="utf-8") as file:
        job = json.load(file)
    written = configparser.ConfigParser()
    written.read_dict(job["config"])
    with open(CONFIG, "w", encoding="utf-8") as file:
        written.write(file)

    leave_out_progress_bars()
    with contextlib.redirect_stdout(sys.stderr):
        from scalesim.scale_config import scale_config  # type: ignore[import-not-found]

        config = scale_config()
        config.read_conf_file(CONFIG)
        if not config.valid_conf_flag:
            raise SystemExit("SCALE-Sim did not accept its configuration")
        found = []
        for number, sizes in enumerate(job["layers"], start=1):
            print(f"layer {number} of {len(job['layers'])}: {sizes}", flush=True)
            found.append(simulate(config, sizes))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
