"""Q-learning over the choices that make up a design, from a table or from features of the choices made.

Sources: Watkins and Dayan, Machine Learning 8, 1992, doi:10.1007/BF00992698; with traces, Peng and Williams, Machine
Learning 22, 1996, doi:10.1023/A:1018076709321; learning again from trials that are kept, Lin, Machine Learning 8, 1992,
doi:10.1007/BF00992699. An episode is one of `StepwiseDesignEnv`: the reward comes with the last choice.
"""

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.fresh import ask_new
from designgym.agents.gaussian_process import normal_scores
from designgym.agents.q_values import Linear, Tabular
from designgym.agents.seen import Seen
from designgym.agents.sequences import Bools, Floats, Ints, Sequences
from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Evaluations, Float, Integer, Ordinal, Problem

KEPT = 1024  # latest trials, which are learned from again
SWEPT = 64  # trials of one sweep
NOISE = 1e-6  # added to what choices promise, so that one of equals is any of them


class QLearning(Agent):
    """Takes the choice that promises most, or with a chance that falls during the run any that is open.

    Compares by reward: what a design is worth is its place among the latest ones, as a normal score. A design that was
    asked before is drawn again, with one more choice at random each time. Ordered parameters of many values, and
    Floats, are cut into bins and uniform within one.

    trace = 0 is Watkins's one-step learning; at 1 every choice learns what the design came to. It was tried on NK
    landscapes of 2, 3, 4 and 6 letters (n = 18, 12, 9, 7; k = 5, 2, 4, 3; instances 100 and 101) and LABS of lengths
    16, 17, 19 and 22, seeds from 1,000 on: regret at 1,000 designs for 0 / .5 / .8 / 1 NK .178 / .136 / .126 / .105 (16
    runs), LABS .080 / .058 / .064 / .046 (8 runs). A table whose states are whole prefixes does not generalise: in
    2,000 designs it found 4 to 6 of 8 optima of 10,000 weakly coupled ones; of the latest choice, or of none, all 8.
    """

    summary = "Q-learning over the choices of a design, tabular or linear, ε-greedy, with traces and replay"
    hyperparameters = DesignSpace(
        Categorical("kind", ("tabular", "linear"), default="linear", meaning="a value for each state, or features"),
        Integer("memory", 0, 64, default=1, meaning="latest choices that are a table's state"),
        Integer("pairs", 0, 64, default=64, meaning="latest choices that features pair with the one to make"),
        Float("rate", 0.01, 1.0, log=True, default=0.3, meaning="share of an error that is learned at a time"),
        Float("trace", 0.0, 1.0, default=1.0, meaning="how far what a design came to counts at earlier choices: λ"),
        Float("explore", 0.0, 1.0, default=0.3, meaning="chance of any open choice in the beginning"),
        Float("least", 0.0, 1.0, default=0.05, meaning="the same in the end"),
        Integer("half", 1, 10**6, log=True, default=100, meaning="designs over which that chance falls by half"),
        Ordinal("batch", (1, 2, 4, 8, 16, 32, 64, 128, 256), default=16, meaning="designs drawn before it learns"),
        Integer("replays", 0, 64, default=4, meaning="sweeps over kept trials after each batch"),
        Ordinal("bins", (4, 8, 16, 32, 64, 128), default=16, meaning="parts of a Float's range to choose among"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float | str) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["batch"])
        self._sequences = Sequences(self.space, int(self.settings["bins"]))
        self._q: Tabular | Linear
        if self.settings["kind"] == "tabular":
            self._q = Tabular(self._sequences, int(self.settings["memory"]))
        else:
            self._q = Linear(self._sequences, int(self.settings["pairs"]))
        self._seen = Seen(self.space)
        steps = len(self._sequences)
        self._kept = np.empty((0, steps), np.int64), np.empty((0, steps), bool), np.empty(0)  # the latest at the end
        self._told = 0
        self._new = 0  # trials at the end that were not learned from

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> Columns:
        def draw(n: int, redraws: int) -> Columns:
            chance = min(1.0, self._explore + redraws / len(self._sequences))
            return self._sequences.designs(self._drawn(n, chance), self.rng)

        return ask_new(self.space, self._seen, n, self.rng, draw)

    @property
    def _explore(self) -> float:
        """The chance of any open choice by now."""
        first, least = float(self.settings["explore"]), float(self.settings["least"])
        return float(max(least, first * 0.5 ** (self._told / self.settings["half"])))

    def _drawn(self, n: int, explore: float) -> Ints:
        """Draw the choices of n designs, (n, steps)."""

        def score(j: int, chosen: Ints, awake: Bools) -> Floats:
            values = self._q.table.values(self._q.read(np.array([j]), chosen, awake))[:, 0]
            values += NOISE * self.rng.random(values.shape)
            anything = self.rng.random(n) < explore
            values[anything] = self.rng.random((int(anything.sum()), values.shape[1]))
            return values

        return self._sequences.draw(n, score)

    # -- learning ------------------------------------------------------------------------------------------------------

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        told = (*self._sequences.chosen(designs), evaluations.reward)
        self._kept = tuple(np.concatenate(pair)[-KEPT:] for pair in zip(self._kept, told, strict=True))  # type: ignore[assignment]
        self._told += len(evaluations)
        self._new += len(evaluations)
        if self._new >= self.batch:
            self._learn()

    def _learn(self) -> None:
        """Sweep over the trials that are new, and over others that are kept."""
        chosen, awake, rewards = self._kept
        worth, count = normal_scores(rewards), len(rewards)
        new, self._new = np.arange(max(0, count - self._new), count), 0
        sweeps = [new[i : i + SWEPT] for i in range(0, len(new), SWEPT)]
        sweeps += [self.rng.integers(0, count, min(SWEPT, count)) for _ in range(int(self.settings["replays"]))]
        for rows in sweeps:
            self._sweep(chosen[rows], awake[rows], worth[rows])

    def _sweep(self, chosen: Ints, awake: Bools, worth: Floats) -> None:
        """Learn from some designs, whose choices and worth are given, (n, steps) and (n,)."""
        rate, trace = float(self.settings["rate"]), float(self.settings["trace"])
        reading = self._q.read(np.arange(chosen.shape[1]), chosen, awake, learn=True)
        values = self._q.table.values(reading)
        best = np.where(self._sequences.masks(chosen)[0], values, -np.inf).max(axis=2)
        targets = np.empty(chosen.shape)
        for j in reversed(range(chosen.shape[1])):
            targets[:, j] = worth
            worth = np.where(awake[:, j], (1.0 - trace) * best[:, j] + trace * worth, worth)
        errors = targets - np.take_along_axis(values, chosen[:, :, None], axis=2)[:, :, 0]
        self._q.table.learn(reading, chosen, errors, awake, rate)
