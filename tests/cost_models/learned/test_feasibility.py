"""Which designs can be built is learned as a probability; where all are alike there is nothing to learn."""

import json

import numpy as np
import pytest

from designgym.cost_models.base import Columns
from designgym.cost_models.learned.feasibility import CLASSIFIERS, FittedFeasibility, fit_feasibility
from designgym.envs import Categorical, DesignSpace, Integer

SPACE = DesignSpace(Integer("rows", 1, 64), Integer("cols", 1, 64), Categorical("flow", ("a", "b", "c")))


def drawn(n: int, seed: int) -> Columns:
    return SPACE.sample(n, np.random.default_rng(seed))


def fits(designs: Columns) -> np.ndarray:
    return np.asarray(designs["rows"] + designs["cols"] < 80 - 20 * (designs["flow"] == 1))


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_every_classifier_tells_most_designs_apart_and_comes_back_from_its_state(model: str) -> None:
    train, others = drawn(300, 0), drawn(500, 1)
    fitted = fit_feasibility(SPACE.specs(), train, fits(train), model=model, seed=2)
    chance = fitted.predict(others)
    assert chance.min() >= 0.0
    assert chance.max() <= 1.0
    assert np.mean((chance > 0.5) == fits(others)) > 0.9
    again = FittedFeasibility.from_state(json.loads(json.dumps(fitted.state())), fitted.estimators)
    assert (again.predict(others) == chance).all()
    assert set(fitted.losses) == (set(CLASSIFIERS[:-1]) if model == "ensemble" else set())


@pytest.mark.parametrize("kind", [False, True])
def test_where_all_are_alike_the_probability_is_that_everywhere(kind: bool) -> None:
    fitted = fit_feasibility(SPACE.specs(), drawn(20, 0), np.full(20, kind))
    assert (fitted.model, fitted.estimators) == ("constant", {})
    assert (fitted.predict(drawn(5, 1)) == float(kind)).all()
    assert (FittedFeasibility.from_state(fitted.state(), {}).predict(drawn(5, 1)) == float(kind)).all()


def test_one_design_of_its_kind_is_learned_from_without_a_fold_of_it() -> None:
    train = drawn(40, 0)
    alone = np.arange(40) == 7
    fitted = fit_feasibility(SPACE.specs(), train, alone)
    assert fitted.predict(train).mean() < 0.2


def test_a_feature_that_tells_is_used() -> None:
    train, others = drawn(200, 0), drawn(200, 1)
    secret = np.random.default_rng(5).random(400)
    fitted = fit_feasibility(
        SPACE.specs(), train, secret[:200] > 0.4, features={"secret": secret[:200]}, model="extra_trees"
    )
    right = (fitted.predict(others, {"secret": secret[200:]}) > 0.5) == (secret[200:] > 0.4)
    assert right.mean() > 0.95


def test_wrong_arguments_are_refused_in_one_line() -> None:
    train = drawn(20, 0)
    with pytest.raises(ValueError, match=r"unknown classifier 'bosting'\. Did you mean 'boosting'"):
        fit_feasibility(SPACE.specs(), train, fits(train), model="bosting")
    with pytest.raises(ValueError, match="one value a design"):
        fit_feasibility(SPACE.specs(), train, fits(train)[:9])
    fitted = fit_feasibility(SPACE.specs(), train, np.arange(20) < 9)
    with pytest.raises(ValueError, match="must have its estimator"):
        FittedFeasibility.from_state(fitted.state(), {})
