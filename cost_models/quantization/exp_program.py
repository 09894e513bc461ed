"""How near to 2^x on [0, 1] a chain of k operations comes, its constants fitted, and what it takes.

Source: Real, Rossini et al., "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions", 2023,
arXiv:2312.08472, who count operations of programs for 2^x; chains of these seven operations are a part of theirs.
"""

from dataclasses import dataclass

import numpy as np

from designgym.cost_models.base import Columns
from designgym.cost_models.quantization.fitted_programs import FittedPrograms
from designgym.cost_models.quantization.straight_line import Programs


@dataclass(frozen=True)
class ExpProgram(FittedPrograms):
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

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: the place of each operation in CHAIN_NAMES."""
        return tuple(f"op_{i}" for i in range(self.operations))

    def programs(self, designs: Columns) -> Programs:
        """Return the designs as programs."""
        return Programs.chains(np.stack([np.asarray(designs[name], np.int64) for name in self.columns], axis=1))
