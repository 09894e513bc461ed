"""The field's own ways to choose bits layer by layer, as agents of this bench: one meter counts all that they price.

They live in this bench alone, for they know what no searcher does: that bit operations are a sum over layers of
multiply-accumulates times the bits of weights and of activations. They draw nothing: every seed gives the same designs.
"""

from __future__ import annotations

import heapq
import itertools
from abc import abstractmethod
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.cost_models.base import Columns
from designgym.cost_models.quantization.mixed_precision import BITS, MixedPrecision
from designgym.envs import Categorical, DesignSpace, Evaluations, MeteredProblem, Problem

LEAST, MOST = BITS[0], BITS[-1]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Plan = Generator[Integers, Evaluations, None]  # yields bits, (n, columns), and is sent what they came to


class BitPlan(Agent):
    """Asks what its plan yields. Needs MixedPrecision as cost model: ValueError.

    Bits stand in columns, each layer's weights before its activations.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        model = getattr(problem.problem if isinstance(problem, MeteredProblem) else problem, "cost_model", None)
        if not isinstance(model, MixedPrecision):
            found = type(model).__name__
            raise ValueError(f"{type(self).__name__} needs the cost model MixedPrecision, got {found}. Leave it out.")
        self._quality = model.quality
        self._names = [name for pair in model.columns for name in pair]
        self._macs = np.array([layer.macs for layer in model.layers], np.int64)
        self._plan = self._planned()
        self._told: Evaluations | None = None

    @abstractmethod
    def _planned(self) -> Plan:
        """Yield what to price next, and end when there is nothing left."""

    def ask(self, n: int) -> Columns:
        """Return the next step of the plan, whatever n is; nothing at its end."""
        try:
            bits = next(self._plan) if self._told is None else self._plan.send(self._told)
        except StopIteration:
            bits = np.empty((0, len(self._names)), np.int64)
        self._told = None
        return {name: bits[:, self._names.index(name)] for name in self.space.columns}

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._told = evaluations

    def operations(self, bits: Integers) -> Integers:
        """Return the bit operations of designs, (n,)."""
        return np.asarray((self._macs * bits[:, 0::2] * bits[:, 1::2]).sum(axis=1))

    def _uniform(self) -> Integers:
        return np.full((1, len(self._names)), MOST, np.int64)


class BitDescent(BitPlan):
    """From 8 bits everywhere, lowers weights or activations of one layer by one bit, again and again, within the bound.

    by: saving, what saves most operations is tried first and the first that keeps the bound is kept; accuracy, every
    single step is priced and the most accurate one kept. It ends where no step keeps the bound.
    Sources: by accuracy, Judd et al., "Reduced-precision strategies for bounded memory in deep neural nets", 2015,
    arXiv:1511.05236; greedy descent from the highest precision until a bound is met, also Pandey et al., "A practical
    mixed precision algorithm for post-training quantization", 2023, arXiv:2302.05397.
    """

    summary = "greedy bit descent from 8 bits everywhere"
    hyperparameters = DesignSpace(
        Categorical("by", ("saving", "accuracy"), default="saving", meaning="which step is taken first")
    )

    def _planned(self) -> Plan:
        bits = self._uniform()
        yield bits
        follow = self._first_that_holds if self.settings["by"] == "saving" else self._most_accurate
        while bits is not None:
            bits = yield from follow(self._steps(bits))

    def _steps(self, bits: Integers) -> Integers:
        """Return the designs of one bit less, those that save most first."""
        lower = bits - np.eye(bits.shape[1], dtype=np.int64)
        lower = lower[lower.min(axis=1) >= LEAST]
        return lower[np.argsort(self.operations(lower), kind="stable")]

    def _first_that_holds(self, steps: Integers) -> Generator[Integers, Evaluations, Any]:
        for i in range(len(steps)):
            told = yield steps[i : i + 1]
            if told.feasible[0]:
                return steps[i : i + 1]
        return None

    def _most_accurate(self, steps: Integers) -> Generator[Integers, Evaluations, Any]:
        if not len(steps):
            return None
        told = yield steps
        if not told.feasible.any():
            return None
        best = int(np.argmax(np.where(told.feasible, told.metrics[self._quality], -np.inf)))
        return steps[best : best + 1]


class AdditiveSensitivity(BitPlan):
    """Bits of least summed sensitivity within a limit of operations, by integer programming; then lower limits.

    A sensitivity is what one change from 8 bits everywhere adds to the negative log-likelihood (by="nll"), or takes
    from accuracy (by="accuracy"): each change is priced once, 6 for each layer's weights and activations. The least
    limit whose design keeps the bound is bisected for. What is left of the budget goes to designs that were not priced
    yet and need fewer operations than the best so far, the least sensitive first.
    Source: Yao et al., "HAWQ-V3: dyadic neural network quantization", ICML 2021, arXiv:2011.10680, whose
    sensitivities are of second order where these are measured; the bisection and what follows it are this bench's.
    """

    summary = "sensitivities of single changes, assumed additive, and integer programming"
    hyperparameters = DesignSpace(
        Categorical("by", ("nll", "accuracy"), default="nll", meaning="what a sensitivity is measured in")
    )

    def _planned(self) -> Plan:
        single = np.concatenate([self._uniform(), *self._changes()])
        told = yield single
        program = Program(self._macs, *self._tables(told))
        seen, kept = {tuple(bits) for bits in single.tolist()}, single[told.feasible]
        best = int(self.operations(kept).min()) if len(kept) else int(self.operations(self._uniform())[0]) + 1
        best = yield from self._bisected(program, best, seen)
        while True:
            for bits in program.in_order(best - 1):
                if tuple(bits[0].tolist()) in seen:
                    continue
                seen.add(tuple(bits[0].tolist()))
                told = yield bits
                if told.feasible[0]:
                    best = int(self.operations(bits)[0])
                    break
            else:
                return

    def _bisected(
        self, program: Program, best: int, seen: set[tuple[int, ...]]
    ) -> Generator[Integers, Evaluations, int]:
        """Return the operations of the program's cheapest design that keeps the bound, as bisection finds it."""
        least = int(self.operations(np.full_like(self._uniform(), LEAST))[0])
        while best - least > 1:
            limit = (best + least) // 2
            bits = next(program.in_order(limit))
            seen.add(tuple(bits[0].tolist()))
            told = yield bits
            if told.feasible[0]:
                best = int(self.operations(bits)[0])
            else:
                least = limit
        return best

    def _changes(self) -> Iterator[Integers]:
        for column in range(len(self._names)):
            changed = np.repeat(self._uniform(), MOST - LEAST, axis=0)
            changed[:, column] = np.arange(LEAST, MOST)
            yield changed

    def _tables(self, told: Evaluations) -> tuple[Floats, Floats]:
        """Return sensitivities of weights and of activations, each (layers, bits)."""
        measured = told.metrics["nll"] if self.settings["by"] == "nll" else -told.metrics[self._quality]
        added = (measured[1:] - measured[0]).reshape(len(self._names), -1)
        added = np.column_stack([added, np.zeros(len(added))])
        return added[0::2], added[1::2]


class Program:
    """Least summed sensitivity within a limit of operations: each layer takes one of its pairs of widths.

    macs: (layers,). weights, activations: sensitivities, (layers, widths), summed over layers and both kinds.
    """

    def __init__(self, macs: Integers, weights: Floats, activations: Floats) -> None:
        widths = np.array(BITS)
        self._pairs = np.stack(np.meshgrid(widths, widths, indexing="ij"), axis=2).reshape(-1, 2)
        self._added = (weights[:, :, None] + activations[:, None, :]).reshape(len(macs), -1)
        self._operations = macs[:, None] * self._pairs.prod(axis=1)

    def predicted(self, bits: Integers) -> float:
        """Return the summed sensitivities of one design, (1, columns)."""
        return float(self._added[np.arange(len(self._added)), self._choice(bits)].sum())

    def in_order(self, limit: int) -> Iterator[Integers]:
        """Yield designs, (1, columns), of at most so many operations, the least sensitive first.

        What is left without the best is split by the first layer that differs from it, and each part solved for its
        own best. Source: Murty, Operations Research 16(3), 1968, doi:10.1287/opre.16.3.682.
        """
        heap: list[tuple[float, int, Integers, int, NDArray[np.bool_]]] = []
        count = itertools.count()

        def push(first: int, allowed: NDArray[np.bool_]) -> None:
            bits = self._solved(limit, allowed)
            if bits is not None:
                heapq.heappush(heap, (self.predicted(bits), next(count), bits, first, allowed))

        push(0, np.ones(self._added.shape, bool))
        while heap:
            _, _, bits, first, allowed = heapq.heappop(heap)
            yield bits
            choice = self._choice(bits)
            for layer in range(first, len(choice)):
                part = allowed.copy()
                part[:layer] = np.arange(len(self._pairs)) == choice[:layer, None]
                part[layer, choice[layer]] = False
                push(layer, part)

    def _choice(self, bits: Integers) -> Integers:
        """Return the place of each layer's pair."""
        return np.argmax((bits.reshape(-1, 1, 2) == self._pairs).all(axis=2), axis=1)

    def _solved(self, limit: int, allowed: NDArray[np.bool_]) -> Integers | None:
        """Return the least sensitive design of allowed pairs within the limit; None where there is none."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        layers, pairs = self._added.shape
        one_each = LinearConstraint(np.kron(np.eye(layers), np.ones(pairs)), 1, 1)
        within = LinearConstraint(self._operations.reshape(1, -1), -np.inf, limit)
        found = milp(
            self._added.reshape(-1), constraints=[one_each, within], integrality=np.ones(self._added.size),
            bounds=Bounds(0, allowed.reshape(-1).astype(float)), options={"mip_rel_gap": 0.0},
        )  # fmt: skip
        if found.x is None:
            return None
        chosen = np.argmax(found.x.reshape(layers, pairs), axis=1)
        return np.asarray(self._pairs[chosen].reshape(1, -1), np.int64)


BASELINES: dict[str, type[BitPlan]] = {"bit_descent": BitDescent, "additive_sensitivity": AdditiveSensitivity}
ENTRIES: tuple[dict[str, Any], ...] = tuple(
    {"name": name, "hyperparameters": {"by": by}}
    for name, ways in (("bit_descent", ("saving", "accuracy")), ("additive_sensitivity", ("nll", "accuracy")))
    for by in ways
)


def make_baselines_known() -> None:
    """Register the baselines as agents in this process."""
    from designgym.agents.registry import register_agent

    for name, baseline in BASELINES.items():
        register_agent(name, f"{__name__}:{baseline.__name__}")
