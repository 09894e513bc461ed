"""How a run ends: what the meter raises, and why."""

from typing import ClassVar

from designgym.cost_models.base import Columns
from designgym.envs.objective import Evaluations


class RunOver(Exception):
    """The run ends here. evaluations: what the rows came to that could still be answered."""

    reason: ClassVar[str] = "over"

    def __init__(self, message: str, evaluations: Evaluations | None = None, designs: Columns | None = None) -> None:
        super().__init__(message)
        self.evaluations = evaluations
        self.designs = designs


class BudgetSpent(RunOver):
    """The budget of distinct designs is spent. Carries the designs that still fitted and what they came to."""

    reason = "budget"


class SpaceExhausted(RunOver):
    """Every valid design of the space has been priced."""

    reason = "complete"


class OnlyRepeats(RunOver):
    """The agent has proposed nothing new for too long."""

    reason = "repeats"


class ReplayDiffers(Exception):
    """A continued run asked for another design than the logged one, so it is not the same run."""
