"""Agents that train a policy on designs: Stable-Baselines3's and sb3-contrib's algorithms, one class each.

Sources: see `rl_algorithms`. Defaults are not tuned: they update more often than the library's, whose first update
comes after 2,048 steps, for budgets of hundreds of designs.
"""

from designgym.agents.rl_algorithms import CLIPPED, ON_POLICY, POWERS, SOFT, VALUED
from designgym.agents.rl_base import TrainedAgent
from designgym.envs import Categorical, DesignSpace, Ordinal

_ENVS = Ordinal("envs", POWERS, default=16, meaning="designs that are made at once, priced in one batch")
_BINS = Ordinal("bins", (4, 8, 16, 32, 64, 128), default=16, meaning="parts of a Float's range, where it is stepwise")


def _face(default: str) -> Categorical:
    meaning = "a design in one action, or choice by choice, each after those made before"
    return Categorical("face", ("design", "stepwise"), default=default, meaning=meaning)


class Ppo(TrainedAgent):
    """Proximal policy optimisation. Where a choice is closed another stands for it; `maskable_ppo` is told."""

    summary = "proximal policy optimisation of Stable-Baselines3 (extra rl): designs at once or choice by choice"
    algorithm = "ppo"
    hyperparameters = DesignSpace(*CLIPPED, _ENVS, _face("design"), _BINS)


class A2c(TrainedAgent):
    """Advantage actor-critic, each step learned from once."""

    summary = "advantage actor-critic of Stable-Baselines3 (extra rl): designs at once or choice by choice"
    algorithm = "a2c"
    hyperparameters = DesignSpace(*ON_POLICY, _ENVS, _face("design"), _BINS)


class RecurrentPpo(TrainedAgent):
    """Proximal policy optimisation with a recurrent network (LSTM), which remembers the choices of an episode."""

    summary = "PPO with an LSTM, of sb3-contrib (extra rl): remembers the choices that a design was made of"
    algorithm = "recurrent_ppo"
    hyperparameters = DesignSpace(*CLIPPED, _ENVS, _face("stepwise"), _BINS)


class MaskablePpo(TrainedAgent):
    """Proximal policy optimisation choice by choice, in which what is masked has no chance (invalid action masking)."""

    summary = "PPO of sb3-contrib (extra rl) that makes designs choice by choice and takes open choices alone"
    algorithm = "maskable_ppo"
    face = "stepwise"
    hyperparameters = DesignSpace(*CLIPPED, _ENVS, _BINS)


class Dqn(TrainedAgent):
    """Deep Q-network choice by choice. Where a choice is closed another stands for it."""

    summary = "deep Q-network of Stable-Baselines3 (extra rl), which makes designs choice by choice"
    algorithm = "dqn"
    face = "stepwise"
    hyperparameters = DesignSpace(*VALUED, _ENVS, _BINS)


class Sac(TrainedAgent):
    """Soft actor-critic over the unit cube, for spaces with a Float."""

    summary = "soft actor-critic of Stable-Baselines3 (extra rl), for spaces with a Float"
    algorithm = "sac"
    needs_floats = True
    hyperparameters = DesignSpace(*SOFT, _ENVS)
