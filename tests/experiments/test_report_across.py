"""Problems of a sweep that differ in one number alone, in the report: error against work, say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from noisy_problems import NOISY, register
from report_pages import drawn, figures, words
from small_sweep import log_sweep

from designgym.experiments import load_sweep, load_trials
from designgym.experiments import statistics as stats
from designgym.experiments.report import write_report
from designgym.experiments.report.across import lines_of
from designgym.experiments.report.gather import study


def swept(path: Path, *options: dict[str, Any], agents: tuple[str, ...] = ("random", "genetic")) -> Path:
    register()
    problems = [{"id": NOISY, "options": one} for one in options]
    return log_sweep(path, {"name": "across", "problems": problems, "agents": list(agents), "seeds": 3, "budget": 40})


def across(page: Path, title: str) -> list[dict[str, Any]]:
    return [one for one in figures(page).values() if one["layout"]["xaxis"].get("title", {}).get("text") == title]


def test_what_runs_find_is_drawn_against_the_number(tmp_path: Path, chromium: Chromium) -> None:
    directory = swept(tmp_path / "bounds", {"bound": 70}, {"bound": 40}, {"bound": 55})
    page = write_report(directory)
    assert "latency_s against bound, VerifyNoisy-v0" in words(page)
    (figure,) = across(page, "bound")
    traces = {trace["name"]: trace for trace in figure["data"]}
    assert list(traces) == ["random", "genetic"]
    table, logged = load_trials(directory).to_pylist(), load_sweep(directory)
    for agent, trace in traces.items():
        assert trace["x"] == [40, 55, 70]
        for bound, middle in zip(trace["x"], trace["y"], strict=True):
            label = next(name for name, one in logged.problems.items() if one.options["bound"] == bound)
            rows = [row for row in table if (row["problem"], row["agent"]) == (label, agent) and row["feasible"]]
            finals = [min(row["loss.latency_s"] for row in rows if row["seed"] == seed) for seed in range(3)]
            assert middle == pytest.approx(1e3 * float(stats.interquartile_mean(np.array(finals))), rel=1e-4)
        assert min(trace["error_y"]["array"]) >= 0
        assert min(trace["error_y"]["arrayminus"]) >= 0
    drawn(chromium, page, width=390, height=844)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_agent_alone_is_drawn_too(tmp_path: Path) -> None:
    page = write_report(swept(tmp_path / "alone", {"bound": 40}, {"bound": 400}, agents=("random",)))
    assert len(across(page, "bound (log scale)")) == 1
    assert "All problems together" in words(page)


def test_problems_that_differ_otherwise_stand_alone(tmp_path: Path) -> None:
    given = [{"bound": 50}, {"bound": 60, "size": 40}, {"noise_seed": 3}, {"left_out": True}]
    _, problems = study(swept(tmp_path / "others", *given))
    # A seed's number says nothing of more or less, and a flag is no number.
    assert [(line.option, line.numbers) for line in lines_of(problems)] == []
    _, problems = study(swept(tmp_path / "pairs", {"bound": 50}, {}, {"size": 40}, {"size": 30}))
    assert [(line.option, line.numbers) for line in lines_of(problems)] == [("size", (30, 40, 50)), ("bound", (50, 60))]


def test_several_objectives_have_no_such_figure(tmp_path: Path) -> None:
    two = {"objective": {"minimize": ["latency_s", "energy_j"]}}
    _, problems = study(swept(tmp_path / "two", {"bound": 50} | two, {"bound": 60} | two))
    assert lines_of(problems) == []
