"""Run a scalar kernel, one design at a time, over a whole batch of designs in compiled code.

Compiled by Numba (Lam, Pitrou and Seibert, LLVM-HPC 2015, doi:10.1145/2833157.2833162); `kernel_cache` keeps the
machine code on disk.
"""

import inspect
import os
import sys
import threading
from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = tuple[NDArray[np.float64], ...]

PARALLEL_FROM = (
    10_000  # designs; below, waking the threads costs more than they save (12 ms at 64 designs on busy cores)
)
NUMBERS = {float: "f", int: "i", bool: "b"}  # scalars that Numba takes as they are
F8, I8 = np.dtype(np.float64), np.dtype(np.int64)

_compiling = threading.Lock()
_threads = threading.Lock()  # Numba's work queue dies when two Python threads enter it at once
_forked = False  # and its OpenMP pool when a child of fork() enters it


def _note_fork() -> None:
    global _forked, _compiling, _threads
    _forked, _compiling, _threads = True, threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def on_all_threads(parallel: Callable[..., Any], serial: Callable[..., Any], *args: Any) -> Any:
    """Call compiled loops that run on Numba's threads, or their twin where these must not be entered, or are one."""
    from numba import get_num_threads

    if _forked or get_num_threads() == 1:
        return serial(*args)
    with _threads:
        return parallel(*args)


class KindsDiffer(Exception):
    """The compiled loops were called with arguments of other kinds than they were compiled for."""


def over_designs(kernel: Callable[..., Any]) -> "DesignKernel":
    """Return the kernel over batches: called with columns, it returns one float64 array (n,) per value of its tuple.

    kernel: plain scalar arithmetic that returns a tuple of numbers. It may call plain or `@njit` functions, and read
        numbers, tuples of them and arrays from its module; Numba's rules for nopython code hold. Division by zero
        gives inf or nan, as in NumPy; nothing is reassociated.
    In a call, 1-D arrays are columns, all of one length n; numbers and 2-D arrays go to every design whole.
    Row i depends on design i alone: serial and threaded runs give the same bits.
    """
    return DesignKernel(kernel)


class DesignKernel:
    """A scalar kernel that runs over columns. Made by `over_designs`; imports Numba at the first call.

    function: the scalar kernel itself, for a call with numbers.
    """

    __name__: str

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, FunctionType):
            raise TypeError(f"a kernel must be a plain Python function, got {type(function).__name__}.")
        self.function = function
        self._names = tuple(inspect.signature(function).parameters)
        self._loops: dict[tuple[str, ...], Any] = {}  # compiled, by the kinds of their arguments
        self._latest: Any = None  # those used last, and the place of a column among their arguments
        self._column = 0
        update_wrapper(self, function)

    def __reduce__(self) -> Any:
        found: Any = sys.modules.get(self.function.__module__)
        for part in self.function.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is self and self.function.__module__ != "__main__":
            return self.function.__qualname__
        return over_designs, (self.function,)

    def __call__(self, *args: Any, **named: Any) -> Values:
        """Price every design, on all threads where there are enough designs for it."""
        # An agent may ask for one design at a time, so microseconds count: first hope that the arguments are of the
        # same kinds as the last time, which Numba's dispatcher checks in C.
        if self._latest is not None and not named:
            try:
                n = len(args[self._column])
                if n < PARALLEL_FROM:
                    out = np.empty((self._latest.OUTPUTS, n))
                    if self._latest.serial(out, *args):
                        return tuple(out)
            except (KindsDiffer, TypeError, IndexError):
                self._latest = None
        return self._run(args, named, None)

    def serial(self, *args: Any, **named: Any) -> Values:
        """Price every design on one thread."""
        return self._run(args, named, False)

    def parallel(self, *args: Any, **named: Any) -> Values:
        """Price every design on all of Numba's threads."""
        return self._run(args, named, True)

    def _run(self, args: tuple[Any, ...], named: dict[str, Any], threaded: bool | None) -> Values:
        bound = inspect.signature(self.function).bind(*args, **named)
        bound.apply_defaults()
        kinds, plain, n = self._plain(bound.args)
        loops = self._loops.get(kinds) or self._compile(kinds)
        self._column, self._latest = kinds.index("F" if "F" in kinds else "I"), loops
        out = np.empty((loops.OUTPUTS, n))
        if threaded is None:
            threaded = n >= PARALLEL_FROM and loops.threads() > 1
        if threaded and not _forked:
            with _threads:
                loops.parallel(out, *plain)
        else:
            loops.serial(out, *plain)
        return tuple(out)

    def _compile(self, kinds: tuple[str, ...]) -> Any:
        from designgym.cost_models.kernel_cache import load_loops

        with _compiling:
            if kinds not in self._loops:
                self._loops[kinds] = load_loops(self.function, self._names, kinds)
            return self._loops[kinds]

    def _plain(self, args: tuple[Any, ...]) -> tuple[tuple[str, ...], tuple[Any, ...], int]:
        """Return the arguments' kinds, the arguments as the compiled loops take them, and the number of designs."""
        kinds: list[str] = []
        plain: list[Any] = []
        lengths: dict[str, int] = {}
        for name, value in zip(self._names, args, strict=True):
            array = np.asarray(value)
            if array.dtype.kind not in "biuf" or array.ndim > 2:
                what = f"{array.ndim}-dimensional {array.dtype}" if array.ndim else type(value).__name__
                raise TypeError(
                    f"{self.__name__}: {name} must be a number, a column or a 2-D table of numbers, got {what}."
                )
            if array.ndim == 0:
                plain.append(array.item())
                kinds.append(NUMBERS[type(plain[-1])])
                continue
            if array.ndim == 1:
                lengths[name] = len(array)
            wide = "F" if array.dtype.kind == "f" else "I"
            # Owned or not, read-only or not are other types to Numba: one compiled form is enough.
            plain.append(np.require(array, F8 if wide == "F" else I8, ["C", "A", "W"]))
            kinds.append(wide if array.ndim == 1 else f"{wide}2")
        if len(set(lengths.values())) != 1:
            got = ", ".join(f"{name} {length}" for name, length in lengths.items()) or "no column"
            raise ValueError(f"{self.__name__}: columns must have one length, got {got}.")
        return tuple(kinds), tuple(plain), next(iter(lengths.values()))
