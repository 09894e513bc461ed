"""By how much search overfitted: metrics in search and verified, against what no search chose."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from noisy_problems import NOISY, register
from report_pages import figures, words
from small_sweep import log_sweep

from designgym.cost_models import Metric
from designgym.envs import make_problem
from designgym.experiments.cli import main
from designgym.experiments.report import write_report
from designgym.experiments.verified import comparisons, read_verified
from designgym.experiments.verified_changes import Change, changes_of, in_words
from designgym.experiments.verify import verify

MIXED = "MixedPrecision-v0"
GIVEN: dict[str, Any] = {"name": "mixed", "agents": ["random", "genetic"], "seeds": 2, "budget": 80}
ACCURACY, DROP = Metric("accuracy", "1", "higher", "right"), Metric("drop", "1", "lower", "lost")
COST, NLL = Metric("cost", "1", "lower", "paid"), Metric("nll", "1", "lower", "in nats")
ALL = (COST, NLL, DROP, ACCURACY)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = log_sweep(tmp_path_factory.mktemp("changes") / "mixed", GIVEN | {"problems": [MIXED]})
    verify(directory, {"split": "test"}, top=6)
    return directory


def table(**columns: list[float]) -> pa.Table:
    """Return four designs of one agent. The float network: .97 in search, .98 verified, unless told otherwise."""
    given: dict[str, list[float]] = {
        "searched.cost": [1, 2, 3, 4], "verified.cost": [1, 2, 3, 4],
        "searched.accuracy": [0.96, 0.965, 0.97, 0.96], "verified.accuracy": [0.95, 0.955, 0.97, 0.953],
        "searched.drop": [0.01, 0.005, 0.0, 0.01], "verified.drop": [0.03, 0.025, 0.01, 0.027],
        "searched.nll": [0.1, 0.1, 0.1, 0.1], "verified.nll": [0.2, 0.2, 0.2, 0.2],
    }  # fmt: skip
    texts = {"set": "s", "problem": "p", "agent": "a", "objective": "cost"}
    own = {name: [text] * 4 for name, text in texts.items()} | {"design.x": [1, 2, 3, 4]}
    losses = {"loss.searched": [1.0, 2, 3, 4], "loss.verified": [1.0, 2, 3, 4], "feasible": [True] * 4}
    return pa.table(own | losses | given | columns)


def changes(found: pa.Table, metrics: tuple[Metric, ...] = ALL) -> dict[str, Change]:
    together = next(iter(comparisons(found)))
    return {change.metric.name: change for change in changes_of(found, together, metrics)}


# -- a worked example -------------------------------------------------------------------------------------------------


def test_what_is_lost_beyond_what_no_search_chose() -> None:
    found = changes(table())
    # The metric that tells of the base comes first; what stays is left out.
    assert list(found) == ["accuracy", "nll", "drop"]
    accuracy = found["accuracy"]
    assert accuracy.worse == pytest.approx([0.01, 0.01, 0.0, 0.007])
    assert accuracy.mean_worse == pytest.approx(0.00675)
    assert accuracy.base is not None
    assert (accuracy.base.counts, accuracy.base.searched, accuracy.base.verified) == (
        DROP, pytest.approx(0.97), pytest.approx(0.98)
    )  # fmt: skip
    # The base is .01 better there, the designs .00675 worse: drop rises by as much on average.
    assert accuracy.overfitted == pytest.approx(0.01675)
    assert found["drop"].mean_worse == pytest.approx(0.01675)
    assert (found["drop"].base, found["nll"].base) == (None, None)
    assert found["nll"].overfitted == found["nll"].mean_worse == pytest.approx(0.1)


def test_words_of_the_example() -> None:
    found = changes(table())
    assert in_words(found["accuracy"], "s", strong="*{}*".format) == (
        "The 4 best have on average accuracy 0.9637 in search and 0.957 under s, 0.00675 worse. What drop is counted "
        "from, which no search chose, goes from 0.97 to 0.98 there, 0.01 better. So search overfitted by *0.0168* on "
        "average, by 0.01 to 0.02."
    )
    assert in_words(found["nll"], "s") == "The 4 best have on average nll 0.1 in search and 0.2 under s: 0.1 worse."


def test_a_harder_split_is_no_overfitting() -> None:
    # All lose .02, the float network too.
    easy, hard = [0.96, 0.965, 0.97, 0.96], [0.94, 0.945, 0.95, 0.94]
    drop = [0.01, 0.005, 0.0, 0.01]
    told = changes(table(**{"searched.accuracy": easy, "verified.accuracy": hard, "verified.drop": drop}))
    assert list(told) == ["accuracy", "nll"]
    assert told["accuracy"].overfitted == 0
    assert "So search did not overfit: the rest is no change." in in_words(told["accuracy"], "s")
    worse = changes(table(**{"verified.accuracy": hard, "verified.drop": [0.0, 0.0, -0.01, 0.0]}))
    assert worse["accuracy"].base is None  # their sum is no constant


def test_one_that_fails_when_verified_is_left_out_of_means() -> None:
    lost = changes(table(**{"verified.nll": [0.2, math.nan, 0.3, 0.4]}))["nll"]
    assert lost.mean_worse == pytest.approx(0.2)
    none = changes(table(**{"verified.nll": [math.nan] * 4}))
    assert "nll" not in none
    alone = Change(NLL, np.array([0.1]), np.array([math.nan]))
    assert in_words(alone, "s") == ""
    assert in_words(Change(NLL, np.array([0.1]), np.array([0.3])), "s").startswith("The best design has nll 0.1 in")


# -- a real sweep -----------------------------------------------------------------------------------------------------


def test_the_float_network_is_what_accuracy_is_counted_from(mixed: Path) -> None:
    found = read_verified(mixed)
    assert found is not None
    together = next(iter(comparisons(found)))
    told = {c.metric.name: c for c in changes_of(found, together, make_problem(MIXED).cost_model.metrics)}
    assert set(told) == {"accuracy", "accuracy_drop", "nll"}
    base = told["accuracy"].base
    assert base is not None
    for split, given in (("validation", base.searched), ("test", base.verified)):
        assert given == pytest.approx(make_problem(MIXED, split=split).cost_model.float_score, abs=1e-12)
    rows = [found.slice(row, 1).to_pylist()[0] for row in together.rows]
    by_hand = np.mean([row["verified.accuracy_drop"] - row["searched.accuracy_drop"] for row in rows])
    assert told["accuracy"].overfitted == pytest.approx(by_hand)


def test_the_report_says_by_how_much_and_shows_each_design(mixed: Path) -> None:
    page = write_report(mixed)
    text = words(page)
    found = read_verified(mixed)
    assert found is not None
    together = next(iter(comparisons(found)))
    accuracy = changes_of(found, together, make_problem(MIXED).cost_model.metrics)[0]
    assert in_words(accuracy, "split=test") in re.sub(r"\s+", " ", text)
    assert "The same designs by the metrics that split=test changes" in text
    lost = f"{accuracy.overfitted:.3g}"
    some = f"{together.infeasible} of the {len(together.rows)} best in search are not feasible and "
    assert f"Under split=test {some}their accuracy is overfitted by {lost} on average." in re.sub(r"\s+", " ", text)
    # The objective does not change, so accuracy is drawn: raw values, those not feasible there too.
    titles = {one["layout"]["yaxis"].get("title", {}).get("text", ""): one for one in figures(page).values()}
    traces = {trace["name"]: trace for trace in titles["accuracy verified"]["data"]}
    mine = [row for row in found.to_pylist() if row["agent"] == "genetic"]
    assert traces["genetic"]["x"] == pytest.approx([row["searched.accuracy"] for row in mine], rel=1e-5)
    assert traces["genetic"]["y"] == pytest.approx([row["verified.accuracy"] for row in mine], rel=1e-5)
    assert page.read_bytes() == write_report(mixed).read_bytes()


def test_a_problem_without_a_base_says_what_changes(tmp_path: Path) -> None:
    register()
    directory = log_sweep(tmp_path / "noisy", GIVEN | {"problems": [NOISY]})
    verify(directory, {"noise_seed": 1}, top=5)
    text = re.sub(r"\s+", " ", words(write_report(directory)))
    assert re.search(r"The 5 best have on average latency_s \S+ \S+ in search and \S+ \S+ under noise_seed=1: ", text)
    assert "overfit" not in text


def test_the_command_says_it_too(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["designgym", "verify", str(mixed), "--set", "split=test", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        return capsys.readouterr().out

    assert "What accuracy_drop is counted from, which no search chose, goes from 0.9666 to 0.9733 there" in said()
    found = json.loads(said("--json"))["comparisons"][0]["changes"]
    assert [one["metric"] for one in found] == ["accuracy", "accuracy_drop", "nll"]
    accuracy, drop, nll = found
    assert accuracy["overfitted"] == pytest.approx(drop["mean_worse"])
    assert accuracy["base"]["counts"] == "accuracy_drop"
    assert (drop["base"], nll["overfitted"]) == (None, None)
    assert len(nll["searched"]) == len(nll["verified"]) == 10
