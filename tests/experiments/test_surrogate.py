"""`designgym surrogate`: from a dataset to a model and its report, and to another dataset's scores."""

import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium import Chromium
from report_pages import drawn, figures, words
from small_problem import NAME, registered, small_dataset

from designgym.cost_models.dataset_file import write_dataset
from designgym.cost_models.learned import surrogate as module
from designgym.envs import make_problem
from designgym.experiments.cli import main

FIT = ("--model", "ridge", "--no-curve")


@pytest.fixture(scope="module", autouse=True)
def _known() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        registered(patch)
        yield


@pytest.fixture(autouse=True)
def _nothing_warned_yet(monkeypatch) -> None:
    monkeypatch.setattr(module, "_WARNED", set())


def call(*told: str) -> int:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(sys, "argv", ["designgym", "surrogate", *told])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


def feasible(n: int, seed: int = 0):
    """What could be built alone: no classifier is fitted, which takes seconds."""
    data = small_dataset(n, seed)
    data = data.take(data.feasible)
    return replace(data, agent=np.where(np.arange(len(data)) % 3 == 0, "genetic", "random"))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("data") / "data"
    write_dataset(feasible(500), directory)
    return directory


@pytest.fixture(scope="module")
def model(data) -> Path:
    directory = data.parent / "model"
    assert (
        call("fit", str(data), "-o", str(directory), "--model", "ridge", "--split", "random", "--split", "agent") == 0
    )
    return directory


def test_round_trip_from_dataset_to_problem(data, tmp_path, capsys) -> None:
    out = tmp_path / "model"
    assert call("fit", str(data), "-o", str(out), *FIT, "--target", "latency_s", "--target", "area_mm2") == 0
    told = capsys.readouterr()
    assert told.err == ""
    for said in ("latency_s", "relative RMSE", "what was decided", "ridge 1.00", "learned from the parameters alone"):
        assert said in told.out
    assert sorted(path.name for path in out.iterdir()) == ["model.json", "model.skops", "report.html"]
    problem = make_problem(NAME, cost_model=f"surrogate:{out}")
    designs = problem.space.sample(200, np.random.default_rng(0))
    told_losses, truth = problem.evaluate(designs), make_problem(NAME).evaluate(designs)
    both = told_losses.feasible & truth.feasible
    assert np.corrcoef(told_losses.losses[both, 0], truth.losses[both, 0])[0, 1] > 0.9


def test_json_is_the_card(data, tmp_path, capsys) -> None:
    out = tmp_path / "model"
    assert call("fit", str(data), "-o", str(out), *FIT, "--target", "latency_s", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    kept = json.loads((out / "model.json").read_text())
    assert told["model"]["sha256"] == kept["model"]["sha256"]
    assert told["version"].startswith("surrogate-")
    assert list(told["scores"][0]["metrics"]) == ["latency_s"]
    assert told["data"]["sources"] == []


def test_score_on_other_data_leaves_out_what_was_learned_from(model, tmp_path, capsys) -> None:
    other = feasible(300, seed=7)
    write_dataset(other, tmp_path / "other")
    assert call("score", str(model), str(tmp_path / "other"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["n"] < len(other)
    assert told["held_out"] == f"{told['n']} designs not learned from, of {len(other)}"
    assert told["coverage_promised"] is False
    assert Path(told["page"]).name == "scored.html"
    assert call("score", str(model), str(tmp_path / "other")) == 0
    printed = capsys.readouterr().out
    assert "coverage is reported here, not promised" in printed
    page = words(model / "scored.html")
    assert "On other data" in page
    assert "held out" not in page.partition("Errors and ranks")[0]


def test_the_report_has_scores_splits_curve_and_how_to_make_it_again(model, data) -> None:
    page = words(model / "report.html")
    card = json.loads((model / "model.json").read_text())
    first = card["scores"][0]["metrics"]["latency_s"]
    assert f"{first['relative_rmse']:.3g} %" in page
    for said in ("Learning curve", "Other splits", "the designs that genetic found", "What was decided",
                 "Where it holds", card["data"]["sha256"], "3 choices"):  # fmt: skip
        assert said in page
    drawn_figures = list(figures(model / "report.html").values())
    assert len(drawn_figures) == 3  # the curve, and predicted against true of two metrics
    assert len(drawn_figures[0]["data"][0]["x"]) == len(card["curve"]["designs"])
    points = sum(len(trace["x"]) for trace in drawn_figures[1]["data"][1:])
    assert points == first["n"]


def test_a_browser_draws_the_report(model, chromium: Chromium) -> None:
    drawn(chromium, model / "report.html", least=3)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("fit", "{data}", "-o", "{out}", "--model", "extratrees"), "Did you mean 'extra_trees'?"),
        (("fit", "{data}", "-o", "{out}", "--target", "latencys"), "Did you mean 'latency_s'?"),
        (("fit", "{data}", "-o", "{out}", "--split", "corners"), "Did you mean 'corner'?"),
        (("fit", "{data}/none", "-o", "{out}"), "holds no dataset"),
        (("fit", "{data}", "-o", "{data}"), "holds other files (data.parquet) and no model"),
        (("score", "{data}", "{data}"), "holds no model: it has no model.json"),
    ],
)
def test_what_is_wrong_is_one_line_and_code_2(told, said: str, data, tmp_path, capsys) -> None:
    filled = [word.format(data=data, out=tmp_path / "out") for word in told]
    assert call(*filled) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert said in shown.err
    assert not (tmp_path / "out").exists()
