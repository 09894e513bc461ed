"""Commands that only a log names do not run; those that this command line names do, and --trust prints what it lets."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_sweep import log_sweep

from designgym.experiments import commands, load_sweep
from designgym.experiments.cli import main
from designgym.experiments.commands import UntrustedCommand, command_files, problem_of_log, trust, trust_options
from designgym.experiments.report import write_report
from designgym.experiments.report.truth import remake
from designgym.experiments.verified import read_verified
from designgym.experiments.verify import verify

YAML = """
name: doubling
parameters:
- {{name: rows, kind: integer, low: 1, high: 9}}
command: [sh, ./sim.sh, "{{rows}}"]
metrics:
  latency_s: {{unit: s, better: lower, meaning: time, regex: 'latency (\\S+)'}}
"""
SCRIPT = """
echo ran >> {ran}
echo latency $(($1 * 2 + {plus}))
"""


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch) -> None:
    monkeypatch.setattr(commands, "_named", set())


class Simulators:
    """Two simulators of one space, and a sweep that the first of them priced."""

    def __init__(self, folder: Path) -> None:
        self.ran = folder / "ran"
        self.files = [self._made(folder / name, plus) for name, plus in (("theirs", 0), ("mine", 1))]
        problem = {"id": "Simulator-v0", "options": {"file": str(self.files[0])}}
        given = {"name": "s", "problems": [problem], "agents": ["random"], "seeds": 1, "budget": 5}
        self.directory = log_sweep(folder / "out", given)
        self.ran.unlink()

    def _made(self, folder: Path, plus: int) -> Path:
        folder.mkdir()
        (folder / "sim.yaml").write_text(YAML.format())
        (folder / "sim.sh").write_text(SCRIPT.format(ran=self.ran, plus=plus))
        return folder / "sim.yaml"


@pytest.fixture
def made(tmp_path) -> Simulators:
    return Simulators(tmp_path)


def run(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["designgym", *map(str, arguments)])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_a_log_s_command_does_not_run(made, monkeypatch, capsys) -> None:
    assert run(monkeypatch, "verify", made.directory, "--set", f"file={made.files[1]}") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "only the log names it. Look at it, and give --trust to run it" in said
    assert str(made.files[0]) in said
    (logged,) = load_sweep(made.directory).problems.values()
    with pytest.raises(UntrustedCommand):
        problem_of_log(logged)
    problem, why = remake(logged, "")
    assert problem is None
    assert "give --trust" in why
    assert write_report(made.directory).exists(), "the page says what it cannot know"
    assert not made.ran.exists()


def test_trust_prints_what_it_runs(made, monkeypatch, capsys) -> None:
    arguments = ["verify", made.directory, "--set", f"file={made.files[1]}", "--top", "3", "--trust"]
    assert run(monkeypatch, *arguments) == 0
    said = capsys.readouterr().err
    assert f"trusted: sh ./sim.sh '{{rows}}' (from {made.files[0]}, which prices Simulator-v0" in said
    assert made.ran.read_text().count("ran") == 3, "three designs by the simulator that the command line names"
    rows = read_verified(made.directory).to_pylist()
    assert [row["verified.latency_s"] - row["searched.latency_s"] for row in rows] == [1, 1, 1]


def test_what_the_command_line_names_runs(made) -> None:
    (logged,) = load_sweep(made.directory).problems.values()
    assert problem_of_log(logged, {"file": str(made.files[1])}).evaluate({"rows": np.array([3])})
    assert made.ran.exists()


def test_naming_one_file_lets_no_other_run(made) -> None:
    (logged,) = load_sweep(made.directory).problems.values()
    commands.name_commands("Simulator-v0", {"file": str(made.files[1])})
    with pytest.raises(UntrustedCommand):
        problem_of_log(logged)
    commands.name_commands("Simulator-v0", {"file": str(made.files[0])})
    assert problem_of_log(logged).space.size == 9


def test_what_is_trusted_is_said_once(made) -> None:
    problems = list(load_sweep(made.directory).problems.values())
    assert len(trust([*problems, *problems])) == 1
    assert trust(problems) == []


def test_what_is_trusted_cannot_hide_itself(made) -> None:
    made.files[0].write_text(YAML.format().replace("command: [sh,", 'command: [sh, "-c", "x\\e[2K\\r\\ny",'))
    (line,) = trust(load_sweep(made.directory).problems.values())
    assert line.startswith(r"trusted: sh -c 'x\x1b[2K\r\ny' ./sim.sh")
    assert line.isprintable()


def test_variables_that_a_trusted_command_is_given_are_said(made) -> None:
    entry = "environment: {from_user: [LICENSE, N], set: {LD_PRELOAD: ./a b.so, N: '2'}}\n"
    made.files[0].write_text(YAML.format() + entry)
    (line,) = trust(load_sweep(made.directory).problems.values())
    assert line.startswith("trusted: sh ./sim.sh '{rows}' with LD_PRELOAD='./a b.so', N=2, your LICENSE (from ")


def test_no_variable_file_or_label_hides_what_is_trusted(made) -> None:
    hidden = made.files[0].with_name("ev\x1b[2K\ril.yaml")
    made.files[0].rename(hidden)
    entry = f'environment: {{set: {{A: "\\e[2K{" " * 3000}; touch x", B: b}}, from_user: [C, C]}}\n'
    hidden.write_text(YAML.format() + entry + "files: {run.sh: {format: text, text: x}}\n")
    with pytest.raises(UntrustedCommand) as refused:
        commands.refuse_unnamed("Simulator-v0", {"file": str(hidden)})
    assert str(refused.value).isprintable()
    (line,) = trust_options("Simulator-v0", {"file": str(hidden)}, "la\x1b[2K\rbel) trusted: true (from /safe")
    assert line.isprintable()
    assert r"with A='\x1b[2K " in line
    assert "; touch x', B=b, your C, a file run.sh that it writes (from " in line
    assert r"ev\x1b[2K\ril.yaml', which prices 'la\x1b[2K\rbel) trusted: true (from /safe')" in line


def test_any_option_may_name_a_command() -> None:
    options = {"cost_model": "command:a.yaml", "cheap": "command:b.yaml", "workload": "resnet50", "x": "dataset:d"}
    assert command_files("SystolicArray-v0", options) == [Path("a.yaml").absolute(), Path("b.yaml").absolute()]
    assert command_files("Simulator-v0", {"file": "c.yaml"}) == [Path("c.yaml").absolute()]
    assert command_files("Other-v0", {"file": "c.yaml"}) == []


@pytest.mark.parametrize("id", ["Simulator-v0", "Simulator", "designgym/Simulator-v0", "designgym/Simulator"])
def test_no_spelling_of_an_id_hides_a_command(made, id) -> None:
    (logged,) = load_sweep(made.directory).problems.values()
    with pytest.raises(UntrustedCommand):
        problem_of_log(replace(logged, id=id))
    commands.name_commands("Simulator-v0", logged.given)
    assert problem_of_log(replace(logged, id=id)).space.size == 9


def test_a_link_to_a_named_file_is_another_file(made, tmp_path) -> None:
    """Its relative paths lead to the programs beside the link."""
    (tmp_path / "evil" / "in").mkdir(parents=True)
    (tmp_path / "evil" / "sim.sh").write_text(f"echo hacked >> {made.ran}\necho latency 1\n")
    (tmp_path / "evil" / "sim.yaml").symlink_to(made.files[0])
    (tmp_path / "evil" / "sub").symlink_to(made.files[0].parent / "sub")
    (made.files[0].parent / "sub").mkdir()
    (logged,) = load_sweep(made.directory).problems.values()
    commands.name_commands(logged.id, logged.given)
    with pytest.raises(UntrustedCommand):
        problem_of_log(replace(logged, given={"file": str(tmp_path / "evil" / "sim.yaml")}))
    # By way of a link and .. it is the named file, and must then have the named file's program.
    around = replace(logged, given={"file": str(tmp_path / "evil" / "sub" / ".." / "sim.yaml")})
    assert problem_of_log(around).evaluate({"rows": np.array([3])})
    assert made.ran.read_text() == "ran\n"


def test_a_sweep_names_its_own_commands(made, monkeypatch, tmp_path, capsys) -> None:
    """Its page is written with the problem made anew, and nothing asks for trust."""
    file = tmp_path / "sweep.yaml"
    problem = f"{{id: Simulator-v0, options: {{file: {made.files[0]}}}}}"
    file.write_text(f"name: s\nproblems: [{problem}]\nagents: [random]\nseeds: 1\nbudget: 4\n")
    assert run(monkeypatch, "sweep", file, "-o", tmp_path / "swept", "--workers", "1", "--results", "off") == 0
    assert made.ran.read_text().count("ran") == 4
    page = (tmp_path / "swept" / "report.html").read_text()
    assert "trust" not in page


def test_verify_without_another_model_says_what_to_give(made) -> None:
    with pytest.raises(ValueError, match="--cost-model"):
        verify(made.directory, {})
