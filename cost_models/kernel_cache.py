"""Compile the loops around a kernel, and keep their machine code on disk under a key that never goes stale.

The key is a hash of the kernel's compiled source and of every function and constant that it reads, callees included;
Numba's own key stops at the kernel's file.
"""

import dis
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

# Intel's short vector library, where installed, rounds vector lanes and loop remainders differently: row i would
# depend on its place in the batch. Numba reads this when it is imported.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")

import llvmlite.binding
import numba
import numpy as np
from numba.core.registry import CPUDispatcher

from designgym.cost_models.kernels import KindsDiffer

LIBRARIES = ("math", "cmath", "numpy", "numba", "builtins")  # their version is in the key, their functions are not

ONE_DESIGN = {  # what the kernel itself is given, by kind of argument
    **{"F": numba.float64, "I": numba.int64, "f": numba.float64, "i": numba.int64, "b": numba.boolean},
    **{"F2": numba.float64[:, ::1], "I2": numba.int64[:, ::1]},
}

LIBRARY_KINDS = (BuiltinFunctionType, type, np.ufunc, ModuleType, FunctionType, CPUDispatcher)

_rebuilt: dict[FunctionType, Any] = {}


def cache_directory() -> Path:
    """Return a directory for compiled kernels that this process can write.

    `DESIGNGYM_CACHE_DIR`, else the user's cache directory, else one of this user's own among the temporary files.
    """
    for root in _candidates():
        path = root / "kernels"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Compiled code is run as it is read: it must come from a directory that nobody else could have filled.
            if os.access(path, os.W_OK | os.X_OK) and (os.name == "nt" or path.stat().st_uid == os.getuid()):
                return path
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="designgym-"))


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("DESIGNGYM_CACHE_DIR"):
        yield Path(chosen)
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA", Path.home())) / "designgym"
    elif sys.platform == "darwin":
        yield Path.home() / "Library" / "Caches" / "designgym"
    else:
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "designgym"
    yield Path(tempfile.gettempdir()) / f"designgym-{os.getuid() if os.name != 'nt' else os.getlogin()}"


def load_loops(function: FunctionType, names: tuple[str, ...], kinds: tuple[str, ...]) -> ModuleType:
    """Return a module with the compiled loops around a kernel, for arguments of the given kinds.

    kinds: per argument, "F" and "I" a column of floats or integers, "F2" and "I2" a table, "f", "i", "b" a number.
    In the module: `serial(out, *args)` returns False where a column's length is not out's; `parallel` does the same
    work on `threads()` threads; OUTPUTS is the length of the kernel's tuple.
    One file per kernel and kinds, so that processes that compile at once can only write the same thing twice.
    """
    versions = (numba.__version__, np.__version__, sys.implementation.cache_tag, llvmlite.binding.get_host_cpu_name())
    name = f"{function.__name__.strip('<>')}_{_digest(function, versions, kinds, _loops_source(0, names, kinds))}"
    path = cache_directory() / f"{name}.py"
    kernel = _rebuild(function)
    if not path.exists():
        _write_once(path, _loops_source(_outputs(kernel, function, kinds), names, kinds))
    spec = importlib.util.spec_from_file_location(f"designgym_kernel_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    module.__dict__.update(kernel=kernel, threads=numba.get_num_threads)
    sys.modules[spec.name] = module  # Numba's unpickled code looks its module up by name
    spec.loader.exec_module(module)
    whole = ONE_DESIGN | {"F": numba.float64[::1], "I": numba.int64[::1]}
    module.serial.compile((numba.float64[:, ::1], *(whole[kind] for kind in kinds)))
    module.serial._compile_for_args = _refuse
    return module


def _refuse(*args: Any, **named: Any) -> None:
    raise KindsDiffer


def _outputs(kernel: Any, function: FunctionType, kinds: tuple[str, ...]) -> int:
    """Compile the kernel for one design and return how many numbers its tuple holds."""
    argtypes = tuple(ONE_DESIGN[kind] for kind in kinds)
    kernel.compile(argtypes)
    result = kernel.overloads[argtypes].signature.return_type
    if not isinstance(result, numba.types.BaseTuple) or not len(result):
        raise TypeError(
            f"{function.__name__} must return a tuple of numbers, got {result}. "
            "For a single one write `return (value,)`."
        )
    return len(result)


def _loops_source(outputs: int, names: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    params = ", ".join(f"_{name}" for name in names)
    columns = [f"_{name}" for name, kind in zip(names, kinds, strict=True) if kind in "FI"]
    given = ", ".join(f"_{name}[i]" if f"_{name}" in columns else f"_{name}" for name in names)
    fits = " and ".join(f"len({column}) == n" for column in columns)
    stores = "\n".join(f"        out[{k}, i] = values[{k}]" for k in range(outputs))

    def loop(name: str, over: str) -> str:
        return (
            f"@njit(cache=True, nogil=True, error_model='numpy', parallel={name == 'parallel'})\n"
            f"def {name}(out, {params}):\n    n = out.shape[1]\n    if not ({fits}):\n        return False\n"
            f"    for i in {over}(n):\n        values = kernel({given})\n{stores}\n    return True\n"
        )

    head = (
        f'"""Loops of designgym over a batch of designs."""\n\nfrom numba import njit, prange\n\nOUTPUTS = {outputs}\n'
    )
    return "\n\n".join((head, loop("serial", "range"), loop("parallel", "prange")))


def _write_once(path: Path, text: str) -> None:
    """Write the file whole or not at all; of several writers, all leave the same bytes and the same time stamp."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        file.write(text)
    # Numba drops compiled code whose source has another time stamp.
    os.utime(file.name, (1_000_000_000, 1_000_000_000))
    os.replace(file.name, path)


def _reads(function: FunctionType) -> dict[str, Any]:
    """Return what a function reads from outside itself, by name: globals and closure."""
    found: dict[str, Any] = {}
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes.extend(const for const in code.co_consts if isinstance(const, CodeType))
        for step in dis.get_instructions(code):
            if step.opname == "LOAD_GLOBAL" and step.argval in function.__globals__:
                found[step.argval] = function.__globals__[step.argval]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        found[name] = cell.cell_contents
    return dict(sorted(found.items()))


def _callee(value: Any) -> FunctionType | None:
    """Return the Python function behind a plain function, an `@njit` one or a kernel."""
    function = value if isinstance(value, FunctionType) else getattr(value, "py_func", getattr(value, "function", None))
    if isinstance(function, FunctionType) and function.__module__.partition(".")[0] not in LIBRARIES:
        return function
    return None


def _digest(function: FunctionType, *more: object) -> str:
    return hashlib.sha256(repr((more, list(_facts(function, {})))).encode()).hexdigest()[:24]


def _facts(function: FunctionType, seen: dict[FunctionType, int]) -> Iterator[Any]:
    """Yield everything that decides what a function computes, as plain values with an exact repr."""
    seen[function] = len(seen)
    yield "function", _code_facts(function.__code__), _constant(function, "defaults", function.__defaults__ or ())
    for name, value in _reads(function).items():
        callee = _callee(value)
        if callee is None:
            yield name, _constant(function, name, value)
        elif callee in seen:
            yield name, "call", seen[callee]
        else:
            yield name, "call", len(seen)
            yield from _facts(callee, seen)


def _code_facts(code: CodeType) -> tuple[Any, ...]:
    consts = tuple(_code_facts(c) if isinstance(c, CodeType) else (type(c).__name__, repr(c)) for c in code.co_consts)
    return code.co_code, consts, code.co_names, code.co_varnames, code.co_argcount, code.co_freevars, code.co_flags


def _constant(function: FunctionType, name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest()
    if isinstance(value, np.generic | bool | int | float | complex | str | None):
        return type(value).__name__, repr(value)
    if isinstance(value, tuple):
        return ("tuple", *(_constant(function, name, part) for part in value))
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if isinstance(value, LIBRARY_KINDS) and ((module or "numpy").partition(".")[0] in LIBRARIES):
        return "library", module, getattr(value, "__qualname__", getattr(value, "__name__", ""))
    raise TypeError(
        f"{function.__name__} reads {name}, a {type(value).__name__}: a kernel may read numbers, tuples of numbers, "
        f"arrays and functions. Import what it needs of {name} by name."
    )


def _rebuild(function: FunctionType, callers: tuple[FunctionType, ...] = ()) -> Any:
    """Return the function compiled, and whatever it calls too, whether marked `@njit` or not."""
    if function in callers:
        raise TypeError(f"{function.__name__} calls itself: a kernel cannot be recursive. Write it as a loop.")
    if function not in _rebuilt:
        values = _reads(function)
        for name, value in values.items():
            if callee := _callee(value):
                values[name] = _rebuild(callee, (*callers, function))
        cells = tuple(CellType(values[name]) for name in function.__code__.co_freevars)
        scope = {"__name__": __name__, "__builtins__": __builtins__, **values}
        copy = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells or None)
        # Machine code from the disk looks its functions up by module and name. A kernel's own module may be called
        # otherwise in another process, and two functions of one name must not be taken for each other.
        copy.__module__, copy.__qualname__ = __name__, f"{function.__name__.strip('<>')}_{_digest(function)}"
        # Inlined by LLVM: a call per design would cost more than many a kernel, and share its tables' counters. Nobody
        # calls it from Python or C: a wrapper for either would have LLVM compile its inlined body once more.
        alone: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        _rebuilt[function] = numba.njit(copy, error_model="numpy", nogil=True, forceinline=True, **alone)
    return _rebuilt[function]
