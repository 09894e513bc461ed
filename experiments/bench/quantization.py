"""How fast numbers are rounded to a format, beside `ml_dtypes` and `gfloat` in one run, and networks quantised.

Casts: millions of elements a second, float32 in and out, on all cores; the other two where they are installed.
Networks: evaluations of a whole validation split a second, of designs drawn at random.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.casting import cast
from designgym.cost_models.quantization.formats import format_of
from designgym.cost_models.quantization.microscaling import MX, microscaled
from designgym.cost_models.quantization.scales import Scaling, quantised_weight
from designgym.envs import make_problem
from designgym.envs.optimum import find_optimum
from designgym.experiments.bench.core import REPEATS, Row, best_seconds

ELEMENTS = 10_000_000
GFLOAT_ELEMENTS = 1_000_000
WANTED = 100.0  # millions a second
NETWORKS = {"mlp": (3000, 3000), "cnn": (200, 100)}  # designs, and how many a second are wanted
MOST_S = 20.0  # for all designs of the mlp
FORMATS = ("int8", "int4", "e4m3fn", "e5m2", "e2m1fn", "bfloat16")
OTHERS = {  # their names: of a dtype, of a format
    "e4m3fn": ("float8_e4m3fn", "ocp_e4m3"),
    "e5m2": ("float8_e5m2", "ocp_e5m2"),
    "e2m1fn": ("float4_e2m1fn", "ocp_e2m1"),
    "bfloat16": ("bfloat16", "bfloat16"),
}

Singles = NDArray[np.float32]


def quantization() -> dict[str, Any]:
    """Time casts to several formats. Rows are (what, figure, unit, ratio, what it is to)."""
    from numba import get_num_threads

    rows: list[Row] = []
    x = np.random.default_rng(0).normal(size=ELEMENTS).astype(np.float32)
    for name in FORMATS:
        form = format_of(name)
        own = _speed(lambda form=form: cast(x, form), len(x))  # type: ignore[misc]
        rows.append((f"{name}: cast", own, "M/s", own / WANTED, f"{WANTED:g} M/s"))
        for what, speed in _others(name, x):
            rows.append((f"{name}: {what}", speed, "M/s", own / speed, "cast over it"))
    matrix = x.reshape(1000, -1)
    for scaling in (Scaling("absmax", "channel"), Scaling("mse", "channel"), Scaling("absmax", "group")):
        speed = _speed(lambda scaling=scaling: quantised_weight(matrix, format_of("E2M1"), scaling), len(x))  # type: ignore[misc]
        rows.append((f"E2M1 weights, {scaling.rule} scale a {scaling.granularity}", speed, "M/s", None, ""))
    speed = _speed(lambda: microscaled(matrix, MX["mxfp4_e2m1"]), len(x))
    rows.append(("mxfp4_e2m1 blocks", speed, "M/s", None, ""))
    rows += _networks()
    notes = [f"{len(x):,} float32 (gfloat {GFLOAT_ELEMENTS:,}), {get_num_threads()} threads; best of {REPEATS} repeats"]
    return {"notes": notes, "rows": rows}


def _networks() -> Iterator[Row]:
    for network, (designs, wanted) in NETWORKS.items():
        problem = make_problem("MixedPrecision-v0", network=network)
        drawn = problem.space.sample(designs, np.random.default_rng(0))
        seconds = best_seconds(lambda problem=problem, drawn=drawn: problem.evaluate(drawn))  # type: ignore[misc]
        speed = designs / seconds
        yield f"MixedPrecision-v0, {network}: validation splits", speed, "1/s", speed / wanted, f"{wanted:,} a second"
    problem = make_problem("MixedPrecision-v0")
    begun = time.perf_counter()
    find_optimum(problem)
    seconds = time.perf_counter() - begun
    yield "MixedPrecision-v0, mlp: all 117,649 designs", seconds, "s", MOST_S / seconds, f"{MOST_S:g} s"


def _speed(work: Callable[[], Any], elements: int) -> float:
    return elements / best_seconds(work) / 1e6


def _others(name: str, x: Singles) -> Iterator[tuple[str, float]]:
    if name not in OTHERS:
        return
    dtype, info = OTHERS[name]
    if importlib.util.find_spec("ml_dtypes"):
        import ml_dtypes

        kind = getattr(ml_dtypes, dtype)
        yield "ml_dtypes, there and back", _speed(lambda: x.astype(kind).astype(np.float32), len(x))
    if importlib.util.find_spec("gfloat"):
        import gfloat
        import gfloat.formats

        form, few = getattr(gfloat.formats, f"format_info_{info}"), x[:GFLOAT_ELEMENTS].astype(np.float64)
        yield "gfloat", _speed(lambda: gfloat.round_ndarray(form, few, sat=True), len(few))
