"""`designgym bench ode`: ratios of made-up integrators whose worth is known, and a small study from end to end."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from chromium import Chromium
from report_pages import show

from designgym.cost_models import testing
from designgym.cost_models.solver_schedule.ode_tolerance import OdeTolerance
from designgym.cost_models.testing import check_cost_model
from designgym.envs.solver_schedule.ode_tolerance import SPACE
from designgym.experiments.bench import ode
from designgym.experiments.bench.ode_page import sentence, write_study
from designgym.experiments.bench.ode_study import (
    LINE,
    TOLERANCES,
    TRAINING,
    UNSEEN,
    Group,
    Judged,
    Several,
    Study,
    chosen,
    scipy_designs,
    work_at,
)

SMALL = Several(TRAINING[:2], (1, 2, 3))


def made_up(worth: float = 0.8) -> Group:
    """Return a group in which RK45's work is error^-1/5 at a draw of each state, and another's `worth` of it."""
    rng = np.random.default_rng(0)
    draws = rng.normal(0.0, 0.3, (2, 12, 1))

    def judged(name: str, designs, factor: float, shift: float) -> Judged:
        error = np.log(designs["rtol"]) + shift + draws
        noise = rng.normal(0.0, 0.02, error.shape) if factor != 1.0 else 0.0
        return Judged(name, designs, error, np.log(factor) + 5.0 - error / 5.0 + noise)

    line = judged("scipy's RK45", scipy_designs(LINE), 1.0, 0.0)
    arms = (
        judged("searched", scipy_designs(TOLERANCES), worth, 0.3),
        judged("same", scipy_designs(TOLERANCES), 1.0, 0.0),
    )
    return Group("unseen equations", UNSEEN[:2], tuple(range(12)), line, arms)


def test_ratios_at_equal_error_are_what_the_integrators_are_worth() -> None:
    group = made_up()
    for tolerance in range(len(TOLERANCES)):
        found = group.interval(group.arms[0], tolerance)
        assert found.middle == pytest.approx(0.8, abs=0.02)  # noise of 2 % over 24 integrations
        assert found.low < found.middle < found.high < found.low + 0.05
        assert group.interval(group.arms[1], tolerance).middle == pytest.approx(1.0, abs=1e-9)
        of_one = group.interval(group.arms[0], tolerance, 1)
        assert of_one.middle == pytest.approx(0.8, abs=0.03)


def test_a_design_that_gives_up_has_no_ratio_and_is_counted() -> None:
    group = made_up()
    group.arms[0].error[0, 3, 2] = np.nan
    assert np.isnan(group.interval(group.arms[0], 2).middle)
    assert np.isnan(group.interval(group.arms[0], 2, 0).middle)
    assert group.interval(group.arms[0], 2, 1).middle == pytest.approx(0.8, abs=0.03)
    assert [group.gave_up(group.arms[0], 2, equation) for equation in (None, 0, 1)] == [(1, 24), (1, 12), (0, 12)]
    assert "more gave up on some initial state" in sentence(group)
    assert "more gave up" not in sentence(made_up())


def test_beyond_the_line_there_is_no_ratio() -> None:
    error, work = np.log([1e-1, 1e-2, 3e-2, 1e-4]), np.log([10.0, 20.0, 30.0, 40.0])
    at = work_at(error, work, np.log([1.0, 0.1, 1e-3, 1e-4, 1e-5]))
    assert np.isnan(at[[0, 4]]).all()
    assert np.exp(at[1]) == pytest.approx(10.0)
    assert np.exp(at[3]) == pytest.approx(40.0)
    # The third, which errs more than the second for more work, is taken at the second's error.
    assert 30.0 < np.exp(at[2]) < 40.0
    with_a_gap = work_at(np.array([np.nan, *error]), np.array([np.nan, *work]), np.log([1e-3]))
    assert with_a_gap[0] == at[2]


def test_several_integrations_keep_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "PARALLEL_FROM", 100)  # integrations run on all threads from 128 designs
    check_cost_model(Several(TRAINING[:1], (1, 2), 500), SPACE.sample(100, np.random.default_rng(0)))


def test_several_are_geometric_means() -> None:
    design = scipy_designs((1e-4,))
    found = SMALL.evaluate(design)
    own = [OdeTolerance(name, mu, start).evaluate(design) for name, mu in SMALL.equations for start in SMALL.starts]
    assert found["error"][0] == pytest.approx(np.exp(np.mean([np.log(one["error"][0]) for one in own])), rel=1e-12)
    assert found["work"][0] == pytest.approx(np.exp(np.mean([np.log(one["work"][0]) for one in own])), rel=1e-12)
    assert Several(TRAINING[:2], (1,), 100).evaluate(design)["violation"][0] > 0


def test_the_least_work_that_comes_to_an_error_is_chosen() -> None:
    better = scipy_designs(np.geomspace(1e-2, 1e-9, 40), "tsit54")
    designs, ratios = chosen(better, SMALL)
    scipys = SMALL.evaluate(scipy_designs(TOLERANCES))
    found, offered = SMALL.evaluate(designs), SMALL.evaluate(better)
    assert (found["error"] <= scipys["error"]).all()
    for error, work in zip(scipys["error"], found["work"], strict=True):
        assert work == offered["work"][offered["error"] <= error].min()
    assert ratios == pytest.approx(found["work"] / scipys["work"])
    with pytest.raises(ValueError, match=r"no searched design has an error of .*, the least is .*\. Raise budget\."):
        chosen(scipy_designs((1e-4,)), SMALL)


def test_tests_see_no_state_that_a_search_or_the_choice_saw() -> None:
    first = ode.FIRST_SEARCHED, ode.FIRST_CHOSEN, ode.FIRST_TEST
    for settings in (ode.DEFAULT, ode.QUICK):
        assert first[0] + settings["training_starts"] <= first[1]
        assert first[1] + 2 * settings["training_starts"] <= first[2]
    assert not set(UNSEEN) & set(TRAINING)


def test_a_small_study_from_end_to_end(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(ode, "SPEED_DESIGNS", 200)
    monkeypatch.setattr(ode, "QUICK", {"searches": 1, "budget": 400, "starts": 2, "training_starts": 2})
    ode.run(["bayesian"], None, None, None, tmp_path / "out", True, True, True)
    told = json.loads(capsys.readouterr().out)
    rows = pq.read_table(tmp_path / "out" / "figures.parquet").to_pylist()
    assert rows == told["rows"]
    ratios = [row for row in rows if row["figure"] == "work_at_equal_error"]
    assert len(ratios) == 2 * 3 * len(TOLERANCES) * 4
    # scipy's RK23 takes many times RK45's evaluations at rtol 1e-8.
    (slow,) = (r for r in ratios if (r["arm"], r["group"], r["equation"]) == ("scipy's RK23", "unseen equations", "all")
               and r["rtol"] == TOLERANCES[-1])  # fmt: skip
    assert slow["low"] > 3
    speeds = {row["figure"]: row["middle"] for row in rows if row["figure"].endswith("ratio")}
    assert len(speeds) == 3
    assert min(speeds.values()) > 1
    assert "Integrators searched" in (tmp_path / "out" / "ode.html").read_text()


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"starts must be at least 1, got 0\. Raise it\."):
        ode.run([], None, None, 0, None, True, True, True)


def test_the_page_draws_at_every_width(tmp_path: Path, chromium: Chromium) -> None:
    settings = {"search saw": "<nothing>", "judged on": "12 states"}
    speeds = (("ours", 1e4, "integrations/s", 100.0, "solve_ivp"),)
    study = Study(scipy_designs(TOLERANCES), np.full(6, 0.8), (made_up(), made_up(1.2)), settings, speeds, 1.0)
    page = tmp_path / "ode.html"
    write_study(study, page, "designgym bench ode")
    assert "&lt;nothing&gt;" in page.read_text()
    for width in (1280, 390):
        show(chromium, page, width=width)
        assert chromium.evaluate("document.documentElement.dataset.report") == "drawn"
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert chromium.errors == []
