"""Runs in which a sequential environment is played: logged, continued, swept, compared with its fixed policies."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from runs_in_process import assert_as_undisturbed, same_trials, spec_of, undisturbed

from designgym.agents.check_episodes import INSTANCES, Lanes
from designgym.envs import ReplayDiffers
from designgym.envs import registry as envs
from designgym.experiments import load_trials, progress
from designgym.experiments.cli import main
from designgym.experiments.driver import sweep
from designgym.experiments.report import write_report
from designgym.experiments.report.gather import study_all
from designgym.experiments.report.instances import Instances
from designgym.experiments.runs import runs
from designgym.experiments.spec import SpecError
from designgym.experiments.tasks import Failed

HERE = "designgym.agents.check_episodes"


@pytest.fixture(autouse=True)
def _small_environments(monkeypatch) -> None:
    problems = {"Lanes-v0": f"{HERE}:lanes", "Walks-v0": f"{HERE}:walks"}
    played = {"Lanes-v0": f"{HERE}:Lanes", "Walks-v0": f"{HERE}:Walks"}
    monkeypatch.setattr(envs._PROBLEMS, "_entry_points", {**envs._PROBLEMS._entry_points, **problems})
    monkeypatch.setattr(envs._SEQUENTIAL, "_entry_points", {**envs._SEQUENTIAL._entry_points, **played})


def test_a_played_run_logs_a_row_a_trial() -> None:
    (run,) = runs(spec_of(problems=["Lanes"], agents=["epsilon_greedy"], budget=INSTANCES + 5))
    rows, ended = undisturbed(run)
    assert rows.num_rows == INSTANCES + 5
    assert ended.reason == "budget"
    assert ended.timed == INSTANCES + 5
    assert set(rows.column("design.arm").to_pylist()) == set(range(5))
    assert rows.column("loss.cost").to_pylist() == rows.column("metric.cost").to_pylist()


@pytest.mark.parametrize("kept", [1, 39, 40, 44])
@pytest.mark.parametrize("agent", ["epsilon_greedy", "tsallis_inf_binned", "chebyshev_bandit"])
def test_a_continued_played_run_ends_in_the_same_trials(agent, kept) -> None:
    (run,) = runs(spec_of(problems=["Lanes"], agents=[agent], budget=45))
    whole, _ = undisturbed(run)
    rest, _ = undisturbed(run, whole[:kept])
    assert same_trials(pa.concat_tables([whole[:kept], rest]), whole)


def test_a_continued_run_that_comes_to_other_trials_is_stopped() -> None:
    (run,) = runs(spec_of(problems=["Lanes"], agents=["epsilon_greedy"], budget=45))
    whole, _ = undisturbed(run)
    place = whole.schema.get_field_index("loss.cost")
    other = whole.set_column(place, "loss.cost", pa.array([9.0] * 45))
    _, ended = undisturbed(run, other[:20])
    assert isinstance(ended, Failed)
    assert ended.replay
    assert ReplayDiffers.__name__ in ended.error


def test_agents_that_search_designs_search_its_fixed_policies() -> None:
    played, fixed = runs(spec_of(problems=["Lanes"], agents=["ucb", "exhaustive"], budget=20))
    assert (played.problem.label, fixed.problem.label) == ("Lanes-v0", "Lanes-v0, fixed policies")
    assert (played.trials, fixed.trials) == (20, 5)
    rows, ended = undisturbed(fixed)
    assert rows.num_rows == 5
    assert ended.reason == "complete"


def test_an_agent_of_sequences_is_refused_elsewhere() -> None:
    with pytest.raises(
        SpecError, match=r"agents\[0\].name: agent 'ucb' plays sequential environments, such as .*Lanes-v0"
    ):
        runs(spec_of(problems=["LABS"], agents=["ucb"]))
    with pytest.raises(SpecError, match="stop_at_regret is for searches of designs, but Lanes-v0 is played"):
        runs(spec_of(problems=["Lanes"], agents=["ucb"], stop_at_regret=0.1))
    with pytest.raises(SpecError, match="start is for searches of designs, but Lanes-v0 is played"):
        runs(spec_of(problems=["Lanes"], agents=["ucb"], start=[{"arm": 1}]))
    (run,) = runs(spec_of(problems=["Walks"], agents=["ucb"]))
    _, ended = undisturbed(run)
    assert "Ucb answers sequences of instances" in ended.error


def test_a_sweep_plays_and_searches_side_by_side(ray, tmp_path) -> None:
    spec = spec_of(problems=["Lanes"], agents=["ucb", "tsallis_inf", "random"], budget=60, seeds=2)
    sweep(spec, tmp_path / "out", workers=2, silent=True)
    assert_as_undisturbed(tmp_path / "out", runs(spec))
    assert load_trials(tmp_path / "out").num_rows == 4 * 60 + 2 * 5


def test_progress_tells_the_mean_of_the_latest_trials_of_who_plays(monkeypatch, capsys) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    all_runs = runs(spec_of(problems=["Lanes"], agents=["ucb", "epsilon_greedy"], budget=45, seeds=2))
    rows, _ = undisturbed(all_runs[0])
    with progress.Progress(all_runs, workers=1) as seen:
        seen.logged(all_runs[2], 9, {"reward": 1.0, "metrics": {"cost": 1.0}})
        for first in (0, 15):
            seen.priced(all_runs[0], rows[first : first + 15].combine_chunks().to_batches()[0], first + 15)
    assert "39 of 180 trials" in seen._status()
    costs = rows.column("metric.cost").to_numpy()
    faded = 0.5 ** (15 / progress.LATEST)
    mean = (faded * costs[:15].sum() + costs[15:30].sum()) / (faded * 15 + 15)
    assert seen._bests() == [f"latest mean of ucb on Lanes-v0: cost {mean:.4g}"]
    assert seen._bests()[0] in capsys.readouterr().err


# -- the command line --------------------------------------------------------------------------------------------------


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["designgym", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_an_environment_is_listed_shown_and_played(monkeypatch, capsys) -> None:
    assert call(monkeypatch, "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    row = next(row for row in listed["sequential_environments"] if row["id"] == "Lanes-v0")
    assert row["trial"] == "step"
    assert "ucb" in [row["name"] for row in listed["sequential_agents"]]
    assert call(monkeypatch, "show", "Lanes") == 0
    shown = capsys.readouterr().out
    assert "sequential; a trial is a step" in shown
    assert "Discrete(5)" in shown
    assert call(monkeypatch, "run", "Lanes", "--agent", "epsilon_greedy", "--budget", "200", "--json") == 0
    played = json.loads(capsys.readouterr().out)
    assert played["trials"] == 200
    assert 1.0 < played["mean_late"]["cost"] < 1.3
    assert call(monkeypatch, "run", "Lanes", "--agent", "exhaustive") == 0
    assert "best: cost 1.25" in capsys.readouterr().out
    assert call(monkeypatch, "run", "LABS", "--agent", "ucb") == 2
    assert "agent 'ucb' plays sequential environments, such as" in capsys.readouterr().err
    assert call(monkeypatch, "run", "Lanes", "--agent", "epsilon_gredy") == 2
    assert "Did you mean 'epsilon_greedy'" in capsys.readouterr().err
    assert call(monkeypatch, "run", "Lanes", "--agent", "ucb", "--workers", "2") == 2
    assert "--workers is for slow cost models" in capsys.readouterr().err
    assert call(monkeypatch, "show", "cross_entropy") == 0
    both = capsys.readouterr().out
    assert "population" in both
    assert "tanh units" in both, "its hyperparameters where it plays"
    assert call(monkeypatch, "show", "ucb") == 0
    assert "loss_scale" in capsys.readouterr().out


def test_the_report_draws_what_was_played_beside_the_best_fixed_policy(ray, tmp_path) -> None:
    spec = spec_of(problems=["Lanes"], agents=["epsilon_greedy", "fixed_action", "exhaustive"], budget=200, seeds=3)
    sweep(spec, tmp_path / "out", workers=2, silent=True)
    html = write_report(tmp_path / "out").read_text()
    text = re.sub(r"<[^>]+>", "", html)
    assert "epsilon_greedy comes to the least mean cost over all trials" in text
    assert "The best fixed policy that was searched comes to 1.25" in text
    assert "15 designs priced and 1,200 trials played" in text
    assert html.count("Lanes-v0 · fixed policies") == 1
    (played,) = study_all(tmp_path / "out")[2]
    trials = load_trials(tmp_path / "out")
    for player in played.players:
        rows = trials.filter(pa.compute.equal(trials.column("agent").cast("string"), player.label))
        means = [
            np.mean(rows.filter(pa.compute.equal(rows.column("seed"), seed)).column("metric.cost").to_numpy())
            for seed in range(3)
        ]
        assert sorted(run.mean for run in player.runs) == pytest.approx(sorted(means))
        assert all(run.ends[-1] == 200 for run in player.runs)
    # What was chosen, by the number that was asked for: hindsight follows it, the fixed action does not.
    found = played.instances
    assert html.count("What was chosen: arm") >= 1
    assert set(found.sums) == {"epsilon_greedy", "fixed_action"}
    assert sum(sums[0].sum() for sums in found.sums.values()) == 2 * 3 * 100
    counts, chosen, cost = found.hindsight
    middles = 0.5 * (found.edges[1:] + found.edges[:-1])
    assert chosen[counts > 0] / counts[counts > 0] == pytest.approx(4 * middles[counts > 0], abs=0.7)
    assert cost.sum() / counts.sum() < 1.09
    counts, chosen, _ = found.sums["fixed_action"]
    assert (chosen[counts > 0] == 0).all()


def test_contexts_of_a_run_go_on_from_episode_to_episode() -> None:
    logged = SimpleNamespace(id="Lanes-v0", given={}, label="Lanes-v0")
    found = Instances(logged, "cost")
    env = Lanes()
    index = np.array([0, INSTANCES - 1, INSTANCES, 2 * INSTANCES + 3])
    wanted = []
    for episode, place in ((0, 0), (0, INSTANCES - 1), (1, 0), (2, 3)):
        env.reset(seed=5 + episode * 2**32)
        for _ in range(place):
            env.step(0)
        wanted.append(env._asked[env._at, 0])
    assert found._contexts(5, index) == pytest.approx(wanted)


class Sometimes(Lanes):
    """Each arm but the first comes to nothing for every second instance; the first for all."""

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        if action == 0 or self._at % 2:
            info = {"design": info["design"], "metrics": {"cost": float("nan")}, "violation": 1.0}
        return observation, reward, terminated, truncated, info


def test_who_comes_to_nothing_is_not_called_the_best(ray, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("designgym.agents.check_episodes.Lanes", Sometimes)
    fixed = [{"name": "fixed_action", "hyperparameters": {"action": arm}} for arm in (0, 2)]
    spec = spec_of(problems=["Lanes"], agents=[*fixed, "random"], budget=80, seeds=2)
    sweep(spec, tmp_path / "out", workers=1, silent=True)
    (played,) = study_all(tmp_path / "out")[2]
    best, worst = played.players
    assert (best.feasible, worst.feasible) == (0.5, 0.0)
    assert np.isnan(worst.mean[0])
    text = re.sub(r"<[^>]+>", "", write_report(tmp_path / "out").read_text())
    assert "over its feasible trials, 50" in text
    assert "Feasible trials" in text
    assert "Means of feasible trials over" in text
    for player in (best, worst):
        for run in player.runs:
            assert np.diff(run.ends, prepend=0) @ run.shares == run.feasible * 80
