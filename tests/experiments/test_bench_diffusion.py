"""`designgym bench diffusion`: every method prices as much, is chosen on training noise and scored on other noise."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
from chromium import Chromium
from report_pages import drawn, words
from typer.testing import CliRunner

from designgym.experiments.bench.diffusion import (
    BOUNDED,
    PLAIN,
    STOCK,
    TUNED,
    Cell,
    Errors,
    Outcome,
    Scored,
    compare,
    priced,
)
from designgym.experiments.bench.diffusion_boss import boss_cell
from designgym.experiments.bench.diffusion_page import answers, write_study
from designgym.experiments.bench.diffusion_run import figure_rows, table_rows
from designgym.experiments.cli.benching import bench

TABLE = Path(__file__).parents[1] / "reference" / "solver_schedule" / "solver_boss_flow.csv"
CELL, BUDGET = Cell("ring2d", 5), 320


@pytest.fixture(scope="module")
def outcome(ray: None, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    out = tmp_path_factory.mktemp("diffusion")
    return compare(("random", "evolution"), [CELL], 1, BUDGET, out, workers=1, silent=True)


def test_every_method_prices_as_much_and_no_more(outcome: Outcome) -> None:
    (stock,), (tuned,) = (outcome.of(CELL, PLAIN, arm) for arm in (STOCK, TUNED))
    assert stock.priced < tuned.priced <= BUDGET
    assert tuned.priced > 0.8 * BUDGET
    assert [outcome.of(CELL, study, arm)[0].priced for study in (PLAIN, BOUNDED) for arm in outcome.agents] == [
        BUDGET
    ] * 4
    assert tuned.training.rms <= stock.training.rms


def test_what_was_chosen_is_scored_on_noise_that_chose_nothing(outcome: Outcome) -> None:
    for one in outcome.scored:
        (again,) = priced("ring2d", [one.schedule], 1000, 2)
        assert vars(again) == pytest.approx(vars(one.training), rel=1e-9)
        (further,) = priced("ring2d", [one.schedule], 2048, 11)
        assert vars(further) == pytest.approx(vars(one.further[1]), rel=1e-9)


def test_the_bounded_study_keeps_the_stock_pairs_median(outcome: Outcome) -> None:
    (stock,) = outcome.of(CELL, PLAIN, STOCK)
    assert outcome.bounds[CELL] == stock.training.median
    for one in outcome.scored:
        if one.study == BOUNDED:
            assert one.training.median <= stock.training.median


def test_evolution_gains_and_the_answers_follow_from_the_figures(outcome: Outcome) -> None:
    (tuned,), (own,) = outcome.of(CELL, PLAIN, TUNED), outcome.of(CELL, PLAIN, "evolution")
    gains = [t.rms / o.rms for t, o in zip(tuned.further, own.further, strict=True)]
    assert outcome.gain(CELL, PLAIN, "evolution") == pytest.approx(gains)
    assert outcome.won(PLAIN, "evolution") == (min(gains) >= 1.1)
    assert answers(outcome, PLAIN)[1].startswith("evolution: 1.1 times better")
    assert f"{min(gains):.2f} times" in answers(outcome, PLAIN)[1]
    assert table_rows(outcome, PLAIN)[1][0][-1] == " ".join(f"{gain:.2f}×" for gain in gains)


def test_gains_of_several_runs_are_their_geometric_mean() -> None:
    def one(arm: str, seed: int, rms: float) -> Scored:
        errors = Errors(rms, rms, 0.0)
        return Scored(CELL, PLAIN, arm, seed, "", "", None, 1, errors, (errors, errors))  # type: ignore[arg-type]

    scored = (one(TUNED, -1, 0.4), one("a", 0, 0.1), one("a", 1, 0.4))
    made = Outcome((CELL,), ("a", "b"), 2, 10, {CELL: 1.0}, scored, 0.0)
    assert made.gain(CELL, PLAIN, "a") == pytest.approx((2.0, 2.0))
    assert all(math.isnan(gain) for gain in made.gain(CELL, PLAIN, "b"))
    assert (made.won(PLAIN, "a"), made.won(PLAIN, "b")) == (1, 0)


def test_local_costs_and_uniform_steps_are_those_of_the_reference() -> None:
    found = boss_cell("ring2d", 20, 4)
    rows = {row["method"]: row for row in csv.DictReader(TABLE.open()) if row["problem"] == "ring2d"
            and (row["k_max"], row["nfe"]) == ("20", "4")}  # fmt: skip
    assert found.uniform == pytest.approx(float(rows["uniform"]["endpoint_rms_test"]), rel=1e-4)
    assert found.boss == pytest.approx(float(rows["boss_dp"]["endpoint_rms_test"]), rel=1e-4)
    assert found.sums[1] == pytest.approx(float(rows["boss_dp"]["sum_local_cost_train"]), rel=1e-4)
    assert found.optimum == pytest.approx(float(rows["exhaustive"]["endpoint_rms_train"]), rel=1e-4)
    assert found.searched == pytest.approx(float(rows["exhaustive"]["endpoint_rms_test"]), rel=1e-4)


def test_the_page_draws_and_says_what_came_out(outcome: Outcome, tmp_path: Path, chromium: Chromium) -> None:
    other = Cell("ring2d", 6)  # a line needs two points
    scored = (*outcome.scored, *(replace(one, cell=other) for one in outcome.scored))
    outcome = replace(outcome, cells=(CELL, other), scored=scored)
    rows = figure_rows(outcome)
    assert len(rows) == len(outcome.scored)
    assert len(rows[0]["times"].split()) == CELL.evaluations + 1
    page = tmp_path / "diffusion.html"
    speeds = [("ring2d", 700.0, "schedules/s", 2.3, "300 a second")]
    write_study(outcome, [boss_cell("ring2d", 20, 2)], speeds, page, "designgym bench diffusion")
    text = words(page)
    for line in (*answers(outcome, PLAIN), *answers(outcome, BOUNDED)):
        assert line in text
    for width in (1300, 390):
        drawn(chromium, page, width=width, height=900)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--evaluations", "2"], r"evaluations must be in \[3, 20\], got 2"),
        (["--agents", "genetics"], "genetic"),
        (["--budget", "0"], "budget must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_refused_at_once(options: list[str], said: str) -> None:
    ended = CliRunner().invoke(bench, ["diffusion", *options])
    assert ended.exit_code != 0
    assert ended.exception is not None
    with pytest.raises(ValueError, match=said):
        raise ended.exception
