"""What the tests of metered problems share: batches with repeats, what a listener heard, runs to their end."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from models import Sums
from strategies import designs_of, rows

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Answer, DesignProblem, DesignSpace, Evaluations, Integer, MeteredProblem, Objective, RunOver

COST = Objective("cost", "gain", reward="weighted")
LINE = DesignSpace(Integer("x", 0, 99))


def x(*values: float) -> Columns:
    return {"x": np.array(values)}


def problem_on(space: DesignSpace, **named: Any) -> DesignProblem:
    return DesignProblem(space, Sums(**named), COST)


def same(a: Evaluations, b: Evaluations) -> bool:
    """Equal to the last bit, NaN where NaN."""
    columns = [(getattr(a, n), getattr(b, n)) for n in ("losses", "violation", "feasible", "reward")]
    columns += [(a.metrics[name], b.metrics[name]) for name in a.metrics]
    return all(np.array_equal(p, q, equal_nan=p.dtype.kind == "f") for p, q in columns)


@st.composite
def batches(draw: st.DrawFn, space: DesignSpace) -> list[Columns]:
    """Batches with repeats in and between them, with illegal values, some columns as floats."""
    pool = draw(designs_of(space, draw(st.integers(1, 12))))
    if draw(st.booleans()):
        spoilt = draw(st.sampled_from(space.columns))
        pool[spoilt] = np.where(np.arange(batch_length(pool)) % 3 == 1, 1e7 + 0.5, pool[spoilt].astype(float))
    size = batch_length(pool)
    out = []
    for _ in range(draw(st.integers(1, 5))):
        picked = draw(st.lists(st.integers(0, size - 1), max_size=8))
        batch = {name: column[picked] for name, column in pool.items()}
        if draw(st.booleans()):
            batch = {name: column.astype(float) for name, column in batch.items()}
        out.append(batch)
    return out


class Book:
    """What a listener heard, and the distinct designs in the order priced."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def __call__(self, answer: Answer) -> None:
        self.answers.append(answer)

    @property
    def fresh(self) -> list[tuple[Any, ...]]:
        return [row for a in self.answers for row, new in zip(rows(a.designs), a.fresh, strict=True) if new]

    @property
    def evaluations(self) -> Evaluations:
        return Evaluations.concatenate([a.evaluations.take(a.fresh) for a in self.answers])

    def logged(self, space: DesignSpace, kept: int) -> tuple[Columns, Evaluations]:
        table = list(zip(*self.fresh[:kept], strict=True)) or [()] * len(space.columns)
        columns = {name: np.array(values) for name, values in zip(space.columns, table, strict=True)}
        return columns, self.evaluations.take(slice(kept))


def play(metered: MeteredProblem, asked: list[Columns]) -> list[tuple[str, Evaluations | None]]:
    """Evaluate every batch until the run is over."""
    out: list[tuple[str, Evaluations | None]] = []
    for batch in asked:
        try:
            out.append(("ok", metered.evaluate(batch)))
        except RunOver as over:
            out.append((over.reason, over.evaluations))
            break
    return out
