"""Strips of layers in the report: of each agent's best design and the true optimum, or of designs along the front."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from report_pages import drawn, figures, words
from small_sweep import log_sweep

from designgym.cost_models.pictures import Axis, Cells, Picture
from designgym.envs import make_problem
from designgym.envs.optimum import known_optimum
from designgym.experiments import load_trials
from designgym.experiments.report import write_report
from designgym.experiments.report.picture_cells import cells_figure

MIXED = "MixedPrecision-v0"
GIVEN: dict[str, Any] = {"name": "mixed", "agents": ["random", "genetic"], "seeds": 1, "budget": 40}


def swept(path: Path, **options: Any) -> Path:
    return log_sweep(path, GIVEN | {"problems": [{"id": MIXED, "options": options}]})


def strips(page: Path) -> tuple[dict[str, list[list[str]]], dict[str, Any]]:
    (figure,) = (one for one in figures(page).values() if one["data"][0]["type"] == "heatmap")
    return {trace["name"]: trace["text"] for trace in figure["data"]}, figure


def test_the_strip_shows_the_best_designs_and_the_true_optimum(tmp_path: Path) -> None:
    directory = swept(tmp_path / "mixed")
    found, _ = strips(write_report(directory))
    assert list(found) == ["random", "genetic", "true optimum"]
    rows = [row for row in load_trials(directory).to_pylist() if row["feasible"] and row["agent"] == "genetic"]
    best = min(rows, key=lambda row: (row["loss.bit_operations_ratio"], row["index"]))
    for place, what in enumerate(("weight", "activation")):
        shown = [str(best[f"design.layer{layer}_{what}_bits"]) for layer in (1, 2, 3)]
        assert found["genetic"][place] == shown
    optimum = known_optimum(MIXED, {}, make_problem(MIXED))
    assert optimum is not None
    assert found["true optimum"][0] == [str(optimum.design[f"layer{layer}_weight_bits"]) for layer in (1, 2, 3)]


def test_with_several_objectives_designs_along_the_front_are_shown(tmp_path: Path) -> None:
    directory = swept(tmp_path / "front", front=True)
    page = write_report(directory)
    assert "Of designs along the front that was found." in words(page)
    found, _ = strips(page)
    assert 2 <= len(found) <= 6
    assert all(name.startswith("bit_operations_ratio ") and ", accuracy 0." in name for name in found)
    ratios = [float(name.split()[1].rstrip(",")) for name in found]
    assert ratios == sorted(ratios)


@pytest.mark.parametrize(
    "window",
    [pytest.param({"width": 1280}, marks=pytest.mark.slow), {"width": 390, "height": 844, "dark": True}],
    ids=str,
)
def test_strips_are_drawn_wide_narrow_and_dark(tmp_path: Path, chromium: Chromium, window: dict[str, Any]) -> None:
    page = write_report(swept(tmp_path / "mixed"))
    drawn(chromium, page, **window)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= window["width"]
    # Every cell's text is written: 3 designs x 3 layers x weights and activations.
    assert chromium.evaluate("document.querySelectorAll('.heatmap-label').length") == 18


def table(columns: int, text: str) -> dict[str, Any]:
    name = "block" if columns < 10 else "block.attention.query"
    names = tuple(f"{name}{i}\n1\u00a0% of MACs" for i in range(columns))
    cells = Cells("one", np.zeros((1, columns)), ((text,) * columns,), ("weights",))
    return cells_figure(Picture("t", "m", (cells,), Axis(names=names), panels=("one",)), {})


def test_many_layers_have_upright_heads_and_no_text_that_is_too_small() -> None:
    few, many = table(4, "E4M3"), table(60, "E4M3")
    assert few["data"][0]["texttemplate"] == "%{text}"
    assert few["layout"]["xaxis"]["tickangle"] == 0
    assert "texttemplate" not in many["data"][0]
    assert many["layout"]["xaxis"]["tickangle"] == -90
    assert many["data"][0]["hovertext"][0][0] == "block.attention.query0, weights: <b>E4M3</b>"
    assert "texttemplate" in table(60, "4")["data"][0]


def test_a_long_text_is_cut_where_a_cell_is_narrow_and_whole_where_it_is_wide() -> None:
    found = table(4, "nearest + bias")
    assert found["data"][0]["text"][0][0] == "nearest + bias"
    narrow = found["narrowData"][0]["text"][0][0]
    assert narrow.endswith("…")
    assert "nearest + bias".startswith(narrow[:-1])
    assert len(narrow) >= 8
    assert found["narrowData"][0]["hovertext"][0][0].endswith("<b>nearest + bias</b>")


def test_texts_of_cells_are_escaped() -> None:
    found = table(2, "<b>&%{x}")["data"][0]
    assert found["text"][0][0] == "&lt;b&gt;&amp;%&#123;x}"
