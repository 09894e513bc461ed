"""What agents over Stable-Baselines3 have in common: a policy that is trained on the problem's Gymnasium faces.

They own their loop, so a run goes through `search()`: every design that a policy tries is asked of the problem, and the
meter, the memory and the log are those of all agents. On a CPU the same seed gives the same trials. They rest between
updates, so a continued run goes on from a checkpoint; without one it is asked again from its start while the log
answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium.spaces import Discrete, Space

from designgym.agents.base import Agent
from designgym.agents.rl_algorithms import ALGORITHMS, STEPS_OF_TRAINING
from designgym.cost_models.base import Columns
from designgym.envs import Evaluations, MeteredProblem, OnlyRepeats, Problem
from designgym.envs.choice_features import choice_features_of

if TYPE_CHECKING:
    from designgym.agents.rl_training import Training

ASKS_A_DESIGN = 20  # of the budget: a policy that has converged asks for free, and would never end
LARGEST_SEED = 2**31


class TrainedAgent(Agent):
    """Trains a policy, one face of the problem at a time. A run ends after 20 asks for each design of its budget.

    algorithm: its name among `ALGORITHMS`. face: the one that it is trained on where `face` is no hyperparameter. What
    it is told (a user's present designs) is priced and not learned from.
    """

    trains = True
    checkpoints = True
    algorithm: ClassVar[str]
    face: ClassVar[str] = "design"

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        known = ALGORITHMS[self.algorithm]
        face = str(self.settings.get("face", self.face))
        if face == "own":
            face = "design" if choice_features_of(problem) is None else "stepwise"
        actions: Space[Any] = Discrete(2) if face == "stepwise" else self.space.to_gymnasium()
        known.refuse(actions, "this space's designs" + ("" if self.space.has_floats else ", which have no Float"))
        known.available()
        self._known, self._face = known, face
        self._training: Training | None = None
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
        from designgym.agents.rl_training import Training

        metered = self.problem if isinstance(self.problem, MeteredProblem) else None
        if metered is not None and metered.finished:
            return
        if self._training is None:
            # What a design is worth comes at the end of an episode as short as a design: nothing is discounted.
            self._training = Training(self._known, self._copies(), self.settings, 1.0, self._seed, self._explored)
        self._training.go_on(self.rest, self._more)
        if metered is not None and not metered.finished and self._training.ended >= self._most:
            raise OnlyRepeats(
                f"{self._training.ended} designs were asked, {ASKS_A_DESIGN} for each of a budget of {metered.budget}."
            )

    def _copies(self) -> Any:
        from designgym.agents.rl_designs import design_vectors

        settings = self.settings
        envs, bins = int(settings["envs"]), int(settings.get("bins", 0))
        return design_vectors(self.problem, self._face, envs, bins, self._known.masks)

    @property
    def _most(self) -> int:
        """Designs that it may ask."""
        problem = self.problem
        return ASKS_A_DESIGN * problem.budget if isinstance(problem, MeteredProblem) else STEPS_OF_TRAINING

    def _more(self) -> bool:
        assert self._training is not None
        finished = isinstance(self.problem, MeteredProblem) and self.problem.finished
        return self._training.ended < self._most and not finished

    def _explored(self) -> float:
        ended = 0 if self._training is None else self._training.ended
        return ASKS_A_DESIGN * ended / self._most / float(self.settings["explored"])
