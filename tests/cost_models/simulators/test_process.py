"""Commands that misbehave: each sentence about what a run may do, with a program that does otherwise."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from designgym.cost_models.simulators.process import MIB, Limits, Outcome, run_process

QUICK = Limits(seconds=20)
SESSIONS = """
import os, subprocess, sys, time
mark = sys.argv[1]
sleeper = [sys.executable, "-S", "-c", "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)];"
           " time.sleep(60)", mark]
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        subprocess.Popen(sleeper, start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            os.execv(sleeper[0], sleeper)
        os._exit(0)
for _ in range(2):
    os.wait()
subprocess.Popen(sleeper)
open("started", "w").close()
print("started", flush=True)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    def run(text: str, *more: str, limits: Limits = QUICK, **environment: str) -> Outcome:
        return run_process([sys.executable, "-S", "-c", text, *more], tmp_path, limits, environment)

    return run


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """A word by which a test's processes are known; none of them outlives the test."""
    word = f"marked-{tmp_path.name}-{os.getpid()}"
    yield word
    for pid in marked(word):
        os.kill(pid, signal.SIGKILL)


def marked(word: str) -> list[int]:
    """Return the processes with this argument, other than a Python that runs the tests."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_a_command_that_ends_well(run) -> None:
    outcome = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (outcome.exit_code, outcome.signal, outcome.timed_out) == (3, None, False)
    assert (outcome.stdout, outcome.stderr, outcome.error, outcome.full) == (b"out\n", b"err\n", "", "")
    assert outcome.reason == "it ended with exit code 3"
    assert 0 < outcome.elapsed_s < 20
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_arguments_reach_the_command_as_they_are(run) -> None:
    odd = ["a b", "$HOME", "`id`", "; exit 1", "*", "", "ü\n'\""]
    assert run("import sys; print(ascii(sys.argv[1:]), end='')", *odd).stdout.decode() == ascii(odd)


def test_its_environment_is_what_is_allowed(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "geheim")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    seen = run("import os; print(ascii(dict(os.environ)), end='')", LICENSE="there", LANG="C").stdout.decode()
    assert eval(seen) == {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path / ".tmp"), "LANG": "C",
        "LC_ALL": "C.UTF-8", "LICENSE": "there",
    }  # fmt: skip
    assert (
        run("import os; print(os.getcwd(), os.path.isdir(os.environ['TMPDIR']))").stdout
        == f"{tmp_path} True\n".encode()
    )


def test_it_starts_in_a_session_of_its_own_without_input_and_without_open_files(run) -> None:
    text = "import os, sys; print(os.getsid(0) == os.getpid(), repr(sys.stdin.read()), os.readlink('/proc/self/fd/0'),"
    outcome = run(text + " sorted(os.listdir('/proc/self/fd')))")
    assert outcome.stdout == b"True '' /dev/null ['0', '1', '2', '3']\n"  # 3: what lists them


def test_its_signals_are_as_they_are_by_default(tmp_path: Path) -> None:
    """Python ignores SIGPIPE and SIGXFSZ, and a worker may block others; a command would inherit that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        program = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]  # no shell: some clear the mask themselves
        seen = run_process(program, tmp_path, QUICK).stdout.split()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    assert [int(value, 16) for value in seen[1::2]] == [0, 0]


def test_at_the_time_limit_it_and_all_that_it_started_are_killed(run, mark) -> None:
    began = time.monotonic()
    outcome = run(SESSIONS + "time.sleep(60)", mark, limits=Limits(seconds=1.5))
    assert time.monotonic() - began < 6
    assert outcome.stdout == b"started\n"  # so there were grandchildren in sessions of their own
    assert (outcome.timed_out, outcome.exit_code, outcome.signal) == (True, None, signal.SIGKILL)
    assert outcome.reason == "it ran past its time limit of 1.5 s and was killed"
    assert marked(mark) == []


def test_what_it_leaves_running_is_killed_when_it_ends(run, mark) -> None:
    outcome = run(SESSIONS, mark)
    assert (outcome.exit_code, outcome.stdout) == (0, b"started\n")
    assert outcome.elapsed_s < 10
    assert marked(mark) == []


WORKER = """
import sys, threading
from pathlib import Path
from designgym.cost_models.simulators.process import Limits, run_process
text, mark, directory = sys.argv[1:]
def run():
    run_process([sys.executable, "-S", "-c", text, mark], Path(directory), Limits(seconds=50))
threading.Thread(target=run).start()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_dead_worker_takes_it_along(number: signal.Signals, mark: str, tmp_path: Path) -> None:
    text = SESSIONS + "time.sleep(60)"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, text, mark, str(tmp_path)])
    assert within(30, (tmp_path / "started").exists)
    assert within(5, lambda: len(marked(mark)) == 7)  # it, five sleepers, and the worker
    worker.send_signal(number)
    worker.wait()
    assert within(5, lambda: not marked(mark))


FORKED = (
    WORKER
    + """
import os, time
while not os.path.exists(directory + "/started"):
    time.sleep(0.02)
if os.fork() == 0:
    open(directory + "/forked", "w").close()
    time.sleep(60)
"""
)


def test_a_process_that_the_worker_forked_does_not_hide_its_death(mark: str, tmp_path: Path) -> None:
    """A fork without exec, as multiprocessing makes, holds the pipe whose end says that the worker is gone."""
    worker = subprocess.Popen([sys.executable, "-c", FORKED, SESSIONS + "time.sleep(60)", mark, str(tmp_path)])
    assert within(30, (tmp_path / "forked").exists)
    assert within(5, lambda: len(marked(mark)) == 8)
    worker.kill()
    worker.wait()
    assert within(5, lambda: len(marked(mark)) == 1)  # the fork, which is none of the command's


def test_an_interrupted_worker_takes_it_along(mark: str, tmp_path: Path) -> None:
    """Ctrl-C in a thread that waits: KeyboardInterrupt goes on, and nothing is left."""
    # Where the tests run in the background SIGINT is ignored, and what they start inherits that.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    text = heard + WORKER.replace("threading.Thread(target=run).start()", "run()")
    worker = subprocess.Popen(
        [sys.executable, "-c", text, SESSIONS + "time.sleep(60)", mark, str(tmp_path)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert within(30, (tmp_path / "started").exists)
    os.killpg(worker.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert b"KeyboardInterrupt" in worker.communicate(timeout=20)[1]
    assert marked(mark) == []  # by the time that it ends


def test_processors_are_limited(run) -> None:
    outcome = run("while True: pass", limits=Limits(seconds=20, cpu_s=0.5))
    assert (outcome.signal, outcome.timed_out) == (signal.SIGXCPU, False)
    assert outcome.reason == "it was killed by SIGXCPU, at its limit of 0.5 s on processors"
    stubborn = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert run(stubborn, limits=Limits(seconds=20, cpu_s=1)).signal == signal.SIGKILL


def test_memory_is_limited(run) -> None:
    text = "x = bytearray(300 * 2**20)"
    assert run(text).exit_code == 0
    outcome = run(text, limits=Limits(memory_byte=200 * MIB))
    assert outcome.exit_code == 1
    assert outcome.stderr.endswith(b"MemoryError\n")


def test_files_are_limited(run, tmp_path: Path) -> None:
    outcome = run("open('large', 'wb').write(bytes(3 * 10**6))", limits=Limits(file_byte=10**6))
    assert (tmp_path / "large").stat().st_size <= 10**6
    assert outcome.exit_code != 0
    shell = run_process(["sh", "-c", "exec head -c 3000000 /dev/zero > more"], tmp_path, Limits(file_byte=10**6))
    assert shell.reason == "it was killed by SIGXFSZ, at its limit of 1000000 bytes a file"
    many = run("files = [open('/dev/null') for _ in range(100)]", limits=Limits(open_files=50))
    assert b"Too many open files" in many.stderr
    assert run("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))").stdout == b"(0, 0)\n"


@pytest.mark.parametrize(("name", "number"), [("stdout", 1), ("stderr", 2)])
def test_output_is_limited(run, name: str, number: int) -> None:
    """100 MB are not kept, not even read."""
    text = f"import os\nfor _ in range(100): os.write({number}, b'0123456789' * 10**5)\nprint('done')"
    outcome = run(text, limits=Limits(output_byte=3 * 10**6))
    assert (outcome.exit_code, outcome.full) == (None, name)
    assert len(getattr(outcome, name)) == 3 * 10**6
    assert outcome.reason == f"it printed more than 3000000 bytes to {name} and was killed"
    just = run(f"import os; os.write({number}, bytes(50000))", limits=Limits(output_byte=50000))
    assert (just.exit_code, len(getattr(just, name))) == (0, 50000)


def test_a_crash_names_its_signal(run) -> None:
    outcome = run("import os; os.kill(os.getpid(), 11)")
    assert (outcome.exit_code, outcome.signal, outcome.reason) == (None, 11, "it was killed by SIGSEGV")


def test_a_command_that_cannot_start_is_an_outcome(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "odd").write_text("no interpreter")
    (tmp_path / "odd").chmod(0o755)
    for program, error in {
        "no-such-program-here": "there is no program 'no-such-program-here' on PATH",
        "./odd": "'./odd' must be an absolute path, or a name on PATH",
        str(tmp_path / "text"): f"'{tmp_path}/text' is no program that can be run",
        str(tmp_path / "none"): f"'{tmp_path}/none' does not exist",
        str(tmp_path / "odd"): "Exec format error",
    }.items():
        outcome = run_process([program], tmp_path, QUICK)
        assert (outcome.error, outcome.exit_code) == (error, None)
        assert outcome.reason == f"it could not be run: {error}"
    with pytest.raises(ValueError, match="without NUL"):
        run_process(["true", "a\0b"], tmp_path, QUICK)


def test_a_launcher_that_dies_is_an_outcome_and_leaves_no_command(run, mark) -> None:
    outcome = run("import os, sys, time; os.kill(os.getppid(), 9); time.sleep(60)", mark)
    assert outcome.error == "its launcher died"
    assert within(5, lambda: not marked(mark))


@pytest.mark.parametrize("given", [{"seconds": 0}, {"memory_byte": -1}, {"cpu_s": float("nan")}])
def test_limits_are_above_0(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be a number above 0, got"):
        Limits(**given)


def test_threads_run_commands_at_once(run) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda i: run("import sys; print(sys.argv[1])", str(i)), range(24)))
    assert [int(outcome.stdout) for outcome in outcomes] == list(range(24))
