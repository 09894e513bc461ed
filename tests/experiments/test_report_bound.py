"""What a bound costs, in the report: designs by objective and bounded metric, agents' fronts, the true front."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from report_pages import drawn, figures, words
from small_sweep import PROBLEM, log_sweep

from designgym.cost_models import Metric
from designgym.envs import make_problem
from designgym.envs.optimum import known_fronts, known_optimum
from designgym.envs.pareto import nondominated
from designgym.experiments import load_trials
from designgym.experiments.counterparts import counterpart
from designgym.experiments.report import gather, write_report

MIXED = "MixedPrecision-v0"
GIVEN: dict[str, Any] = {"name": "bounded", "agents": ["random", "genetic"], "seeds": 2, "budget": 60}


def swept(path: Path, problem: str = MIXED, **options: Any) -> Path:
    return log_sweep(path, GIVEN | {"problems": [{"id": problem, "options": options}]})


def bounded(path: Path, **objective: Any) -> Path:
    return swept(path, PROBLEM, objective={"minimize": ["latency_s"]} | objective)


def bound_figure(page: Path, text: str) -> dict[str, Any]:
    """Return the figure that draws a bound."""

    def labels(figure: dict[str, Any]) -> list[str]:
        return [shape.get("label", {}).get("text", "") for shape in figure["layout"].get("shapes", ())]

    (found,) = (one for one in figures(page).values() if text in labels(one))
    return found


def lines(figure: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Return the traces that the legend names, as points."""
    shown = [trace for trace in figure["data"] if trace.get("showlegend", True)]
    return {trace["name"]: list(zip(trace["x"], trace["y"], strict=True)) for trace in shown}


# -- accuracy against cost --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("bound") / "mixed")


def test_accuracy_is_drawn_against_cost_with_the_true_front(mixed: Path) -> None:
    figure = bound_figure(write_report(mixed), "accuracy_drop &lt;= 0.01")
    found = lines(figure)
    assert list(found) == ["random", "genetic", "true front", "true optimum"]
    front = known_optimum(MIXED, {"front": True}, make_problem(MIXED, front=True))
    assert front is not None
    stored = sorted((m["bit_operations_ratio"], m["accuracy"]) for m in front.all_metrics)
    assert np.array(found["true front"]) == pytest.approx(np.array(stored), rel=1e-5)
    optimum = known_optimum(MIXED, {}, make_problem(MIXED))
    assert optimum is not None
    star = [(optimum.metrics["bit_operations_ratio"], optimum.metrics["accuracy"])]
    assert np.array(found["true optimum"]) == pytest.approx(np.array(star), rel=1e-5)
    # The bound holds accuracy_drop; on the axis of accuracy it lies that much below the float network's.
    (shape,) = figure["layout"]["shapes"]
    total = front.metrics["accuracy"] + front.metrics["accuracy_drop"]
    assert shape["y0"] == shape["y1"] == pytest.approx(total - 0.01, abs=1e-6)
    text = words(write_report(mixed))
    assert "\naccuracy against bit_operations_ratio\n" in text
    assert "The line without points is the true front, known from pricing the whole space." in text


def test_agents_lines_are_what_nothing_of_theirs_dominates(mixed: Path) -> None:
    found = lines(bound_figure(write_report(mixed), "accuracy_drop &lt;= 0.01"))
    rows = load_trials(mixed).to_pylist()
    for agent in GIVEN["agents"]:
        mine = [row for row in rows if row["agent"] == agent and row["fresh"]]
        losses = np.array([(row["metric.bit_operations_ratio"], -row["metric.accuracy"]) for row in mine])
        expected = np.unique(losses[nondominated(losses)], axis=0) * [1, -1]
        assert np.array(found[agent]) == pytest.approx(expected, rel=1e-5)


def test_a_front_that_a_design_beats_is_not_called_true(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = known_fronts(MIXED, make_problem(MIXED))[0]
    worse = [m | {"bit_operations_ratio": m["bit_operations_ratio"] + 0.3} for m in whole.all_metrics]
    monkeypatch.setattr(gather, "known_fronts", lambda *given: (replace(whole, all_metrics=tuple(worse)),))
    page = write_report(mixed)
    assert "true front" not in lines(bound_figure(page, "accuracy_drop &lt;= 0.01"))
    assert "true front" not in words(page)


def test_few_of_very_many_designs_are_drawn_and_all_that_nothing_dominates(tmp_path: Path) -> None:
    given = GIVEN | {"agents": ["random"], "seeds": 1, "budget": 1500, "problems": [MIXED]}
    directory = log_sweep(tmp_path / "many", given)
    figure = bound_figure(write_report(directory), "accuracy_drop &lt;= 0.01")
    cloud, line = (trace["x"] for trace in figure["data"][:2])
    assert len(cloud) == 300
    assert len(line) > 3
    assert "Of other designs 300 an agent are drawn" in words(directory / "report.html")


@pytest.mark.parametrize(
    "window",
    [pytest.param({"width": 1280}, marks=pytest.mark.slow), {"width": 390, "height": 844, "dark": True}],
    ids=str,
)
def test_it_is_drawn_wide_narrow_and_dark(mixed: Path, chromium: Chromium, window: dict[str, Any]) -> None:
    page = write_report(mixed)
    drawn(chromium, page, **window)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= window["width"]


# -- any bounds -------------------------------------------------------------------------------------------------------


def test_designs_that_cannot_be_built_are_left_out_and_those_beyond_the_bound_are_not(tmp_path: Path) -> None:
    text = "energy_j <= 0.004"
    directory = bounded(tmp_path / "tiling", subject_to=[text])
    figure = bound_figure(write_report(directory), "energy_j &lt;= 0.004")
    problem = make_problem(PROBLEM)
    rows = [row for row in load_trials(directory).to_pylist() if row["agent"] == "random" and row["fresh"]]
    designs = [{k.removeprefix("design."): v for k, v in row.items() if k.startswith("design.")} for row in rows]
    built = [problem.evaluate(problem.space.parse(design)).violation[0] == 0 for design in designs]
    beyond = [row["metric.energy_j"] > 0.004 for row in rows]
    assert {(b, o) for b, o in zip(built, beyond, strict=True)} >= {(True, True), (True, False), (False, False)}
    cloud = sorted(figure["data"][0]["x"])
    scale = {"ms": 1e-3, "s": 1.0, "µs": 1e-6}[figure["layout"]["xaxis"]["title"]["text"].split("(")[1].split(")")[0]]
    expected = sorted(row["metric.latency_s"] / scale for row, is_built in zip(rows, built, strict=True) if is_built)
    assert cloud == pytest.approx(expected, rel=1e-5)


def test_a_lower_limit_counts_upwards(tmp_path: Path) -> None:
    directory = bounded(tmp_path / "least", minimize=["energy_j"], subject_to=["throughput >= 100"])
    found = lines(bound_figure(write_report(directory), "throughput &gt;= 100"))
    rows = [row for row in load_trials(directory).to_pylist() if row["fresh"]]
    problem = make_problem(PROBLEM)
    for agent in GIVEN["agents"]:
        mine = [row for row in rows if row["agent"] == agent]
        designs = [{k.removeprefix("design."): v for k, v in row.items() if k.startswith("design.")} for row in mine]
        built = [problem.evaluate(problem.space.parse(design)).feasible[0] for design in designs]
        losses = np.array([(row["metric.energy_j"], -row["metric.throughput"]) for row in mine])[np.array(built)]
        expected = np.unique(losses[nondominated(losses)], axis=0)
        assert [y for _, y in found[agent]] == pytest.approx((-expected[:, 1]).tolist(), rel=1e-5)


def test_what_is_no_bound_of_a_metric_has_no_figure(tmp_path: Path) -> None:
    loose = ["energy_j * throughput <= 1e9", "latency_s <= 100"]
    page = write_report(bounded(tmp_path / "other", subject_to=loose))
    assert "What the bound costs" not in words(page)


def test_where_no_design_keeps_the_bound_the_figure_says_how_far_it_is(tmp_path: Path) -> None:
    page = write_report(bounded(tmp_path / "none", subject_to=["energy_j <= 1e-9"]))
    assert "is feasible: loosen the objective" in words(page)
    assert set(lines(bound_figure(page, "energy_j &lt;= 1e-9"))) == set(GIVEN["agents"])


# -- metrics that tell the same from two sides ------------------------------------------------------------------------

METRICS = (
    Metric("drop", "1", "lower", "lost"), Metric("gain", "1", "lower", "no counterpart: better lower too"),
    Metric("kept", "1", "higher", "left"),
)  # fmt: skip


def test_a_counterpart_has_one_sum_with_it() -> None:
    drop = np.array([0.1, 0.3, 0.2, np.nan])
    assert counterpart("drop", {"drop": drop, "gain": 1 - drop, "kept": 0.9 - drop}, METRICS) == ("kept", 0.9)
    assert counterpart("drop", {"drop": drop, "gain": 1 - drop}, METRICS) is None
    assert counterpart("drop", {"drop": drop, "kept": 0.9 - drop + [0, 1e-6, 0, 0]}, METRICS) is None
    assert counterpart("drop", {"drop": np.full(4, 0.1), "kept": np.full(4, 0.8)}, METRICS) is None
    assert counterpart("drop", {"drop": drop, "kept": 0.9 - drop}, (METRICS[0], replace(METRICS[2], unit="J"))) is None
