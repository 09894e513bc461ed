"""Agents that train a policy on designs: Stable-Baselines3's and sb3-contrib's algorithms, one class each.

Sources: see `rl_algorithms`. They update more often than by the library's defaults, whose first update comes after
2,048 steps, for budgets of hundreds of designs. Those of `ppo` were tried on NK landscapes (n = 18, 2 letters, k = 5,
instance 100; n = 9, 4 letters, k = 4, instance 101), regret at 1,000 designs, mean of 8 runs with seeds from 1,000 on:
.110 by its defaults, less entropy (.01) .118, a rate of .01 .152; with that entropy 16 copies .128, 8 epochs .138; 8
steps between updates at a rate of .001 .235. `a2c` .131, with an entropy of .01 .175, of 8 steps at .001 .210. Beside
them `random` .231, `policy_gradient` .076.
"""

from designgym.agents.rl_base import TrainedAgent
from designgym.agents.rl_knobs import BINS, SOFT, VALUED, clipped, envs, face, on_policy
from designgym.envs import DesignSpace

_COPIES = "designs that are made at once, priced in one batch"
_WHOLE, _CHOICES = clipped(3e-3, 1, 0.05, 32), clipped(1e-3, 8, 0.01, 64)


class Ppo(TrainedAgent):
    """Proximal policy optimisation. Where a choice is closed another stands for it; `maskable_ppo` is told."""

    summary = "proximal policy optimisation of Stable-Baselines3 (extra rl): designs at once or choice by choice"
    algorithm = "ppo"
    hyperparameters = DesignSpace(*_WHOLE, envs(32, _COPIES), face("own"), BINS)


class A2c(TrainedAgent):
    """Advantage actor-critic, each step learned from once."""

    summary = "advantage actor-critic of Stable-Baselines3 (extra rl): designs at once or choice by choice"
    algorithm = "a2c"
    hyperparameters = DesignSpace(*on_policy(3e-3, 1, 0.05), envs(16, _COPIES), face("own"), BINS)


class RecurrentPpo(TrainedAgent):
    """Proximal policy optimisation with a recurrent network (LSTM), which remembers the choices of an episode."""

    summary = "PPO with an LSTM, of sb3-contrib (extra rl): remembers the choices that a design was made of"
    algorithm = "recurrent_ppo"
    hyperparameters = DesignSpace(*_CHOICES, envs(16, _COPIES), face("stepwise"), BINS)


class MaskablePpo(TrainedAgent):
    """Proximal policy optimisation choice by choice, in which what is masked has no chance (invalid action masking)."""

    summary = "PPO of sb3-contrib (extra rl) that makes designs choice by choice and takes open choices alone"
    algorithm = "maskable_ppo"
    face = "stepwise"
    hyperparameters = DesignSpace(*_CHOICES, envs(16, _COPIES), BINS)


class Dqn(TrainedAgent):
    """Deep Q-network choice by choice. Where a choice is closed another stands for it."""

    summary = "deep Q-network of Stable-Baselines3 (extra rl), which makes designs choice by choice"
    algorithm = "dqn"
    face = "stepwise"
    hyperparameters = DesignSpace(*VALUED, envs(16, _COPIES), BINS)


class Sac(TrainedAgent):
    """Soft actor-critic over the unit cube, for spaces with a Float."""

    summary = "soft actor-critic of Stable-Baselines3 (extra rl), for spaces with a Float"
    algorithm = "sac"
    needs_floats = True
    hyperparameters = DesignSpace(*SOFT, envs(16, _COPIES))
