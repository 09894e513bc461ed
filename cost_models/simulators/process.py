"""Run one command of somebody else's, alone, under limits, and leave nothing of it behind. For Linux.

The command has a session of its own, a directory, no standard input, and no more of the environment than PATH, HOME and
TMPDIR in its directory, the C.UTF-8 locale, and what it is given. At the time limit, at its end, and when the calling
process dies, even by SIGKILL, all that it started is killed, in whatever session it is. A launcher of its own sees to
that (`launcher`), for a parent-death signal (prctl(2)) is tied to the thread that forked and reaches no grandchild.
Limits hold for each process (setrlimit(2)); a command that must be held as a whole needs a container.

One run costs about 20 ms more than the command itself on an idle core, less than two starts of a bare Python.
"""

import marshal
import math
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

from designgym.cost_models.simulators import launcher

GRACE_S = 20.0  # beyond the time limit, in which the launcher must have answered
MIB = 2**20
# As a module, for a script is compiled each time; the last place on the path, so that it hides nothing.
_LAUNCH = "import sys; sys.path.append(sys.argv[1]); import launcher; launcher.main()"


@dataclass(frozen=True)
class Limits:
    """What a run may use. seconds: wall time of all of it. The others hold for each of its processes.

    cpu_s: time on processors, rounded up to whole seconds. memory_byte: addresses (RLIMIT_AS), which a Java or a CUDA
    program reserves by the dozen GiB. file_byte: the largest file written. output_byte: of standard output, and of
    standard error; a command that prints more is killed.
    """

    seconds: float = 60.0
    cpu_s: float = 600.0
    memory_byte: int = 4096 * MIB
    open_files: int = 256
    file_byte: int = 1024 * MIB
    output_byte: int = 10 * MIB

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be a number above 0, got {value}. Raise or lower it.")


@dataclass(frozen=True)
class Outcome:
    """How a run ended. exit_code: None where it did not end by itself; signal: what killed it, also where we did.

    error: why it could not be run at all, one line, "" where it was. full: the output that passed its limit, "stdout"
    or "stderr", else "". stdout, stderr: what it printed, up to the limit.
    """

    exit_code: int | None
    signal: int | None
    timed_out: bool
    stdout: bytes
    stderr: bytes
    elapsed_s: float
    full: str = ""
    error: str = ""
    limits: Limits = field(default_factory=Limits, repr=False)

    @property
    def reason(self) -> str:
        """Say how it ended, in a few words."""
        if self.error:
            return f"it could not be run: {self.error}"
        if self.timed_out:
            return f"it ran past its time limit of {self.limits.seconds:g} s and was killed"
        if self.full:
            return f"it printed more than {self.limits.output_byte} bytes to {self.full} and was killed"
        if self.signal is not None:
            return f"it was killed by {_signal_name(self.signal)}{self._limit_behind()}"
        return f"it ended with exit code {self.exit_code}"

    def _limit_behind(self) -> str:
        name = _signal_name(self.signal or 0)
        if name == "SIGXCPU":
            return f", at its limit of {self.limits.cpu_s:g} s on processors"
        return f", at its limit of {self.limits.file_byte} bytes a file" if name == "SIGXFSZ" else ""


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def run_process(
    arguments: Sequence[str],
    directory: Path,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    temporary: bool = False,
) -> Outcome:
    """Run a command in a directory that exists, without a shell, and wait for it. Threads may call this at once.

    arguments: the program, as an absolute path or a name on PATH, and its arguments. environment: further variables,
    which also replace those it has by default. temporary: the directory goes too where the calling process dies. What
    the command leaves running when it ends is killed. A command that cannot be started is an `Outcome` with its error.
    ValueError for arguments that no command can have.
    """
    if not arguments or any("\0" in text for text in (*arguments, *(environment or {}).values())):
        raise ValueError(f"a command must be a program and its arguments, without NUL, got {list(arguments)!r}.")
    directory = directory.resolve()
    given = environment_of(directory, environment or {})
    program = find_program(arguments[0], given["PATH"])
    if program is None:
        error = f"there is no program {arguments[0]!r} on PATH" if "/" not in arguments[0] else _not_run(arguments[0])
        return Outcome(None, None, False, b"", b"", 0.0, error=error, limits=limits)
    Path(given["TMPDIR"]).mkdir(parents=True, exist_ok=True)
    job = {
        "executable": program,
        "arguments": list(arguments),
        "directory": str(directory),
        "temporary": temporary,
        "environment": given,
        "seconds": limits.seconds,
        "output_byte": limits.output_byte,
        "limits": {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": math.ceil(limits.cpu_s),
            "RLIMIT_AS": limits.memory_byte,
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_FSIZE": limits.file_byte,
        },
    }
    return _outcome(_launched(job, limits.seconds + GRACE_S), limits)


def environment_of(directory: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return all variables of a command that runs in a directory."""
    path = os.environ.get("PATH", os.defpath)
    of_directory = {"HOME": str(directory), "TMPDIR": str(directory / ".tmp")}
    return {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **of_directory, **given}


def find_program(name: str, path: str) -> str | None:
    """Return the absolute path of a program: one that is absolute, or a name on PATH. None where it cannot be run."""
    if "/" in name and not name.startswith("/"):
        return None
    found = shutil.which(name, path=path)
    return os.path.abspath(found) if found else None


def _not_run(name: str) -> str:
    if not name.startswith("/"):
        return f"{name!r} must be an absolute path, or a name on PATH"
    return f"{name!r} is no program that can be run" if os.path.exists(name) else f"{name!r} does not exist"


def _launched(job: dict[str, Any], most_s: float) -> bytes:
    """Let a launcher do the job. Return its answer; what it wrote to its error output where it died, after a NUL."""
    # In a session of its own, so that Ctrl-C reaches this process alone, which then ends the launcher's input.
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LAUNCH, os.path.dirname(launcher.__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    answer = b""
    try:
        data = marshal.dumps(job)
        try:
            _write_all(process.stdin, len(data).to_bytes(8, "big") + data)
            answer = _read_all(process.stdout, time.monotonic() + most_s)
        except BrokenPipeError:
            answer = b""  # it died at once: its error output says why
        return answer or b"\0" + _read_all(process.stderr, time.monotonic() + 1.0)
    finally:
        process.stdin.close()  # what makes a launcher that is still there kill all it has, and end
        try:
            process.wait(None if answer else GRACE_S)  # the one with a limit looks at growing intervals
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def _write_all(pipe: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]


def _read_all(pipe: Any, until: float) -> bytes:
    """Read to the end of a pipe; nothing where that does not come in time."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            part = os.read(pipe.fileno(), MIB)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return b""


def _outcome(answer: bytes, limits: Limits) -> Outcome:
    if answer.startswith(b"\0"):
        said = answer[1:].decode("utf-8", "replace").strip().splitlines()
        why = f"its launcher died{f': {said[-1]}' if said else ''}"
        return Outcome(None, None, False, b"", b"", 0.0, error=why, limits=limits)
    head, _, rest = answer.partition(b"\n")
    ended, code, elapsed_ns, *lengths = map(int, head.split())
    error, stdout, stderr = _split(rest, lengths)
    why = " ".join(error.decode("utf-8", "replace").split())
    return Outcome(
        exit_code=code if code >= 0 and ended == launcher.FINISHED and not why else None,
        signal=-code if code < 0 else None,
        timed_out=ended == launcher.TIMED_OUT,
        stdout=stdout,
        stderr=stderr,
        elapsed_s=elapsed_ns / 1e9,
        full={launcher.STDOUT_FULL: "stdout", launcher.STDERR_FULL: "stderr"}.get(ended, ""),
        error=why,
        limits=limits,
    )


def _split(data: bytes, lengths: Sequence[int]) -> list[bytes]:
    parts, at = [], 0
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    return parts
