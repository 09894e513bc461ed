"""Scores are scikit-learn's, for one network and for many at once."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from designgym.cost_models.quantization.scores import accuracy, negative_log_likelihood, r2

RNG = np.random.default_rng(0)


def test_scores_are_those_of_scikit_learn() -> None:
    outputs, labels = RNG.normal(size=(5, 200, 4)).astype(np.float32), RNG.integers(0, 4, 200)
    hits, nll = accuracy(outputs, labels), negative_log_likelihood(outputs, labels)
    assert hits.shape == nll.shape == (5,)
    for i in range(5):
        powers = np.exp(outputs[i].astype(np.float64))
        assert hits[i] == accuracy_score(labels, outputs[i].argmax(axis=1))
        assert nll[i] == pytest.approx(log_loss(labels, powers / powers.sum(axis=1, keepdims=True)), rel=1e-12)
    predictions, targets = RNG.normal(size=(3, 50, 1)), RNG.normal(size=50)
    assert r2(predictions, targets) == pytest.approx([r2_score(targets, p[:, 0]) for p in predictions], rel=1e-12)


def test_outputs_that_are_nan_are_wrong_and_large_ones_do_not_overflow() -> None:
    outputs = np.array([[np.nan, np.nan], [np.nan, 1.0], [3.0, 1.0]])
    assert accuracy(outputs, np.array([0, 0, 0])) == 1 / 3
    assert negative_log_likelihood(np.array([[1e4, 0.0], [0.0, 1e4]]), np.array([0, 0])) == pytest.approx(5000.0)
    assert accuracy(np.zeros((4, 3)), np.array([0, 0, 1, 2])) == 0.5, "the first of equal outputs counts"
