"""What a problem knows of the choices that make up a design, for faces that make designs choice by choice.

The manner is that of HAQ (Wang et al., CVPR 2019, arXiv:1811.08886, section 3.1): an agent that chooses layer by layer
is told what the layer in question is like, and what is left of a budget.
"""

from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class ChoiceFeatures(Protocol):
    """Features of the next choice, and a wall around it. It pickles, and draws nothing at random.

    chosen: the values settled so far, as many, in the order of the space's digits.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""

    def observe(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        """Return the features of the next choice, each in [0, 1], float64 (features,)."""

    def open(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """Return which values of the next choice still lead to a design that is allowed, bool (count,), one at least.

        Every design that the space's constraints allow must remain within reach.
        """


def choice_features_of(problem: object) -> ChoiceFeatures | None:
    """Return what a problem, or one around it, has of these."""
    return cast(ChoiceFeatures | None, getattr(problem, "choice_features", None))
