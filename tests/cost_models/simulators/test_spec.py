"""What may stand in a simulator's YAML file, what is said of the rest, and by what its results are known."""

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from designgym.cost_models.simulators import spec as spec_module
from designgym.cost_models.simulators.spec import SimulatorError, load_spec, make_spec
from designgym.envs.command import simulator_of


def smallest(**changes: Any) -> dict[str, Any]:
    metric = {"unit": "1", "better": "lower", "meaning": "a number", "constant": 1}
    return {"name": "tiny", "command": ["true"], "metrics": {"x": metric}, **changes}


def metric(**changes: Any) -> dict[str, Any]:
    given = {"unit": "1", "better": "lower", "meaning": "a number", **changes}
    return {"x": {key: value for key, value in given.items() if value is not None}}


def test_the_documented_example_is_one() -> None:
    text = re.search(r"\n\n((?:    .*\n|\n)+?)\nPaths are", spec_module.__doc__)[1]
    spec = make_spec(yaml.safe_load(text))
    assert set(type(spec).model_fields) - set(yaml.safe_load(text)) == {"parameters", "constraints", "objective"}
    assert spec.limited.output_byte == 10 * 2**20
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (smallest(comand=["x"]), "unknown key comand. Did you mean 'command'? Allowed: name, description, command,"),
        ({"command": ["true"]}, "name is missing: it must be a text of up to 60 letters, digits"),
        (smallest(name="a b"), "name must be a text of up to 60 letters, digits and '_-.', got 'a b'."),
        (smallest(name="a" * 61), "name must be a text of up to 60 letters, digits"),
        (smallest(command="true"), "command must be a list of texts: the program and its arguments, got 'true'."),
        (smallest(command=["true", 4]), "command[1] must be a text: put a number in quotes, got 4."),
        (smallest(metrics={}), "metrics must be a mapping of metrics' names to mappings, got {}."),
        (smallest(metrics={"a-b": {}}), "metrics.a-b must be a name of letters, digits and '_', got 'a-b'."),
        (smallest(metrics=metric(json=".")), "metrics.x.json: a JSON path must be as in results.cycles"),
        (smallest(metrics=metric()), "metrics.x must have one of regex, json, csv or constant, got none."),
        (
            smallest(metrics=metric(json="a", regex="(a)")),
            "metrics.x must have one of regex, json, csv or constant, got regex and json.",
        ),
        (smallest(metrics=metric(regex="a")), "metrics.x.regex must have one group, around the number, got 0 in 'a'."),
        (smallest(metrics=metric(regex="(a")), "metrics.x.regex must be a regular expression, got '(a': missing )"),
        (smallest(metrics=metric(constant=1, regx="a")), "unknown key metrics.x.regx. Did you mean 'regex'?"),
        (smallest(metrics=metric(constant=1, source="a")), "unknown key metrics.x.source."),
        (smallest(metrics=metric(constant="1")), "metrics.x.constant must be a number, got '1'."),
        (smallest(metrics=metric(constant=float("nan"))), "metrics.x.constant must be a number, got nan."),
        (smallest(metrics=metric(constant=1, better="less")), "metrics.x.better must be lower or higher, got 'less'."),
        (
            smallest(metrics=metric(constant=1, meaning=None)),
            "metrics.x.meaning is missing: it must be a text that says",
        ),
        (
            smallest(metrics=metric(csv={"column": "a", "row": "final"})),
            "metrics.x.csv.row must be a row's number from 0, or one of first",
        ),
        (smallest(metrics=metric(csv={"colum": "a"})), "unknown key metrics.x.csv.colum. Did you mean 'column'?"),
        (smallest(files={"a": {"format": "ini"}}), "files.a.format must be text, json, yaml, xml or csv, got 'ini'."),
        (smallest(files={"a": {"formt": "text"}}), "unknown key files.a.formt. Did you mean 'format'?"),
        (smallest(files=["a"]), "files must be a mapping of files' names to mappings, got ['a']."),
        (smallest(inputs=["a"]), "inputs must be a mapping of files' names to paths, got ['a']."),
        (smallest(success=[256]), "success[0] must be an exit code, from 0 to 255, got 256."),
        (smallest(infeasible={"exit_codes": [0]}), "exit code 0 must be success or infeasible, got both."),
        (smallest(infeasible={"pattern": ["a"]}), "unknown key infeasible.pattern. Did you mean 'patterns'?"),
        (smallest(infeasible={"patterns": ["("]}), "infeasible.patterns[0] must be a regular expression, got '('"),
        (
            smallest(infeasible={"violation": {"from": "stdout"}}),
            "infeasible.violation must have one of regex, json or csv, got none.",
        ),
        (smallest(seconds=0), "seconds must be a number above 0, up to 1e+08, got 0."),
        (smallest(seconds=1e9), "seconds must be a number above 0, up to 1e+08, got 1000000000.0."),
        (smallest(limits={"cpu_s": 1e30}), "limits.cpu_s must be a number above 0, up to 1e+08, got 1e+30."),
        (smallest(limits={"file_byte": 2**70}), "limits.file_byte must be a whole number from 1 to 2^62, got 118"),
        (smallest(seconds="60"), "seconds must be a number above 0, up to 1e+08, got '60'."),
        (smallest(retries=-1), "retries must be an integer from 0 to 100, got -1."),
        (smallest(limits={"memory_byte": 0.5}), "limits.memory_byte must be a whole number from 1 to 2^62, got 0.5."),
        (
            smallest(limits={"output_byte": 10**9}),
            "limits.output_byte must be a whole number from 1 to 10485760, got 1000000000.",
        ),
        (smallest(limits={"cpu": 1}), "unknown key limits.cpu. Did you mean 'cpu_s'?"),
        (smallest(environment={"set": {"A": 1}}), "environment.set.A must be a text: put a number in quotes, got 1."),
        (
            smallest(environment={"from_user": ["A=B"]}),
            "environment.from_user[0] must be a variable's name, got 'A=B'.",
        ),
        (smallest(separator="x"), "separator must be one of the characters"),
        (smallest(keep="some"), "keep must be never, failed or all, got 'some'."),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_key(given, message, tmp_path: Path) -> None:
    with pytest.raises(SimulatorError) as caught:
        make_spec(given)
    assert str(caught.value).startswith(message)
    path = tmp_path / "sim.yaml"
    path.write_text(yaml.safe_dump(given))
    with pytest.raises(SimulatorError) as caught:
        load_spec(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"none.yaml: cannot be read: no such file or directory"):
        load_spec(tmp_path / "none.yaml")
    (tmp_path / "sim.yaml").write_text("name: a\nname: b\n")
    with pytest.raises(SimulatorError, match=r"sim.yaml: line 2: the key 'name' is there already, on line 1"):
        load_spec(tmp_path / "sim.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": ["no-such-program"]}, "command[0] must be a program on PATH, or a path that begins with ./"),
        ({"command": ["./none"]}, "command[0] must be a program on PATH"),
        ({"command": ["{policy}"]}, "command[0]: the program must hold no placeholders, got '{policy}'."),
        (
            {"command": ["true", "{row}"]},
            "command[1]: '{row}' must be a parameter, got none of that name. Did you mean 'rows'?",
        ),
        ({"command": ["true", "{wild}"]}, "command[1]: the names of {wild} must be letters, digits"),
        ({"command": ["true", "./none"]}, "command[1]: there is no file or folder"),
        (
            {"command": ["true", "./{policy}"]},
            "command[1]: the name of a file must hold no placeholders, got {policy} in it.",
        ),
        ({"command": ["true", "tiny_simulator.py"]}, "command[1]: 'tiny_simulator.py' is a file beside the YAML file"),
        (
            {"files": {"{rows}": {"format": "text", "text": ""}}},
            "files.{rows}: a file's name must hold no placeholders",
        ),
        (
            {"files": {"../a": {"format": "text", "text": ""}}},
            "files.../a: a file must lie in the evaluation's directory",
        ),
        ({"files": {"a": {"format": "text"}}}, "files.a must have one of text, template and content, got none."),
        (
            {"files": {"a": {"format": "text", "text": "", "template": "b"}}},
            "files.a must have one of text, template and content, got text and template.",
        ),
        (
            {"files": {"a": {"format": "text", "template": "none"}}},
            "files.a.template: none cannot be read: no such file",
        ),
        (
            {"files": {"a": {"format": "text", "text": ""}, "./a": {"format": "text", "text": ""}}},
            "files../a: a file must be given once",
        ),
        (
            {"files": {"a": {"format": "text", "text": ""}}, "inputs": {"a": "sim.yaml"}},
            "inputs.a: a file must be given once",
        ),
        (
            {"files": {"a": {"format": "text", "text": ""}}, "inputs": {"a/b/c": "sim.yaml"}},
            "files and inputs: 'a/b/c' must not lie below 'a', which is a file",
        ),
        ({"command": ["true", "a\0"]}, "command[1] must be a text without NUL that UTF-8 can write, got 'a\\x00'"),
        ({"command": ["true", "\ud800"]}, "command[1] must be a text without NUL that UTF-8 can write"),
        ({"environment": {"set": {"A": "\0"}}}, "environment.set.A must be a text without NUL"),
        (
            {"metrics": {**metric(constant=1), "violation": metric(constant=1)["x"]}},
            "metrics.violation must have another name",
        ),
        ({"inputs": {"/a": "sim.yaml"}}, "inputs./a: a file must lie in the evaluation's directory, got '/a'."),
        ({"inputs": {"a": "none"}}, "inputs.a: there is no file or folder"),
        ({"depends": ["none"]}, "depends[0]: there is no file or folder"),
        (
            {"metrics": metric(**{"from": "../x", "json": ""})},
            "metrics.x.from: a file must lie in the evaluation's directory",
        ),
        (
            {"metrics": metric(**{"from": "{rows}", "json": ""})},
            "metrics.x.from: a file's name must hold no placeholders",
        ),
        ({"infeasible": {"violation": {"from": "/x", "json": ""}}}, "infeasible.violation.from: a file must lie in"),
    ],
)
def test_what_a_model_cannot_be_made_of_is_said_when_it_is_made(make, tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        make(**changes)
    assert str(caught.value).startswith(f"{tmp_path / 'sim.yaml'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_folder_of_inputs_holds_nothing_but_files_and_folders(make, tmp_path: Path) -> None:
    (tmp_path / "traces" / "deep").mkdir(parents=True)
    (tmp_path / "traces" / "deep" / "a").write_text("1")
    (tmp_path / "traces" / "link").symlink_to("deep/a")
    assert [name for name, _ in make(inputs={"t": "traces"}).inputs] == ["t/link", "t/deep/a"]
    (tmp_path / "traces" / "away").symlink_to(tmp_path)
    for key in ({"inputs": {"t": "traces"}}, {"depends": ["traces"]}):
        with pytest.raises(SimulatorError, match="traces/away' must be a file or a folder, got a link or a device"):
            make(**key)


# -- the version ------------------------------------------------------------------------------------------------------


def full(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "in.cfg").write_text("rows = {rows}\n")
    (tmp_path / "traces").mkdir(exist_ok=True)
    (tmp_path / "traces" / "a").write_text("trace")
    (tmp_path / "src").mkdir(exist_ok=True)
    (tmp_path / "src" / "part.py").write_text("x = 1")
    files = {"in.cfg": {"format": "text", "template": "in.cfg"}}
    return {"files": files, "inputs": {"t": "traces"}, "depends": ["src"]}


def test_what_changes_no_result_changes_no_version(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = full(tmp_path)
    model = make(**given)
    for changes in (
        {"name": "other"}, {"description": "words"}, {"seconds": 7}, {"retries": 2}, {"keep": "failed"},
        {"parse_seconds": 9}, {"success": [0]},
    ):  # fmt: skip
        again = make(**{**given, **changes})
        assert (again.version, again) == (model.version, model)
    metrics = {"time_s": {**make(**given).spec.metrics["time_s"].model_dump(by_alias=True, exclude_none=True)}}
    assert make(**given, metrics={"time_s": {**metrics["time_s"], "meaning": "other words"}}).version == model.version
    path = tmp_path / "sim.yaml"
    path.write_text("# a remark\n" + yaml.safe_dump(yaml.safe_load(path.read_text()), sort_keys=True))
    assert simulator_of(model.values.space, str(path)).version == make(**given).version
    monkeypatch.chdir(tmp_path)
    assert simulator_of(model.values.space, "sim.yaml").version == model.version
    assert re.fullmatch("[0-9a-f]{16}", model.version)


def test_another_place_is_the_same_version(make, tmp_path: Path) -> None:
    model = make(**full(tmp_path))
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    moved.mkdir()
    for path in sorted(tmp_path.rglob("*")):
        target = moved / path.relative_to(tmp_path)
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    assert simulator_of(model.values.space, str(moved / "sim.yaml")).version == model.version


@pytest.mark.parametrize("name", ["in.cfg", "traces/a", "src/part.py", "tiny_simulator.py"])
def test_a_changed_file_gives_another_version_and_no_stale_result(make, tmp_path: Path, name: str) -> None:
    given = full(tmp_path)
    model = make(**given)
    path = tmp_path / name
    path.write_text(path.read_text() + "\n# changed\n")
    assert simulator_of(model.values.space, str(tmp_path / "sim.yaml")).version != model.version
    columns, (failure,) = model.evaluate_reporting(model.values.space.parse({"rows": 8}))
    if name == "in.cfg":  # its text is in the model
        assert failure is None
    else:
        assert failure.reason == f"tiny: {path} has changed since the model was made; start again"
        assert columns["violation"] == [float("inf")]


def test_a_new_file_of_a_folder_and_a_touched_one(make, tmp_path: Path) -> None:
    given = full(tmp_path)
    model = make(**given)
    (tmp_path / "traces" / "a").write_text("trace")  # the same bytes at another time
    assert all(one.unchanged() for one in model.stamps)
    assert make(**given).version == model.version
    (tmp_path / "traces" / "b").write_text("")
    assert make(**given).version != model.version


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["cat", "{rows}"]}, {"success": [0, 1]}, {"infeasible": {"exit_codes": [3]}}, {"separator": "+"},
        {"limits": {"memory_byte": 10**9}}, {"environment": {"set": {"A": "1"}}}, {"environment": {"from_user": ["A"]}},
        {"files": {"other.cfg": {"format": "text", "text": "rows = {rows}\n"}}}, {"inputs": {"other": "traces"}},
        {"metrics": metric(constant=1)}, {"metrics": metric(constant=2)},
    ],
)  # fmt: skip
def test_what_may_change_a_result_changes_the_version(make, tmp_path: Path, changes: dict[str, Any]) -> None:
    given = full(tmp_path)
    assert make(**{**given, **changes}).version != make(**given).version


def test_the_program_and_the_names_behind_numbers_count(make, tmp_path: Path) -> None:
    from designgym.envs import Categorical, DesignSpace

    program = tmp_path / "run"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    model = make(command=["./run"])
    program.write_text("#!/bin/sh\nexit 0\n")
    assert make(command=["./run"]).version != model.version
    versions = {
        simulator_of(DesignSpace(Categorical("policy", names)), str(tmp_path / "sim.yaml")).version
        for names in (("a", "b"), ("b", "a"))
    }
    assert len(versions) == 2
