"""Problems of two fidelities: `cheap=` takes what `cost_model=` takes, and the meter counts each apart."""

import pickle
import sys

import numpy as np
import pytest

from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.registry import OptionError
from designgym.envs import BudgetSpent, DesignProblem, MeteredProblem, make_problem, registry

WORKLOAD = "gemm:m=9,k=11,n=7"


def test_a_second_cost_model_by_name_gets_the_problem_s_options() -> None:
    problem = make_problem("SystolicArray-v0", workload=WORKLOAD, dram="counted", cheap="SystolicArray")
    assert problem.cost_model.slow
    assert problem.cheap == SystolicArray(WORKLOAD, dram="counted"), "the options that it takes"
    assert pickle.loads(pickle.dumps(problem)).cheap == problem.cheap
    closed = make_problem("SystolicArray-v0", workload=WORKLOAD, dram="counted", cheap=SystolicArray(WORKLOAD))
    assert closed.cheap.dram == "closed"
    assert make_problem("SystolicArray-v0", workload=WORKLOAD, cheap=None).cheap is None


def test_each_fidelity_has_its_own_meter_and_memory() -> None:
    problem = make_problem("SystolicArray-v0", workload=WORKLOAD, dram="counted", cheap=SystolicArray(WORKLOAD))
    metered = MeteredProblem(problem, 5)
    designs = problem.space.sample(4, np.random.default_rng(0))
    cheap = metered.evaluate(designs, "cheap")
    assert (metered.spent(), metered.spent("cheap")) == (0, 4)
    faithful = metered.evaluate(designs)
    assert (metered.spent(), metered.spent("cheap")) == (4, 4)
    assert (faithful.metrics["cycles"] == cheap.metrics["cycles"]).all(), "stall-free both"
    metered.evaluate(designs, "cheap")
    assert metered.spent("cheap") == 4, "a repeat is free"
    with pytest.raises(BudgetSpent):
        metered.evaluate(problem.space.sample(3, np.random.default_rng(1)), "cheap")
    assert (metered.spent(), metered.spent("cheap")) == (4, 5)


def bare(workload: str = WORKLOAD) -> DesignProblem:
    """A problem that takes no cost model."""
    return make_problem("SystolicArray-v0", workload=workload)


def test_what_cannot_be_cheap_is_refused_in_one_line(monkeypatch) -> None:
    known = {**registry._PROBLEMS._entry_points, "Bare-v0": f"{__name__}:bare"}
    monkeypatch.setattr(registry._PROBLEMS, "_entry_points", known)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    with pytest.raises(OptionError, match="cheap needs a problem that takes a cost_model, got Bare-v0"):
        make_problem("Bare-v0", cheap="SystolicArray")
    with pytest.raises(ValueError, match="Did you mean 'SystolicArray'"):
        make_problem("SystolicArray-v0", cheap="SystolicAray")
    with pytest.raises(ValueError, match="the cost model has no metric 'latency_s'"):
        make_problem("SystolicArray-v0", cheap="NKLandscape")
    with pytest.raises(ValueError, match="KIND:PATH"):
        make_problem("SystolicArray-v0", cheap="surogate:model")
