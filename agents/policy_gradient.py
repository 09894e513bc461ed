"""A policy over a space's choices that learns by REINFORCE with a learned baseline, or by PPO.

Sources: Williams, Machine Learning 8, 1992, doi:10.1007/BF00992696; Schulman et al., 2017, arXiv:1707.06347; how the
policy is drawn from, and its elites, are `policy_search`'s.
"""

import numpy as np

from designgym.agents.policy_loss import Lesson, PolicyLoss
from designgym.agents.policy_network import Pass
from designgym.agents.policy_search import BATCH, COMMON, CRITIC, RATE, PolicySearch
from designgym.envs import DesignSpace, Float, Integer, Problem


class PolicyGradient(PolicySearch):
    """REINFORCE, or PPO's clipped surrogate, on every batch: see `PolicySearch` for what is drawn and compared.

    Defaults were tried one at a time on NK landscapes of 2, 3, 4 and 6 letters (n = 18, 12, 9, 7; k = 5, 2, 4, 3;
    instances 100 and 101) and LABS of lengths 16, 17, 19 and 22, seeds from 1,000 on, at a rate of .02. Regret at 1,000
    designs there, NK by 16 runs, LABS by 8: a rate of .02 / .05 NK .101 / .089, LABS .072 / .044 (twice as many runs of
    .05: .104, .047); elites 0 / 1 / 4 / 12 NK .103 / .087 / .101 / .087, LABS .060 / .068 / .072 / .060; REINFORCE at a
    rate of .05 .097, .074. Batches of 32, 8 epochs, a hidden layer of 32, more entropy and another patience are no
    better by more than such runs differ.
    """

    summary = "policy gradient: an autoregressive network learns by REINFORCE with a learned baseline, or PPO"
    hyperparameters = DesignSpace(
        BATCH,
        RATE,
        Float("clip", 0.0, 0.9, default=0.2, meaning="how far PPO lets chances move in one batch; 0: plain REINFORCE"),
        Integer("epochs", 1, 32, log=True, default=4, meaning="steps of PPO on one batch; REINFORCE takes one"),
        *COMMON,
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._loss = PolicyLoss(float(self.settings["clip"]), float(self.settings["entropy"]), CRITIC)

    def _descend(self, seen: Pass, lesson: Lesson) -> None:
        for epoch in range(int(self.settings["epochs"]) if self._loss.clip else 1):
            if epoch:
                seen = self._network.forward(seen.batch)
            self._adam.descend(self._network.weights, self._loss.gradient(self._network, seen, lesson))
