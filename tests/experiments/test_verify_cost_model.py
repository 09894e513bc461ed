"""`designgym verify --cost-model`: the best designs by another cost model, and how far the two agree."""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from small_sweep import log_sweep

from designgym.cost_models import registry
from designgym.cost_models.accelerator.systolic_array import METRICS, SystolicArray
from designgym.cost_models.base import Columns, Failure, Metric
from designgym.envs.registry import make_problem
from designgym.experiments.agreement import agreement, names_cost_model
from designgym.experiments.cli import main
from designgym.experiments.report import write_report
from designgym.experiments.results import Results
from designgym.experiments.verified import read_verified
from designgym.experiments.verify import verify

WORKLOAD = "conv:out=14,kernel=3,channels=16,filters=32"
LATENCY = Metric("latency_s", "s", "lower", "time of one inference")


@dataclass(frozen=True)
class Waiting:
    """A systolic array whose DRAM makes it wait: slow to price, kept on disk, and broken on some designs."""

    workload: str = WORKLOAD

    slow = True
    stored = True
    metrics = METRICS
    version = "waiting"

    def evaluate_reporting(self, designs: Columns) -> tuple[Columns, tuple[Failure | None, ...]]:
        columns = SystolicArray(self.workload).evaluate(designs)
        slower = 1.0 + 8.0 / designs["dram_words_per_cycle"]
        columns["cycles"], columns["latency_s"] = columns["cycles"] * slower, columns["latency_s"] * slower
        broken = designs["clock_hz"] == BROKEN_HZ
        for metric in self.metrics:
            columns[metric.name] = np.where(broken, np.nan, columns[metric.name])
        columns["violation"] = np.where(broken, np.inf, columns["violation"])
        return columns, tuple(Failure("it hung", "last words\n") if b else None for b in broken)

    def evaluate(self, designs: Columns) -> Columns:
        return self.evaluate_reporting(designs)[0]


BROKEN_HZ = 100_000_000


@pytest.fixture(autouse=True)
def _waiting_is_known(monkeypatch) -> None:
    known = {**registry._COST_MODELS._entry_points, "Waiting": f"{__name__}:Waiting"}
    monkeypatch.setattr(registry._COST_MODELS, "_entry_points", known)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    problem = {"id": "SystolicArray-v0", "options": {"workload": WORKLOAD}}
    given = {"name": "s", "problems": [problem], "agents": ["random", "genetic"], "seeds": 1, "budget": 60}
    return log_sweep(tmp_path_factory.mktemp("models") / "out", given)


def left() -> int:
    """Run the command, and return the code that it leaves with."""
    with pytest.raises(SystemExit) as raised:
        main()
    return int(raised.value.code or 0)


# -- the numbers ------------------------------------------------------------------------------------------------------


def test_agreement_by_hand() -> None:
    ours, theirs = np.array([1.0, 2.0, 3.0, 4.0, math.nan]), np.array([2.0, 3.0, 8.0, 4.0, 1.0])
    found = agreement(LATENCY, ours, theirs)
    assert found.n == 4
    assert found.kendall == pytest.approx((5 - 1) / 6)
    assert found.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert found.ratio == pytest.approx((1.5 + 2) / 2)
    assert found.error == pytest.approx(math.sqrt((0.25 + 1 / 9 + 25 / 64 + 0) / 4))


def test_agreement_where_there_is_nothing_to_say() -> None:
    two = agreement(LATENCY, np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert math.isnan(two.kendall)
    assert (two.ratio, two.error) == (1.0, 0.0)
    constant = agreement(LATENCY, np.ones(5), np.arange(5.0))
    assert math.isnan(constant.kendall)
    assert math.isnan(constant.error), "a 0 has no relative error"
    assert agreement(LATENCY, np.full(3, math.nan), np.ones(3)).n == 0


def test_which_options_name_a_cost_model() -> None:
    assert names_cost_model("cost_model=ScaleSim")
    assert names_cost_model("clock=3, cost_model=own")
    assert not names_cost_model("noise_seed=1, my_cost_model=x")


# -- verify -----------------------------------------------------------------------------------------------------------


def test_another_cost_model_prices_the_best(swept, tmp_path) -> None:
    failed, heard = [], []
    results = Results(tmp_path / "kept.sqlite")
    found = verify(
        swept, {"cost_model": "Waiting"}, top=8, workers=2, results=results, heard=lambda n, of: heard.append((n, of)),
        failed=lambda number, why: failed.append(why),
    )  # fmt: skip
    rows = [row for row in read_verified(swept).to_pylist() if row["set"] == "cost_model=Waiting"]
    assert len(rows) == 16
    problem = make_problem("SystolicArray-v0", workload=WORKLOAD)
    for row in rows:
        design = {name: row[f"design.{name}"] for name in problem.space.columns}
        priced = Waiting().evaluate(problem.space.parse(design))
        assert row["verified.latency_s"] == pytest.approx(priced["latency_s"][0], nan_ok=True)
    assert heard[-1][0] == heard[-1][1] <= 16
    assert len(failed) == found.failed
    together, agreements = found.comparisons[0], found.agreements[0]
    assert together.agent == ""
    by_name = {one.metric.name: one for one in agreements}
    assert by_name["area_mm2"].error == 0
    assert by_name["latency_s"].ratio > 1
    again = []
    verify(swept, {"cost_model": "Waiting"}, top=8, results=results, failed=lambda number, why: again.append(why))
    assert again == failed, "failures are tried again, the rest is recalled"


def test_the_command_prints_agreement_and_failures(swept, monkeypatch, capsys) -> None:
    monkeypatch.setattr(
        sys, "argv", ["designgym", "verify", str(swept), "--cost-model", "Waiting", "--top", "5", "--results", "off"]
    )
    assert left() == 0
    out = capsys.readouterr().out
    assert "agreement on the 5 best in search" in out
    assert "Spearman's rho" in out
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--json"])
    assert left() == 0
    told = json.loads(capsys.readouterr().out)
    (latency,) = (one for one in told["comparisons"][0]["agreement"] if one["metric"] == "latency_s")
    assert latency["ratio"] > 1
    page = write_report(swept).read_text()
    assert "How the cost models agree: cost_model=Waiting" in page


def test_an_unknown_cost_model_is_one_line(swept, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["designgym", "verify", str(swept), "--cost-model", "Wating"])
    assert left() == 2
    assert "Did you mean 'Waiting'?" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", [*sys.argv[:3], "--cost-model", "Waiting", "--set", "cost_model=Waiting"])
    assert left() == 2
    assert "say the same" in capsys.readouterr().err
