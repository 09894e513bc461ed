"""Run one command for a worker and see to it that nothing of it is left: a program of its own, started by `process`.

It is given the job over standard input and answers on standard output. It adopts what the command leaves behind
(prctl(2), PR_SET_CHILD_SUBREAPER), so that whatever the command started, in whatever session, is below it and is killed
when the command ends, when its time is up, or when the worker is gone: standard input ends, or the parent is another.
It imports little, for its start is most of what a run costs, and nothing of designgym.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False  # as in typing, whose import would double the start
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # what `signal` wraps in enumerations, which is as dear

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
CHUNK_BYTE = 1 << 16
LOOK_S = 0.25  # between two looks whether the parent is still the same
KILL_S = 10.0  # after which what cannot be killed, as in a hanging disk's system call, is left
FINISHED, TIMED_OUT, STDOUT_FULL, STDERR_FULL, WORKER_GONE = range(5)

_LIBC = ctypes.CDLL(None, use_errno=True)


def read_job() -> dict[str, Any] | None:
    """Read the length, eight bytes, and that much; None where the worker died before it had written all."""
    data, wanted = b"", 8
    while len(data) < wanted:
        more = os.read(0, wanted - len(data))
        if not more:
            return None
        data += more
        if len(data) == 8:
            wanted += int.from_bytes(data, "big")
    job: dict[str, Any] = marshal.loads(data[8:])
    return job


def start(job: dict[str, Any]) -> tuple[int, int, int, str]:
    """Start the command. Return its process id, both ends to read from, and why it could not be started, if so."""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    told_read, told_write = os.pipe()  # closed by a successful exec
    launcher = os.getpid()
    child = os.fork()
    if not child:
        try:
            become(job, out_write, err_write, launcher)
        except BaseException as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            os.write(told_write, words.encode("utf-8", "replace")[:1000])
        finally:
            os._exit(127)
    for end in (out_write, err_write, told_write):
        os.close(end)
    told = os.read(told_read, 1000)
    os.close(told_read)
    return child, out_read, err_read, told.decode("utf-8", "replace")


def become(job: dict[str, Any], out: int, err: int, launcher: int) -> None:
    """In the child: its own session, no input, limits, signals as they are by default; then the command."""
    os.setsid()
    _LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != launcher:
        os._exit(127)
    os.chdir(job["directory"])
    os.umask(0o077)
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)  # Python ignores SIGPIPE and SIGXFSZ, and a child would inherit it
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for name, wanted in job["limits"].items():
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        # A second more, so that a program that outlives SIGXCPU is killed.
        resource.setrlimit(which, (wanted, wanted + 1 if name == "RLIMIT_CPU" and hard != wanted else wanted))
    os.execve(job["executable"], job["arguments"], job["environment"])


class Watch:
    """The command while it runs: its output, its end, its time, its worker."""

    def __init__(self, child: int, ends: tuple[int, int], keep: int, until: float) -> None:
        self.child, self.keep, self.until = child, keep, until
        self.kept = (bytearray(), bytearray())
        self.status: int | None = None  # of the command, once it has ended
        self._ends = dict(zip(ends, self.kept, strict=True))
        self._parent = os.getppid()
        self._poll = select.poll()
        for end in (0, *ends):
            self._poll.register(end, select.POLLIN)

    def woken_by_children(self) -> None:
        """Let the end of a child end a wait."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(read, select.POLLIN)
        self._wakes = read
        self.reap()  # it may have ended before

    def reap(self) -> bool:
        """Take the status of whatever has ended. Return whether a child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self.child:
                self.status = status

    def until_it_ends(self) -> int:
        """Return how it ended: by itself, at its time, with too much output, or because the worker is gone."""
        while self.status is None:
            left = self.until - time.monotonic()
            if left <= 0:
                return TIMED_OUT
            for end, _ in self._poll.poll(1000 * min(left, LOOK_S)):
                if end == 0:
                    return WORKER_GONE  # nothing is written after the job: this is the end of the pipe
                if end == self._wakes:
                    os.read(end, CHUNK_BYTE)
                elif (full := self._take(end)) != FINISHED:
                    return full
            if os.getppid() != self._parent:
                return WORKER_GONE
            self.reap()
        return FINISHED

    def drain(self) -> int:
        """Read what still lies in the pipes; nobody is left who writes."""
        ended = FINISHED
        for end in list(self._ends):
            os.set_blocking(end, False)
            while ended == FINISHED and end in self._ends:
                try:
                    ended = self._take(end)
                except BlockingIOError:
                    break  # something that cannot be killed holds it
        return ended

    def _take(self, end: int) -> int:
        data, kept = os.read(end, CHUNK_BYTE), self._ends[end]
        if not data:
            self._poll.unregister(end)
            del self._ends[end]
        kept += data[: self.keep - len(kept) + 1]
        if len(kept) <= self.keep:
            return FINISHED
        del kept[self.keep :]
        return STDOUT_FULL if kept is self.kept[0] else STDERR_FULL


def kill_all(watch: Watch) -> None:
    """Kill everything below this process, until nothing is. Orphans come to it, so no session hides them."""
    until = time.monotonic() + KILL_S
    while watch.reap() and time.monotonic() < until:
        found: set[int] = set()
        while more := descendants() - found:  # held first, so that none of them starts another meanwhile
            for pid in more:
                send(pid, signal.SIGSTOP)
            found |= more
        for pid in found:
            send(pid, signal.SIGKILL)
        time.sleep(0.0005)


def send(pid: int, number: int) -> None:
    """Send a signal, unless the process is gone or another user's."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def descendants() -> set[int]:
    """Return the processes below this one, whatever their session."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    after = file.read().rpartition(b")")[2].split()  # the name before may hold anything
            except OSError:
                continue  # it has ended
            if after[0] not in (b"Z", b"X"):  # the dead have no children, they have been given away
                children.setdefault(int(after[1]), []).append(int(name))
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found.update(below)
    return found


def main() -> None:
    """Do the job and answer: a line of numbers, then the error's text, standard output and standard error."""
    job = read_job()
    if job is None:
        return
    _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    child, out, err, error = start(job)
    watch = Watch(child, (out, err), job["output_byte"], began + job["seconds"])
    watch.woken_by_children()
    ended = watch.until_it_ends()
    elapsed_ns = int(1e9 * (time.monotonic() - began))
    kill_all(watch)
    ended = watch.drain() if ended == FINISHED else ended
    if ended == WORKER_GONE:
        if job["temporary"]:
            import shutil

            shutil.rmtree(job["directory"], ignore_errors=True)  # there is nobody left to tell
        return
    code = 0 if watch.status is None else os.waitstatus_to_exitcode(watch.status)
    blobs: list[bytes | bytearray] = [error.encode(), *watch.kept]
    head = " ".join(map(str, [ended, code, elapsed_ns, *map(len, blobs)]))
    sys.stdout.buffer.write(b"".join([head.encode(), b"\n", *blobs]))
    sys.stdout.buffer.flush()
    os._exit(0)  # at once: there is nothing to tidy up
