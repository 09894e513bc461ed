"""`designgym bench agents`: figures against the log, answers that follow from them, peers through one meter."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from chromium import Chromium
from report_pages import show
from typer.testing import CliRunner

from designgym.agents.base import run
from designgym.envs import Answer, MeteredProblem, make_problem
from designgym.envs.optimum import known_optimum, regret
from designgym.experiments.bench.agents import Outcome, agents_named, problems_named
from designgym.experiments.bench.agents_answers import against_yardstick, best, worse_than_chance
from designgym.experiments.bench.agents_page import write_comparison
from designgym.experiments.bench.agents_run import as_json, lines_of
from designgym.experiments.bench.agents_study import COLUMNS, Curve, Study, _ms, figures, read_study
from designgym.experiments.bench.peers import PEERS, why_missing
from designgym.experiments.cli.benching import bench
from designgym.experiments.log import load_sweep
from designgym.experiments.trials import load_trials

FACTORS = {"local_search": 0.3, "optuna_tpe": 0.5, "genetic": 0.55, "random": 1.0, "lost": 3.0}
PROBLEMS = {f"nk{i}": "NKLandscape-v0" for i in range(3)} | {"labs": "LABS-v0"}


def made_up(seeds: int = 8) -> Study:
    """Return a study whose truth is known: each agent's regrets are the same draws times its factor."""
    rng = np.random.default_rng(0)
    curves: dict[str, dict[str, dict[int, Curve]]] = {}
    draws = {(problem, seed): rng.uniform(0.9, 1.1) for problem in PROBLEMS for seed in range(seeds)}
    for agent, factor in FACTORS.items():
        for problem in PROBLEMS:
            for seed in range(seeds):
                falling = np.geomspace(1.0, 0.2, 200) * draws[problem, seed]
                curve = Curve(factor * falling, np.arange(1, 201) * 0.001 / factor)
                curves.setdefault(agent, {}).setdefault(problem, {})[seed] = curve
    return Study(
        200, False, tuple(PROBLEMS), tuple(range(seeds)), curves, dict.fromkeys(FACTORS, 0.1), families=PROBLEMS
    )


def test_answers_follow_from_the_curves() -> None:
    study = made_up()
    assert study.agents == tuple(FACTORS)
    for designs in (50, 200):
        found = best(study, designs)
        assert (found.agent, found.second, found.chance.middle) == ("local_search", "optuna_tpe", 1.0)
        against = against_yardstick(study, designs, "LABS-v0")
        assert against.agent == "local_search"
        assert against.ratio.middle == pytest.approx(0.6)
        assert against.ratio.low < 0.6 < against.ratio.high
    worse = worse_than_chance(study)
    assert {agent for agent, _, _ in worse} == {"lost"}
    assert {family for _, _, family in worse} == {"all", "NKLandscape-v0", "LABS-v0"}
    told = lines_of(study)
    assert told[0].startswith("at 50 designs the best is local_search")
    assert told[-1].startswith("interval wholly above random's: lost at 200")


def test_figures_are_rows_with_intervals() -> None:
    rows = figures(made_up())
    assert all(tuple(row) == COLUMNS for row in rows)

    def one(**wanted: Any) -> dict[str, Any]:
        (row,) = (row for row in rows if all(row[key] == value for key, value in wanted.items()))
        return row

    ratio = one(figure="ratio_of_mean_regret", agent="genetic", at=200, problem="all")
    assert ratio["versus"] == "optuna_tpe"
    assert ratio["low"] < 1.1 < ratio["high"]
    assert one(figure="average_rank", agent="lost", at=200)["middle"] == 5.0
    assert one(figure="friedman_p", at=200)["middle"] < 0.01
    # random comes to 0.2 times 0.9 to 1.1: half of its runs are below 0.2 at their end; "lost" never is.
    assert one(figure="expected_designs", agent="lost", at=0.2)["middle"] == np.inf
    assert one(figure="share_reached_designs", agent="local_search", at=0.1)["middle"] == 1.0
    assert one(figure="profile_score", agent="local_search", unit="designs")["middle"] == pytest.approx(1.0, abs=0.01)
    assert one(figure="profile_score", agent="lost", unit="s")["middle"] == 0.0


@pytest.fixture(scope="module")
def compared(ray: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("compared")
    chosen = ["--agents", "random", "--agents", "local_search", "--agents", "genetic"]
    problems = ["--problems", "LABS-v0", "--problems", "NKLandscape-v0:instance=3"]
    several = ["--problems", "SystolicGemms-v0:objective=edp_js,area_mm2"]
    options = ["--seeds", "2", "--budget", "60", "--out", str(out), "--json", "--silent"]
    done = CliRunner().invoke(bench, ["agents", *chosen, *problems, *several, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


def test_the_command_writes_page_and_parquet(compared: tuple[Path, dict[str, Any]]) -> None:
    out, told = compared
    assert [study["several"] for study in told["studies"]] == [False, True]
    table = pq.read_table(out / "figures.parquet")
    assert table.column_names == list(COLUMNS)
    assert table.num_rows == len(told["rows"])
    page = (out / "agents.html").read_text()
    linked = set(re.findall(r'<a href="#([^"]+)"', page))
    assert {"one-ranks", "several-table", "method"} <= linked <= set(re.findall(r' id="([^"]+)"', page))
    assert "At 50 designs, <strong>" in page
    assert "At 60 designs, <strong>" in page


def test_regrets_are_those_of_the_logged_trials(compared: tuple[Path, dict[str, Any]]) -> None:
    out, _ = compared
    study = read_study(out / "single")
    trials = load_trials(out / "single").to_pylist()
    optimum = known_optimum("LABS-v0", {}, make_problem("LABS-v0"))
    assert optimum is not None
    labs = next(run.problem for run in load_sweep(out / "single").runs if "LABS" in run.problem)
    for agent in study.agents:
        for place, seed in enumerate(study.seeds):
            rows = [row for row in trials if (row["problem"], row["agent"], row["seed"]) == (labs, agent, seed)]
            energies = [row["loss.energy"] for row in rows if row["fresh"]]
            assert len(energies) == 60
            for designs in (1, 50, 60):
                expected = float(regret(min(energies[:designs]), optimum))
                assert study.at(agent, designs, "LABS-v0")[place, 0] == pytest.approx(expected, rel=1e-12)


def test_the_same_command_goes_on(compared: tuple[Path, dict[str, Any]]) -> None:
    out, told = compared
    study = read_study(out / "several")
    assert study.several
    assert 0 <= study.at("local_search", 60).min() <= study.at("local_search", 1).max() <= 1
    again = as_json(Outcome((study,), figures(study), {}, 1.0), out)
    assert again["studies"][0]["best"][0]["agent"] == told["studies"][1]["best"][0]["agent"]


def test_names_are_checked_in_words() -> None:
    with pytest.raises(ValueError, match=r"unknown agent 'randm'\. Did you mean 'random'"):
        agents_named(["randm"], False)
    names, _ = agents_named([], False)
    assert not {"exhaustive", *PEERS} & set(names)
    assert [entry["id"] for entry in problems_named([])].count("NKLandscape-v0") == 10
    named = problems_named(["NKLandscape:n=6;k=2"])
    assert named == [{"id": "NKLandscape-v0", "options": {"n": 6, "k": 2}}]


@pytest.mark.parametrize("name", PEERS)
def test_peers_are_metered_like_agents(name: str) -> None:
    if missing := why_missing(name):
        pytest.skip(missing)
    budget = {"smac3": 12, "nevergrad_ngopt": 40, "ray_tune_optuna": 40}.get(name, 130)
    several = name == "pymoo_nsga2"
    problem = make_problem("SystolicGemms-v0", **({"objective": "edp_js,area_mm2"} if several else {}))
    seen = []
    for _ in range(2):
        answers: list[Answer] = []
        metered = MeteredProblem(problem, budget, answers.append)
        agent = PEERS[name](metered, np.random.default_rng(3))
        assert run(agent) == "budget"
        priced = np.concatenate([problem.space.rank(answer.designs)[answer.fresh] for answer in answers])
        assert len(priced) == budget == len(set(priced.tolist()))
        seen.append(priced)
    assert np.array_equal(*seen)
    if not PEERS[name].several:
        both = make_problem("SystolicGemms-v0", objective="edp_js,area_mm2")
        with pytest.raises(ValueError, match="needs one objective, got 2"):
            PEERS[name](MeteredProblem(both, 10), np.random.default_rng(0))


def test_the_page_draws_at_every_width(tmp_path: Path, chromium: Chromium) -> None:
    study = made_up()
    page = tmp_path / "agents.html"
    write_comparison(Outcome((study,), [], {"smac3": "not <installed>"}, 1.0), page, "designgym bench agents")
    assert "smac3</b>: not &lt;installed&gt;" in page.read_text()
    for width in (1280, 390):
        show(chromium, page, width=width)
        assert chromium.evaluate("document.documentElement.dataset.report") == "drawn"
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert chromium.errors == []


def test_a_proposals_time_is_the_median_over_runs_and_not_a_workers_first() -> None:
    runs = [SimpleNamespace(agent_s=s, timed=timed) for s, timed in ((0.6, 1000), (0.1, 1000), (0.05, 500), (0.0, 0))]
    assert _ms(runs) == pytest.approx(0.1)
    assert np.isnan(_ms(runs[-1:]))
