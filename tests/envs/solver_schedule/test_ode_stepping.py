"""The sequential face of adaptive integration: a fixed controller through it takes the one-shot face's steps."""

import math

import gymnasium
import numpy as np
import pytest
from sequential_pairs import played_alike

from designgym.agents.playing import play_trials
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, scipy_design
from designgym.envs import make_problem, make_sequential
from designgym.envs.solver_schedule.ode_stepping import OdeStepping
from designgym.envs.solver_schedule.ode_stepping_vector import OdeSteppingVector
from designgym.envs.testing import check_sequential

CONTROLLERS = {
    "scipy's": {},
    "PI": {"controller": 1, "gain_i": 0.7, "gain_p": 0.4},
    "PID": {"controller": 2, "gain_i": 0.6, "gain_p": 0.3, "gain_d": 0.1, "safety": 0.8, "max_factor": 5.0},
}
EXACT = ("evaluations", "jacobians", "steps", "rejected", "work")


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize(
    ("ode", "mu", "method", "rtol"),
    [
        ("lotka_volterra", 1.0, "dp54", 1e-6),
        ("lotka_volterra", 1.0, "bs32", 1e-4),
        ("brusselator", 1.0, "tsit54", 1e-8),
        ("van_der_pol", 100.0, "rodas43", 1e-5),
        ("robertson", 1.0, "rodas43", 1e-4),
        ("neural_ode", 1.0, "tsit54", 1e-5),
    ],
)
def test_a_fixed_controller_takes_the_steps_of_the_one_shot_face(controller, ode, mu, method, rtol) -> None:
    design = scipy_design(rtol=rtol, atol=1e-3 * rtol) | {"method": np.array([METHODS.index(method)])}
    design |= {name: np.array([value]) for name, value in CONTROLLERS[controller].items()}
    env = make_sequential(
        "OdeStepping", ode=ode, mu=mu, method=method, rtol=rtol, atol=1e-3 * rtol, most_evaluations=10_000
    )
    one = {name: column[0].item() for name, column in design.items()}
    for start in (0, 3):
        problem = make_problem("OdeTolerance", ode=ode, mu=mu, start=start)
        wanted = problem.cost_model.evaluate(design)
        env.reset(options={"start": start})
        action, ended = 0.0, False
        while not ended:
            *_, ended, _, info = env.step(np.array([action]))
            if not ended:
                action = math.log10(env.integrations.controller_factors(one).item())
        assert info["violation"] == wanted["violation"][0] == 0.0
        assert {name: info["metrics"][name] for name in EXACT} == {name: wanted[name][0] for name in EXACT}
        for name in ("error", "largest_error", "local_error", "stiffness"):
            assert info["metrics"][name] == pytest.approx(wanted[name][0], rel=1e-5), name


def test_tolerances_that_are_left_alone_are_scipys_integration() -> None:
    env = make_sequential("OdeStepping", control="tolerance", rtol=1e-5, atol=1e-8, starts=0)
    env.reset(seed=0)
    ended = False
    while not ended:
        *_, ended, _, info = env.step(np.array([0.0]))
    wanted = make_problem("OdeTolerance").cost_model.evaluate(scipy_design(rtol=1e-5, atol=1e-8))
    assert info["metrics"] == {name: wanted[name][0] for name in info["metrics"]}


def test_looser_tolerances_cost_less_and_miss_more() -> None:
    env = make_sequential("OdeStepping", control="tolerance")
    found = []
    for action in (-0.5, 0.0, 0.5):
        env.reset(seed=3)
        ended = False
        while not ended:
            *_, ended, _, info = env.step(np.array([action]))
        found.append((info["metrics"]["error"], info["metrics"]["evaluations"]))
    errors, evaluations = zip(*found, strict=True)
    assert errors[0] < errors[1] < errors[2]
    assert evaluations[0] > evaluations[1] > evaluations[2]


def test_reward_is_evaluations_and_decades_above_the_bound() -> None:
    env = make_sequential("OdeStepping", rtol=1e-3, atol=1e-6, bound=1e-5)
    env.reset(seed=1)
    total, ended = 0.0, False
    while not ended:
        _, reward, ended, _, info = env.step(np.array([0.0]))
        total += reward
    metrics = info["metrics"]
    missed = -10.0 * max(0.0, math.log10(metrics["error"] / 1e-5))
    assert total == pytest.approx(missed - (metrics["evaluations"] - 2.0) / 100.0)
    assert missed < 0.0


def test_an_integration_that_gives_up_is_a_violation() -> None:
    env = make_sequential("OdeStepping", most_evaluations=50)
    env.reset(seed=1)
    ended = False
    while not ended:
        observation, _, ended, _, info = env.step(np.array([-1.0]))
        assert env.observation_space.contains(observation)
    assert 0.0 < info["violation"] <= 1.0
    assert all(math.isnan(value) for value in info["metrics"].values())


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"most_evaluations": 600}, 230),
        ({"ode": "brusselator", "control": "tolerance", "method": "tsit54", "rtol": 1e-4, "starts": 3}, 230),
        ({"ode": "robertson", "control": "tolerance", "method": "rodas43", "rtol": 1e-3, "starts": 2}, 120),
        (
            {"ode": "van_der_pol", "mu": 40.0, "method": "rodas43", "rtol": 1e-3, "starts": 2, "most_evaluations": 300},
            150,
        ),
        ({"ode": "arenstorf", "method": "bs32", "rtol": 1e-3, "starts": 0, "most_evaluations": 200}, 150),
        ({"ode": "neural_ode", "method": "bs32", "rtol": 1e-3, "starts": 2, "most_evaluations": 400}, 300),
    ],
    ids=lambda value: str(value.get("ode", "lotka_volterra")) if isinstance(value, dict) else "",
)
def test_the_vector_environment_is_the_scalar_one_bit_for_bit(options, steps) -> None:
    ended = played_alike(
        OdeStepping(**options).vectors(5),
        lambda: OdeStepping(**options),
        steps,
        lambda rng, count: rng.uniform(-1.0, 1.0, (count, 1)),
    )
    assert ended.min() >= 1
    assert ended.max() >= 2


def test_copies_begin_where_they_are_asked_to() -> None:
    many = gymnasium.make_vec("designgym/OdeStepping-v0", num_envs=3, control="tolerance")
    assert isinstance(many, OdeSteppingVector)
    _, infos = many.reset(seed=1, options={"start": 4})
    assert infos["start"].tolist() == [4, 4, 4]
    kept = many.step(np.zeros((3, 1)))[0]
    only = np.array([False, True, False])
    observed, infos = many.reset(seed=[None, 7, None], options={"start": 2, "reset_mask": only})
    assert infos["start"].tolist() == [0, 2, 0]
    assert infos["_start"].tolist() == only.tolist()
    assert (observed[[0, 2]] == kept[[0, 2]]).all()
    alone, _ = OdeStepping().reset(options={"start": 2})
    assert (observed[1] == alone).all()
    for wrong in (np.zeros(3), np.full((3, 1), 1.1), np.full((3, 1), np.nan)):
        with pytest.raises(ValueError, match=r"actions must be \(3, 1\) in \[-1, 1\]"):
            many.step(wrong)


def test_contract() -> None:
    check_sequential("OdeStepping", ode="brusselator", control="tolerance")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"control": "stpe"}, "unknown control 'stpe'. Did you mean 'step'"),
        ({"method": "dp45"}, "unknown method 'dp45'. Did you mean 'dp54'"),
        ({"rtol": 0.0}, "rtol must be above 0"),
        ({"starts": -1}, "starts must be an integer of at least 0"),
        ({"ode": "lorenz"}, "unknown ode 'lorenz'"),
    ],
)
def test_wrong_options_are_named(option, said) -> None:
    with pytest.raises(ValueError, match=said.replace("'", ".")):
        make_sequential("OdeStepping", **option)


def test_a_bandit_does_not_play_it() -> None:
    with pytest.raises(ValueError, match="Ucb answers sequences of instances"):
        play_trials("OdeStepping", "ucb", 2)
