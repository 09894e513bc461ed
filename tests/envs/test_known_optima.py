"""The optima that the package ships: priced as stored, and beaten by no other design that was looked at."""

import json
import shlex
from importlib import resources
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.accelerator.workloads import workload_names
from designgym.envs import make_problem
from designgym.envs.optimum import Optimum, known_optimum

ENTRIES: list[dict[str, Any]] = json.loads(
    resources.files("designgym.envs.accelerator").joinpath("data", "optima.json").read_text()
)


def options_of(entry: dict[str, Any]) -> dict[str, str]:
    words = shlex.split(entry["command"])
    assert words[:3] == ["designgym", "optimum", "SystolicArray-v0"]
    return dict(word.split("=", 1) for word in words[4::2])


def test_every_workload_has_its_three() -> None:
    objectives = {"latency_s", "energy_j", "edp_js"}
    stored = {(entry["options"]["workload"], *entry["objective"]["minimize"]) for entry in ENTRIES}
    assert stored == {(name, objective) for name in workload_names() for objective in objectives}
    assert all("area_mm2 <=" in entry["objective"]["subject_to"][0] for entry in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["command"].removeprefix("designgym optimum "))
def test_a_stored_optimum_is_priced_as_stored_and_not_beaten(entry: dict[str, Any]) -> None:
    options = options_of(entry)
    problem = make_problem("SystolicArray-v0", **options)
    optimum = known_optimum("SystolicArray-v0", options, problem)
    assert optimum == Optimum.from_json(entry["optimum"]), "the cost model has changed: find its optima again"
    best = problem.space.parse(optimum.design)
    evaluations = problem.evaluate(best)
    assert evaluations.feasible.all()
    assert {name: column[0] for name, column in evaluations.metrics.items()} == optimum.metrics
    around = problem.space.neighbours(best)
    anywhere = problem.space.sample(50_000, np.random.default_rng(0))
    for designs in (around, anywhere):
        others = problem.evaluate(designs)
        assert others.losses[others.feasible, 0].min() >= optimum.loss
    drawn = others.losses[others.feasible, 0]
    assert np.median(drawn) == pytest.approx(optimum.median_loss, rel=0.05)
