"""How near to 2^x on [0, 1] a chain of k operations comes, its constants fitted, and what it takes.

Source: Real, Rossini et al., "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions", 2023,
arXiv:2312.08472, who count operations of programs for 2^x; chains of these seven operations are a part of theirs.
"""

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
class ExpProgram:
    """Chains of k operations on a value v that starts as x: +c, *c, c/ (c / v), sq (v v), +x, *x, x/ (x / v).

    operations: k, 1 to 14. Each constant is its operation's own, fitted to more digits than a float64 has: errors are
    those of exact arithmetic, down to about 1e-14. A program in float64 adds its own rounding, which each squaring at
    the end doubles.
    A divisor that changes its sign or is 0 at one of the points, with all constants tried, is a violation: the sooner,
    the larger.
    Error: the error is that of the constants given, to six digits. They need not be the best there are: fits begin at
    16 to 128 guesses, by the number of constants, and after squarings at the end also at what was found without the
    last of them, and may miss the deepest of several minima. Fits that begin at many more find an error lower by more
    than 1 % for 3 % of random chains of 8 operations (ten times lower for .8 %), and for 8 % of the chains within two
    steps of good ones (1.6 %). All eleven best chains of quant_exp2_programs.csv (2 to 12 operations) are met, or
    bettered by up to 2 %.
    """

    operations: int = 8

    metrics = METRICS
    version = "2"

    def __post_init__(self) -> None:
        check_operations(self.operations)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: the place of each operation in CHAIN_NAMES."""
        return tuple(f"op_{i}" for i in range(self.operations))

    def programs(self, designs: Columns) -> Programs:
        """Return the designs as programs."""
        return Programs.chains(np.stack([np.asarray(designs[name], np.int64) for name in self.columns], axis=1))

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns named above, each (n,)."""
        return priced(self.programs(designs))

    def reason(self, design: Columns) -> str:
        """Say why a design comes to no number."""
        return reason_of(self.programs(design))

    def constants(self, design: Columns) -> list[tuple[Decimal, ...]]:
        """design: one. Return the fitted constants of each operation: one, or none; see `constants_of`."""
        programs = self.programs(design)
        return constants_of(programs, fit_programs(programs), 0)

    def text(self, design: Columns) -> str:
        """design: one. Return its program line by line, with its constants."""
        return program_text(self.programs(design), 0, self.constants(design))

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show relative errors over [0, 1]."""
        return pictures_of(self.programs(designs), names)
