"""No knob of the systolic array has one value that is always best: every design of a coarser grid is priced.

The grid keeps all values of every knob but rows and cols, of which it takes each seventh. Three workloads, three
objectives, the area bound of the default problem.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from designgym.cost_models.accelerator.systolic_array import DESIGN, SystolicArray
from designgym.cost_models.base import Columns
from designgym.envs.accelerator.systolic_array import AREA_BOUND_MM2, design_space, systolic_array

WORKLOADS = ("resnet50", "mobilenetv2", "bert-base")
OBJECTIVES = ("latency_s", "energy_j", "edp_js")
SIDES = range(4, 257, 28)


def grid() -> Iterator[Columns]:
    space = design_space()
    values = [space[name].from_digits([np.arange(space[name].count)])[0] for name in DESIGN[2:]]
    rest = [axis.ravel() for axis in np.meshgrid(*values, indexing="ij")]
    for rows in SIDES:
        for cols in SIDES:
            sides = [np.full(len(rest[0]), side) for side in (rows, cols)]
            yield dict(zip(DESIGN, [*sides, *rest], strict=True))


@pytest.fixture(scope="module")
def best() -> dict[tuple[str, str], tuple[int, ...]]:
    """The best design per workload and objective, by exact enumeration."""
    found: dict[tuple[str, str], tuple[float, tuple[int, ...]]] = {}
    models = {workload: SystolicArray(workload) for workload in WORKLOADS}
    for designs in grid():
        for workload, model in models.items():
            priced = model.evaluate(designs)
            for objective in OBJECTIVES:
                loss = np.where(priced["area_mm2"] <= AREA_BOUND_MM2["horowitz45"], priced[objective], np.inf)
                i = int(loss.argmin())
                if loss[i] < found.get((workload, objective), (np.inf, ()))[0]:
                    found[workload, objective] = float(loss[i]), tuple(int(designs[name][i]) for name in DESIGN)
    return {case: design for case, (_, design) in found.items()}


@pytest.mark.parametrize("knob", DESIGN)
def test_no_value_is_always_best(knob: str, best: dict[tuple[str, str], tuple[int, ...]]) -> None:
    values = {case: design[DESIGN.index(knob)] for case, design in best.items()}
    assert len(values) == len(WORKLOADS) * len(OBJECTIVES)
    assert len(set(values.values())) > 1, values


def test_between_a_fifth_and_two_fifths_of_the_designs_meet_the_area_bound() -> None:
    for technology in AREA_BOUND_MM2:
        problem = systolic_array("alexnet", technology=technology)
        designs = problem.space.sample(50_000, np.random.default_rng(0))
        assert 0.2 < problem.evaluate(designs).feasible.mean() < 0.4
