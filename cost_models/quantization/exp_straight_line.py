"""How near to 2^x on [0, 1] a general straight-line program of k operations comes, its constants fitted.

Source: Real, Rossini et al., "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions", 2023,
arXiv:2312.08472, who search such programs over +, -, * and / and report one of 10 operations with 14 correct digits.
"""

from dataclasses import dataclass

import numpy as np

from designgym.cost_models.base import Columns
from designgym.cost_models.quantization.fitted_programs import FittedPrograms
from designgym.cost_models.quantization.straight_line import Programs


def operands(instruction: int) -> tuple[str, ...]:
    """Return what an instruction, from 0 on, may read, in the order of its columns' values."""
    return ("x", "c", *(f"r{i + 1}" for i in range(instruction)))


@dataclass(frozen=True)
class ExpStraightLine(FittedPrograms):
    """Programs of k instructions r1, r2, ...: each one of +, -, *, / of two operands; the last result counts.

    operations: k, 1 to 14. An operand is x, a constant c of its own, or an earlier result; what the last result does
    not need counts as an operation all the same. Constants, errors, digits and violations are those of `ExpProgram`,
    whose chains are among these programs.
    Error: as of `ExpProgram`; here constants are guessed less well where results are used more than once, and a good
    program may be priced far above its best. With p = a + x^2 / (b - c / (d + x^2)) the square of (p + x) / (p - x)
    takes 10 operations and comes within 4.4e-14 where four points give the constants (tested): the fit finds 2e-9. The
    source's own program of 10 operations and 14 digits is not known here.
    """

    @property
    def columns(self) -> tuple[tuple[str, str, str], ...]:
        """Names of the columns of each instruction: the place of its operation in OPERATIONS, and of its operands."""
        return tuple((f"op_{i}", f"left_{i}", f"right_{i}") for i in range(self.operations))

    def programs(self, designs: Columns) -> Programs:
        """Return the designs as programs."""
        chosen = np.stack([np.asarray(designs[name], np.int64) for own in self.columns for name in own], axis=1)
        return Programs(*(np.ascontiguousarray(chosen[:, part::3]) for part in range(3)))
