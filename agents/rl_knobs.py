"""Hyperparameters of Stable-Baselines3's algorithms, named alike in all of them."""

from designgym.envs import Categorical, Float, Integer, Ordinal
from designgym.envs.parameters import Parameter

WIDTHS = (16, 32, 64, 128, 256)
POWERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def envs(default: int, meaning: str) -> Ordinal:
    """Return how many copies of an environment are stepped together."""
    return Ordinal("envs", POWERS, default=default, meaning=meaning)


def face(default: str) -> Categorical:
    """Return which face of a design problem is learned on. "own": stepwise where a problem has choice features."""
    meaning = "a design in one action, or choice by choice, each after those made before; own: as the problem is meant"
    return Categorical("face", ("own", "design", "stepwise"), default=default, meaning=meaning)


def on_policy(learning_rate: float, steps: int, entropy: float) -> tuple[Parameter, ...]:
    """Return the knobs of A2C, and of PPO too."""
    return (
        *_shared(learning_rate, steps),
        Float("entropy", 0.0, 1.0, default=entropy, meaning="weight of the policy's entropy in the loss"),
    )


def clipped(learning_rate: float, steps: int, entropy: float, batch: int) -> tuple[Parameter, ...]:
    """Return the knobs of PPO."""
    return (
        *on_policy(learning_rate, steps, entropy),
        _batch(batch),
        Integer("epochs", 1, 16, log=True, default=4, meaning="passes over an update's steps"),
    )


def _shared(learning_rate: float, steps: int) -> tuple[Parameter, ...]:
    return (
        Float("learning_rate", 1e-5, 1e-2, log=True, default=learning_rate, meaning="of the optimiser"),
        Ordinal("width", WIDTHS, default=64, meaning="units of each of two layers, or of the recurrent one"),
        Ordinal("steps", POWERS, default=steps, meaning="steps of each copy between updates"),
    )


def _batch(default: int) -> Ordinal:
    return Ordinal("batch", (2, *POWERS[2:]), default=default, meaning="steps of one gradient")


_REPLAY = (
    *_shared(1e-3, 1),
    _batch(64),
    Integer("startup", 1, 10_000, log=True, default=100, meaning="steps at random before it learns"),
    Integer("updates", 1, 8, log=True, default=4, meaning="gradients of an update"),
)
VALUED = (
    *_REPLAY,
    Integer("target", 1, 10_000, log=True, default=200, meaning="steps after which the target network follows"),
    Float("explored", 0.01, 1.0, default=0.5, meaning="asks, in budgets, over which random actions grow rare"),
    Float("least", 0.0, 1.0, default=0.05, meaning="chance of a random action after that"),
)
SOFT = (
    *_REPLAY,
    Float("entropy", 1e-4, 1.0, log=True, default=0.1, meaning="weight of the policy's entropy at first, then learned"),
)
BINS = Ordinal("bins", (4, 8, 16, 32, 64, 128), default=16, meaning="parts of a Float's range, where it is stepwise")
