"""The three pieces keep designgym's contracts, and the model gives the paper's numbers."""

import numpy as np
import pytest

from designgym.agents import search
from designgym.agents.testing import check_agent
from designgym.cost_models import make_cost_model
from designgym.cost_models.testing import check_cost_model
from designgym.envs import make_problem
from designgym.envs.testing import check_environment


def test_the_cost_model_keeps_the_contract() -> None:
    designs = make_problem("MulticoreChip-v0").space.sample(300, np.random.default_rng(0))
    check_cost_model(make_cost_model("MulticoreChip"), designs)


def test_the_environment_keeps_the_contract() -> None:
    check_environment("MulticoreChip-v0")


def test_the_agent_keeps_the_contract() -> None:
    check_agent("one_plus_one")


@pytest.mark.parametrize(("layout", "core_bce", "speedup"), [("symmetric", 7, 51.2), ("asymmetric", 66, 125.0)])
def test_the_best_chips_of_256_are_the_papers(layout: str, core_bce: int, speedup: float) -> None:
    problem = make_problem("MulticoreChip-v0")
    all_designs = next(iter(problem.space.enumerate(10_000)))
    of_layout = all_designs["layout"] == ("symmetric", "asymmetric").index(layout)
    designs = {name: column[of_layout] for name, column in all_designs.items()}
    found = problem.evaluate(designs)
    best = int(np.argmax(np.where(found.feasible, found.metrics["speedup"], 0.0)))
    assert designs["core_bce"][best] == core_bce
    assert found.metrics["speedup"][best] == pytest.approx(speedup, abs=0.05)


def test_the_agent_finds_a_chip_near_the_best() -> None:
    best = search("MulticoreChip-v0", "one_plus_one", budget=300, seed=0).best
    assert best is not None
    assert best.metrics["speedup"] > 0.98 * 125.0
