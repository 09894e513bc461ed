"""`designgym bench mixed-precision`: the field's own methods do what they say, and the answers follow from the log."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from designgym.agents import agent_class, search
from designgym.agents.search import Trials
from designgym.envs import MeteredProblem, make_problem
from designgym.envs.optimum import known_optimum, regret
from designgym.experiments.bench.agents_study import Curve, Study
from designgym.experiments.bench.bit_baselines import BitDescent, Program, make_baselines_known
from designgym.experiments.bench.mixed_precision import Outcome, answer, front_holds, true_volume, volume
from designgym.experiments.bench.mixed_precision_run import front_rows, lines_of, mean_rows, middle_rows
from designgym.experiments.cli.benching import bench
from designgym.experiments.log import load_sweep

PROBLEM = make_problem("MixedPrecision-v0")
COLUMNS = PROBLEM.space.columns


@pytest.fixture(scope="module", autouse=True)
def known() -> None:
    make_baselines_known()


def bits_of(trials: Trials) -> np.ndarray:
    return np.stack([trials.designs[name] for name in COLUMNS], axis=1)


def priced(bits: np.ndarray) -> Any:
    return PROBLEM.evaluate({name: bits[:, i] for i, name in enumerate(COLUMNS)})


@pytest.fixture(scope="module")
def descent() -> Trials:
    return search(PROBLEM, "bit_descent", 300)


@pytest.fixture(scope="module")
def sensitivity() -> Trials:
    return search(PROBLEM, "additive_sensitivity", 60)


def test_descent_goes_down_bit_by_bit_until_no_bit_can_go(descent: Trials) -> None:
    bits, ratio = bits_of(descent), descent.evaluations.losses[:, 0]
    assert bits[0].tolist() == [8] * 6
    here, last = bits[0], ratio[0]
    for row, feasible, now in zip(bits[1:], descent.evaluations.feasible[1:], ratio[1:], strict=True):
        assert np.abs(row - here).sum() == 1, "one bit of one layer"
        assert now < last
        here, last = (row, now) if feasible else (here, last)
    lower = here - np.eye(6, dtype=int)
    assert not priced(lower[lower.min(axis=1) >= 2]).feasible.any()
    assert (len(descent), descent.ended) == (len(np.unique(bits, axis=0)), "done")
    assert len(descent) < 100


def test_descent_by_accuracy_prices_every_step_and_keeps_the_most_accurate() -> None:
    trials = search(PROBLEM, "bit_descent", 40, by="accuracy")
    bits, accuracy = bits_of(trials), trials.evaluations.metrics["accuracy"]
    assert (bits[1:7].sum(axis=1) == 47).all()
    kept = 1 + int(np.argmax(np.where(trials.evaluations.feasible[1:7], accuracy[1:7], -1.0)))
    assert (bits[7:12].sum(axis=1) == 46).all()
    assert (np.abs(bits[7:12] - bits[kept]).sum(axis=1) == 1).all()
    assert len(trials) == 40, "all that is priced counts"


def test_sensitivities_cost_a_design_each_and_add_up_in_the_program(sensitivity: Trials) -> None:
    bits, nll = bits_of(sensitivity), sensitivity.evaluations.metrics["nll"]
    single = bits[:37]
    assert ((single != 8).sum(axis=1) == [0, *[1] * 36]).all()
    added = {(int(np.argmax(row != 8)), int(row.min())): nll[i] - nll[0] for i, row in enumerate(single) if i}
    tables = np.array([[added[column, b] for b in range(2, 8)] + [0.0] for column in range(6)])
    macs = np.array([2048, 1024, 320])
    program = Program(macs, tables[0::2], tables[1::2])
    one = np.array([[4, 8, 8, 3, 8, 8]])
    assert program.predicted(one) == pytest.approx(added[0, 4] + added[3, 3])
    # All 7^6 designs: what integer programming finds is the least, and what follows is the next.
    every = np.stack(np.meshgrid(*[np.arange(2, 9)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    sums = sum(tables[column, every[:, column] - 2] for column in range(6))
    operations = (macs * every[:, 0::2] * every[:, 1::2]).sum(axis=1)
    for limit in (20_000, 54_272):
        found = np.concatenate(list(islice(program.in_order(limit), 8)))
        assert (macs * found[:, 0::2] * found[:, 1::2]).sum(axis=1).max() <= limit
        assert len(np.unique(found, axis=0)) == 8
        wanted = np.sort(sums[operations <= limit])[:8]
        assert [program.predicted(row[None]) for row in found] == pytest.approx(wanted, abs=1e-9)
    assert not list(program.in_order(13_567)), "2 bits everywhere need 13,568"


def test_integer_programming_comes_close_and_prices_nothing_twice(sensitivity: Trials) -> None:
    assert len(np.unique(bits_of(sensitivity), axis=0)) == len(sensitivity) == 60
    optimum = known_optimum("MixedPrecision-v0", {}, PROBLEM)
    assert sensitivity.best is not None
    assert 0 <= regret(sensitivity.best.metrics["bit_operations_ratio"], optimum) < 0.2


def test_other_problems_are_refused_by_name() -> None:
    other = MeteredProblem(make_problem("LABS-v0"), 10)
    with pytest.raises(ValueError, match="BitDescent needs the cost model MixedPrecision, got LABS"):
        agent_class("bit_descent")(other, np.random.default_rng(0))
    assert agent_class("bit_descent") is BitDescent


def test_volumes_are_of_logarithms_within_the_reference() -> None:
    two = {"bit_operations_ratio": np.exp([-1.0, -2.0]), "accuracy": np.array([0.9, 0.7])}
    assert volume(two) == pytest.approx(0.4 + 0.2)
    beyond = {"bit_operations_ratio": np.array([1.1, 0.5]), "accuracy": np.array([0.9, 0.4])}
    assert volume(beyond) == 0.0
    drawn = PROBLEM.evaluate(PROBLEM.space.sample(2000, np.random.default_rng(0))).metrics
    assert 0.8 * true_volume("mlp") < volume(drawn) < true_volume("mlp")


def test_answers_follow_from_the_curves() -> None:
    levels = {"random": 0.3, "optuna_tpe": 0.1, "bayesian": 0.05, "bit_descent": 0.0}
    curves = {
        agent: {"p": {seed: Curve(np.full(300, level), np.arange(1, 301) / 100) for seed in range(4)}}
        for agent, level in levels.items()
    }

    def compared(names: list[str]) -> Study:
        made = {name: curves[name] for name in names}
        field, families = frozenset({"bit_descent"}), {"p": "MixedPrecision-v0"}
        ms = dict.fromkeys(names, 1.0)
        return Study(300, False, ("p",), (0, 1, 2, 3), made, ms, {}, field, families, (50, 100))

    study, behind = compared(list(levels)), compared(["random", "optuna_tpe", "bit_descent"])
    found = answer(study, 300)
    assert found is not None
    assert (found.agent, found.regret.middle, found.holds) == ("bayesian", pytest.approx(0.05), True)
    shares = {"genetic": np.array([0.97, 0.96]), "random": np.array([0.9, 0.91])}
    outcome = Outcome({"mlp": study, "cnn": behind}, {"mlp": shares}, 3000, 1.0)
    told = lines_of(outcome)
    assert "bayesian has a mean regret of 0.050 [0.050, 0.050], no worse than optuna_tpe's 0.100" in told[1]
    assert "random has a mean regret of 0.300 [0.300, 0.300], WORSE than" in told[2]
    assert told[3].endswith("at least 0.95 and above random's interval: as wanted")
    assert not front_holds(shares | {"random": np.array([0.97, 0.98])})
    assert not front_holds(shares | {"genetic": np.array([0.94, 0.95])})
    heads, rows = mean_rows(study)
    assert heads[1:4] == ["at 50", "at 100", "at 300"]
    assert [row[0] for row in rows] == ["bit_descent *", "bayesian", "optuna_tpe", "random"]
    assert middle_rows(study)[1][1][-2:] == ["0.050", "0.050"]
    assert front_rows(outcome)[0][2].startswith("0.965")


@pytest.mark.usefixtures("ray")
def test_the_command_runs_goes_on_and_writes_its_figures(tmp_path: Path) -> None:
    chosen = ["--networks", "mlp", "--agents", "random", "--agents", "local_search"]
    options = ["--seeds", "1", "--budget", "40", "--front-budget", "60", "--workers", "1"]
    command = ["mixed-precision", *chosen, *options, "--out", str(tmp_path), "--json", "--silent"]
    told = []
    for _ in range(2):
        done = CliRunner().invoke(bench, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        told.append(json.loads(done.stdout))
    assert told[0] == told[1], "the second call finds everything done"
    assert len(load_sweep(tmp_path / "mlp").runs) == 2 + 4
    assert pq.read_table(tmp_path / "figures.parquet").num_rows == len(told[0]["rows"])
    shares = {row["agent"]: row for row in told[0]["rows"] if row["figure"] == "hypervolume_share"}
    assert set(shares) == {"genetic", "random"}
    assert 0.3 < shares["random"]["low"] <= shares["random"]["middle"] <= shares["random"]["high"] < 1
    assert len(told[0]["answers"]) == 2, "no yardstick, no answer about it"


def test_what_cannot_be_compared_is_one_line() -> None:
    for options, words in (
        (["--networks", "mpl"], "the true optimum of network 'mpl' is not known. Did you mean 'mlp'?"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
        (["--front-budget", "-1"], "front-budget must be at least 0, got -1"),
        (["--agents", "randm"], "Did you mean 'random'?"),
    ):
        done = CliRunner().invoke(bench, ["mixed-precision", *options])
        assert isinstance(done.exception, ValueError)
        assert words in str(done.exception)
