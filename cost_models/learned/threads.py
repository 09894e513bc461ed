"""How many threads a learned model runs on: one for little work, which several would only wait for each other over.

Measured: 320 steps of boosting on 600 designs take half a second on one thread, and minutes on two threads whose two
cores are busy with something else, since OpenMP's threads spin until the last of them has had its turn.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any

LITTLE = 10_000  # rows below which one thread is used


@cache
def _controller() -> Any:
    import sklearn.ensemble  # noqa: F401  what is not loaded yet would not be found, and would spin
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # finding the libraries takes milliseconds: once


def for_rows(n: int) -> Any:
    """Return a context in which a fit to n rows, or a prediction of them, runs on one thread where n is small."""
    return _controller().limit(limits=1) if n < LITTLE else nullcontext()
