"""Which parameters of a space matter in which designs, and what the others then are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.registry import nearest
from designgym.envs.parameter_base import Parameter
from designgym.envs.ranking import Branch, Forest


class Conditions:
    """The `when` of all parameters. wakes: for each that has one, the value numbers of its parent that wake it."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = parameters
        self._by_name = {p.name: p for p in parameters}
        self.wakes = {p.name: self._waking_values(p, parameters[:i]) for i, p in enumerate(parameters) if p.when}

    def _waking_values(self, parameter: Parameter, before: Sequence[Parameter]) -> frozenset[int]:
        assert parameter.when is not None
        name, values = parameter.when
        known = [p.name for p in before if len(p.cardinalities) == 1 and p.cardinalities[0]]
        if name not in known:
            raise ValueError(
                f"{parameter.name} depends on {name!r}, which must be a discrete parameter declared before it. "
                f"{nearest(name, known)}"
            )
        parent = self._by_name[name]
        parsed = [parent.parse(value) for value in values]
        return frozenset(int(parent.to_digits([np.array([v]) for v in value])[0][0]) for value in parsed)

    def forest(self) -> Forest:
        """Return the parameters as trees: each below the one on which it depends."""

        def branch(parameter: Parameter) -> Branch:
            children = [p for p in self.parameters if p.when and p.when[0] == parameter.name]
            return Branch(parameter, tuple((branch(child), self.wakes[child.name]) for child in children))

        return Forest(tuple(branch(p) for p in self.parameters if not p.when))

    def active(self, designs: Columns) -> dict[str, NDArray[np.bool_]]:
        """For each parameter with a `when`, where it matters, bool (n,)."""
        active: dict[str, NDArray[np.bool_]] = {}
        for name, wakes in self.wakes.items():
            parent = self._by_name[self._by_name[name].when[0]]  # type: ignore[index]
            with np.errstate(invalid="ignore"):
                value = parent.to_digits([designs[parent.columns[0]]])[0]
            awake = value == next(iter(wakes)) if len(wakes) == 1 else np.isin(value, list(wakes))
            # A parent stands before its children; below an idle one everything is idle.
            active[name] = awake & active[parent.name] if parent.name in active else awake
        return active

    def settled(self, designs: Columns) -> Columns:
        """Return the designs with every idle parameter at its default."""
        if not self.wakes:
            return designs
        designs = dict(designs)
        for name, awake in self.active(designs).items():
            parameter = self._by_name[name]
            for column, default in zip(parameter.columns, parameter.default_columns, strict=True):
                designs[column] = np.where(awake, designs[column], np.asarray(default))
        return designs
