"""Cost models by name, and what other distributions add by entry points."""

import subprocess
import sys
from pathlib import Path

import pytest

from designgym.cost_models import (
    Metric,
    cost_model_names,
    cost_model_options,
    make_cost_model,
    register_cost_model,
    registry,
    validate_function,
)
from designgym.cost_models.registry import Registry, nearest


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins from this package under names of their own, gone again afterwards."""
    monkeypatch.setattr(registry._COST_MODELS, "_entry_points", dict(registry._COST_MODELS._entry_points))
    monkeypatch.setattr(registry, "_VALIDATORS", dict(registry._VALIDATORS))
    register_cost_model("SampleMetric", "designgym.cost_models.base:Metric", "designgym.cost_models.registry:nearest")


def test_a_registered_model_is_made_with_its_options() -> None:
    assert "SampleMetric" in cost_model_names()
    assert list(cost_model_options("SampleMetric")) == ["name", "unit", "better", "meaning"]
    made = make_cost_model("SampleMetric", name="a", unit="1", better="lower", meaning="b")
    assert made == Metric("a", "1", "lower", "b")


def test_wrong_options_are_named_in_one_line() -> None:
    with pytest.raises(
        ValueError, match=r"must be one of name, unit, better, meaning, got 'units'. Did you mean 'unit'"
    ):
        make_cost_model("SampleMetric", units="s")
    with pytest.raises(ValueError, match=r"'SampleMetric' needs the option unit, better, meaning\. Give a"):
        make_cost_model("SampleMetric", name="a")


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^unknown cost model 'samplemetrics'. Did you mean 'SampleMetric'\?$"):
        make_cost_model("samplemetrics")


def test_a_taken_name_is_refused_and_names_both() -> None:
    with pytest.raises(ValueError, match=r"got a:B while it is designgym.cost_models.base:Metric already"):
        register_cost_model("SampleMetric", "a:B")


def test_the_validating_function_is_found() -> None:
    assert validate_function("SampleMetric") is nearest
    register_cost_model("SampleOther", "designgym.cost_models.base:Metric")
    with pytest.raises(
        ValueError, match=r"'SampleOther' has nothing to validate it with. Those that have: .*SampleMetric"
    ):
        validate_function("SampleOther")
    with pytest.raises(ValueError, match="validate must be 'module:function', got 'nearest'"):
        register_cost_model("SampleThird", "designgym.cost_models.base:Metric", "nearest")


def test_a_module_that_cannot_be_imported_is_named() -> None:
    things = Registry("thing")
    things.register("Gone", "designgym.nowhere:Gone")
    with pytest.raises(ValueError, match=r"^thing 'Gone': cannot load designgym.nowhere:Gone: No module named"):
        things.load("Gone")


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("ResNet50", ["resnet50", "vgg16"], "Did you mean 'resnet50'?"),
        ("zzz", ["resnet50", "vgg16"], "Known: resnet50, vgg16."),
        ("zzz", [], "Known: none."),
    ],
)
def test_nearest(name: str, known: list[str], hint: str) -> None:
    assert nearest(name, known) == hint


def install(folder: Path, distribution: str, entry_points: str, **modules: str) -> None:
    """Lay out what an installer would."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[designgym.plugins]\n{entry_points}\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


MODEL = """
from dataclasses import dataclass
from designgym.cost_models import Metric, register_cost_model

@dataclass(frozen=True)
class Square:
    metrics = (Metric("area_mm2", "mm2", "lower", "area"),)
    version = "1"
    def evaluate(self, designs):
        return {"area_mm2": 1.0 * designs["side"] ** 2, "violation": 0.0 * designs["side"]}

register_cost_model("Square", "square_models:Square")
"""
PROBLEM = """
from designgym.cost_models import make_cost_model
from designgym.envs import DesignProblem, DesignSpace, Integer, Objective, register_problem

def square(cost_model=None):
    space = DesignSpace(Integer("side", 1, 9))
    return DesignProblem(space, cost_model or make_cost_model("Square"), Objective("area_mm2"))

def register():
    register_problem("Square-v0", "square_problems:square")
"""


def run(folder: Path, code: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_plugins_register_what_they_bring_and_a_failing_one_is_named(tmp_path: Path) -> None:
    install(
        tmp_path,
        "squares",
        "models = square_models\nproblems = square_problems:register\nthings = square_models:Square.version",
        square_models=MODEL,
        square_problems=PROBLEM,
    )
    install(tmp_path, "broken", "lost = broken_plugin", broken_plugin="import no_such_module")
    install(tmp_path, "leaving", "exit = leaving_plugin", leaving_plugin="raise SystemExit('no licence')")
    told = run(
        tmp_path,
        """
from designgym.cost_models import load_plugins
from designgym.envs import make_problem, problem_ids
assert "Square-v0" not in problem_ids()
problem = make_problem("Square", cost_model="Square")  # unknown until the plug-ins are loaded
assert type(problem.cost_model).__name__ == "Square"
try:
    make_problem("Squire")
except ValueError as error:
    print(error)
for failed in load_plugins():
    print(failed)
""",
    ).splitlines()
    assert told[0].startswith("unknown problem 'Squire'. Did you mean 'Square-v0'? Besides, plug-in 'exit'")
    assert told[1:] == [
        "plug-in 'exit' (leaving_plugin, from leaving) could not be loaded: SystemExit: no licence. "
        "Mend it, or uninstall leaving.",
        "plug-in 'lost' (broken_plugin, from broken) could not be loaded: ModuleNotFoundError: No module named "
        "'no_such_module'. Mend it, or uninstall broken.",
        "plug-in 'things' (square_models:Square.version, from squares) could not be loaded: TypeError: it must name a "
        "module or a function, got '1'. Mend it, or uninstall squares.",
    ]


def test_a_plugin_that_asks_for_an_unknown_name_does_not_recurse(tmp_path: Path) -> None:
    asks = "from designgym.cost_models import make_cost_model\nmake_cost_model('Nothing')"
    install(tmp_path, "asking", "asks = asking_plugin", asking_plugin=asks)
    told = run(tmp_path, "from designgym.cost_models import load_plugins\nprint(*load_plugins())")
    assert "plug-in 'asks' (asking_plugin, from asking) could not be loaded: UnknownName: unknown cost model" in told
