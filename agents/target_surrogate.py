"""A policy over a space's choices that takes many cheap steps on a surrogate between two batches of real evaluations.

Source: Lavington, Vaswani, Babanezhad, Schmidt and Le Roux, "Target-based surrogates for stochastic optimization", ICML
2023, arXiv:2302.02607, algorithm SSO; the surrogate is `target_loss`'s.
"""

import numpy as np

from designgym.agents.policy_loss import Lesson, PolicyLoss
from designgym.agents.policy_network import Pass
from designgym.agents.policy_search import BATCH, COMMON, CRITIC, RATE, PolicySearch
from designgym.agents.target_loss import DISTANCES, TargetLoss
from designgym.envs import Categorical, DesignSpace, Float, Integer, Problem


class TargetSurrogate(PolicySearch):
    """What is dear is to price designs, which gives the slope of the loss by the policy's logits; weights are cheap.

    So the loss is replaced, until the next batch, by its surrogate in the logits, and the weights take `inner` steps
    down that. The first of them is REINFORCE's with the same settings; what `policy_gradient` limits by a clip, the
    surrogate limits by its distance. See `PolicySearch` for what is drawn and compared.

    It does as well as `policy_gradient`, whose clip does the same: mean regret at 300 and 1,000 designs with the
    defaults of both, NK landscapes 0 to 9 (four seeds each) .189 and .109 against .184 and .114 (95 % bootstrap
    interval of the difference at 1,000 designs [-.028, .018]), LABS (20 seeds) .167 and .135 against .192 and .122
    ([-.015, .042]), SystolicGemms (20) .0013 and .0001 against .0011 and .0001. Settings were looked at one or two at a
    time on the development problems of `policy_gradient`, seeds from 1,000 on; regret at 300 and 1,000 designs there,
    NK by 32 runs, LABS by 16, each mean uncertain by .02: 8 inner steps and eta 1 NK .182 / .099, LABS .127 / .068; 4
    and eta 3 .183 / .105, .117 / .077; 4 and eta 10, the default, .156 / .094, .095 / .047; `policy_gradient` .176 /
    .104, .088 / .047. Earlier, with 8 inner steps, eta .3 NK .126 at 1,000 designs, the other distance .115.
    """

    summary = "target surrogate: a policy takes many cheap steps on an upper bound between two batches"
    hyperparameters = DesignSpace(
        BATCH,
        RATE,
        Integer("inner", 1, 256, log=True, default=4, meaning="steps on the surrogate between two batches"),
        Float("eta", 1e-3, 1e3, log=True, default=10.0, meaning="step size in the logits: large, and they move far"),
        Categorical("distance", DISTANCES, default="logits", meaning="of what: logits, or chances' divergence"),
        *COMMON,
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._loss = PolicyLoss(0.0, float(self.settings["entropy"]), CRITIC)

    def _descend(self, seen: Pass, lesson: Lesson) -> None:
        eta, distance = float(self.settings["eta"]), str(self.settings["distance"])
        surrogate = TargetLoss.of(self._loss, seen, lesson, eta, distance)
        for step in range(int(self.settings["inner"])):
            if step:
                seen = self._network.forward(seen.batch)
            self._adam.descend(self._network.weights, surrogate.gradient(self._network, seen))
