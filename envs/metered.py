"""A problem and one run's state: its budget, its memory, its listener. An agent's only door to a cost model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.choice_features import choice_features_of
from designgym.envs.endings import BudgetSpent, OnlyRepeats, ReplayDiffers, SpaceExhausted
from designgym.envs.memory import Keys, Memory, keys_of
from designgym.envs.objective import Evaluations, Objective
from designgym.envs.problem import Fidelity, Problem, evaluates_itself
from designgym.envs.ranking import rows_of
from designgym.envs.space import DesignSpace

COUNTED_FOR_SURE = 10**6  # spaces up to this size are counted, so that a run knows when nothing is left
INSIDE = np.zeros(1)  # how far one valid design lies outside its space


@dataclass(frozen=True)
class Answer:
    """One answered batch: the designs asked, what they came to, and which rows were priced now rather than recalled.

    ask: how many batches the agent had asked before this one.
    """

    designs: Columns
    evaluations: Evaluations
    fresh: NDArray[np.bool_]
    fidelity: Fidelity
    ask: int


Listener = Callable[[Answer], None]


class MeteredProblem:
    """A problem with a budget of distinct designs, each fidelity counted apart; a repeat is free.

    listener hears every answered batch. logged: designs and evaluations of an earlier part of the same run, in the
    order priced: they answer in place of the cost model and are not announced again. patience: repeats in a row after
    which the run is stopped. It pickles, the listener left behind.

    local_costs: a problem's stand-in, where it has one, counts as one design however often it is asked for.

    asks: batches answered. asked: designs answered, repeats included. repeats_total: those of them that were repeats.
    evaluating_s: seconds spent in `evaluate`, the cost model and the listener included.
    """

    def __init__(
        self,
        problem: Problem,
        budget: int,
        listener: Listener | None = None,
        logged: tuple[Columns, Evaluations] | None = None,
        patience: int = 1000,
    ) -> None:
        if budget < 1:
            raise ValueError(f"budget must be at least 1 design, got {budget}.")
        self.problem = problem
        self.choice_features = choice_features_of(problem)
        self.budget = budget
        self.patience = patience
        self.asks = 0
        self.asked = 0
        self.repeats_total = 0
        self.evaluating_s = 0.0
        self._local_costs: NDArray[np.float64] | None = None
        self.listener = listener
        self._memories: dict[str, Memory] = {}
        self._repeats = 0
        self._valid_priced: dict[str, int] = {}
        self._logged: Evaluations | None = None
        self._logged_keys: Keys | None = None
        if logged is not None:
            self.replay(*logged)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"listener": None}

    def replay(self, designs: Columns, evaluations: Evaluations) -> None:
        """Let what is logged of this run answer; what is in memory already must be the first of it."""
        self._logged, self._logged_keys = evaluations, self._keys(designs)[2]
        if len(self._logged_keys) != self._logged_count:
            raise ValueError(
                f"{len(self._logged_keys)} logged designs need as many evaluations, not {self._logged_count}."
            )

    @property
    def space(self) -> DesignSpace:
        """The designs."""
        return self.problem.space

    @property
    def objective(self) -> Objective:
        """What is wanted."""
        return self.problem.objective

    def spent(self, fidelity: Fidelity = "faithful") -> int:
        """Distinct designs priced so far, local costs among them."""
        priced = self._memories[fidelity].count if fidelity in self._memories else 0
        return priced + (fidelity == "faithful" and self._local_costs is not None)

    def local_costs(self) -> NDArray[np.float64]:
        """Return the problem's local costs, see `DesignProblem.local_costs`, metered as one design.

        ValueError where it has none. Raises BudgetSpent when not even one design is left.
        """
        if self._local_costs is None:
            if self.spent() >= self.budget:
                raise BudgetSpent(f"the budget of {self.budget} distinct designs is spent.")
            started = time.perf_counter()
            self._local_costs = getattr(self.problem, "local_costs", _no_local_costs)()
            self.evaluating_s += time.perf_counter() - started
        return self._local_costs

    def _room(self, fidelity: str) -> int:
        """How many distinct designs the budget has for this fidelity, what is priced included."""
        return self.budget - (fidelity == "faithful" and self._local_costs is not None)

    @property
    def exhausted(self) -> bool:
        """Whether every valid design has been priced; known only of spaces that can be counted in passing."""
        return self._exhausted("faithful")

    @cached_property
    def _countable(self) -> bool:
        return self.space.size <= max(COUNTED_FOR_SURE, self.budget)

    def _exhausted(self, fidelity: Fidelity) -> bool:
        return self._countable and self._valid_priced.get(fidelity, 0) >= self.space.count_valid()

    def _keys(self, designs: Columns) -> tuple[Columns, NDArray[np.float64], Keys]:
        """Return the designs in their one spelling, how far each lies outside the space, and its key."""
        designs = self.space.canonical(designs)
        outside = self.space.violation(designs)
        return designs, outside, keys_of(self.space, designs, outside)

    @property
    def finished(self) -> bool:
        """Whether nothing new can be priced any more."""
        return self.spent() >= self.budget or self.exhausted

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        """Price what is new and fits the budget, answer the rest from memory, in the order of the rows.

        Raises BudgetSpent, SpaceExhausted or OnlyRepeats (all RunOver) when the run cannot go on; they carry the
        leading rows that could be answered.
        """
        started = time.perf_counter()
        try:
            evaluations = self._evaluate_one(designs, fidelity)
            return self._evaluate(designs, fidelity) if evaluations is None else evaluations
        finally:
            self.evaluating_s += time.perf_counter() - started

    def _evaluate_one(self, designs: Columns, fidelity: Fidelity) -> Evaluations | None:
        """The same for one valid design, in a fraction of the time; None where it takes the longer way."""
        found = self.space.one_inside(designs)
        memory = self._memories.get(fidelity)
        # The first design makes the memory; the log has answers, and nothing to hear, up to its last design.
        if found is None or memory is None or (self._logged is not None and memory.count <= self._logged_count):
            return None
        own, rank = found
        before, exhausted = memory.count, self._exhausted(fidelity)
        key = np.array([[rank]], np.uint64) if rank is not None else keys_of(self.space, own, INSIDE)
        places, new = memory.insert(key, int(not exhausted and before < self._room(fidelity)))
        place = places.item()
        if place < 0:
            return None  # over: nothing was inserted
        if new:
            try:
                evaluations = self._evaluated_one(own, fidelity)
            except BaseException:
                memory.forget(1)
                raise
            memory.store(evaluations)
            self._valid_priced[fidelity] = self._valid_priced.get(fidelity, 0) + 1
        else:
            evaluations = memory.recall_one(place)
        answer = Answer(own, evaluations, np.array([bool(new)]), fidelity, self.asks)
        self.asks += 1
        if self.listener is not None:
            self.listener(answer)
        self._stop_if_over(answer, new, False, exhausted)
        return evaluations

    def _evaluate(self, designs: Columns, fidelity: Fidelity) -> Evaluations:
        designs, outside, keys = self._keys(designs)
        memory = self._memories.setdefault(fidelity, Memory(keys.shape[1]))
        before, exhausted = memory.count, self._exhausted(fidelity)
        places, new = memory.insert(keys, 0 if exhausted else max(0, self._room(fidelity) - before))
        answered = len(places) if places.min(initial=0) >= 0 else int(np.argmax(places < 0))
        places = places[:answered]
        designs = {name: column[:answered] for name, column in designs.items()}
        # Places are given in the order of first sight, so a fresh row is one whose place tops all before it.
        fresh = places > np.maximum.accumulate(np.append(before - 1, places[:-1]))
        priced: Evaluations | None = None
        if new or not before:
            try:
                priced = self._price(designs, outside, keys, fresh, before, fidelity)
            except BaseException:
                memory.forget(new)
                raise
            memory.store(priced)
            valid = np.count_nonzero(outside[:answered][fresh] == 0)
            self._valid_priced[fidelity] = self._valid_priced.get(fidelity, 0) + int(valid)
        evaluations = priced if priced is not None and new == answered else memory.recall(places)
        answer = Answer(designs, evaluations, fresh, fidelity, self.asks)
        self.asks += 1
        self._tell_listener(answer, before)
        self._stop_if_over(answer, new, answered < len(keys), exhausted)
        return evaluations

    def _price(
        self,
        designs: Columns,
        outside: NDArray[np.float64],
        keys: NDArray[np.uint64],
        fresh: NDArray[np.bool_],
        before: int,
        fidelity: Fidelity,
    ) -> Evaluations:
        """Price the fresh rows: the first of them from the log, as far as it goes, the rest by the cost model."""
        outside = outside[: len(fresh)]
        rows: Any = slice(0, len(fresh))
        if not fresh.all():
            rows = np.flatnonzero(fresh)
            outside = outside[rows]
            # Once more canonical: a column may have kept another dtype for a row that is dropped here.
            designs = self.space.canonical(rows_of(designs, rows))
        replayed = min(max(self._logged_count - before, 0), len(outside)) if fidelity == "faithful" else 0
        if not replayed:
            return self._evaluated(designs, fidelity, outside)
        assert self._logged is not None
        assert self._logged_keys is not None
        differs = (keys[: len(fresh)][rows][:replayed] != self._logged_keys[before : before + replayed]).any(axis=1)
        if differs.any():
            raise ReplayDiffers(
                f"design {before + int(np.argmax(differs))} of the continued run differs from the logged one: the "
                "agent, its settings or a library has changed since. Start the run anew in another directory."
            )
        parts = [self._logged.take(slice(before, before + replayed))]
        if replayed < len(outside):
            rest = {name: column[replayed:] for name, column in designs.items()}
            parts.append(self._evaluated(rest, fidelity, outside[replayed:]))
        return Evaluations.concatenate(parts)

    def _evaluated(self, designs: Columns, fidelity: Fidelity, outside: NDArray[np.float64]) -> Evaluations:
        if evaluates_itself(self.problem):
            return self.problem.evaluate_canonical(designs, fidelity, outside)
        return self.problem.evaluate(designs, fidelity)

    def _evaluated_one(self, design: Columns, fidelity: Fidelity) -> Evaluations:
        if evaluates_itself(self.problem):
            return self.problem.evaluate_inside(design, fidelity)
        return self.problem.evaluate(design, fidelity)

    @property
    def _logged_count(self) -> int:
        return len(self._logged) if self._logged is not None else 0

    def _tell_listener(self, answer: Answer, before: int) -> None:
        """Announce the answer without its rows up to the last replayed one."""
        if self.listener is None or not len(answer.fresh):
            return
        logged_before = before + np.cumsum(answer.fresh) <= self._logged_count
        start = int(logged_before.sum()) if answer.fidelity == "faithful" and self._logged_count else 0
        if start < len(answer.fresh):
            designs = {name: column[start:] for name, column in answer.designs.items()}
            rest = slice(start, None)
            self.listener(
                Answer(designs, answer.evaluations.take(rest), answer.fresh[rest], answer.fidelity, answer.ask)
            )

    def _stop_if_over(self, answer: Answer, new: int, cut: bool, exhausted: bool) -> None:
        if new:
            self._repeats = int(np.argmax(answer.fresh[::-1])) if new < len(answer.fresh) else 0
        else:
            self._repeats += len(answer.fresh)
        self.asked += len(answer.fresh)
        self.repeats_total += len(answer.fresh) - new
        carried = answer.evaluations, answer.designs
        weary = self._repeats >= self.patience
        if exhausted and (cut or weary):
            count = self.space.count_valid()
            raise SpaceExhausted(f"all {count} valid designs of the space have been priced.", *carried)
        if cut:
            raise BudgetSpent(f"the budget of {self.budget} distinct designs is spent.", *carried)
        if weary:
            raise OnlyRepeats(f"the last {self._repeats} designs asked were all priced before.", *carried)


def _no_local_costs() -> NDArray[np.float64]:
    raise ValueError("the problem must offer local_costs(), got one without. FlowStepSizes-v0 does.")
