"""Fixed policies that environments offer to be played: what they are called, and that they do what that says."""

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.ode_integrator import METHODS, scipy_design
from designgym.envs import make_problem, make_sequential

EXACT = ("evaluations", "steps", "rejected", "work")


def alone(env, policy, **how):
    """Return the metrics and violation of an episode."""
    observation, _ = env.reset(**how)
    start, ended = True, False
    while not ended:
        (action,) = policy.act(observation[None], np.array([start]))
        observation, _, ended, _, info = env.step(action)
        start = False
    return info


@pytest.mark.parametrize(
    ("ode", "mu", "method", "rtol"),
    [
        ("lotka_volterra", 1.0, "dp54", 1e-6),
        ("lotka_volterra", 1.0, "bs32", 1e-4),
        ("brusselator", 1.0, "tsit54", 1e-6),
        ("van_der_pol", 100.0, "rodas43", 1e-5),
    ],
)
def test_scipys_controller_by_what_is_observed_takes_scipys_steps(ode, mu, method, rtol) -> None:
    options = {"ode": ode, "mu": mu, "method": method, "rtol": rtol, "atol": 1e-3 * rtol, "most_evaluations": 10_000}
    env = make_sequential("OdeStepping", **options)
    (label, policy), *_ = env.baselines().items()
    assert label == f"scipy's controller, rtol = {rtol:g}"
    design = scipy_design(rtol=rtol, atol=1e-3 * rtol) | {"method": np.array([METHODS.index(method)])}
    for start in (0, 3):
        wanted = make_problem("OdeTolerance", ode=ode, mu=mu, start=start).cost_model.evaluate(design)
        found = alone(env, policy, options={"start": start})["metrics"]
        assert {name: found[name] for name in EXACT} == {name: wanted[name][0] for name in EXACT}
        assert found["error"] == pytest.approx(wanted["error"][0], rel=1e-4)


def test_a_controller_that_aims_lower_errs_less_and_works_more() -> None:
    env = make_sequential("OdeStepping")
    policies = env.baselines()
    chosen = [policies[f"scipy's controller, rtol = {rtol}"] for rtol in ("1e-06", "3.16e-07", "1e-07")]
    found = [alone(env, policy, seed=2)["metrics"] for policy in chosen]
    assert found[0]["error"] > found[1]["error"] > found[2]["error"]
    assert found[0]["steps"] < found[1]["steps"] < found[2]["steps"]


def test_a_tolerance_is_called_what_it_is() -> None:
    env = make_sequential("OdeStepping", control="tolerance", rtol=1e-5, atol=1e-8, starts=0)
    policies = env.baselines()
    assert len(policies) == 41
    assert (
        alone(env, policies["rtol = 1e-05"], seed=0)["metrics"]["evaluations"]
        == (make_problem("OdeTolerance").cost_model.evaluate(scipy_design(rtol=1e-5, atol=1e-8))["evaluations"][0])
    )


def test_an_eta_and_an_omega_are_called_what_they_are() -> None:
    etas = make_sequential("ThreeBodyStepping").baselines()
    assert list(etas)[-2:] == ["eta = 0.0464", "eta = 0.1"]
    assert etas["eta = 0.0464"].act(np.zeros((3, 13)), np.ones(3, bool)).tolist() == [8, 8, 8]
    env = make_sequential("RelaxationSequence", instances=2)
    omegas = env.baselines()
    assert len(omegas) == 20
    env.reset(seed=0)
    (action,) = omegas["omega = 1.8"].act(np.zeros((1, 1)), np.ones(1, bool))
    assert env.step(action)[-1]["design"] == {"omega": pytest.approx(1.8)}
