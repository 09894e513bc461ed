"""Two fidelities: what is chosen on faithful designs alone, how biased cheap ones are discounted, what is refused."""

import numpy as np
import pytest

from designgym.cost_models.base import Columns, ColumnSpec, Metric
from designgym.cost_models.learned.two_fidelity import (
    Cheap,
    bias_weights,
    choose,
    fit_one,
    predict_one,
    thinned,
)

SPECS = tuple(ColumnSpec(name, "float", 0.0, 1.0) for name in ("a", "b", "c"))
FAST = {"models": ("gaussian_process", "ridge")}


class Wavy:
    """Cheap: right up to a factor that is smooth in one parameter."""

    metrics = (Metric("time_s", "s", "lower", "time"), Metric("words", "word", "lower", "traffic"))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        words = np.exp(3.0 * np.sin(9.0 * designs["a"]) * np.cos(7.0 * designs["b"]) + designs["c"])
        return {"time_s": np.where(designs["a"] > 2.0, np.nan, 2.0 * words), "words": words, "violation": 0.0 * words}

    def features(self, designs: Columns) -> Columns:
        return {"twice a": 2.0 * designs["a"]}


def designs(n: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    return {spec.name: rng.random(n) for spec in SPECS}


def faithful(x: Columns) -> np.ndarray:
    return np.asarray(Wavy().evaluate(x)["time_s"] * np.exp(1.0 + 0.5 * x["c"]))


def rms(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.log(predicted / truth) ** 2)))


def test_a_cheap_model_is_seen_by_its_metrics_and_its_features() -> None:
    x, cheap = designs(3, 0), Cheap(Wavy())
    assert list(cheap.features(x)) == ["cheap time_s", "cheap words", "twice a"]
    assert (cheap.bounds(x)["time_s"] == Wavy().evaluate(x)["time_s"]).all()
    x["a"][1] = 3.0  # no number there
    assert cheap.bounds(x)["time_s"][1] == cheap.features(x)["cheap time_s"][1] == 1.0


def test_few_faithful_designs_and_a_cheap_model_beat_either_by_half() -> None:
    x, further, cheap = designs(60, 1), designs(400, 2), Cheap(Wavy())
    y, truth = faithful(x), faithful(further)
    columns, ratio_to = cheap.features(x), cheap.bounds(x)["time_s"]
    found = choose(SPECS, x, y, columns, ratio_to, **FAST)  # type: ignore[arg-type]
    assert found.form == "ratio"
    assert found.errors["ratio", found.model] == min(found.errors.values())
    assert set(found.errors) == {(f, m) for f in ("alone", "beside", "ratio") for m in FAST["models"]}

    def error(form: str, model: str) -> float:
        fitted = fit_one(SPECS, x, y, columns, ratio_to, form, model)
        there = cheap.features(further), cheap.bounds(further)["time_s"]
        return rms(predict_one(fitted, further, *there, form), truth)

    two = error(found.form, found.model)
    assert two < 0.5 * min(error("alone", model) for model in FAST["models"])
    assert two < 0.5 * rms(cheap.bounds(further)["time_s"], truth)


def test_a_cheap_model_that_says_nothing_is_left_alone() -> None:
    x = designs(60, 3)
    y = np.exp(x["a"] + 2.0 * x["b"])
    noise = np.exp(np.random.default_rng(4).normal(0.0, 2.0, 60))
    found = choose(SPECS, x, y, {"cheap": noise}, noise, **FAST)  # type: ignore[arg-type]
    assert found.form == "alone"
    assert found.uses == ()


def test_a_choice_sees_the_given_designs_alone_and_is_the_same_again() -> None:
    x = designs(40, 5)
    y, cheap = faithful(x), Cheap(Wavy())
    first, again = (
        choose(SPECS, x, y, cheap.features(x), cheap.bounds(x)["time_s"], models=("ridge",)) for _ in range(2)
    )
    assert first == again


def test_weights_are_exponential_in_the_bias_less_what_all_share() -> None:
    teacher = np.array([1.0, 1.0, 1.0, 1.0, 1.0])
    cheap = 5.0 * np.exp([0.0, 0.0, 0.0, 1.0, -2.0])
    assert bias_weights(teacher, cheap, gamma=2.0) == pytest.approx(np.exp([0.0, 0.0, 0.0, -0.5, -1.0]))
    assert (bias_weights(teacher, 5.0 * teacher) == 1.0).all()  # right up to a factor
    spread = bias_weights(teacher, np.exp([0.0, 1.0, -1.0, 3.0, -3.0]))
    assert spread == pytest.approx(np.exp([0.0, -1.0, -1.0, -3.0, -3.0]))  # gamma is the median distance, 1


def test_thinning_keeps_rows_as_often_as_they_weigh() -> None:
    weights = np.repeat([1.0, 0.25], 4000)
    rows = thinned(weights, 0)
    assert (rows < 4000).sum() == 4000
    assert (rows >= 4000).sum() == pytest.approx(1000, abs=100)
    assert (thinned(weights, 0) == rows).all()


def test_what_cannot_be_learned_from_is_refused_in_one_line() -> None:
    x, cheap = designs(12, 6), Cheap(Wavy())
    y, columns, ratio_to = faithful(x), cheap.features(x), cheap.bounds(x)["time_s"]
    nine = [{name: c[:9] for name, c in each.items()} for each in (x, columns)]
    with pytest.raises(ValueError, match=r"^at least 10 faithful designs .*, got 9\. Price more\.$"):
        choose(SPECS, nine[0], y[:9], nine[1], ratio_to[:9])
    with pytest.raises(ValueError, match=r"^faithful values must be finite and above 0, got -1\.0"):
        choose(SPECS, x, np.where(np.arange(12) == 3, -1.0, y), columns, ratio_to)
    with pytest.raises(ValueError, match=r"^cheap values must be finite and above 0, got nan"):
        choose(SPECS, x, y, columns, np.where(np.arange(12) == 3, np.nan, ratio_to))
    with pytest.raises(ValueError, match=r"^gamma must be at least 0 and finite, got -1\.0"):
        bias_weights(y, ratio_to, -1.0)
