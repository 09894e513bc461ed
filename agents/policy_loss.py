"""What a policy gradient descends: REINFORCE or PPO's clipped surrogate, less entropy, plus the critic's error.

Sources: Williams, Machine Learning 8, 1992, doi:10.1007/BF00992696 (REINFORCE with a baseline); Schulman et al., 2017,
arXiv:1707.06347 (PPO: equations 7 and 9).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.agents.policy_network import Pass, PolicyNetwork

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lesson:
    """What n sequences came to. returns: (n,); advantages: of each choice, (steps, n).

    log_chances: what the choices' were when they were judged, (steps, n).
    """

    returns: Floats
    advantages: Floats
    log_chances: Floats


@dataclass(frozen=True)
class PolicyLoss:
    """clip: how far a choice's chance may move, 0 for plain REINFORCE. entropy, critic: weights of these terms."""

    clip: float
    entropy: float
    critic: float

    def __call__(self, seen: Pass, lesson: Lesson) -> float:
        """Return the loss, a mean over sequences of sums over the steps that mattered."""
        awake = seen.batch.awake
        surrogate = self._surrogate(seen, lesson)[0]
        error = 0.5 * (seen.values - lesson.returns) ** 2
        terms = -surrogate - self.entropy * _entropy(seen) + self.critic * error
        return float((terms * awake).sum() / awake.shape[1])

    def gradient(self, network: PolicyNetwork, seen: Pass, lesson: Lesson) -> Floats:
        """Return the loss's gradient by the network's weights, (size,)."""
        awake = seen.batch.awake / seen.batch.awake.shape[1]
        logits = self.by_logits(seen, lesson)
        return network.backward(seen, logits, self.critic * awake * (seen.values - lesson.returns))

    def by_logits(self, seen: Pass, lesson: Lesson) -> Floats:
        """Return the loss's gradient by the logits, (steps, n, most); 0 where idle or closed, adding up to 0."""
        awake = seen.batch.awake / seen.batch.awake.shape[1]
        chances = np.exp(seen.logs)
        slope = self._surrogate(seen, lesson)[1] * awake
        logits = slope[:, :, None] * (chances - seen.one_hot)
        if self.entropy:
            weight = self.entropy * awake
            logits += weight[:, :, None] * chances * (_finite(seen.logs) + _entropy(seen)[:, :, None])
        return logits

    def _surrogate(self, seen: Pass, lesson: Lesson) -> tuple[Floats, Floats]:
        """Return what is to grow and its slope by the logarithm of the choice's chance, each (steps, n)."""
        if not self.clip:
            return lesson.advantages * seen.log_chances, lesson.advantages
        ratio = np.exp(seen.log_chances - lesson.log_chances)
        free = ratio * lesson.advantages
        held = np.clip(ratio, 1.0 - self.clip, 1.0 + self.clip) * lesson.advantages
        return np.minimum(free, held), np.where(free <= held, free, 0.0)


def _entropy(seen: Pass) -> Floats:
    """Entropy of each step's chances, (steps, n)."""
    entropy: Floats = -(np.exp(seen.logs) * _finite(seen.logs)).sum(axis=2)
    return entropy


def _finite(logs: Floats) -> Floats:
    """Logarithms of chances with 0 in place of -inf, whose chance is 0."""
    return np.where(np.isneginf(logs), 0.0, logs)
