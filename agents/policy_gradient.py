"""A policy over a space's choices that learns by REINFORCE with a learned baseline, or by PPO.

Sources: Williams, Machine Learning 8, 1992, doi:10.1007/BF00992696; Schulman et al., 2017, arXiv:1707.06347; an
autoregressive policy that is trained on the very problem it searches: Bello, Pham, Le, Norouzi and Bengio, 2017,
arXiv:1611.09940. That the best designs are learned from again is Oh, Guo, Singh and Lee, "Self-imitation learning",
2018, arXiv:1806.05635.
"""

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.fresh import ask_new
from designgym.agents.gaussian_process import normal_scores
from designgym.agents.policy_loss import Lesson, PolicyLoss
from designgym.agents.policy_network import Adam, Batch, PolicyNetwork
from designgym.agents.seen import Seen
from designgym.agents.sequences import Bools, Floats, Ints, Sequences
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Evaluations, Float, Integer, Ordinal, Problem

CRITIC = 0.5  # weight of the critic's error, as in the PPO paper's Atari runs


class PolicyGradient(Agent):
    """Draws each choice by a small network that knows the choices before it; invalid ones have no chance.

    Compares by reward: what is learned from is a design's place in its batch, as a normal score, less what the critic
    expected after each choice. A design that was asked before is drawn again, then with one choice at random, then with
    two, and so on. Ordered parameters of many values, and Floats, are cut into bins and uniform within one.

    Defaults were tried one at a time on NK landscapes of 2, 3, 4 and 6 letters (n = 18, 12, 9, 7; k = 5, 2, 4, 3;
    instances 100 and 101) and LABS of lengths 16, 17, 19 and 22, seeds from 1,000 on, at a rate of .02. Regret at 1,000
    designs there, NK by 16 runs, LABS by 8: a rate of .02 / .05 NK .101 / .089, LABS .072 / .044 (twice as many runs of
    .05: .104, .047); elites 0 / 1 / 4 / 12 NK .103 / .087 / .101 / .087, LABS .060 / .068 / .072 / .060; REINFORCE at a
    rate of .05 .097, .074. Batches of 32, 8 epochs, a hidden layer of 32, more entropy and another patience are no
    better by more than such runs differ.
    """

    summary = "policy gradient: an autoregressive network learns by REINFORCE with a learned baseline, or PPO"
    hyperparameters = DesignSpace(
        Integer("batch", 2, 4096, log=True, default=16, meaning="designs drawn before the policy learns from them"),
        Float("rate", 1e-4, 0.3, log=True, default=0.05, meaning="step size of Adam"),
        Float("clip", 0.0, 0.9, default=0.2, meaning="how far PPO lets chances move in one batch; 0: plain REINFORCE"),
        Integer("epochs", 1, 32, log=True, default=4, meaning="steps of PPO on one batch; REINFORCE takes one"),
        Float("entropy", 0.0, 1.0, default=0.02, meaning="weight of the entropy of choices"),
        Integer("elites", 0, 256, default=4, meaning="best designs that are learned from again with each batch"),
        Ordinal("hidden", (2, 4, 8, 16, 32, 64, 128), default=16, meaning="width of the network's hidden layer"),
        Integer("patience", 1, 1024, log=True, default=16, meaning="batches without improvement before a restart"),
        Ordinal("bins", (4, 8, 16, 32, 64, 128), default=32, meaning="parts of a Float's range to choose among"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["batch"])
        self._sequences = Sequences(self.space, int(self.settings["bins"]))
        self._loss = PolicyLoss(float(self.settings["clip"]), float(self.settings["entropy"]), CRITIC)
        self._seen = Seen(self.space)
        self._told: list[tuple[Ints, Floats]] = []  # choices and rewards of this batch
        self._restart()

    def _restart(self) -> None:
        hidden = int(self.settings["hidden"])
        self._network = PolicyNetwork(len(self._sequences), self._sequences.most, hidden, self.rng)
        self._adam = Adam(len(self._network.weights), float(self.settings["rate"]))
        self._elites = np.empty((0, len(self._sequences)), np.int64), np.empty(0)
        self._best_reward, self._idle = -np.inf, 0

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> Columns:
        def draw(n: int, redraws: int) -> Columns:
            return self._sequences.designs(self._drawn(n, redraws / len(self._sequences)), self.rng)

        return ask_new(self.space, self._seen, n, self.rng, draw)

    def _drawn(self, n: int, wild: float) -> Ints:
        """Draw the choices of n designs, (n, steps). wild: chance of each to be any of the open ones."""
        network, state = self._network, self._network.begin(n)

        def score(j: int, chosen: Ints, awake: Bools) -> Floats:
            if j:
                network.take(j - 1, state, chosen[:, j - 1], awake[:, j - 1])
            logits = network.logits(j, state)
            if wild:
                logits[self.rng.random(n) < wild] = 0.0
            return logits + self.rng.gumbel(size=logits.shape)  # the largest is drawn by the softmax

        return self._sequences.draw(n, score)

    # -- learning ------------------------------------------------------------------------------------------------------

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        self._told.append((self._sequences.chosen(designs)[0], evaluations.reward))
        if sum(len(rewards) for _, rewards in self._told) >= self.batch:
            told, self._told = self._told, []
            self._learn(np.concatenate([c for c, _ in told]), np.concatenate([r for _, r in told]))

    def _learn(self, chosen: Ints, rewards: Floats) -> None:
        """Learn from a batch and the best designs since the last restart; restart where nothing improves."""
        self._idle += 1
        if rewards.max() > self._best_reward:
            self._best_reward, self._idle = float(rewards.max()), 0
        chosen, rewards = np.concatenate([chosen, self._elites[0]]), np.concatenate([rewards, self._elites[1]])
        self._descend(chosen, normal_scores(rewards))
        self._elites = _best(chosen, rewards, int(self.settings["elites"]))
        if self._idle >= self.settings["patience"]:
            self._restart()

    def _descend(self, chosen: Ints, returns: Floats) -> None:
        """Take some steps against the loss's gradient. chosen: (n, steps), returns: (n,)."""
        masks, awake = self._sequences.masks(chosen)
        batch = Batch(chosen.T, masks.transpose(1, 0, 2), awake.T)
        seen = self._network.forward(batch)
        lesson = Lesson(returns, returns - seen.values, seen.log_chances)
        for epoch in range(int(self.settings["epochs"]) if self._loss.clip else 1):
            if epoch:
                seen = self._network.forward(batch)
            self._adam.descend(self._network.weights, self._loss.gradient(self._network, seen, lesson))


def _best(chosen: Ints, rewards: Floats, count: int) -> tuple[Ints, Floats]:
    """Return the best of these choices, each once, and their rewards, at most `count`."""
    order = np.argsort(-rewards, kind="stable")
    first = np.sort(np.unique(chosen[order], axis=0, return_index=True)[1])[:count]
    return chosen[order[first]], rewards[order[first]]
