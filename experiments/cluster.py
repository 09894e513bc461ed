"""Start Ray on this machine for one sweep, or join a cluster; hand runs to it and take their trials back.

Measured on two cores (Ray 2.60): `ray.init` 4.4 s; with variables set by a runtime environment the first task waits
4 s longer, since that starts another agent process. So an embedded Ray inherits them from this process instead.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from designgym.experiments.shipping import runtime_env

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
ONE_THREAD = dict.fromkeys(THREADS, "1")
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}
STORE_BYTE = 256 * 2**20  # the object store holds a few batches a run
CONNECT_S = 10.0
STARTS = 3  # tries to start an embedded Ray: on a machine that is too busy it gives up after half a minute
BATCHES_AHEAD = 4  # batches that a run may be ahead of the driver


def check_workers(workers: int | None) -> None:
    """ValueError unless there is at least one worker."""
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}. Leave it out for one a core.")


class ClusterError(ValueError):
    """The cluster cannot be joined. One line."""


class StartError(ClusterError):
    """Ray does not start on this machine. One line."""

    exit_code = 1


def check_address(address: str) -> None:
    """ClusterError where nobody listens at HOST:PORT: Ray itself would try for minutes. Other forms are left to Ray."""
    match = re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address)
    if match is None:
        return
    try:
        socket.create_connection((match[1], int(match[2])), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ClusterError(f"no Ray cluster could be joined at {address}: {reason}. Check --address.") from None


@contextmanager
def cluster(address: str | None, workers: int | None) -> Iterator[int]:
    """Start or join Ray, and yield how many runs go at a time. A Ray that this process has already is used and kept.

    workers: runs at a time; by default one a core, on a cluster one a core of the cluster.
    """
    import ray

    ours = not ray.is_initialized()
    try:
        if ours:
            _start(address, workers)
        cores = int(ray.cluster_resources().get("CPU", 1))
        yield max(1, min(workers or cores, cores) if address is None else workers or cores)
    finally:
        if ours:
            ray.shutdown()


def _start(address: str | None, workers: int | None) -> None:
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    shared: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address is not None:
        try:
            with tempfile.TemporaryDirectory() as stage:  # what it sends has left when `init` returns
                ray.init(address=address, runtime_env=runtime_env(Path(stage), ONE_THREAD), **shared)
        except (ConnectionError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())
            raise ClusterError(
                f"no Ray cluster could be joined at {address}: {text.rstrip('.')}. Check --address."
            ) from None
        return
    # Workers import a problem's module from wherever this process found it.
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    shared |= {"num_cpus": workers or available_cores(), "num_gpus": 0, "object_store_memory": STORE_BYTE}
    with _environment({**ONE_THREAD, **QUIET, "PYTHONPATH": path}):
        _start_here(shared)


def _start_here(options: dict[str, Any]) -> None:
    """Start Ray on this machine, at most three times.

    Its node gives its helper processes 15 seconds, and nobody can give it more: ray-project/ray, issue 65983.
    """
    import ray

    for tries_left in reversed(range(STARTS)):
        try:
            ray.init(address="local", include_dashboard=False, **options)
            return
        except Exception as error:  # Ray says it by a bare one
            if "timed out" not in str(error):
                raise
            ray.shutdown()
            if not tries_left:
                raise StartError(
                    f"Ray must start on this machine within half a minute, got {STARTS} starts that took longer. "
                    "Make the machine less busy: the same command goes on."
                ) from None


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes started meanwhile; this process has read its own already."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def available_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def as_remote(function: Callable[..., Iterator[Any]]) -> Any:
    """Make a generator function a Ray task that streams what it yields.

    max_retries=0: a retried streaming task starts anew, and Ray would splice its items by number to those of the
    first try, which loses some and doubles others. Whoever submits it decides what happens after a crash.
    """
    import ray

    options: dict[str, Any] = {"_generator_backpressure_num_objects": BATCHES_AHEAD}
    return ray.remote(num_returns="streaming", max_retries=0, num_cpus=1, **options)(function)


class Streams:
    """Streams under way, each with whatever belongs to it, and the next items of those that have some."""

    def __init__(self) -> None:
        self._owners: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, stream: Any, owner: Any) -> None:
        """Take a stream up."""
        self._owners[stream] = owner

    def ready(self, timeout_s: float) -> Iterator[tuple[Any, Any]]:
        """Wait until a stream has something, and yield (owner, item) once for each that has.

        The item is an exception where the task broke off; None where the stream has ended, which is then dropped.
        """
        import ray

        streams = list(self._owners)
        if not ray.wait(streams, num_returns=1, timeout=timeout_s)[0]:
            return
        ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0)
        for stream in ready:
            yield self._owners[stream], self._next(stream)

    def _next(self, stream: Any) -> Any:
        import ray

        try:
            return ray.get(next(stream))
        except StopIteration:
            item = None
        except ray.exceptions.RayError as error:
            item = error
        del self._owners[stream]
        return item

    def cancel(self) -> None:
        """Stop all tasks."""
        import ray

        for stream in self._owners:
            ray.cancel(stream, force=True)
        self._owners.clear()
