"""What one design costs a cost model and what learned it, at one design a call and at ten thousand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns

CALLS = (1, 10_000)  # designs a call
LEAST_S, REPEATS = 0.5, 5  # how long each is measured at least, and how often


def prices(evaluate: Callable[[Columns], Any], designs: Columns, calls: tuple[int, ...] = CALLS) -> dict[str, float]:
    """Return seconds a design by designs a call, the median of REPEATS: many calls each, after one that warms up.

    designs: at least max(calls) of them; calls of one design go round all of them.
    """
    return {str(size): _seconds(evaluate, designs, size) for size in calls}


def _seconds(evaluate: Callable[[Columns], Any], designs: Columns, size: int) -> float:
    total = len(next(iter(designs.values())))
    if total < size:
        raise ValueError(f"at least {size:,} designs are needed to time calls of so many, got {total:,}.")
    batches = [
        {name: column[at : at + size] for name, column in designs.items()}
        for at in range(0, min(total, 1000 * size) - size + 1, size)
    ]
    evaluate(batches[0])
    found = []
    for _ in range(REPEATS):
        begun, priced = time.perf_counter(), 0
        while (spent := time.perf_counter() - begun) < LEAST_S / REPEATS or not priced:
            evaluate(batches[priced % len(batches)])
            priced += 1
        found.append(spent / (priced * size))
    return float(np.median(found))
