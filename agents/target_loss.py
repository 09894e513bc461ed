"""A surrogate of a policy's loss in the space of its logits: the loss's slope there, and how far the logits have moved.

Source: Lavington, Vaswani, Babanezhad, Schmidt and Le Roux, "Target-based surrogates for stochastic optimization", ICML
2023, arXiv:2302.02607. With targets z, here a policy's logits at every step of the designs of a batch, it is

    g(weights) = loss(z0) + <slope at z0, z(weights) - z0> + distance(z(weights), z0) / eta

which is above the loss wherever eta is at most the inverse of the loss's smoothness in z, whatever network stands
between weights and z. The distance is half the squared Euclidean one (the paper's stochastic case), or the Bregman
distance of the logarithm of a sum of exponentials, which is the Kullback-Leibler divergence of the chances; so it is in
Vaswani et al., "A general class of surrogate functions for stable and efficient reinforcement learning", AISTATS 2022,
arXiv:2108.05828, whose softmax case this is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.agents.policy_loss import Lesson, PolicyLoss
from designgym.agents.policy_network import Pass, PolicyNetwork

DISTANCES = ("logits", "chances")  # half the squared distance of logits; Kullback-Leibler divergence of chances

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TargetLoss:
    """The surrogate of one batch. slope: of the loss by the logits where they were, (steps, n, most), 0 where idle.

    before: logarithms of chances there, (steps, n, most). returns: (n,), what the critic is to foresee; its error, of
    weight `critic`, depends on the values directly and is taken as it is.
    """

    slope: Floats
    before: Floats
    returns: Floats
    eta: float
    distance: str
    critic: float

    @classmethod
    def of(cls, loss: PolicyLoss, seen: Pass, lesson: Lesson, eta: float, distance: str) -> "TargetLoss":
        """Return the surrogate that touches a loss where the network is now, at `seen`."""
        return cls(loss.by_logits(seen, lesson), seen.logs, lesson.returns, eta, distance, loss.critic)

    def __call__(self, seen: Pass) -> float:
        """Return g - loss(z0), plus the critic's error: a mean over sequences of sums over the steps that mattered."""
        share = seen.batch.awake / seen.batch.awake.shape[1]
        moved = self._moved(seen)
        if self.distance == "chances":
            apart = -(np.exp(self.before) * np.where(seen.batch.open, seen.logs - _finite(self.before), 0.0)).sum(
                axis=2
            )
        else:
            apart = 0.5 * (moved**2).sum(axis=2)
        error = 0.5 * (seen.values - self.returns) ** 2
        return float((self.slope * moved).sum() + (share * (apart / self.eta + self.critic * error)).sum())

    def gradient(self, network: PolicyNetwork, seen: Pass) -> Floats:
        """Return its gradient by the network's weights, (size,). Where z is z0 it is the loss's own."""
        share = seen.batch.awake / seen.batch.awake.shape[1]
        pull = np.exp(seen.logs) - np.exp(self.before) if self.distance == "chances" else self._moved(seen)
        logits = self.slope + (share / self.eta)[:, :, None] * pull
        return network.backward(seen, logits, self.critic * share * (seen.values - self.returns))

    def _moved(self, seen: Pass) -> Floats:
        """How far the logits have moved, (steps, n, most), less what all open ones of a step have moved together.

        A shift of them all changes no chance.
        """
        open = seen.batch.open
        moved = np.where(open, _finite(seen.logs) - _finite(self.before), 0.0)
        together = moved.sum(axis=2, keepdims=True) / np.maximum(open.sum(axis=2, keepdims=True), 1)
        return np.where(open, moved - together, 0.0)


def _finite(logs: Floats) -> Floats:
    return np.where(np.isneginf(logs), 0.0, logs)
