"""The choices that a design is made of, one after another, and designs that are made in part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.choice_features import ChoiceFeatures
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Float, Parameter
from designgym.envs.space import DesignSpace


@dataclass(frozen=True)
class Choice:
    """One digit of the space as it is asked for. place: which digit of its parameter; count: choices offered."""

    parameter: Parameter
    place: int
    count: int

    def mask(self, picked: list[int]) -> NDArray[np.bool_]:
        """Which choices are open after those picked of the same parameter before, bool (count,)."""
        mask = np.ones(self.count, bool)
        if isinstance(self.parameter, Permutation):
            mask[picked] = False
        elif isinstance(self.parameter, Subset):
            # Members come in increasing order, and enough larger ones must be left for the rest.
            mask[: picked[-1] + 1 if picked else 0] = False
            mask[self.count - (self.parameter.k - 1 - self.place) :] = False
        return mask

    def digit(self, picked: list[int], choice: int) -> float:
        """Return the digit that an open choice stands for: with a Float the middle of its bin, else an index."""
        if isinstance(self.parameter, Permutation):
            return choice - sum(earlier < choice for earlier in picked)
        if isinstance(self.parameter, Subset):
            return choice - self.place
        return (choice + 0.5) / self.count if isinstance(self.parameter, Float) else choice

    def value(self, choice: int) -> str:
        """Return what a choice stands for, in words: a value, an item, a member, or a Float's bin by its number."""
        if isinstance(self.parameter, Permutation):
            return str(self.parameter.items[choice])
        if isinstance(self.parameter, Subset):
            return str(choice)
        if isinstance(self.parameter, Float):
            return f"bin {choice}"
        return str(self.parameter.describe(self.parameter.from_digits([np.array([choice])]))[0][0])

    def of_design(self, design: Columns, digit: float) -> int:
        """Return the choice that one design, which has this digit here, stands for."""
        if isinstance(self.parameter, Permutation):
            return int(self.parameter.order(design[self.parameter.name])[0, self.place])
        if isinstance(self.parameter, Subset):
            return int(design[self.parameter.columns[self.place]][0])
        return min(int(digit * self.count), self.count - 1) if isinstance(self.parameter, Float) else int(digit)


class Choices:
    """The choices that make up a design of a space, in the order of its parameters.

    bins: equal parts of a Float's range (of its logarithm if log) to choose among. ValueError where one lacks them.
    """

    def __init__(self, space: DesignSpace, bins: int | None = None) -> None:
        floats = [p.name for p in space.parameters if isinstance(p, Float)]
        if floats and (bins is None or bins < 1):
            raise ValueError(f"{', '.join(floats)} must be cut into bins, got bins={bins}. Give bins=16, say.")
        self.space = space
        self.all = [
            Choice(p, place, _count(p, bins)) for p in space.parameters for place in range(len(p.cardinalities))
        ]
        self.most = max(choice.count for choice in self.all)
        self._idle_digits = {p.name: _default_digits(p) for p in space.parameters if p.when}
        self._idle_chosen = {p.name: self._default_chosen(p) for p in space.parameters if p.when}
        self._first = {c.parameter.name: i for i, c in enumerate(self.all) if c.place == 0}
        # Of a choice that closes others its parameter's places; None where any value is open at any time.
        self._own = [
            self._places(c.parameter) if isinstance(c.parameter, Permutation | Subset) else None for c in self.all
        ]

    def _default_chosen(self, parameter: Parameter) -> list[int]:
        design = {name: np.array([v]) for name, v in zip(parameter.columns, parameter.default_columns, strict=True)}
        choices = [choice for choice in self.all if choice.parameter is parameter]
        digits = zip(choices, self._idle_digits[parameter.name], strict=True)
        return [choice.of_design(design, digit) for choice, digit in digits]

    def _places(self, parameter: Parameter) -> slice:
        first = self._first[parameter.name]
        return slice(first, first + len(parameter.cardinalities))

    def of(self, design: Columns) -> list[int]:
        """Return what one canonical design chooses, choice by choice; idle ones their default, a Float its bin."""
        digits = zip(self.all, self.space.digits(design), strict=True)
        return [choice.of_design(design, digit.item()) for choice, digit in digits]

    def designs(self, partials: Sequence[PartialDesign]) -> Columns:
        """Return the designs, each (n,), of n partial designs in which no choice is left."""
        return self.space.from_digits([np.array(digits) for digits in zip(*(p.digits for p in partials), strict=True)])


class PartialDesign:
    """A design whose first choices are settled; those of parameters that turn out idle are skipped.

    digits: one for each choice settled or skipped, as `DesignSpace.from_digits` takes them. chosen: the values settled,
    as many, the default's where skipped.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.digits: list[float] = []
        self.chosen: list[int] = []
        self._picked: list[int] = []  # choices of the parameter that is being settled
        self._awake: set[str] = set()
        self._skip_idle()

    def copy(self) -> PartialDesign:
        """Return another that goes its own way from here."""
        other = object.__new__(PartialDesign)
        other.choices, other.digits, other.chosen = self.choices, self.digits.copy(), self.chosen.copy()
        other._picked, other._awake = self._picked.copy(), self._awake.copy()
        return other

    @property
    def next(self) -> Choice | None:
        """The choice to settle next; None when the design is whole."""
        settled = len(self.digits)
        return self.choices.all[settled] if settled < len(self.choices.all) else None

    def mask(self) -> NDArray[np.bool_]:
        """Which values of the next choice are open, bool (count,); none of a whole design."""
        choice = self.next
        return np.zeros(0, bool) if choice is None else choice.mask(self._picked)

    def settle(self, index: int) -> None:
        """Settle the next choice with an open value."""
        choice = self.choices.all[len(self.digits)]
        self.digits.append(choice.digit(self._picked, index))
        self.chosen.append(index)
        self._picked.append(index)
        self._skip_idle()

    def complete(self, wished: Sequence[int | None], rng: np.random.Generator) -> None:
        """Settle all that is left as another design's `chosen`, where that is open, else, and for None, at random.

        Of a permutation or a subset the other's pick at this place is taken, or else the first of its picks that is
        open: so an item that stands elsewhere already has changed places with the one that stood there.
        """
        while (choice := self.next) is not None:
            own = self.choices._own[len(self.digits)]
            if own is None:
                wish = wished[len(self.digits)]
                self.settle(int(rng.integers(choice.count)) if wish is None else wish)
                continue
            mask = self.mask()
            wishes = wished[len(self.digits)], *wished[own]
            index = next((wish for wish in wishes if wish is not None and mask[wish]), None)
            if index is None:
                open_ones = np.flatnonzero(mask)
                index = int(open_ones[rng.integers(len(open_ones))])
            self.settle(index)

    def _skip_idle(self) -> None:
        """Move on to the next parameter's first choice that matters, if one is finished."""
        while (choice := self.next) is not None and choice.place == 0:
            parameter = choice.parameter
            self._picked = []
            if parameter.when is None or self._wakes(parameter):
                self._awake.add(parameter.name)
                return
            self.digits += self.choices._idle_digits[parameter.name]
            self.chosen += self.choices._idle_chosen[parameter.name]

    def _wakes(self, parameter: Parameter) -> bool:
        parent = parameter.when[0]  # type: ignore[index]
        digit = self.digits[self.choices._first[parent]]
        return parent in self._awake and digit in self.choices.space._wakes[parameter.name]


def open_values(partial: PartialDesign, features: ChoiceFeatures | None) -> NDArray[np.bool_]:
    """Return which values of the next choice are open, bool (count,); none of a whole design.

    ValueError where features break their contract.
    """
    mask = partial.mask()
    if features is None or not len(mask):
        return mask
    also = features.open(partial.chosen)
    name = partial.choices.all[len(partial.digits)].parameter.name
    if also.dtype != bool or also.shape != mask.shape:
        raise ValueError(
            f"choice features must say which of {len(mask)} values of {name} are open, bool ({len(mask)},), got "
            f"{also.dtype} {also.shape}. Mend their open()."
        )
    mask = mask & also
    if not mask.any():
        raise ValueError(f"choice features must leave a value of {name} open, got none. Mend their open().")
    return mask


def _count(parameter: Parameter, bins: int | None) -> int:
    if isinstance(parameter, Permutation):
        return len(parameter.items)
    if isinstance(parameter, Subset):
        return parameter.n
    return bins or 0 if isinstance(parameter, Float) else parameter.cardinalities[0]


def _default_digits(parameter: Parameter) -> list[float]:
    return [digit.item() for digit in parameter.to_digits([np.array([value]) for value in parameter.default_columns])]
