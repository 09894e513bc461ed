"""ScaleSim: the real simulator in its own process, beside runs of it by others and beside our closed form.

The fixture `scalesim` installs the package, or finds it; where pip reaches no index, these tests fail with pip's words.
"""

import csv
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.accelerator import scale_sim
from designgym.cost_models.accelerator.layers import Layer, gemm_layer
from designgym.cost_models.accelerator.scale_sim import ScaleSim
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.technology import technology
from designgym.cost_models.base import Columns, Failure
from designgym.cost_models.simulators.installed import NotInstalled
from designgym.envs import make_problem

REFERENCE = Path(__file__).parents[2] / "reference" / "accelerator"
SMALL = "gemm:m=9,k=11,n=7"
REPORTED = {
    "cycles": "total_cycles", "stall_cycles": "stall_cycles", "cycles_with_prefetch": "overall_cycles",
    "sram_ifmap_words": "sram_ifmap_reads", "sram_filter_words": "sram_filter_reads",
    "sram_ofmap_words": "sram_ofmap_writes", "dram_ifmap_words": "dram_ifmap_reads",
    "dram_filter_words": "dram_filter_reads", "dram_ofmap_words": "dram_ofmap_writes",
}  # fmt: skip
DESIGN = {
    "rows": 8, "cols": 12, "dataflow": 0, "ifmap_sram_kb": 8, "filter_sram_kb": 8, "ofmap_sram_kb": 8,
    "dram_words_per_cycle": 4, "clock_hz": 200_000_000,
}  # fmt: skip


def designs(**changed: list[int]) -> Columns:
    n = max(map(len, changed.values()), default=1)
    return {name: np.array(changed.get(name, [value] * n)) for name, value in DESIGN.items()}


def counts(model: ScaleSim, **changed: int) -> list[dict[str, int]]:
    found = model.simulate({name: changed.get(name, value) for name, value in DESIGN.items()})
    assert not isinstance(found, Failure), found
    return found


def quick_rows(table: str, each: int, overflowing: bool = False) -> list[dict[str, str]]:
    """Take the quickest runs of each dataflow, of different layers; or of those whose operands pass half an SRAM."""
    with open(REFERENCE / table) as file:
        rows = sorted(csv.DictReader(file), key=lambda row: float(row["wall_s"]))
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        m, k, n = (int(row[size]) for size in "MKN")
        if not all(row[sram] for sram in ("ifmap_kB", "filter_kB", "ofmap_kB")) or k == 1:
            continue
        if not overflowing or m * k > 512 * int(row["ifmap_kB"]) or k * n > 512 * int(row["filter_kB"]):
            found.setdefault(row["dataflow"], {}).setdefault(row["layer"], row)
    return [row for of_layers in found.values() for row in list(of_layers.values())[:each]]


def of_row(row: dict[str, str], bandwidth: str = "calc", words_per_cycle: int = 1) -> dict[str, int]:
    sizes = ("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w")
    model = ScaleSim((Layer(row["layer"], *(int(row[size]) for size in sizes)),), bandwidth=bandwidth)
    array = {"rows": int(row["rows"]), "cols": int(row["cols"]), "dataflow": ("os", "ws", "is").index(row["dataflow"])}
    kb = {f"{of}_sram_kb": int(row[f"{of}_kB"]) for of in ("ifmap", "filter", "ofmap")}
    return counts(model, **array, **kb, dram_words_per_cycle=words_per_cycle)[0]


@pytest.mark.usefixtures("scalesim")
@pytest.mark.parametrize(("table", "each"), [("scalesim.csv", 1), ("scalesim_random.csv", 3)])
def test_calc_mode_gives_the_runs_of_others_exactly(table: str, each: int) -> None:
    rows = quick_rows(table, each)
    assert len(rows) == 3 * each
    for row in rows:
        found = of_row(row)
        told = {name: int(float(row[column])) for name, column in REPORTED.items()}
        assert {name: found[name] for name in REPORTED} == told, row


@pytest.mark.usefixtures("scalesim")
def test_user_mode_adds_stalls_alone_to_compute_cycles_and_leaves_sram_words() -> None:
    for row in quick_rows("scalesim_random.csv", 2, overflowing=True):
        found = of_row(row, "user", 1)
        assert found["cycles"] - found["stall_cycles"] == int(row["total_cycles"])
        for name in ("sram_ifmap_words", "sram_filter_words", "sram_ofmap_words"):
            assert found[name] == int(row[REPORTED[name]])
        assert found["stall_cycles"] > 0


@pytest.mark.usefixtures("scalesim")
@pytest.mark.parametrize("dataflow", [0, 2])
def test_a_wider_interface_never_costs_cycles(dataflow: int) -> None:
    model = ScaleSim("gemm:m=36,k=64,n=24")
    changed = {"dataflow": dataflow, "rows": 36, "cols": 24, "ifmap_sram_kb": 1, "filter_sram_kb": 1}
    cycles = [counts(model, **changed, dram_words_per_cycle=width)[0]["cycles"] for width in (1, 4, 64)]
    stall_free = counts(ScaleSim(model.workload, bandwidth="calc"), **changed)[0]["cycles"]
    assert cycles[0] > cycles[1] >= cycles[2] >= stall_free


@pytest.mark.usefixtures("scalesim")
def test_each_of_the_three_interfaces_has_the_designs_width() -> None:
    # Reads come in whole lines of the interface's width. Lines of the write interface are padded to it when half of
    # the ofmap SRAM drains while a line is open: once in 1,200 words through 1 kB, where the width does not divide.
    model = ScaleSim("gemm:m=60,k=2,n=20")
    for width, words in ((20, [120, 40, 1200]), (32, [128, 64, 1200 + 31])):
        found = counts(model, rows=12, cols=20, ofmap_sram_kb=1, dram_words_per_cycle=width)[0]
        assert [found[f"dram_{of}_words"] for of in ("ifmap", "filter", "ofmap")] == words


@pytest.mark.usefixtures("scalesim")
def test_stall_free_metrics_are_those_of_the_closed_form_with_counted_words() -> None:
    # Two dataflows, two clocks; the layers are counted 3 and 2 times.
    layers = (replace(gemm_layer("a", 9, 11, 7), count=3), Layer("b", 6, 6, 3, 3, 1, 1, count=2))
    batch = designs(dataflow=[0, 1], clock_hz=[100_000_000, 250_000_000])
    ours = SystolicArray(layers, psum="scalesim", dram="counted").evaluate(batch)
    found = ScaleSim(layers, bandwidth="calc").evaluate(batch)
    assert found.keys() == ours.keys()
    for name in ("cycles", "utilization", "sram_words", "dram_words", "area_mm2", "violation"):
        np.testing.assert_array_equal(found[name], ours[name], err_msg=name)
    np.testing.assert_array_equal(found["latency_s"], found["cycles"] / batch["clock_hz"])
    np.testing.assert_array_equal(found["edp_js"], found["energy_j"] * found["latency_s"])
    # Ours waits for DRAM, which the stall-free mode does not; where it need not wait, every metric is the same.
    wide = batch | {"dram_words_per_cycle": np.array([1000, 1000])}
    for name, column in ScaleSim(layers, bandwidth="calc").evaluate(wide).items():
        np.testing.assert_array_equal(
            column, SystolicArray(layers, psum="scalesim", dram="counted").evaluate(wide)[name], err_msg=name
        )


@pytest.mark.usefixtures("scalesim")
def test_it_prices_the_problem_of_the_closed_form() -> None:
    problem = make_problem("SystolicArray-v0", workload=SMALL, technology="eyeriss65", cost_model="ScaleSim")
    model = problem.cost_model
    assert model == ScaleSim(SMALL, "eyeriss65")
    model.check_ready()
    assert model.slow
    assert model.stored
    drawn = problem.space.sample(2, np.random.default_rng(1))
    found = problem.evaluate(drawn)
    assert found.feasible.shape == (2,)
    closed = SystolicArray(SMALL, technology="eyeriss65")
    np.testing.assert_array_equal(found.metrics["area_mm2"], closed.evaluate(drawn)["area_mm2"])
    assert {(m.name, m.unit, m.better) for m in model.metrics} == {(m.name, m.unit, m.better) for m in closed.metrics}
    assert pickle.loads(pickle.dumps(model)) == model
    again = pickle.loads(pickle.dumps(model)).evaluate({name: column[1:] for name, column in drawn.items()})
    assert again["cycles"][0] == found.metrics["cycles"][1]


def test_what_is_known_before_it_is_simulated_is_that_of_the_closed_form() -> None:
    batch = designs(dataflow=[0, 1, 2])
    known, closed = ScaleSim(SMALL).features(batch), SystolicArray(SMALL, psum="scalesim").features(batch)
    assert known.keys() == closed.keys()
    for name, column in closed.items():
        np.testing.assert_array_equal(known[name], column)


def test_a_clock_that_no_supply_allows_is_not_simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path))  # nothing is installed there
    batch = designs(clock_hz=[500_000_000])
    found, failures = ScaleSim(SMALL).evaluate_reporting(batch)
    assert failures == (None,)
    assert found["violation"][0] == SystolicArray(SMALL).evaluate(batch)["violation"][0] == 1.0
    assert np.isnan(found["cycles"][0])
    assert "500000000" in ScaleSim(SMALL).reason(batch).replace("5e+08", "500000000")


def test_where_it_is_not_installed_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path))
    with pytest.raises(NotInstalled) as missing:
        ScaleSim(SMALL).evaluate(designs())
    assert str(missing.value) == (
        f"scalesim 3.0.0 must be installed in {tmp_path}/simulators/scalesim-3.0.0, but none is there. "
        "Run: designgym simulators install scalesim"
    )
    with pytest.raises(NotInstalled):
        ScaleSim(SMALL).check_ready()
    (tmp_path / "simulators" / "scalesim-3.0.0" / "bin").mkdir(parents=True)
    with pytest.raises(NotInstalled, match="half made or broken"):
        ScaleSim(SMALL).evaluate(designs())


def with_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: Callable[[str], str]) -> None:
    """Let another script drive the simulator."""
    changed = tmp_path / "driver.py"
    changed.write_text(change(scale_sim.DRIVER.read_text()))
    monkeypatch.setattr(scale_sim, "DRIVER", changed)


@pytest.mark.usefixtures("scalesim")
def test_a_crash_inside_is_a_failure_with_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = ScaleSim(SMALL).version
    with_driver(monkeypatch, tmp_path, lambda text: text.replace("layer.run()", 'raise RuntimeError("a buffer broke")'))
    assert ScaleSim(SMALL).version != version  # of another script
    found, (failure,) = ScaleSim(SMALL).evaluate_reporting(designs())
    assert failure is not None
    assert failure.reason.startswith("SCALE-Sim: it ended with exit code 1, after: RuntimeError: a buffer broke")
    assert "layer 1 of 1: [9, 1, 1, 1, 11, 7, 1, 1]" in failure.log
    assert "Traceback" in failure.log
    assert found["violation"][0] == np.inf
    assert all(np.isnan(column[0]) for name, column in found.items() if name != "violation")


@pytest.mark.usefixtures("scalesim")
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("layer.run()", "__import__('time').sleep(60)", "ran past its time limit of 1.5 s and was killed"),
        ("print(json.dumps(found))", "print('done')", "it did not print a count of every kind for every layer"),
        ("print(json.dumps(found))", "print('[{}]')", "it did not print a count of every kind for every layer"),
    ],
)
def test_one_that_hangs_or_prints_rubbish_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str, said: str
) -> None:
    with_driver(monkeypatch, tmp_path, lambda text: text.replace(old, new))
    limit_s = 1.5 if "sleep" in new else 60.0
    _, (failure,) = ScaleSim(SMALL, time_limit_s=limit_s).evaluate_reporting(designs())
    assert failure is not None
    assert said in failure.reason


@pytest.mark.usefixtures("scalesim")
def test_a_worker_that_is_killed_leaves_no_directory(tmp_path: Path) -> None:
    model = ScaleSim("gemm:m=900,k=110,n=2700")  # which takes minutes
    (tmp_path / "job").write_bytes(pickle.dumps((model, designs())))
    (tmp_path / "trials").mkdir()
    program = "import pickle, sys; model, designs = pickle.load(open(sys.argv[1], 'rb')); model.evaluate(designs)"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "trials")}
    worker = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "job")], env=environment)
    wait_until(lambda: any((tmp_path / "trials").glob("*/scale.cfg")))
    worker.kill()
    worker.wait()
    wait_until(lambda: not any((tmp_path / "trials").iterdir()))


def wait_until(so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30.0
    while not so():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.usefixtures("scalesim")
def test_one_failure_leaves_the_other_designs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = 'if config.array_rows == 4:\n        raise SystemExit("no rows of four")\n    layer.run()'
    with_driver(monkeypatch, tmp_path, lambda text: text.replace("layer.run()", broken))
    found, failures = ScaleSim(SMALL).evaluate_reporting(designs(rows=[4, 8]))
    assert [failure is None for failure in failures] == [False, True]
    assert found["violation"].tolist() == [np.inf, 0.0]
    assert found["cycles"][1] > 0


def test_its_version_is_that_of_everything_that_counts() -> None:
    model = ScaleSim((gemm_layer("a", 9, 11, 7),))
    others = [
        replace(model, workload=(gemm_layer("a", 9, 11, 8),)),
        replace(model, workload=(gemm_layer("a", 9, 11, 7, count=2),)),
        replace(model, technology="eyeriss65"),
        replace(model, technology=replace(technology("horowitz45"), mac_j=1e-12)),
        replace(model, bandwidth="calc"),
    ]
    assert len({model.version, *(other.version for other in others)}) == 6
    assert "3.0.0" in model.version
    same = [replace(model, workload=(gemm_layer("b", 9, 11, 7),)), replace(model, time_limit_s=1.0), ScaleSim(SMALL)]
    assert {other.version for other in same} == {model.version}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bandwidth": "usr"}, "bandwidth must be one of user, calc, got 'usr'. Did you mean 'user'?"),
        ({"workload": 3}, "workload must be a name, a path or layers, got 3."),
        ({"time_limit_s": 0.0}, "must be a number above 0"),
    ],
)
def test_wrong_options_are_answered_in_one_line(options: dict, said: str) -> None:
    with pytest.raises(ValueError) as error:
        ScaleSim(**options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("dram_words_per_cycle", 0.5, "dram_words_per_cycle must be a whole number from 1 to"),
        ("dataflow", 3, "dataflow must be a whole number from 0 to 2 for SCALE-Sim, got 3"),
        ("rows", 0, "rows must be a whole number from 1 to"),
    ],
)
def test_designs_that_it_cannot_be_given_are_named(name: str, value: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ScaleSim(SMALL).evaluate(designs(**{name: [value]}))
    without = designs()
    del without[name]
    with pytest.raises(ValueError, match=f"'{name}' is missing"):
        ScaleSim(SMALL).evaluate(without)
