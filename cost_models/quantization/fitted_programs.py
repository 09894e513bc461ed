"""What programs for 2^x are priced by, whatever their form: errors with fitted constants, and counts of operations.

Source: Real, Rossini et al., "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions", 2023,
arXiv:2312.08472.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization.exp_fitting import MOST_OPERATIONS, constants_of, fit_programs
from designgym.cost_models.quantization.exp_program_pictures import pictures_of
from designgym.cost_models.quantization.straight_line import (
    ADD,
    DIVIDE,
    MULTIPLY,
    SUBTRACT,
    Programs,
    program_text,
)

METRICS = (
    Metric("max_relative_error", "1", "lower", "largest relative error at 1,501 points of [0, 1], to six digits"),
    Metric("digits", "1", "higher", "correct decimal digits: minus the logarithm of that to base 10"),
    Metric("constants", "1", "lower", "constants that are left where each takes in those that it makes idle"),
    Metric("additions", "1", "lower", "additions and subtractions"),
    Metric("multiplications", "1", "lower", "multiplications, squarings among them"),
    Metric("divisions", "1", "lower", "divisions"),
)


def check_operations(operations: int) -> None:
    """ValueError in one line unless there can be so many."""
    if isinstance(operations, bool) or not isinstance(operations, int) or not 1 <= operations <= MOST_OPERATIONS:
        raise ValueError(
            f"operations must be an integer from 1 to {MOST_OPERATIONS}, got {operations!r}. Choose 8 or 10, say."
        )


def priced(programs: Programs) -> Columns:
    """Return every metric of METRICS, and "violation"."""
    fitted = fit_programs(programs)
    pole = np.isnan(fitted.errors)
    return {
        "max_relative_error": fitted.errors,
        "digits": -np.log10(fitted.errors),
        "constants": fitted.constants,
        "additions": programs.count(ADD) + programs.count(SUBTRACT),
        "multiplications": programs.count(MULTIPLY),
        "divisions": programs.count(DIVIDE),
        # A pole that no constant mends is worse the sooner it comes.
        "violation": np.where(pole, (fitted.left + 0.5) / programs.operations, 0.0),
    }


def reason_of(programs: Programs) -> str:
    """programs: one. Return in words why it comes to no number, "" where it does."""
    fitted = fit_programs(programs)
    if fitted.left[0] > 0:
        return "it divides by 0 at x = 0 whatever its constants"
    return "no constants were found that keep all divisors from 0 on [0, 1]" if np.isnan(fitted.errors[0]) else ""


@dataclass(frozen=True)
class FittedPrograms(ABC):
    """Programs of so many operations, 1 to 14, each with its constants fitted. version: of the fits."""

    operations: int = 8

    metrics = METRICS
    version = "2"

    def __post_init__(self) -> None:
        check_operations(self.operations)

    @abstractmethod
    def programs(self, designs: Columns) -> Programs:
        """Return the designs as programs."""

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns that `columns` names, each (n,)."""
        return priced(self.programs(designs))

    def reason(self, design: Columns) -> str:
        """Say why a design comes to no number."""
        return reason_of(self.programs(design))

    def constants(self, design: Columns) -> list[tuple[Decimal, ...]]:
        """design: one. Return the fitted constants of each operation, in the order of its operands."""
        programs = self.programs(design)
        return constants_of(programs, fit_programs(programs), 0)

    def text(self, design: Columns) -> str:
        """design: one. Return its program line by line, with its constants."""
        return program_text(self.programs(design), 0, self.constants(design))

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show relative errors over [0, 1]."""
        return pictures_of(self.programs(designs), names)
