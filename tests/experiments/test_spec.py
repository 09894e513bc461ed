"""Sweep files: what they mean, and one clear line for each mistake."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import tiny_problems

from designgym.cost_models.strict_yaml import parse_yaml
from designgym.experiments.dry_run import dry_run
from designgym.experiments.runs import runs
from designgym.experiments.spec import SpecError, SweepSpec, load_spec, make_spec

GOOD = {
    "name": "small",
    "problems": ["Tiny"],
    "agents": ["random", {"name": "genetic", "hyperparameters": {"population": 16}}],
    "seeds": 3,
    "budget": 50,
}


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def changed(**keys) -> dict:
    return {key: value for key, value in {**GOOD, **keys}.items() if value is not None}


def test_the_issue_example_reads(tmp_path) -> None:
    file = tmp_path / "quickstart.yaml"
    file.write_text(
        "name: quickstart\n"
        "problems: [{id: Tiny-v0, options: {area_mm2: 3.0}}]\n"
        "agents: [random, optuna_tpe, {name: genetic, hyperparameters: {population: 64}}]\n"
        "seeds: 10\n"
        "budget: 1000\n"
    )
    spec = load_spec(file)
    assert spec.seeds == tuple(range(10))
    assert spec.text == file.read_text()
    made = runs(spec)
    assert len(made) == 30
    assert made[0].problem.options == {"design_s": 0.0, "trap": "", "dies": False, "area_mm2": 3.0}
    assert [run.agent.label for run in made[:3]] == ["random", "optuna_tpe", "genetic"], "every agent early"
    assert [run.seed for run in made[:4]] == [0, 0, 0, 1]
    assert made[2].agent.hyperparameters["population"] == 64
    assert made[2].agent.hyperparameters["crossover"] == 0.5, "defaults are written down too"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: a\nbudget: 1\nname: b\n", ["line 3", "'name'", "line 1"]),
        ("problems:\n- id: Tiny\n  id: Tiny\n", ["line 3", "'id'", "line 2"]),
        ("just words\n", ["mapping", "str"]),
        ("- a\n- b\n", ["mapping", "list"]),
        ("", ["mapping", "nothing"]),
        ("name: [unclosed\n", ["line", "no YAML"]),
        ("1: a\n", ["line 1", "text", "1"]),
    ],
)
def test_broken_files(tmp_path, text, parts) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    check(lambda: load_spec(file), [str(file), *parts])


def test_unreadable_files(tmp_path) -> None:
    check(lambda: load_spec(tmp_path / "missing.yaml"), ["missing.yaml", "no such file"])
    check(lambda: load_spec(tmp_path), [str(tmp_path), "directory"])
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    check(lambda: load_spec(tmp_path / "latin.yaml"), ["latin.yaml", "UTF-8", "0xe9"])


def check(action, parts) -> None:
    """The parts are in the message, and one that ends in a full stop is its end."""
    with pytest.raises(SpecError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
        assert not part.endswith(".") or message.endswith(part), message


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"budgets": 3}, ["unknown key budgets", "Did you mean 'budget'?", "Allowed: name, problems"]),
        ({"budget": 0}, ["budget must be", "at least 1", "got 0"]),
        ({"budget": -5}, ["budget must be", "got -5"]),
        ({"budget": "many"}, ["budget must be", "integer", "'many'"]),
        ({"budget": "1e"}, ["budget must be", "got '1e'."]),
        ({"budget": "50"}, ["budget must be", "got '50'. Leave out the quotes."]),
        ({"budget": 10.5}, ["budget must be", "10.5"]),
        ({"budget": True}, ["budget must be", "True"]),
        ({"budget": None}, ["budget is missing", "integer"]),
        ({"name": "a/b"}, ["name must be", "'a/b'"]),
        ({"name": ".."}, ["name must be", "'..'"]),
        ({"name": "-1"}, ["name must be", "got '-1'."]),
        ({"name": None}, ["name is missing"]),
        ({"seeds": 0}, ["seeds must be", "got 0"]),
        ({"seeds": []}, ["seeds must be", "[]"]),
        ({"seeds": [1, 1]}, ["seeds must be", "different", "[1, 1]"]),
        ({"seeds": [-1]}, ["seeds must be", "[-1]"]),
        ({"seeds": True}, ["seeds must be", "True"]),
        ({"seeds": 20261128}, ["seeds must be an integer from 1 to 100,000", "got 20261128"]),
        ({"seeds": [2**63]}, ["seeds must be", "from 0 to 2^63 - 1", "[9223372036854775808]"]),
        ({"seeds": "ten"}, ["seeds must be", "got 'ten'."]),
        ({"seeds": "1"}, ["seeds must be an integer from 1", "got '1'. Leave out the quotes."]),
        ({"seeds": "[0, 1]"}, ["seeds must be", "a list", "got '[0, 1]'. Leave out the quotes."]),
        ({"seeds": ["0", "1"]}, ["seeds must be", "different integers", "got ['0', '1']. Leave out the quotes."]),
        ({"seconds": "60"}, ["seconds must be", "got '60'. Leave out the quotes."]),
        ({"problems": []}, ["problems must be", "[]"]),
        ({"problems": "Tiny"}, ["problems must be a list", "'Tiny'"]),
        ({"problems": ["Tinny"]}, ["problems[0].id", "Tinny", "Tiny-v0"]),
        ({"problems": [{"ID": "Tiny"}]}, ["problems[0].ID", "'id'", "Allowed: id, options"]),
        ({"problems": [7]}, ["problems[0] must be", "7"]),
        ({"problems": [{"options": {}}]}, ["problems[0].id is missing"]),
        ({"problems": [{"id": "Tiny", "options": {"area": 3}}]}, ["problems[0].options", "'area'", "area_mm2"]),
        ({"problems": [{"id": "Tiny", "options": ["area"]}]}, ["problems[0].options must be", "['area']"]),
        ({"problems": [{"id": "Tiny", "options": {"area_mm2": "x y"}}]}, ["problems[0].options", "area_mm2"]),
        ({"problems": ["Tiny", "Tiny-v0"]}, ["problems[1]", "problems[0]"]),
        ({"agents": ["genetics"]}, ["agents[0].name", "genetics", "genetic"]),
        ({"agents": [{"name": "random", "hyperparameter": {}}]}, ["agents[0].hyperparameter", "hyperparameters"]),
        (
            {"agents": ["random", {"name": "genetic", "hyperparameters": {"populaton": 4}}]},
            ["agents[1].hyperparameters", "'populaton'", "population"],
        ),
        (
            {"agents": [{"name": "genetic", "hyperparameters": {"population": 1}}]},
            ["agents[0].hyperparameters", "population must be an integer in [4, 65536]", "got 1"],
        ),
        ({"agents": ["random", "random"]}, ["agents[1]", "agents[0]"]),
        ({"start": [{"row": 3}]}, ["start[0]", "'row'", "rows"]),
        ({"start": [{"rows": 3}, {"dataflow": "oz"}]}, ["start[1]", "dataflow", "'oz'", "os"]),
        ({"start": {"rows": 3}}, ["start must be a list", "rows"]),
        ({"start": [3]}, ["start[0] must be a mapping", "3"]),
        ({"start": [{"rows": 3}], "budget": 1}, ["budget must be above the 1", "got 1"]),
        ({"seconds": 0}, ["seconds must be", "above 0", "got 0"]),
        ({"seconds": float("nan")}, ["seconds must be", "nan"]),
        ({"seconds": "3 min"}, ["seconds must be", "'3 min'"]),
        ({"stop_at_regret": 1.5}, ["stop_at_regret must be", "1.5"]),
        ({"stop_at_regret": 0.01}, ["stop_at_regret", "optimum", "Tiny-v0"]),
        ({"stop_at_regret": 0.01, "problems": ["TinyTwo"]}, ["stop_at_regret", "single objective", "TinyTwo-v0"]),
    ],
)
def test_wrong_values(keys, parts) -> None:
    check(lambda: make_spec(changed(**keys)), parts)


def test_keys_depend_on_what_defines_a_run_only(tmp_path) -> None:
    first = runs(make_spec(GOOD))
    assert len({run.key for run in first}) == len(first)
    assert [run.key for run in runs(make_spec(changed(name="other", problems=["Tiny-v0"])))] == [r.key for r in first]
    assert {run.key for run in first} < {run.key for run in runs(make_spec(changed(seeds=5)))}
    for other in (
        {"budget": 51},
        {"seconds": 3},
        {"start": [{"rows": 3}]},
        {"problems": [{"id": "Tiny", "options": {"area_mm2": 3}}]},
        {"agents": ["local_search", {"name": "genetic", "hyperparameters": {"population": 8}}]},
        {"seeds": [7, 8]},
    ):
        assert not {run.key for run in first} & {run.key for run in runs(make_spec(changed(**other)))}, other


def test_keys_are_the_same_in_another_process(tmp_path) -> None:
    script = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import tiny_problems; tiny_problems.register()\n"
        "from designgym.experiments.spec import make_spec; from designgym.experiments.runs import runs\n"
        "print(json.dumps([run.key for run in runs(make_spec(json.loads(sys.argv[2])))]))"
    )
    folder = str(tiny_problems.__file__).rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-c", script, folder, json.dumps(GOOD)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [run.key for run in runs(make_spec(GOOD))]


def test_labels_name_what_differs() -> None:
    spec = make_spec(
        changed(
            problems=["Tiny", {"id": "Tiny", "options": {"area_mm2": 3.0}}],
            agents=["random", "genetic", {"name": "genetic", "hyperparameters": {"population": 64}}],
            seeds=1,
        )
    )
    made = runs(spec)
    assert [run.agent.label for run in made[:3]] == ["random", "genetic(population=24)", "genetic(population=64)"]
    assert [run.problem.label for run in made[::3]] == ["Tiny-v0(area_mm2=2.5)", "Tiny-v0(area_mm2=3.0)"]


def test_a_spec_made_in_python_writes_itself_down(tmp_path) -> None:
    spec = make_spec(changed(start=[{"rows": 3, "dataflow": "ws"}], seconds=60))
    file = tmp_path / "again.yaml"
    file.write_text(spec.text)
    assert [run.key for run in runs(load_spec(file))] == [run.key for run in runs(spec)]
    assert isinstance(spec, SweepSpec)


def test_dry_run_counts_and_measures() -> None:
    spec = make_spec(changed(problems=[{"id": "Tiny", "options": {"design_s": 0.002}}], budget=100_000, seeds=2))
    estimate = dry_run(spec, workers=2)
    size = tiny_problems.SPACE.size
    assert (estimate.runs, estimate.designs) == (4, 4 * size), "a run cannot price more than there is"
    assert estimate.size == f"4 runs of {4 * size:,} designs in all"
    assert replace(estimate, runs=1, designs=1).size == "1 run of 1 design"
    # Two workers, four runs, at least 2 ms a design.
    assert 2 * size * 0.002 <= estimate.seconds < 10 * size * 0.002
    assert "0.5 s" in estimate.how
    capped = dry_run(make_spec(changed(seconds=0.1, problems=[{"id": "Tiny", "options": {"design_s": 0.002}}])), 1)
    assert capped.seconds <= 0.6 + 1e-9


def test_a_number_with_an_exponent_is_a_number_with_or_without_a_point() -> None:
    found = parse_yaml("a: 1e-6\nb: -2E+3\nc: [1.5e3, .5e1]\nd: e5\ne: 1e\nf: '1e-6'\ng: 17")
    assert found == {"a": 1e-6, "b": -2000.0, "c": [1500.0, 5.0], "d": "e5", "e": "1e", "f": "1e-6", "g": 17}
    assert type(found["g"]) is int
