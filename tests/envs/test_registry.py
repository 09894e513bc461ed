"""Problems by id: options, objectives and cost models by name, and what Gymnasium makes of them."""

import json
import pickle
import subprocess
import sys

import gymnasium
import pytest
import sample_problems

from designgym.cost_models import registry as cost_models
from designgym.envs import (
    DesignEnv,
    DesignVectorEnv,
    Objective,
    StepwiseDesignEnv,
    full_id,
    gymnasium_id,
    make_problem,
    problem_ids,
    problem_options,
    register_problem,
)


@pytest.fixture(autouse=True)
def registered(registrations_forgotten: None) -> None:
    """Sample problems under ids of their own, gone again afterwards."""
    register_problem("SampleArray-v0", "sample_problems:array")
    register_problem("SampleSchedule-v0", "sample_problems:schedule")
    register_problem("SampleCircuit-v1", "sample_problems:circuit")
    cost_models.register_cost_model("SampleArrayModel", "sample_problems:Array")


def test_ids_are_listed_and_resolved() -> None:
    assert {"SampleArray-v0", "SampleSchedule-v0", "SampleCircuit-v1"} <= set(problem_ids())
    for short in ("SampleArray", "SampleArray-v0", "designgym/SampleArray-v0"):
        assert full_id(short) == "SampleArray-v0"
    assert gymnasium_id("SampleArray-v0") == "designgym/SampleArray-v0"
    assert gymnasium_id("SampleArray-v0", stepwise=True) == "designgym/SampleArrayStepwise-v0"


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^unknown problem 'SampelArray'. Did you mean 'SampleArray-v0'\?$"):
        make_problem("SampelArray")


def test_a_short_id_of_two_versions_is_ambiguous() -> None:
    register_problem("SampleArray-v1", "sample_problems:array")
    with pytest.raises(ValueError, match=r"'SampleArray' may be SampleArray-v0 or SampleArray-v1. Give the version"):
        full_id("SampleArray")


def test_a_taken_id_is_refused_and_names_both() -> None:
    with pytest.raises(ValueError, match=r"got sample_problems:circuit while it is sample_problems:array already"):
        register_problem("SampleArray-v0", "sample_problems:circuit")
    register_problem("SampleArray-v0", "sample_problems:array")  # the same again is no collision


@pytest.mark.parametrize("id", ["NoVersion", "a/b-v0", "-v0", "Spaced Out-v0"])
def test_a_malformed_id_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="must be letters and digits and a version"):
        register_problem(id, "sample_problems:array")


def test_a_malformed_entry_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be 'module:attribute', got 'sample_problems\.array'"):
        register_problem("SampleOther-v0", "sample_problems.array")


def test_options_reach_the_problem() -> None:
    assert problem_options("SampleArray") == {
        "macs": 4e9,
        "cost_model": None,
        "objective": Objective(minimize=("latency_s",), subject_to=("area_mm2 <= 20",)),
    }
    assert make_problem("SampleArray", macs=1e9).cost_model.macs == 1e9


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"must be one of macs, cost_model, objective, got 'mac'. Did you mean 'macs'\?"
    ):
        make_problem("SampleArray", mac=1e9)
    # A TypeError too, which libraries over Gymnasium expect of an argument that an environment does not take.
    with pytest.raises(TypeError, match="got 'colour'"):
        gymnasium.make("designgym/SampleArray-v0", colour="red")


class TestObjective:
    def test_a_text_keeps_the_constraints(self) -> None:
        wanted = Objective(minimize=("energy_j", "latency_s"), subject_to=("area_mm2 <= 20",))
        assert make_problem("SampleArray", objective="energy_j, latency_s").objective == wanted

    def test_a_text_goes_in_the_better_direction(self) -> None:
        wanted = Objective(minimize=("moved_words",), maximize=("speed",))
        assert make_problem("SampleSchedule", objective="speed,moved_words").objective == wanted

    def test_a_text_with_an_unknown_metric_names_the_nearest(self) -> None:
        with pytest.raises(ValueError, match=r"no metric 'energy'. Did you mean 'energy_j'\?"):
            make_problem("SampleArray", objective="energy")

    def test_a_mapping_holds_the_fields(self) -> None:
        fields = json.loads('{"minimize": ["energy_j"], "reward": "weighted", "weights": {"energy_j": 2}}')
        wanted = Objective(minimize=("energy_j",), reward="weighted", weights={"energy_j": 2})
        assert make_problem("SampleArray", objective=fields).objective == wanted
        with pytest.raises(ValueError, match=r"no field 'minimise'. Did you mean 'minimize'\?"):
            make_problem("SampleArray", objective={"minimise": ["energy_j"]})

    def test_an_objective_is_taken_as_it_is(self) -> None:
        objective = Objective(minimize=("area_mm2",))
        assert make_problem("SampleArray", objective=objective).objective is objective


def test_a_cost_model_by_name_gets_the_options_that_it_takes() -> None:
    problem = make_problem("SampleArray", macs=2e9, cost_model="SampleArrayModel", objective="energy_j")
    assert problem.cost_model == sample_problems.Array(macs=2e9)
    with pytest.raises(ValueError, match=r"unknown cost model 'SampleArrayModle'. Did you mean 'SampleArrayModel'\?"):
        make_problem("SampleArray", cost_model="SampleArrayModle")


def test_a_function_that_returns_something_else_is_refused() -> None:
    register_problem("SampleWrong-v0", "sample_problems:even_sum")
    with pytest.raises(TypeError, match="needs the option designs"):
        make_problem("SampleWrong")
    register_problem("SampleModel-v0", "sample_problems:Array")
    with pytest.raises(ValueError, match="must return a DesignProblem, got Array"):
        make_problem("SampleModel")


def test_an_entry_point_that_does_not_load_is_named() -> None:
    register_problem("SampleGone-v0", "sample_problems:gone")
    with pytest.raises(ValueError, match=r"problem 'SampleGone-v0': cannot load sample_problems:gone: .*no attribute"):
        make_problem("SampleGone")


class TestGymnasium:
    def test_makes_each_face(self) -> None:
        env = gymnasium.make("designgym/SampleArray-v0", macs=1e9, horizon=5)
        assert isinstance(env.unwrapped, DesignEnv)
        assert env.unwrapped.horizon == 5
        assert env.unwrapped.problem.cost_model.macs == 1e9
        many = gymnasium.make_vec("designgym/SampleArray-v0", num_envs=8, macs=1e9)
        assert isinstance(many, DesignVectorEnv)
        assert many.num_envs == 8
        stepwise = gymnasium.make("designgym/SampleCircuitStepwise-v1", bins=16)
        assert isinstance(stepwise.unwrapped, StepwiseDesignEnv)

    def test_specs_come_back_from_pickles_and_json(self) -> None:
        objective = Objective(minimize=("energy_j",), subject_to=("area_mm2 <= 5",))
        env = gymnasium.make("designgym/SampleArray-v0", objective=objective, macs=1e9)
        spec = env.unwrapped.spec
        assert spec is not None
        for copy in (pickle.loads(pickle.dumps(spec)), gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())):
            made = gymnasium.make(copy).unwrapped
            assert isinstance(made, DesignEnv)
            assert made.problem.objective == objective
            assert made.problem.cost_model.macs == 1e9

    def test_rendering_is_refused(self) -> None:
        gymnasium.make("designgym/SampleArray-v0", render_mode=None)
        with pytest.raises(TypeError, match="render_mode must be None, got 'rgb_array'"):
            gymnasium.make("designgym/SampleArray-v0", render_mode="rgb_array")

    def test_wrappers_go_around_the_vector_face(self) -> None:
        many = gymnasium.make_vec("designgym/SampleArray-v0", num_envs=4)
        many = gymnasium.wrappers.vector.RecordEpisodeStatistics(many)
        many.reset(seed=1)
        infos = many.step(many.action_space.sample())[4]
        assert infos["episode"]["l"].tolist() == [1, 1, 1, 1]


def test_importing_the_package_stays_light() -> None:
    code = """
import sys
import designgym.envs
heavy = [name for name in ("numba", "optuna", "sklearn", "ray", "plotly", "pyarrow", "pydantic") if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_face_that_a_problem_is_meant_for_does_not_change() -> None:
    entry = "designgym.envs.accelerator.systolic_array:systolic_array"
    with pytest.raises(ValueError, match=r"must be registered twice alike, got stepwise=True. Choose another id"):
        register_problem("SystolicArray-v0", entry, stepwise=True)
    assert gymnasium_id("LayerwiseQuantization-v0", stepwise=True) == "designgym/LayerwiseQuantization-v0"
    assert gymnasium_id("LayerwiseQuantization-v0") == "designgym/LayerwiseQuantizationDesign-v0"
