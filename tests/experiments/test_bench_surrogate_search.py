"""`designgym bench surrogate-search`: its answers follow from the curves, it goes on, and fits are counted."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from designgym.experiments.bench import surrogate_fits
from designgym.experiments.bench.agents_study import Curve, Study
from designgym.experiments.bench.surrogate_fits import Run, measure_fits, one_run
from designgym.experiments.bench.surrogate_search import (
    MARKS,
    PROBLEMS,
    RIVALS,
    SLOW_RIVAL,
    Outcome,
    Plan,
    cells,
    lowest,
    overall,
)
from designgym.experiments.bench.surrogate_search_run import figure_rows, lines_of
from designgym.experiments.cli.benching import bench
from designgym.experiments.comparison import difference_of_means


def study(levels: dict[str, float], marks: tuple[int, ...], seeds: int) -> Study:
    """Curves that lie around a level on every problem, at half of it from 300 designs on."""

    def curve(level: float, seed: int) -> Curve:
        regret = np.full(marks[-1], level * (1 + 0.1 * (seed % 3 - 1)))
        regret[299:] /= 2
        return Curve(regret, np.arange(1.0, marks[-1] + 1))

    curves = {
        agent: {problem: {seed: curve(level, seed) for seed in range(seeds)} for problem in PROBLEMS}
        for agent, level in levels.items()
    }
    families = {problem: problem for problem in PROBLEMS}
    ms = dict.fromkeys(levels, 2.0)
    return Study(marks[-1], False, PROBLEMS, tuple(range(seeds)), curves, ms, {}, frozenset(), families, marks)


def outcome(levels: dict[str, float], slow: float) -> Outcome:
    studies = study(levels, MARKS, 20), study({SLOW_RIVAL: slow}, MARKS[:2], 10)
    return Outcome(cells(studies), studies, (), 1.0)


def test_every_rival_is_compared_in_every_cell_that_it_has() -> None:
    levels = {"surrogate_search": 0.1, "random": 0.5, "genetic": 0.1, "local_search": 0.2, "optuna_tpe": 0.3}
    found = outcome(levels | {"bayesian": 0.01}, slow=0.2)
    assert len(found.cells) == 5 * 9 + 6
    assert {c.designs for c in found.cells if c.rival == SLOW_RIVAL} == {100, 300}
    assert [c.rival for c in found.cells if c.lost] == ["bayesian"] * 9
    one = next(c for c in found.cells if (c.rival, c.designs) == ("random", 300))
    assert (one.ours.middle, one.theirs.middle) == (pytest.approx(0.05, rel=0.02), pytest.approx(0.25, rel=0.02))
    assert one.difference.low < one.ours.middle - one.theirs.middle < one.difference.high < 0
    theirs, own = overall(found)["optuna_gp"]
    assert theirs.middle == pytest.approx(0.15, rel=0.02), "over the cells that it has, as is the other"
    assert own.middle == pytest.approx(0.075, rel=0.02)
    assert not lowest(found), "genetic is as low"
    told = lines_of(found)
    assert told[0].startswith("of 42 cells and rivals")
    assert told[0].endswith(": as wanted")
    assert told[1].endswith("NOT as wanted")
    assert "wins 0 and loses 9 of 9 cells" in told[2]
    assert len(figure_rows(found)) == 51


def test_what_is_lost_is_named_and_what_is_lowest_is_so() -> None:
    levels = dict.fromkeys(RIVALS, 0.2) | {"surrogate_search": 0.1}
    held = outcome(levels, slow=0.05)
    assert not lowest(held)
    assert "LOST: CompressedTransformer-v0 at 100 to optuna_gp; " in lines_of(held)[0]
    assert lowest(outcome(levels, slow=0.2))


def test_differences_are_of_means_with_any_numbers_of_runs() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.0, 1.0, (400, 2)), rng.normal(0.5, 1.0, (100, 2))
    found = difference_of_means(ours, theirs)
    assert found.middle == pytest.approx(ours.mean() - theirs.mean())
    half = 1.96 * (1 / 800 + 1 / 200) ** 0.5
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


def test_the_plan_is_what_is_promised() -> None:
    plan = Plan()
    assert plan.problems == ("CompressedTransformer-v0", "LowRank-v0", "SolverPattern-v0")
    assert (plan.marks, plan.seeds, plan.slow_marks, plan.slow_seeds) == ((100, 300, 1000), 20, (100, 300), 10)
    assert {"random", "local_search", "genetic", "optuna_tpe"} < set(plan.agents)
    assert not {"SystolicArray-v0", "MixedPrecision-v0"} & set(plan.problems), "it was developed on these"


def test_fits_are_counted_both_ways_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_way = {way: one_run("SystolicArray-v0", way, 1000, 26, candidates=1024) for way in ("drift", "always")}
    assert by_way["always"].updates == 0
    assert by_way["drift"].fits + by_way["drift"].updates == by_way["always"].fits == 2 * 10
    assert by_way["drift"].fits < by_way["always"].fits
    calls = []

    def counted(problem: str, way: str, seed: int, budget: int) -> Run:
        calls.append((problem, way, seed))
        return Run(0.01 * (seed % 4) + (0.5 if (problem, way) == ("MixedPrecision-v0", "always") else 0.0), 3, 7, 1.0)

    monkeypatch.setattr(surrogate_fits, "one_run", counted)
    first = measure_fits(4, 26, tmp_path)
    assert len(calls) == 16
    assert measure_fits(4, 26, tmp_path) == first
    assert len(calls) == 16, "finished runs are read again"
    assert [one.equal for one in first] == [True, False]
    assert first[0].by_drift.middle == 3


def test_the_command_runs_goes_on_and_writes_its_figures(tmp_path: Path) -> None:
    command = ["surrogate-search", "--quick", "--fits", "0", "--workers", "1", "--out", str(tmp_path), "--json"]
    told = []
    for _ in range(2):
        done = CliRunner().invoke(bench, [*command, "--silent"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        told.append(json.loads(done.stdout))
    assert told[0] == told[1], "the second call finds everything done"
    assert [(row["problem"], row["designs"], row["rival"]) for row in told[0]["rows"]] == [("LowRank-v0", 30, "random")]
    assert pq.read_table(tmp_path / "figures.parquet").num_rows == 1


def test_what_cannot_be_run_is_one_line() -> None:
    for options, words in ((["--seeds", "0"], "seeds must be at least 1, got 0"), (["--fits", "-1"], "at least 0")):
        done = CliRunner().invoke(bench, ["surrogate-search", *options])
        assert isinstance(done.exception, ValueError)
        assert words in str(done.exception)
