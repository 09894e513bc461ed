"""Designs as sequences of choices, many at a time: the choices of `StepwiseDesignEnv`, in columns.

Step j of a sequence settles digit j of the space: a value, a permutation's next item, a subset's next larger member. A
Float, and an ordered parameter of more values than there are bins, is cut into bins; within its bin it is uniform.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Float, Permutation, Subset
from designgym.envs.parameters import Parameter

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
MOST_CHOICES = 2**14  # of one step: arrays are as wide for all of them
Score = Callable[[int, Ints, Bools], Floats]


@dataclass(frozen=True)
class Step:
    """One digit as it is chosen. place: which of its parameter; first: the step of the parameter's first digit.

    kind: what a choice is, a "value", a "bin" of values, an "item" of a permutation or a "member" of a subset. count:
    choices there are; cardinality: values of the digit, 0 for a Float; parent: the step that wakes it, or None.
    """

    parameter: Parameter
    place: int
    first: int
    kind: Literal["value", "bin", "item", "member"]
    count: int
    cardinality: int
    parent: int | None
    wakes: Ints


class Sequences:
    """A space's designs as choices, int64 (n, steps); an idle step's choice is 0.

    counts: choices at each step, (steps,); most: the largest of them, which rows of scores and masks are as wide as.
    bins: parts of a Float's range, and of an ordered parameter's with more values, unless other parameters depend on it
    or it has no order. ValueError where one has too many values for that.
    """

    def __init__(self, space: DesignSpace, bins: int) -> None:
        self.space = space
        self.steps: list[Step] = []
        firsts: dict[str, int] = {}
        parents = {p.when[0] for p in space.parameters if p.when}
        for p in space.parameters:
            first = firsts[p.name] = len(self.steps)
            whole = p.name in parents or isinstance(p, Categorical)
            parent = firsts[p.when[0]] if p.when else None
            wakes = np.array(sorted(space._wakes[p.name]) if p.when else [], np.int64)
            for place, cardinality in enumerate(p.cardinalities):
                kind, count = _kind(p, cardinality, cardinality if whole else bins)
                self.steps.append(Step(p, place, first, kind, count, cardinality, parent, wakes))
        self.counts = np.array([step.count for step in self.steps], np.int64)
        self.most = int(self.counts.max())
        if self.most > MOST_CHOICES:
            name = self.steps[int(self.counts.argmax())].parameter.name
            raise ValueError(
                f"{name} must have at most {MOST_CHOICES} values, got {self.most}: of names, and of what others "
                "depend on, each value is learned by itself. Give it fewer."
            )
        # Of a subset's members, enough larger ones must be left for the rest.
        rest = [s.parameter.k - 1 - s.place if isinstance(s.parameter, Subset) else 0 for s in self.steps]
        self._within = np.arange(self.most) < (self.counts - rest)[:, None]

    def __len__(self) -> int:
        return len(self.steps)

    # -- what is open --------------------------------------------------------------------------------------------------

    def awake(self, j: int, chosen: Ints, awake: Bools) -> Bools:
        """Where step j matters, bool (n,), after the choices of the steps before it and where those matter."""
        step = self.steps[j]
        if step.parent is None:
            return np.ones(len(chosen), bool)
        return awake[:, step.parent] & np.isin(chosen[:, step.parent], step.wakes)

    def open(self, j: int, chosen: Ints) -> Bools:
        """Which choices step j has after those of the steps before it, bool (n, most), not to be written to."""
        step = self.steps[j]
        mask = np.broadcast_to(self._within[j], (len(chosen), self.most))
        before = chosen[:, step.first : j]
        if step.kind == "item" and step.place:
            mask = mask.copy()
            mask[np.arange(len(chosen))[:, None], before] = False
        elif step.kind == "member" and step.place:
            # Members come in increasing order.
            mask = mask & (np.arange(self.most) > before[:, -1:])
        return mask

    def masks(self, chosen: Ints) -> tuple[Bools, Bools]:
        """What was open at each step, bool (n, steps, most), and where it mattered, bool (n, steps)."""
        masks, awake = np.empty((*chosen.shape, self.most), bool), np.empty(chosen.shape, bool)
        for j in range(len(self)):
            awake[:, j] = self.awake(j, chosen, awake)
            masks[:, j] = self.open(j, chosen)
        return masks, awake

    # -- from and to designs -------------------------------------------------------------------------------------------

    def draw(self, n: int, score: Score) -> Ints:
        """Choose what is open and scores highest, step by step; return the choices, (n, steps).

        score: takes a step, the choices before it and where those mattered, each (n, steps) and undefined from the step
        on; returns scores, (n, most).
        """
        chosen, awake = np.zeros((n, len(self)), np.int64), np.zeros((n, len(self)), bool)
        for j in range(len(self)):
            awake[:, j] = self.awake(j, chosen, awake)
            scores = np.where(self.open(j, chosen), score(j, chosen, awake), -np.inf)
            chosen[:, j] = np.where(awake[:, j], scores.argmax(axis=1), 0)
        return chosen

    def designs(self, chosen: Ints, rng: np.random.Generator) -> Columns:
        """Return the canonical designs, n rows, of these choices; a bin's value is drawn from it."""
        digits = []
        for j, step in enumerate(self.steps):
            choice, before = chosen[:, j], chosen[:, step.first : j]
            if step.kind == "item":
                digits.append(choice - (before < choice[:, None]).sum(axis=1))
            elif step.kind == "member":
                digits.append(np.maximum(choice - step.place, 0))  # below 0 where idle
            elif step.kind == "bin":
                unit = np.minimum((choice + rng.random(len(choice))) / step.count, np.nextafter(1.0, 0.0))
                value = (unit * step.cardinality).astype(np.int64)
                digits.append(np.minimum(value, step.cardinality - 1) if step.cardinality else unit)
            else:
                digits.append(choice)
        return self.space.from_digits(digits)

    def chosen(self, designs: Columns) -> tuple[Ints, Bools]:
        """Return the choices that lead to canonical designs, and where they matter, each (n, steps)."""
        digits, awake = self.space.digits(designs), awake_digits(self.space, designs)
        chosen = np.zeros(awake.shape, np.int64)
        for j, (step, digit) in enumerate(zip(self.steps, digits, strict=True)):
            if isinstance(step.parameter, Permutation):
                chosen[:, j] = step.parameter.order(designs[step.parameter.name])[:, step.place]
            elif isinstance(step.parameter, Subset):
                chosen[:, j] = designs[step.parameter.columns[step.place]]
            elif step.kind == "bin":
                unit = (digit + 0.5) / step.cardinality if step.cardinality else digit
                chosen[:, j] = np.minimum((unit * step.count).astype(np.int64), step.count - 1)
            else:
                chosen[:, j] = digit
        return np.where(awake, chosen, 0), awake


def awake_digits(space: DesignSpace, designs: Columns) -> Bools:
    """Return which digits matter in canonical designs, bool (n, digits)."""
    awake = np.ones((batch_length(designs), len(space.parameters)), bool)
    for i, column in enumerate(map(space.active(designs).get, (p.name for p in space.parameters))):
        if column is not None:
            awake[:, i] = column
    return np.repeat(awake, [len(p.cardinalities) for p in space.parameters], axis=1)


def _kind(parameter: Parameter, cardinality: int, most: int) -> tuple[Literal["value", "bin", "item", "member"], int]:
    """Return what a choice of a digit is, and how many there are."""
    if isinstance(parameter, Permutation):
        return "item", len(parameter.items)
    if isinstance(parameter, Subset):
        return "member", parameter.n
    return ("bin", most) if isinstance(parameter, Float) or cardinality > most else ("value", cardinality)
