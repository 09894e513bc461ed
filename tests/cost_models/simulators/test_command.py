"""The cost model that is a program: what it returns, what is a failure, what is infeasible, what is left behind."""

import math
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.base import Failure, ReportsFailures
from designgym.cost_models.testing import check_cost_model
from designgym.envs import DesignSpace, Float
from designgym.envs.command import simulator_of

CYCLES = {
    "cycles": {"unit": "1", "better": "lower", "meaning": "cycles", "from": "out.json", "json": "layers[-1].cycles"}
}


def metric(**how) -> dict[str, dict[str, object]]:
    return {"x": {"unit": "1", "better": "lower", "meaning": "a number", **how}}


@pytest.fixture
def one(make, trials):
    """Return what one design of the tiny simulator comes to: metrics and violation, and its failure."""

    def one(mode: str = "fine", *more: str, rows: int = 8, **changes):
        model = make(mode, *more, **changes)
        columns, failures = model.evaluate_reporting(model.values.space.parse({"rows": rows}))
        assert {column.shape for column in columns.values()} == {(1,)}
        if changes.get("keep", "never") == "never":
            assert list(trials.iterdir()) == []  # whatever happened
        return {name: column.item() for name, column in columns.items()}, failures[0]

    return one


def test_metrics_are_read_from_output_and_files(one) -> None:
    metrics = {
        "last_s": {"unit": "s", "better": "lower", "meaning": "t", "regex": r"^time (\S+) us$", "scale": 1e-6},
        "first_us": {"unit": "us", "better": "lower", "meaning": "t", "regex": r"^time (\S+) us$", "which": "first"},
        **CYCLES,
        "energy_j": {"unit": "J", "better": "lower", "meaning": "e", "from": "out.csv",
                     "csv": {"column": "energy", "row": "sum"}},
        "area_mm2": {"unit": "mm2", "better": "lower", "meaning": "a", "constant": 3.5},
    }  # fmt: skip
    got, failure = one(metrics=metrics)
    assert failure is None
    assert got == {
        "last_s": 8 * 1e-6, "first_us": 7.0, "cycles": 16.0, "energy_j": 4.0, "area_mm2": 3.5, "violation": 0.0,
    }  # fmt: skip


def test_it_is_a_cost_model(make) -> None:
    model = make(metrics=CYCLES)
    assert model.slow
    assert model.stored
    assert isinstance(model, ReportsFailures)
    check_cost_model(model, model.values.space.sample(2, np.random.default_rng(0)))
    empty = {name: column[:0] for name, column in model.values.space.sample(1, np.random.default_rng(0)).items()}
    columns, failures = model.evaluate_reporting(empty)
    assert {name: column.shape for name, column in columns.items()} == {"cycles": (0,), "violation": (0,)}
    assert failures == ()


# -- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "more", "changes", "reason", "log"),
    [
        ("hangs", (), {"seconds": 1}, "it ran past its time limit of 1 s and was killed", "stdout:\nbegan"),
        ("stubborn", (), {"seconds": 1}, "it ran past its time limit of 1 s and was killed", ""),
        ("crashes", (), {}, "it was killed by SIGSEGV", "stdout:\nhalf of a res"),
        ("eats", (), {"limits": {"memory_byte": 10**9}}, "it ended with exit code 1", "MemoryError"),
        ("floods", (), {"limits": {"output_byte": 10**6}}, "it printed more than 1000000 bytes to stdout", "0123"),
        ("fills", (), {"limits": {"file_byte": 10**6}}, "it ended with exit code 1", "File too large"),
        ("exits", ("5",), {}, "it ended with exit code 5", "stderr:\nwords on the way out"),
        ("says", ("rubbish",), {}, "time_s: stdout: nothing matches '^time (\\\\S+) us$'", "stdout:\nrubbish"),
        ("says", ("time soon us",), {}, "time_s: stdout: 'soon' stands where a number should", ""),
        ("says", ("time nan us",), {}, "time_s: stdout: 'nan' stands where a finite number should", ""),
        ("says", ("time -inf us",), {}, "time_s: stdout: '-inf' stands where a finite number should", ""),
        ("says", ("time 1e308 us",), {"metrics": metric(regex="time (.+) us", scale=1e9)}, "is no finite number", ""),
        ("says", ("x",), {"metrics": CYCLES}, "cycles: out.json is not there", ""),
        ("large", (), {"metrics": CYCLES}, "cycles: out.json must have at most 10485760 bytes, got 12000003", ""),
        ("pipes", (), {"metrics": CYCLES}, "cycles: out.json must be a file of the simulator's own", ""),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_a_failure_with_a_reason_of_one_line_and_a_log(
    one, mode, more, changes, reason, log
) -> None:
    got, failure = one(mode, *more, **changes)
    assert got.pop("violation") == math.inf
    assert all(math.isnan(value) for value in got.values())
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("tiny: ")
    assert reason in failure.reason
    assert "\n" not in failure.reason
    assert log in failure.log
    assert len(failure.log.encode()) <= 64 << 10


def test_the_log_keeps_the_ends(one) -> None:
    text = (
        "import os; os.write(1, b'first' + 200_000 * b'\\xff' + b'last'); "
        "os.write(2, b'began' + 70_000 * b'x' + b'end')"
    )
    _, failure = one(command=[sys.executable, "-S", "-c", text])
    out, _, err = failure.log.partition("stderr:\n")
    assert out.startswith("stdout:\n... \ufffd")
    assert out.endswith("\ufffdlast\n")
    assert err.startswith("... x")
    assert err.endswith("xend")
    assert (60 << 10) < len(failure.log.encode()) <= 64 << 10


def test_an_argument_may_be_long(one) -> None:
    got, failure = one(command=[sys.executable, "-S", "-c", f"print('time 8 us'){'#' * 5000}"])
    assert (failure, got["time_s"]) == (None, 8 * 1e-6)


def test_a_program_that_removes_its_directory_is_heard(one) -> None:
    command = [sys.executable, "-S", "-c", "import os, shutil; shutil.rmtree(os.getcwd()); print('time 8 us')"]
    got, failure = one(command=command)
    assert (failure, got["time_s"]) == (None, 8 * 1e-6)
    _, failure = one(command=command, metrics=CYCLES)
    assert failure.reason == "tiny: cycles: out.json is not there, and its directory is gone"
    assert "time 8 us" in failure.log


def test_a_failure_leaves_the_other_designs_alone(make) -> None:
    model = make("exits", "5", success=[0, 5])
    designs = model.values.space.parse({"rows": [8, 9], "policy": ["lru", "fifo-2"]})
    good, failures = make("fine").evaluate_reporting(designs)
    assert failures == (None, None)
    assert good["time_s"].tolist() == [8 * 1e-6, 9 * 1e-6]


def test_a_file_that_the_simulator_links_elsewhere_is_not_read(one, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"layers": [{"cycles": 42}]}')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out.json").write_text(secret.read_text())
    inside = {"cycles": {**CYCLES["cycles"], "from": "results/out.json"}}
    for mode, target, metrics, why in (
        ("links", secret, CYCLES, "out.json must not be a link or lie behind one"),
        ("links a folder", tmp_path / "folder", inside, "results/out.json must not be a link or lie behind one"),
        ("names again", secret, CYCLES, "out.json must be a file of the simulator's own"),
    ):
        got, failure = one(mode, str(target), metrics=metrics)
        assert why in failure.reason
        assert math.isnan(got["cycles"])
    assert secret.exists()


# -- infeasible ---------------------------------------------------------------------------------------------------


def test_an_exit_code_means_infeasible(one) -> None:
    got, failure = one("refuses", infeasible={"exit_codes": [3]})
    assert (failure, got["violation"]) == (None, 1.0)
    assert math.isnan(got["time_s"])
    assert one("refuses")[0]["violation"] == math.inf  # not unless the file says so


def test_a_pattern_means_infeasible_and_how_far_is_read(one) -> None:
    violation = {"regex": r"over by (\S+)"}
    got, failure = one("refuses", infeasible={"patterns": ["does not fit"], "violation": violation})
    assert (failure, got["violation"]) == (None, 0.8)
    for said, why in (("over by nothing", "but not by how much: stdout: 'nothing'"), ("over by -1", "but by -1")):
        _, failure = one("says", said, infeasible={"patterns": ["over"], "violation": violation})
        assert f"it says that the design is infeasible, {why}" in failure.reason


def test_a_killed_program_is_a_failure_whatever_it_printed(one) -> None:
    _, failure = one("crashes", infeasible={"patterns": ["half"]})
    assert failure.reason == "tiny: it was killed by SIGSEGV"


# -- retries ------------------------------------------------------------------------------------------------------


def test_failures_alone_are_tried_again(one, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    got, failure = one("flaky", str(tries), retries=4)
    assert (failure, got["violation"]) == (None, 0.0)
    assert tries.read_text() == "xxx"
    tries.unlink()
    assert one("flaky", str(tries), retries=1)[1] is not None
    assert tries.read_text() == "xx"
    tries.unlink()
    assert one("flaky", str(tries), retries=1, infeasible={"exit_codes": [1]})[0]["violation"] == 1.0
    assert tries.read_text() == "x"


# -- directories --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "after"), [("failed", [0, 1]), ("all", [1, 1]), ("never", [0, 0])])
def test_directories_are_kept_on_request(one, trials: Path, keep: str, after: list[int]) -> None:
    counts = []
    for code in ("0", "5"):
        _, failure = one("exits", code, success=[0], keep=keep, metrics=metric(constant=1))
        kept = list(trials.iterdir())
        counts.append(len(kept))
        if kept and failure:
            assert failure.reason.endswith(f"; its directory is {kept[0]}")
            assert failure.reason.count("tiny:") == 1
        for path in kept:
            subprocess.run(["rm", "-r", str(path)], check=True)
    assert counts == after


def test_each_evaluation_has_a_directory_of_its_own_with_its_files_and_inputs(make, trials, tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "a.txt").write_text("trace")
    program = "import os, sys; print(os.getcwd(), sorted(os.listdir()), open('t/a.txt').read(), open('d/c.cfg').read())"
    model = make(
        command=[sys.executable, "-S", "-c", program],
        files={"d/c.cfg": {"format": "text", "text": "rows = {rows}; loops = {loops}; banks = {banks}; {{rows}}"}},
        inputs={"t": "traces"},
        metrics=metric(regex="rows = (.*);.*;"),
        keep="failed",
    )
    designs = model.values.space.parse({"rows": [8, 9], "loops": ["k,m,n"] * 2, "banks": ["2,5"] * 2})
    _, failures = make(
        command=[sys.executable, "-S", "-c", program + "; sys.exit(1)"],
        files={"d/c.cfg": {"format": "text", "text": "rows = {rows}; loops = {loops}; banks = {banks}; {{rows}}"}},
        inputs={"t": "traces"},
    ).evaluate_reporting(designs)
    logs = [failure.log.removeprefix("stdout:\n") for failure in failures]
    places = [log.split()[0] for log in logs]
    assert len({*places}) == 2
    assert all(Path(place).parent == trials.resolve() for place in places)
    for log, rows in zip(logs, (8, 9), strict=True):
        assert log.endswith(f"['.tmp', 'd', 't'] trace rows = {rows}; loops = k,m,n; banks = 2,5; {{rows}}")
    assert model.evaluate(designs)["violation"].tolist() == [math.inf] * 2  # "8; loops = ..." is no number


def test_a_directory_without_rights_is_removed(make, trials: Path) -> None:
    text = "import os; os.makedirs('a/b'); open('a/b/c', 'w'); os.chmod('a/b', 0); os.chmod('a', 0); os.chmod('.', 0)"
    model = make(command=[sys.executable, "-S", "-c", text], metrics=metric(constant=1))
    assert model.evaluate(model.values.space.parse({}))["violation"] == [0.0]
    assert list(trials.iterdir()) == []


# -- what a design may do -----------------------------------------------------------------------------------------


def test_a_value_that_looks_like_a_placeholder_or_a_command_is_a_value(make) -> None:
    text = "import json; print(ascii(json.load(open('in.json'))['wild']))"
    space = make().values.space
    for wild in space["wild"].choices:
        model = make(
            command=[sys.executable, "-S", "-c", text],
            files={"in.json": {"format": "json", "text": '{{"wild": {wild}, "rows": {rows}}}'}},
        )
        _, (failure,) = model.evaluate_reporting(space.parse({"wild": wild}))
        assert eval(failure.log.removeprefix("stdout:\n")) == wild


def test_floats_arrive_as_they_are(write) -> None:
    volts = np.concatenate([np.random.default_rng(1).normal(size=5) * 10.0 ** np.arange(-300, 300, 120), [0.0, -2.0]])
    text = "import sys; print(float(sys.argv[1]).hex())"
    path = write(command=[sys.executable, "-S", "-c", text, "{volt}"])
    model = simulator_of(DesignSpace(Float("volt", -1e300, 1e300)), str(path))
    _, failures = model.evaluate_reporting({"volt": volts})
    assert [float.fromhex(failure.log.split()[-1]) for failure in failures] == volts.tolist()


def test_variables_are_those_declared(one, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENSE", "mine")
    monkeypatch.setenv("SECRET", "geheim")
    text = "import os; print(ascii({{k: v for k, v in os.environ.items() if k not in ('PATH', 'HOME', 'TMPDIR')}}))"
    environment = {"from_user": ["LICENSE", "NOT_SET"], "set": {"THREADS": "1"}}
    _, failure = one(command=[sys.executable, "-S", "-c", text], environment=environment)
    seen = eval(failure.log.removeprefix("stdout:\n"))
    assert seen == {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "LICENSE": "mine", "THREADS": "1"}


# -- processes ----------------------------------------------------------------------------------------------------

WORKER = """
import pickle, sys
model, designs = pickle.load(open(sys.argv[1], "rb"))
model.evaluate(designs)
"""


def marked(word: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def within(seconds: float, condition) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(condition())


def test_a_worker_killed_inside_evaluate_takes_the_simulator_and_its_children_along(make, tmp_path: Path) -> None:
    word = f"marked-{tmp_path.name}-{os.getpid()}"
    model = make("stubborn", word)
    designs = model.values.space.parse({})
    (tmp_path / "job").write_bytes(pickle.dumps((model, designs)))
    (tmp_path / "trials").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "trials")}
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path / "job")], env=environment)
    try:
        assert within(30, lambda: len(marked(word)) == 2)  # it, and a child in a session of its own
        assert len(list((tmp_path / "trials").iterdir())) == 1
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert within(5, lambda: not marked(word))
        assert within(5, lambda: not list((tmp_path / "trials").iterdir()))  # nor is its directory left
    finally:
        for pid in marked(word):
            os.kill(pid, signal.SIGKILL)


def test_what_ends_well_leaves_nothing_running(one, tmp_path: Path) -> None:
    word = f"marked-{tmp_path.name}-{os.getpid()}"
    assert one("leaves", word)[1] is None
    assert marked(word) == []


def test_a_pattern_that_runs_for_ever_is_stopped(one) -> None:
    began = time.monotonic()
    _, failure = one("says", "a" * 60, parse_seconds=0.5, metrics=metric(regex="^((?:a|aa)+)b$"))
    assert failure.reason == (
        "tiny: x: its output could not be read within 0.5 s; simplify the pattern, or raise parse_seconds"
    )
    assert time.monotonic() - began < 10
