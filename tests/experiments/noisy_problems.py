"""A problem whose numbers depend on the seed of some noise, with what may go wrong under other options."""

from dataclasses import dataclass

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective
from designgym.envs.registry import problem_ids, register_problem

NOISY, SLOW, QUIET = "VerifyNoisy-v0", "VerifySlow-v0", "VerifyQuiet-v0"


@dataclass(frozen=True)
class Noisy:
    """A bowl with a ripple that the seed moves. fails: the evaluation of designs at this x raises."""

    noise_seed: int = 2
    bound: int = 50
    fails: int = -1

    metrics = (
        Metric("latency_s", "s", "lower", "time of one run"),
        Metric("energy_j", "J", "lower", "energy of one run"),
        Metric("throughput", "1/s", "higher", "runs a second"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        if (designs["x"] == self.fails).any():
            raise ArithmeticError("it diverged")
        x, y = designs["x"].astype(float), designs["y"].astype(float)
        ripple = np.sin(self.noise_seed * (3.0 * x + 5.0 * y + designs["mode"]))
        latency_s = 3e-3 * (1.0 + ((x - 20) ** 2 + (y - 30) ** 2) / 500 + 0.3 * ripple)
        energy_j = 1.0 + ((x - 30) ** 2 + (y - 10) ** 2) / 500 + 0.3 * ripple
        violation = np.maximum(0.0, (x + y) / self.bound - 1.0)
        return {"latency_s": latency_s, "energy_j": energy_j, "throughput": 1.0 / latency_s, "violation": violation}


@dataclass(frozen=True)
class SlowNoisy(Noisy):
    """The same, one design at a time."""

    slow = True


def few(designs: Columns) -> np.ndarray:
    """A constraint of the space itself."""
    return designs["x"] < 20


def noisy(
    noise_seed: int = 2,
    bound: int = 60,
    size: int = 50,
    left_out: bool = False,
    fails: int = -1,
    objective: Objective = Objective(minimize=("latency_s",)),
) -> DesignProblem:
    """size changes the space, left_out puts a constraint on it."""
    return DesignProblem(_space(size, left_out), Noisy(noise_seed, bound, fails), objective)


def slow(
    noise_seed: int = 2, fails: int = -1, objective: Objective = Objective(minimize=("latency_s",))
) -> DesignProblem:
    """The same with a slow model."""
    return DesignProblem(_space(50, False), SlowNoisy(noise_seed, 60, fails), objective)


def quiet(objective: Objective = Objective(minimize=("latency_s",))) -> DesignProblem:
    """The same without the option."""
    return DesignProblem(_space(50, False), Noisy(), objective)


def _space(size: int, left_out: bool) -> DesignSpace:
    parameters = Integer("x", 0, size, unit="mm"), Integer("y", 0, 50), Categorical("mode", ("still", "turning"))
    return DesignSpace(*parameters, constraints=(few,) if left_out else ())


def register() -> None:
    for name, function in ((NOISY, "noisy"), (SLOW, "slow"), (QUIET, "quiet")):
        if name not in problem_ids():
            register_problem(name, f"{__name__}:{function}")
