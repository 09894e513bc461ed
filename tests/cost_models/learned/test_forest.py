"""The forest ranks designs that it has not seen as they rank, and twice alike."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from designgym.cost_models.learned.forest import RankForest
from designgym.envs import make_problem


def test_unseen_designs_of_a_real_problem_are_ranked_as_they_rank() -> None:
    problem = make_problem("SystolicGemms-v0")
    rng = np.random.default_rng(0)
    seen, unseen = problem.space.sample(400, rng), problem.space.sample(300, rng)
    forest = RankForest(problem.space.specs())
    forest.fit(seen, np.argsort(np.argsort(problem.evaluate(seen).losses[:, 0])), seed=1)
    predicted = forest.predict(unseen)
    assert spearmanr(predicted, problem.evaluate(unseen).losses[:, 0]).statistic > 0.8
    again = RankForest(problem.space.specs())
    again.fit(seen, np.argsort(np.argsort(problem.evaluate(seen).losses[:, 0])), seed=1)
    assert again.predict(unseen).tolist() == predicted.tolist()


def test_what_has_learned_nothing_says_so() -> None:
    space = make_problem("SystolicGemms-v0").space
    with pytest.raises(ValueError, match="Call fit first"):
        RankForest(space.specs()).predict(space.sample(2, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="at least 2 designs are needed"):
        RankForest(space.specs()).fit(space.sample(1, np.random.default_rng(0)), np.zeros(1, np.int64), 0)
