"""The optima that the package ships: priced as stored, and beaten by no other design that was looked at."""

import contextlib
import json
import shlex
from importlib import resources
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.accelerator.workloads import workload_names
from designgym.envs import make_problem
from designgym.envs.optimum import Optimum, known_optimum
from designgym.envs.pareto import nondominated

FAMILIES = ("accelerator", "landscapes", "quantization", "solver_schedule")
DRAWN = {
    "SolverPattern-v0": 1000,
    "FlowStepSizes-v0": 2000,
    "TimestepSubset-v0": 1000,
    "MixedPrecision-v0": 3000,
    "LayerwiseQuantization-v0": 1000,
    "ApproximateMultiplier-v0": 1000,
    "LowRank-v0": 3000,
    "FormatSearch-v0": 500,
    "StructuredSparsity-v0": 3000,
    "ExpProgram-v0": 1000,
    "ExpStraightLine-v0": 1000,
}  # a thousand samples or hundreds of images at each of their designs
# Networks of float32, whose products another processor's linear algebra sums in another order.
SINGLES = ("LowRank-v0", "StructuredSparsity-v0")
# Half of their designs come near the optimum and half no nearer than 0 does: the median lies where there are few.
TWO_KINDS = ("ExpProgram-v0", "ExpStraightLine-v0")
ENTRIES: list[dict[str, Any]] = [
    entry
    for family in FAMILIES
    for entry in json.loads(resources.files(f"designgym.envs.{family}").joinpath("data", "optima.json").read_text())
]


def options_of(entry: dict[str, Any]) -> dict[str, Any]:
    words = shlex.split(entry["command"])
    assert words[:3] == ["designgym", "optimum", entry["problem"]]
    options = dict(word.split("=", 1) for word in words[4::2])
    return {name: value == "true" or value_of(value) for name, value in options.items()}


def value_of(text: str) -> Any:
    if text.startswith("{"):
        return json.loads(text)
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def entries_of(problem: str) -> list[dict[str, Any]]:
    return [entry for entry in ENTRIES if entry["problem"] == problem]


def test_every_workload_has_its_three() -> None:
    objectives = {"latency_s", "energy_j", "edp_js"}
    entries = entries_of("SystolicArray-v0")
    stored = {(entry["options"]["workload"], *entry["objective"]["minimize"]) for entry in entries}
    assert stored == {(name, objective) for name in workload_names() for objective in objectives}
    assert all("area_mm2 <=" in entry["objective"]["subject_to"][0] for entry in entries)


def test_the_problems_that_agents_are_compared_on_have_theirs() -> None:
    assert {entry["options"]["instance"] for entry in entries_of("NKLandscape-v0")} == set(range(10))
    assert [entry["options"]["length"] for entry in entries_of("LABS-v0")] == [20]
    gemms = {tuple(entry["objective"]["minimize"]) for entry in entries_of("SystolicGemms-v0")}
    assert gemms == {("edp_js",), ("latency_s", "energy_j"), ("edp_js", "area_mm2")}


@pytest.mark.parametrize(
    ("problem", "networks"),
    [
        ("MixedPrecision-v0", {"mlp", "cnn"}), ("StructuredSparsity-v0", {"mlp", "cnn"}),
        ("LowRank-v0", {"mlp", "cnn"}), ("ApproximateMultiplier-v0", {"mlp"}),
    ],
)  # fmt: skip
def test_compressed_networks_have_optimum_and_front(problem: str, networks: set[str]) -> None:
    entries = entries_of(problem)
    bounded = [entry for entry in entries if entry["objective"]["subject_to"] == ["accuracy_drop <= 0.01"]]
    assert {entry["options"]["network"] for entry in bounded} == networks
    fronts = [entry for entry in entries if entry["objective"]["maximize"] == ["accuracy"]]
    assert "mlp" in {entry["options"]["network"] for entry in fronts}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["command"].removeprefix("designgym optimum "))
def test_a_stored_optimum_is_priced_as_stored_and_not_beaten(entry: dict[str, Any]) -> None:
    options = options_of(entry)
    problem = make_problem(entry["problem"], **options)
    optimum = known_optimum(entry["problem"], options, problem)
    assert optimum == Optimum.from_json(entry["optimum"]), "the cost model has changed: find its optima again"
    designs = [problem.space.parse(design) for design in optimum.designs]
    best = {name: np.concatenate([design[name] for design in designs]) for name in problem.space.columns}
    evaluations = problem.evaluate(best)
    assert evaluations.feasible.all()
    for name, column in evaluations.metrics.items():
        stored = [metrics[name] for metrics in optimum.all_metrics]
        # Exponentials may differ in their last bit from one library to the next.
        near = 1e-6 if entry["problem"] in SINGLES else 1e-9
        assert column.tolist() == (pytest.approx(stored, rel=near) if entry["problem"] in DRAWN else stored)
    around = problem.space.neighbours(designs[0])
    count, size = DRAWN.get(entry["problem"], 50_000), problem.space.size
    # A small space is looked at whole: the median of draws from a few designs is one of the two in the middle.
    anywhere = (
        problem.space.sample(count, np.random.default_rng(0)) if size > count else problem.space.unrank(np.arange(size))
    )
    for others_drawn in (around, anywhere):
        others = problem.evaluate(others_drawn)
        drawn = others.losses[others.feasible]
        assert nondominated(np.concatenate([drawn, optimum.front_losses]))[len(drawn) :].all()
    if entry["problem"] in TWO_KINDS:  # four standard errors
        near = 2.0 / len(drawn) ** 0.5
        assert (drawn < optimum.median_losses).mean() < 0.5 + near
        assert (drawn <= optimum.median_losses).mean() > 0.5 - near
        return
    assert np.median(drawn, axis=0) == pytest.approx(optimum.median_losses, rel=0.05 if len(drawn) > 1000 else 0.15)
