"""How good a network's outputs are: accuracy, negative log-likelihood, coefficient of determination.

Sources: the definitions of scikit-learn's `accuracy_score`, `log_loss` (of softmax(outputs)) and `r2_score`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def accuracy(outputs: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of examples whose largest output is their label's, (...): of equals the first counts.

    outputs: (..., n, classes), with any number of leading axes, one result each; labels: (n,). An example with NaN
    among its outputs is wrong.
    """
    right = (outputs.argmax(axis=-1) == labels) & ~np.isnan(outputs.max(axis=-1))
    return np.asarray(right.mean(axis=-1, dtype=np.float64))


def negative_log_likelihood(outputs: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of -ln softmax(outputs)[label], in nats, (...). outputs: (..., n, classes); labels: (n,)."""
    logits = outputs.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    own = logits[..., np.arange(len(labels)), labels]
    return np.asarray((np.log(np.exp(logits).sum(axis=-1)) - own).mean(axis=-1))


def each_classified(outputs: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return accuracy and nll of several networks, (k, 2). outputs: (k, n, classes); labels: (n,)."""
    return np.stack([accuracy(outputs, labels), negative_log_likelihood(outputs, labels)], axis=1)


def r2(outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 - (sum of squared errors) / (sum of squares about the targets' mean), (...).

    outputs: (..., n, 1); targets: (n,), not all equal.
    """
    truth = targets.astype(np.float64)
    errors = outputs[..., 0].astype(np.float64) - truth
    return np.asarray(1.0 - (errors**2).sum(axis=-1) / np.sum((truth - truth.mean()) ** 2))


def scores(task: str, outputs: NDArray[Any], targets: NDArray[Any]) -> dict[str, float]:
    """Return the scores of one network: `accuracy` and `nll` of a classification, `r2` of a regression."""
    if task == "regression":
        return {"r2": float(r2(outputs, targets))}
    return {"accuracy": float(accuracy(outputs, targets)), "nll": float(negative_log_likelihood(outputs, targets))}
