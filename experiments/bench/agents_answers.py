"""What a comparison of agents came to, in words and tables: who is best, by how much, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.experiments.bench.agents_study import CHANCE, OVERALL, SPACE_FILLING, YARDSTICK, Study
from designgym.experiments.comparison import (
    Interval,
    pooled_mean,
    probability_of_improvement,
    ratio_of_means,
    stratified_interval,
)


@dataclass(frozen=True)
class Best:
    """The agent of least mean regret at a number of designs. chance: that a run of it beats one of the second."""

    designs: int
    family: str
    agent: str
    regret: Interval
    second: str
    second_regret: Interval
    chance: Interval | None


@dataclass(frozen=True)
class Against:
    """The best of ours at a number of designs beside the yardstick of the same run: mean regret over mean regret."""

    designs: int
    family: str
    agent: str
    ratio: Interval


def mean_regret(study: Study, agent: str, designs: int, family: str = OVERALL) -> Interval:
    """Return the mean regret with its stratified interval."""
    return stratified_interval(pooled_mean, study.at(agent, designs, family))


def best(study: Study, designs: int, family: str = OVERALL) -> Best | None:
    """Return who has the least mean regret at a number of designs; None without agents."""
    ordered = sorted(study.agents, key=lambda agent: float(study.at(agent, designs, family).mean()))
    if not ordered:
        return None
    first, second = ordered[0], ordered[1] if len(ordered) > 1 else ""
    chance = None
    if second:
        chance = probability_of_improvement(study.at(first, designs, family), study.at(second, designs, family))
    least = mean_regret(study, first, designs, family)
    other = mean_regret(study, second, designs, family) if second else least
    return Best(designs, family, first, least, second, other, chance)


def ours(study: Study) -> list[str]:
    """Return the agents that search by themselves: neither peers nor Optuna's samplers."""
    return [agent for agent in study.agents if agent not in study.peers and not agent.startswith("optuna_")]


def against_yardstick(study: Study, designs: int, family: str = OVERALL) -> Against | None:
    """Return the best of ours, picked after the fact, beside optuna_tpe in the same run; None where that is missing."""
    candidates = [agent for agent in ours(study) if agent not in SPACE_FILLING]
    if YARDSTICK not in study.curves or not candidates:
        return None
    first = min(candidates, key=lambda agent: float(study.at(agent, designs, family).mean()))
    ratio = ratio_of_means(study.at(first, designs, family), study.at(YARDSTICK, designs, family))
    return Against(designs, family, first, ratio)


def worse_than_chance(study: Study) -> list[tuple[str, int, str]]:
    """Return agents that do not merely fill the space, whose interval lies wholly above that of random.

    Each with the number of designs and the family of problems.
    """
    if CHANCE not in study.curves:
        return []
    found = []
    for family in (OVERALL, *study.family_names):
        for designs in study.checkpoints:
            highest = mean_regret(study, CHANCE, designs, family).high
            found += [
                (agent, designs, family)
                for agent in study.agents
                if agent not in SPACE_FILLING and mean_regret(study, agent, designs, family).low > highest
            ]
    return found
