"""What agents over Stable-Baselines3 have in common: a policy that is trained on the problem's Gymnasium faces.

They own their loop, so a run goes through `search()`: every design that a policy tries is asked of the problem, and the
meter, the memory and the log are those of all agents. On a CPU the same seed gives the same trials, so a continued run
is asked again from its start while the log answers.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Discrete, Space

from designgym.agents.base import Agent
from designgym.agents.rl_algorithms import ALGORITHMS, STEPS_OF_TRAINING, exploration, own_generators, train
from designgym.cost_models.base import Columns
from designgym.envs import Evaluations, MeteredProblem, OnlyRepeats, Problem

ASKS_A_DESIGN = 20  # of the budget: a policy that has converged asks for free, and would never end
LARGEST_SEED = 2**31


class TrainedAgent(Agent):
    """Trains a policy, one face of the problem at a time. A run ends after 20 asks for each design of its budget.

    algorithm: its name among `ALGORITHMS`. face: the one that it is trained on where `face` is no hyperparameter. What
    it is told (a user's present designs) is priced and not learned from.
    """

    trains = True
    algorithm: ClassVar[str]
    face: ClassVar[str] = "design"

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        known = ALGORITHMS[self.algorithm]
        face = str(self.settings.get("face", self.face))
        actions: Space[Any] = Discrete(2) if face == "stepwise" else self.space.to_gymnasium()
        known.refuse(actions, "this space's designs" + ("" if self.space.has_floats else ", which have no Float"))
        known.available()
        self._known, self._face = known, face
        self._ended = 0  # episodes, each a design that was asked
        self._seed = int(rng.integers(LARGEST_SEED))

    @property
    def population(self) -> int:
        """Designs of one update at most."""
        return int(self.settings["envs"]) * int(self.settings["steps"])

    def ask(self, n: int) -> Columns:
        """ValueError: it is not asked."""
        raise ValueError(
            f"{self.algorithm} trains in its own loop, by search(), and is asked for no designs one by one, as a slow "
            "cost model does. Take policy_gradient there."
        )

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Learn nothing: a policy is trained on what it did itself."""

    def search(self) -> None:
        """Train until the run is over."""
        from designgym.agents.rl_designs import design_vectors

        metered = self.problem if isinstance(self.problem, MeteredProblem) else None
        if metered is not None and metered.finished:
            return
        most = ASKS_A_DESIGN * metered.budget if metered is not None else STEPS_OF_TRAINING

        def go_on(episodes: int) -> bool:
            self._ended = episodes
            return episodes < most and (metered is None or not metered.finished)

        def asked() -> float:
            return ASKS_A_DESIGN * self._ended / most

        known, settings = self._known, self.settings
        with own_generators():
            envs = design_vectors(
                self.problem, self._face, int(settings["envs"]), int(settings.get("bins", 0)), known.masks
            )
            # What a design is worth comes at the end of an episode that is as short as a design: nothing is discounted.
            model = known.model(envs, settings, 1.0, self._seed)
            train(model, go_on, exploration(settings, asked))
        if metered is not None and not metered.finished and self._ended >= most:
            raise OnlyRepeats(
                f"{self._ended} designs were asked, {ASKS_A_DESIGN} for each of a budget of {metered.budget}."
            )
