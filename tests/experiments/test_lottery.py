"""A lottery from its file to its page: what is drawn, what the log gives, what is said, and one on Ray that is cut."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import small_sweep
import tiny_problems
from chromium import Chromium
from report_pages import show

from designgym.agents.registry import agent_class
from designgym.envs import DesignSpace, Integer
from designgym.envs.optimum import known_optimum, regret
from designgym.experiments.cli import main
from designgym.experiments.lottery.outcomes import budgets_of, read_arenas
from designgym.experiments.lottery.page import page
from designgym.experiments.lottery.results import OVERALL
from designgym.experiments.lottery.run import estimate, report_lottery
from designgym.experiments.lottery.settings import draw_settings
from designgym.experiments.lottery.spec import SpecError, load_lottery, make_lottery
from designgym.experiments.lottery.study import study
from designgym.experiments.lottery.table import figures
from designgym.experiments.lottery.words import the_claim, whom_to_use
from designgym.experiments.runs import runs
from designgym.experiments.tasks import task_of
from designgym.experiments.worker import run_trials

GIVEN = {
    "name": "small",
    "problems": [{"id": "NKLandscape-v0", "options": {"instance": 1}}, "NKLandscape-v0"],
    "agents": ["random", "genetic", "local_search"],
    "settings": 4,
    "seeds": 4,
    "budget": 64,
}
SHIPPED = Path(__file__).parent.parent.parent / "experiments" / "data" / "lottery.yaml"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A small lottery, run in this process."""
    lottery = make_lottery(GIVEN)
    return lottery, small_sweep.log_sweep(tmp_path_factory.mktemp("lottery"), lottery.sweep.model_dump())


# -- the file and the draws -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"setings": 3}, ["setings", "Did you mean 'settings'?"]),
        ({"settings": 1}, ["settings", "at least 2", "got 1"]),
        ({"seeds": 3}, ["seeds", "at least 4", "got 3", "Add seeds"]),
        ({"agents": ["genetc"]}, ["agents[0].name", "Did you mean 'genetic'?"]),
        ({"agents": [{"name": "genetic", "hyperparameters": {"poplation": 3}}]}, ["agents[0]", "'population'?"]),
        ({"problems": ["NKLandscap"]}, ["problems[0].id", "NKLandscape-v0"]),
        ({"margin": 2}, ["margin", "(0, 1)", "got 2"]),
        ({"problems": ["TinyTwo-v0"]}, ["one objective", "TinyTwo-v0"]),
    ],
)
def test_mistakes_are_one_line_with_the_key(keys, parts, monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)
    with pytest.raises(SpecError) as caught:
        make_lottery({**GIVEN, **keys})
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_the_shipped_file_reads() -> None:
    lottery = load_lottery(SHIPPED)
    shown = SHIPPED.read_text().partition("\n")[2]
    assert shown in (SHIPPED.parent.parent.parent / "README.md").read_text(), "the README shows the file as it is"
    assert all(len(e.settings) == lottery.spec.settings + 1 for e in lottery.entrants if e.tunable)


def test_more_settings_go_on_where_fewer_ended_and_no_agent_moves_another() -> None:
    def drawn(**keys):
        return [entrant.settings for entrant in make_lottery({**GIVEN, **keys}).entrants]

    few, many = drawn(), drawn(settings=9)
    assert [one[: len(other)] for one, other in zip(many, few, strict=True)] == few
    assert drawn(agents=["local_search"]) == few[2:]
    assert drawn(seed=1)[1] != few[1]
    hyperparameters = [json.dumps(setting.hyperparameters) for setting in many[1]]
    assert len(set(hyperparameters)) == 10
    assert [s.default for s in many[1]] == [True] + 9 * [False]


def test_a_held_hyperparameter_is_held() -> None:
    genetic = agent_class("genetic")
    settings, _ = draw_settings("genetic", genetic, {"population": 16}, 5, 0)
    assert {setting.hyperparameters["population"] for setting in settings} == {16}
    assert len({setting.hyperparameters["mutation"] for setting in settings}) == 6


def test_a_hyperparameter_with_a_log_scale_is_drawn_on_it() -> None:
    settings, _ = draw_settings("genetic", agent_class("genetic"), {}, 400, 0)
    population = np.array([setting.hyperparameters["population"] for setting in settings[1:]])
    below = [(population < 4 * 8**i).mean() for i in (1, 2, 3, 4)]
    np.testing.assert_allclose(below, np.array([3, 6, 9, 12]) / 14, atol=0.08)
    assert population.min() >= 4


def test_a_small_space_is_drawn_out(monkeypatch) -> None:
    genetic = agent_class("genetic")
    monkeypatch.setattr(genetic, "hyperparameters", DesignSpace(Integer("population", 4, 6, log=True, default=5)))
    settings, everything = draw_settings("genetic", genetic, {}, 8, 0)
    assert everything
    assert settings[0].hyperparameters["population"] == 5
    assert {setting.hyperparameters["population"] for setting in settings} == {4, 5, 6}
    assert settings[0].default
    assert settings[0].drawn
    assert not draw_settings("genetic", genetic, {}, 2, 0)[1]


# -- from the log to figures ------------------------------------------------------------------------------------------


def test_outcomes_are_the_regrets_of_the_runs(logged) -> None:
    lottery, directory = logged
    arenas = read_arenas(lottery, directory)
    assert budgets_of(64) == (4, 8, 16, 32, 64)
    run = next(r for r in runs(lottery.sweep) if r.agent.name == "local_search" and r.seed == 2)
    assert run.problem.label == arenas[0].label
    *batches, _ = run_trials(run.problem.problem, task_of(run))
    loss = np.concatenate([batch.column("loss.fitness").to_numpy() for batch in batches])
    arena, outcomes = arenas[1], arenas[1].outcomes[0]
    assert all(one.yardstick.known for one in arenas)
    assert (outcomes.low == outcomes.high).all()
    assert outcomes.complete.all()
    assert (np.diff(outcomes.high, axis=2) <= 0).all(), "more designs never make a run worse"
    found = arenas[0].outcomes[2].best[0, 2]
    assert found.tolist() == [loss[:n].min() for n in (4, 8, 16, 32, 64)]
    truth = known_optimum("NKLandscape-v0", {}, arena.problem.problem)
    assert outcomes.high[0, 0, -1] == pytest.approx(float(regret(outcomes.best[0, 0, -1], truth)))


def test_figures_agree_with_a_plain_calculation(logged) -> None:
    lottery, directory = logged
    made = study(lottery, read_arenas(lottery, directory))
    result = made.results[1][2]
    drawn = result.outcomes.high[1:, :, -1]
    curve = result.curves["drawn", "here"]
    assert float(curve.value.low[0]) == pytest.approx(drawn.mean())
    assert curve.tuning.tolist() == [0, 2 * 2 * 64, 3 * 2 * 64, 4 * 2 * 64]
    assert curve.spent.tolist() == [64, 320, 448, 576]
    assert curve.dependable.tolist() == [True, True, False, False]
    assert result.spread.default == pytest.approx(result.outcomes.high[0, :, -1].mean())
    overall = made.answers_on(OVERALL, "drawn")[0]
    means = [
        np.mean([row[e].outcomes.high[row[e].entrant.drawn, :, -1].mean() for row in made.results]) for e in (0, 1, 2)
    ]
    assert [float(value.low) for value in overall.values] == pytest.approx(means)
    assert overall.best == int(np.argmin(means))
    other = made.results[0][2].outcomes.high[1:, :, -1]
    pick = result.curves["drawn", "elsewhere"].value.low[-1]
    halves = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    expected = []
    for half in halves:
        by = other[:, half].mean(axis=1)
        score = np.delete(drawn, half, axis=1).mean(axis=1)
        expected.append(score[by == by.min()].mean())
    assert float(pick) == pytest.approx(np.mean(expected)), "picked on the other problem, scored on other seeds here"


def test_an_agent_without_hyperparameters_has_one_setting_and_nothing_to_gain(logged) -> None:
    lottery, directory = logged
    made = study(lottery, read_arenas(lottery, directory))
    curve = made.results[0][0].curves["drawn", "here"]
    assert np.ptp(curve.value.low) < 1e-12
    assert (curve.tuning == 0).all()
    assert curve.dependable.all()


def test_unfinished_runs_are_bounds_that_hold_the_truth(logged, tmp_path) -> None:
    lottery, directory = logged
    # A quarter of the runs are cut after a few batches or have not begun.
    cut = {i: i % 3 for i in range(0, len(runs(lottery.sweep)), 4)}
    partial = small_sweep.log_sweep(tmp_path / "cut", lottery.sweep.model_dump(), cut)
    whole = study(lottery, read_arenas(lottery, directory))
    made = study(lottery, read_arenas(lottery, partial))
    assert made.unfinished > 0
    for row, full_row in zip(made.results, whole.results, strict=True):
        for result, full in zip(row, full_row, strict=True):
            assert (result.outcomes.low <= full.outcomes.high).all()
            assert (full.outcomes.high <= result.outcomes.high).all()
            value, truth = result.curves["drawn", "here"].value, full.curves["drawn", "here"].value
            assert value.low[0] <= truth.low[0] <= value.high[0]
            low, high = value.interval()
            assert (low <= value.low).all()
            assert (value.high <= high).all()
    html = page(made)
    assert "did not have their whole budget" in html
    assert "…" in html


def test_runs_cut_by_the_clock_are_bounds(tmp_path) -> None:
    given = {**GIVEN, "seconds": 1e-9, "agents": ["genetic"], "problems": ["NKLandscape-v0"], "settings": 2}
    lottery = make_lottery(given)
    [arena] = read_arenas(lottery, small_sweep.log_sweep(tmp_path, lottery.sweep.model_dump()))
    outcomes = arena.outcomes[0]
    assert (outcomes.complete == (outcomes.designs == 64)).all(), "cut after their first generation"
    assert not outcomes.complete[0].any()
    assert (outcomes.low[0, :, -1] == 0).all()
    assert (outcomes.high[0, :, -1] > 0).all()
    assert (outcomes.low[0, :, 0] == outcomes.high[0, :, 0]).all(), "what four designs came to is known"


def test_without_a_known_optimum_regret_is_measured_from_the_best_found(tmp_path) -> None:
    given = {**GIVEN, "agents": ["random"], "problems": [{"id": "LABS-v0", "options": {"length": 10}}]}
    lottery = make_lottery(given)
    [arena] = read_arenas(lottery, small_sweep.log_sweep(tmp_path, lottery.sweep.model_dump()))
    assert not arena.yardstick.known
    assert arena.yardstick.loss == arena.outcomes[0].best.min()
    assert "The true optimum is not known" in page(study(lottery, [arena]))


def test_the_table_holds_every_figure_and_is_the_same_each_time(logged) -> None:
    lottery, directory = logged
    made = study(lottery, read_arenas(lottery, directory))
    table = figures(made)
    assert table.equals(figures(study(lottery, read_arenas(lottery, directory))))
    counts = Counter(table.column("what").to_pylist())
    assert counts["run"] == len(runs(lottery.sweep))
    assert counts["setting"] == counts["run"] / 4
    assert counts["best_of_k"] == 2 * 3 * 4 * 2 + 2 * 2 * 4 * 2
    assert counts["pair"] == 3 * 5 * 3
    assert {"answer", "share_1", "share_5", "best_of_k_at"} <= set(counts)


# -- words and page ---------------------------------------------------------------------------------------------------


def test_the_words_answer_both_questions(logged) -> None:
    lottery, directory = logged
    made = study(lottery, read_arenas(lottery, directory))
    said = " ".join(whom_to_use(made))
    best = made.answers_on(OVERALL, "default")[0]
    assert f"<strong>{made.entrants[best.best].label}</strong>" in said
    for label, tie in zip(("random", "genetic", "local_search"), best.ties, strict=True):
        assert (label in said.split("as it comes")[0]) == tie
    claim = " ".join(the_claim(made))
    assert claim.startswith(("<strong>Yes.", "<strong>No.", "<strong>Open."))
    assert "of 3 pairs of agents" in claim
    for arena in made.arenas:
        assert arena.label.split("(")[0] in claim


def test_the_page_draws_wide_and_narrow(logged, chromium: Chromium) -> None:
    lottery, directory = logged
    path, table, _ = report_lottery(lottery, directory)
    assert pq.read_table(table).num_rows > 100
    assert path.stat().st_size < 5e6
    for width in (1280, 390):
        show(chromium, path, width=width)
        status = json.loads(chromium.evaluate("document.getElementById('figures-status').textContent"))
        assert not status["errors"]
        assert len(status["figures"]) == 1 + 3 * 2 + 2
        assert all(sum(figure["points"]) > 0 for figure in status["figures"])
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert not chromium.errors


def test_the_page_escapes_what_comes_from_outside(logged) -> None:
    lottery, directory = logged
    hostile = make_lottery(GIVEN, "# </script><script>alert(1)</script>\n")
    html = page(study(hostile, read_arenas(lottery, directory)))
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


# -- on Ray -----------------------------------------------------------------------------------------------------------


def test_an_estimate_counts_every_setting() -> None:
    counted = estimate(make_lottery({**GIVEN, "problems": ["LABS-v0"]}), workers=2)
    assert counted.runs == (1 + 5 + 5) * 4
    assert counted.designs == counted.runs * 64
    assert counted.seconds > 0


def test_a_lottery_that_is_killed_goes_on(ray, tmp_path, monkeypatch, capsys) -> None:
    """The command, killed by SIGKILL, then again here: nothing is paid twice, and the page is an undisturbed one's."""
    given = {**GIVEN, "budget": 400, "settings": 2, "problems": ["LABS-v0"], "agents": ["random", "genetic"]}
    file, out = tmp_path / "small.yaml", tmp_path / "out"
    file.write_text(json.dumps(given))
    words = ["lottery", str(file), "--out", str(out), "--json"]
    command = [sys.executable, "-m", "designgym.experiments.cli", *words]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    finished = out / "runs"
    end = time.monotonic() + 60
    while len(list(finished.glob("*.parquet"))) < 3:
        assert time.monotonic() < end
        assert first.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in finished.glob("*.parquet")}
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["designgym", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["finished"] == told["runs"] == (1 + 3) * 4
    assert told["trials"] == told["runs"] * 400
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert {one["use"] for one in told["answers"]} <= {"random", "genetic"}
    lottery = load_lottery(file)
    undisturbed = small_sweep.log_sweep(tmp_path / "undisturbed", lottery.sweep.model_dump())
    expected = figures(study(lottery, read_arenas(lottery, undisturbed)))
    assert pq.read_table(out / "lottery.parquet").equals(expected)
