"""The command line as a user meets it: what it prints, and how it refuses."""

import errno
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models import Columns, Metric
from designgym.envs import DesignProblem, DesignSpace, Integer, Objective, registry
from designgym.envs.simulated.simulator import EXAMPLE
from designgym.experiments.cli import main

DESIGN = ["rows=128", "cols=64", "dataflow=ws", "ifmap_sram_kb=256", "filter_sram_kb=256", "ofmap_sram_kb=64"]


def needs_an_option(size: int) -> None:
    """Make a problem of that size."""


class SmallModel:
    metrics = (Metric("latency_s", "s", "lower", "time"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        return {"latency_s": designs["x"] + 1.0, "violation": np.zeros(len(designs["x"]))}


def small_problem() -> DesignProblem:
    return DesignProblem(DesignSpace(Integer("x", 0, 9)), SmallModel(), Objective(minimize=("latency_s",)))


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["designgym", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def json_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert call(monkeypatch, *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_list_names_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    listing = json_of(monkeypatch, capsys, "list")
    assert "SystolicArray-v0" in [problem["id"] for problem in listing["problems"]]
    assert {"random", "exhaustive", "local_search", "genetic", "optuna_tpe"} <= {a["name"] for a in listing["agents"]}
    assert "SystolicArray" in listing["cost_models"]
    assert call(monkeypatch, "list") == 0
    assert "SystolicArray-v0" in capsys.readouterr().out


def test_a_problem_that_needs_a_file_is_listed_and_shown_with_and_without_it(monkeypatch, capsys) -> None:
    listed = {one["id"]: one for one in json_of(monkeypatch, capsys, "list")["problems"]}["Simulator-v0"]
    assert listed["designs"] is None
    assert listed["summary"].endswith("(needs the option file)")
    assert json_of(monkeypatch, capsys, "show", "Simulator")["needs"] == ["file"]
    assert call(monkeypatch, "show", "Simulator-v0") == 0
    assert "needs the option file" in capsys.readouterr().out
    shown = json_of(monkeypatch, capsys, "show", "Simulator-v0", "--set", f"file={EXAMPLE}")
    assert shown["designs"] == 648
    assert shown["objective"] == "min latency_s"


@pytest.mark.parametrize(
    "name", ["SystolicArray-v0", "SystolicArray", "designgym/SystolicArray-v0", "genetic", "random"]
)
def test_show(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "show", name) == 0
    assert name.removeprefix("designgym/").split("-")[0] in capsys.readouterr().out
    assert json_of(monkeypatch, capsys, "show", name)


def test_price_gives_each_metric_and_layers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    priced = json_of(monkeypatch, capsys, "price", "SystolicArray", *DESIGN, "--set", "workload=resnet18", "--layers")
    assert priced["design"]["rows"] == 128
    assert priced["metrics"]["latency_s"] > 0
    cycles = priced["layers"]["cycles"]
    assert sum(cycles) == pytest.approx(priced["metrics"]["cycles"])
    assert call(monkeypatch, "price", "SystolicArray", *DESIGN, "--layers") == 0
    assert "latency_s" in capsys.readouterr().out


def test_price_of_an_infeasible_design_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "price", "SystolicArray", "rows=256", "cols=256", "filter_sram_kb=2048") == 0
    assert "infeasible" in (said := capsys.readouterr().out)
    assert "area_mm2" in said


def test_run_reports_best_and_distance_to_the_optimum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run", "SystolicArray", "--agent", "random", "--budget", "50", "--seed", "3")
    result = json_of(monkeypatch, capsys, *words)
    assert result["trials"] == 50
    assert result["ended"] == "budget"
    assert 0 < result["regret"] < 2
    assert call(monkeypatch, *words) == 0
    assert "true optimum" in capsys.readouterr().out


def test_run_of_two_objectives_gives_a_front(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run", "SystolicArray", "--agent", "genetic", "--budget", "200", "--set", "objective=latency_s,energy_j")
    assert len(json_of(monkeypatch, capsys, *words)["front"]) > 1


IVP = str(Path(__file__).parents[1] / "reference" / "solver_schedule" / "solver_ivp_scipy.csv")
BAD = [
    (["price", "SystolicAray"], ["SystolicAray", "SystolicArray-v0"]),
    (["show", "genetik"], ["genetik", "genetic"]),
    (["price", "SystolicArray", "rows=5"], ["rows", "5", "[4, 256]"]),
    (["price", "SystolicArray", "row=8"], ["row", "rows"]),
    (["price", "SystolicArray", "rows"], ["NAME=VALUE", "rows"]),
    (["price", "SystolicArray", "rows=8", "rows=12"], ["rows", "once"]),
    (["price", "SystolicArray", "--set", "workload=resnet51"], ["resnet51", "resnet50"]),
    (["price", "SystolicArray", "--set", "worklod=resnet50"], ["worklod", "workload"]),
    (["price", "SystolicArray", "--set", "area_bound_mm2=-3"], ["area_bound_mm2", "-3", "above 0"]),
    (["price", "SystolicArray", "--set", "area_bound_mm2=abc"], ["area_bound_mm2", "abc", "above 0"]),
    (["price", "SystolicArray", "--set", "objective=latency"], ["latency", "latency_s"]),
    (["run", "SystolicArray", "--budget", "0"], ["budget", "at least 1", "0"]),
    (["run", "SystolicArray", "--budget", "many"], ["--budget", "integer", "designgym run --help"]),
    (["run", "SystolicArray", "--seed", "one"], ["--seed", "integer", "got 'one'", "designgym run --help"]),
    (["run", "SystolicArray", "--seed", "1.5"], ["--seed", "integer", "got '1.5'"]),
    (["run", "SystolicArray", "--seed", "-1"], ["--seed", "at least 0", "-1"]),
    (["price", "SystolicArray", "--set", "workload=3"], ["workload", "3"]),
    (["price"], ["ID", "designgym price --help"]),
    (["prise"], ["prise", "designgym --help"]),
    (["sweep", "quickstart", "--workers", "0", "--dry-run"], ["workers", "at least 1", "0"]),
    (["run", "SystolicArray", "--agent", "rando"], ["rando", "random"]),
    (["run", "SystolicArray", "--agent", "genetic", "--agent-set", "population=1"], ["population", "1"]),
    (["run", "SystolicArray", "--agent", "genetic", "--agent-set", "populaton=64"], ["populaton", "population"]),
    (["validate", "SystolicArray", "missing.csv"], ["missing.csv"]),
    (["validate", "OdeTolerance", IVP, "--init", IVP], ["OdeTolerance", "table alone", "--init"]),
    (["validate", "ThreeBody", IVP, "--init", "missing.csv"], ["missing.csv"]),
    (["bench", "cost-model"], ["cost-model", "cost-models"]),
    (["report", "nowhere"], ["nowhere"]),
    (["sweep", "missing.yaml"], ["missing.yaml"]),
]


@pytest.mark.parametrize(("words", "parts"), BAD, ids=lambda value: " ".join(value))
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert all(part in said.err for part in parts), said.err
    assert list(tmp_path.iterdir()) == []


def test_list_goes_on_where_code_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = registry._PROBLEMS._entry_points
    monkeypatch.setitem(names, "Broken-v0", "no_such_module:problem")
    monkeypatch.setitem(names, "Needy-v0", f"{__name__}:needs_an_option")
    listing = json_of(monkeypatch, capsys, "list")
    problems = {problem["id"]: problem for problem in listing["problems"]}
    assert {"SystolicArray-v0", "Needy-v0"} <= set(problems)
    assert "size" in problems["Needy-v0"]["summary"]
    assert any("Broken-v0" in failure and "no_such_module" in failure for failure in listing["plugin_failures"])
    assert call(monkeypatch, "list") == 0
    assert "left out: Broken-v0" in capsys.readouterr().out


def test_code_that_breaks_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("designgym.agents.search", breaks)
    assert call(monkeypatch, "run", "SystolicArray") == 1
    assert capsys.readouterr().err.splitlines() == [
        "designgym: RuntimeError: first line second line. DESIGNGYM_DEBUG=1 shows where."
    ]
    monkeypatch.setenv("DESIGNGYM_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main()


def test_optimum_gives_design_and_metrics_even_where_it_cannot_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(registry._PROBLEMS._entry_points, "Small-v0", f"{__name__}:small_problem")
    found = json_of(monkeypatch, capsys, "optimum", "Small", "--save", str(tmp_path / "optima.json"))
    assert (found["design"], found["metrics"]) == ({"x": 0}, {"latency_s": 1.0})
    assert (tmp_path / "optima.json").exists()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("designgym.envs.optimum.store_optimum", full)
    assert call(monkeypatch, "optimum", "Small", "--save", "optima.json") == 2
    said = capsys.readouterr()
    assert "x=0" in said.out
    assert "optima.json cannot be written: no space left" in said.err


def test_bench_names_its_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    measured = {"notes": ["two cores"], "rows": [["sample", 0.5, "s", None, ""], ["step", 2.0, "us", 3.0, "bare"]]}
    monkeypatch.setattr("designgym.experiments.bench.core.core", lambda: measured)
    rows = json_of(monkeypatch, capsys, "bench", "core")["rows"]
    assert rows[1] == {"what": "step", "figure": 2.0, "unit": "us", "ratio": 3.0, "to": "bare"}
    assert call(monkeypatch, "bench", "core") == 0
    assert "two cores" in capsys.readouterr().out


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['designgym', '--help']\n"
        "from designgym.experiments.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'numba', 'ray', 'gymnasium', 'optuna', 'pyarrow', 'plotly', 'sklearn'} & set(sys.modules)\n"
        "print('heavy:', heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: set()" in done.stdout


def test_run_imports_neither_ray_nor_optuna() -> None:
    code = (
        "import sys; sys.argv = ['designgym', 'run', 'SystolicArray', '--budget', '5', '--agent', 'random', '--json']\n"
        "from designgym.experiments.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('heavy:', {'ray', 'optuna', 'plotly', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: set()" in done.stdout


def test_show_says_what_is_idle_and_that_real_numbers_have_no_optimum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "show", "OdeTolerance-v0") == 0
    shown = capsys.readouterr().out
    assert "None" not in shown.split("Metrics")[0]
    assert re.search(r"gain_p\s+\[-0.3, 0.8\]\s+idle", shown)
    assert "designgym optimum" not in shown
    assert "Real numbers cannot be enumerated" in shown
