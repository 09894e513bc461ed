"""When a model no longer predicts as it did: errors of what it foretold against those it was fitted with.

The errors since the last fit, squared and over what the model said their variance was, are compared with what was left
out at the fit. Were they normal, so many of them over what is expected would follow the chi-squared law; the model is
fitted anew where they are beyond its quantiles, for errors too large or too small.
"""

from collections import deque

import numpy as np

WINDOW = 24  # latest errors that count
LEAST = (3, 12)  # errors that it takes to find them too large, or too small
CALM = 4  # errors as expected that count before any was seen
LARGEST = 16.0  # one error, squared and over its variance, tells no more than this: it may be one odd design


class Drift:
    """Errors of one model since its last fit. certainty: of the chi-squared law, before a drift is called one."""

    def __init__(self, certainty: float) -> None:
        self._certainty = certainty
        self._errors: deque[float] = deque(maxlen=WINDOW)
        self._expected = 1.0
        self._all: deque[float] = deque(maxlen=WINDOW)  # latest errors, whatever fits came between

    def fitted(self, expected: float) -> None:
        """Begin anew. expected: the mean squared error over variance of what was left out."""
        self._errors.clear()
        self._expected = min(max(expected, 1e-6), 4.0)

    def add(self, error: float, variance: float) -> None:
        """Add the error of what was foretold, and the variance that was foretold for it."""
        ratio = error * error / max(variance, 1e-300)
        self._errors.append(min(ratio, LARGEST * self._expected))
        self._all.append(min(ratio, LARGEST))

    @property
    def inflation(self) -> float:
        """How many times as large as foretold squared errors were of late, whatever was fitted; at least 1."""
        return max(1.0, (CALM + float(np.sum(self._all))) / (CALM + len(self._all)))

    @property
    def found(self) -> bool:
        """Whether the errors are not what they were."""
        from scipy.special import chdtr, chdtrc

        n = len(self._errors)
        if n < LEAST[0]:
            return False
        total = float(np.sum(self._errors)) / self._expected
        if float(chdtrc(n, total)) < 1.0 - self._certainty:
            return True
        return bool(n >= LEAST[1] and float(chdtr(n, total)) < 1.0 - self._certainty)
