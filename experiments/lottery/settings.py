"""The settings that a lottery tries: an agent's default and draws from its declared hyperparameters, none twice."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent, settings_of
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Integer
from designgym.experiments.plain import digest

BATCH = 64  # always as many at a time, so that more settings begin with the same ones
IDLE = 1000  # draws in a row without a new setting, after which there are taken to be no more


@dataclass(frozen=True)
class Setting:
    """One setting. number: 0 for the default, else its place among the draws; hyperparameters: all, by name.

    default, drawn: whether it is the default, and whether it was drawn: of a small space it may be both.
    """

    number: int
    hyperparameters: Mapping[str, Any]
    default: bool
    drawn: bool


@dataclass(frozen=True)
class Entrant:
    """An agent in a lottery. settings: the default first. all_there_are: whether no other setting exists."""

    label: str
    agent: str
    fixed: Mapping[str, Any]
    settings: tuple[Setting, ...]
    all_there_are: bool

    @property
    def drawn(self) -> list[int]:
        """Which of the settings were drawn."""
        return [i for i, setting in enumerate(self.settings) if setting.drawn]

    @property
    def tunable(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.settings) > 1


def draw_settings(
    name: str, cls: type[Agent], fixed: Mapping[str, Any], count: int, seed: int
) -> tuple[tuple[Setting, ...], bool]:
    """Return the default and `count` different draws, and whether these are all settings that there are.

    fixed: hyperparameters that are held. The draws depend on the agent's name and the seed alone, and a larger count
    goes on where a smaller one ended. ValueError for a hyperparameter that is unknown or out of range.
    """
    default = settings_of(cls.hyperparameters, dict(fixed))
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    found: dict[str, dict[str, Any]] = {}
    idle = 0
    while len(found) < count and idle < IDLE:
        for one in _draw(cls.hyperparameters, fixed, rng):
            key = digest(one)
            idle = idle + 1 if key in found else 0
            found.setdefault(key, one)
    first = digest(default)
    drawn = dict(list(found.items())[:count])
    settings = [Setting(0, default, True, first in drawn)]
    settings += [Setting(i, one, False, True) for i, (key, one) in enumerate(drawn.items(), 1) if key != first]
    return tuple(settings), len(found) < count or (idle >= IDLE and len(found) == count)


def _draw(space: DesignSpace, fixed: Mapping[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Draw settings uniformly, on a log scale where a hyperparameter says so, with those put in place that are fixed.

    `DesignSpace.sample` is uniform over integers that ask for a log scale: nearly all of 4 to 65,536 are above 1,000.
    """
    if not space.parameters:
        return [{}] * BATCH
    drawn = space.sample(BATCH, rng)
    for parameter in space.parameters:
        if isinstance(parameter, Integer) and parameter.log:
            drawn[parameter.name] = _log_uniform(parameter, rng)
    held = space.parse(fixed)
    for column in {column for name in fixed for column in space[name].columns}:
        drawn[column] = np.repeat(held[column], BATCH)
    drawn = _valid(space, space.canonical(drawn))
    named = space.describe(drawn)
    rows = [dict(zip(named, values, strict=True)) for values in zip(*named.values(), strict=True)]
    return [settings_of(space, {key: value for key, value in row.items() if value is not None}) for row in rows]


def _log_uniform(parameter: Integer, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return integers whose chance is that of their share of the log scale, each n standing for n - 1/2 to n + 1/2."""
    low, high = parameter.low - 0.5, parameter.high + 0.5 * parameter.step
    drawn = low * np.exp(rng.random(BATCH) * np.log(high / low))
    digit = np.rint((drawn - parameter.low) / parameter.step).astype(np.int64)
    return parameter.low + parameter.step * np.clip(digit, 0, parameter.count - 1)


def _valid(space: DesignSpace, designs: Columns) -> Columns:
    good = space.contains(designs)
    if not good.any():
        raise ValueError("the fixed hyperparameters leave no valid setting. Fix fewer of them.")
    return {name: column[good] for name, column in designs.items()}
