"""What agents have in common that draw designs from a policy and learn from how batches of them turned out.

Source: an autoregressive policy that is trained on the very problem it searches: Bello, Pham, Le, Norouzi and Bengio,
2017, arXiv:1611.09940. That the best designs are learned from again is Oh, Guo, Singh and Lee, "Self-imitation
learning", 2018, arXiv:1806.05635.
"""

from abc import abstractmethod

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.fresh import ask_new
from designgym.agents.gaussian_process import normal_scores
from designgym.agents.policy_loss import Lesson
from designgym.agents.policy_network import Adam, Batch, Pass, PolicyNetwork
from designgym.agents.seen import Seen
from designgym.agents.sequences import Bools, Floats, Ints, Sequences
from designgym.cost_models.base import Columns
from designgym.envs import Evaluations, Float, Integer, Ordinal, Problem

CRITIC = 0.5  # weight of the critic's error, as in the PPO paper's Atari runs

BATCH = Integer("batch", 2, 4096, log=True, default=16, meaning="designs drawn before the policy learns from them")
RATE = Float("rate", 1e-4, 0.3, log=True, default=0.05, meaning="step size of Adam")
COMMON = (
    Float("entropy", 0.0, 1.0, default=0.02, meaning="weight of the entropy of choices"),
    Integer("elites", 0, 256, default=4, meaning="best designs that are learned from again with each batch"),
    Ordinal("hidden", (2, 4, 8, 16, 32, 64, 128), default=16, meaning="width of the network's hidden layer"),
    Integer("patience", 1, 1024, log=True, default=16, meaning="batches without improvement before a restart"),
    Ordinal("bins", (4, 8, 16, 32, 64, 128), default=32, meaning="parts of a Float's range to choose among"),
)


class PolicySearch(Agent):
    """Draws each choice by a small network that knows the choices before it; invalid ones have no chance.

    Compares by reward: what is learned from is a design's place in its batch, as a normal score, less what the critic
    expected after each choice. A design that was asked before is drawn again, then with one choice at random, then with
    two, and so on. Ordered parameters of many values, and Floats, are cut into bins and uniform within one. How the
    policy is moved by a batch is `_descend`; `hyperparameters` must hold BATCH, RATE and COMMON.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["batch"])
        self._sequences = Sequences(self.space, int(self.settings["bins"]))
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
        masks, awake = self._sequences.masks(chosen)
        seen = self._network.forward(Batch(chosen.T, masks.transpose(1, 0, 2), awake.T))
        returns = normal_scores(rewards)
        self._descend(seen, Lesson(returns, returns - seen.values, seen.log_chances))
        self._elites = _best(chosen, rewards, int(self.settings["elites"]))
        if self._idle >= self.settings["patience"]:
            self._restart()

    @abstractmethod
    def _descend(self, seen: Pass, lesson: Lesson) -> None:
        """Change the network's weights. seen: what it says of the batch now; lesson: what the batch came to."""


def _best(chosen: Ints, rewards: Floats, count: int) -> tuple[Ints, Floats]:
    """Return the best of these choices, each once, and their rewards, at most `count`."""
    order = np.argsort(-rewards, kind="stable")
    first = np.sort(np.unique(chosen[order], axis=0, return_index=True)[1])[:count]
    return chosen[order[first]], rewards[order[first]]
