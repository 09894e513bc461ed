"""The shipped neural ODE is the one that its script trains."""

import numpy as np
import pytest

from designgym.cost_models.solver_schedule._ode_right_sides_kernel import right_side
from designgym.cost_models.solver_schedule.ode_problems import network_weights, ode_problem

torch = pytest.importorskip("torch")

from importlib.resources import files  # noqa: E402

from designgym.experiments.weights import neural_ode  # noqa: E402


def shipped() -> dict[str, np.ndarray]:
    with files("designgym.cost_models.solver_schedule").joinpath("data", "neural_ode.npz").open("rb") as file:
        return dict(np.load(file))


def test_the_shipped_weights_have_the_losses_recorded_with_them() -> None:
    weights = shipped()
    units, seed = weights["units"], int(weights["seed"])
    assert np.array_equal(units, network_weights())
    assert units.shape == (neural_ode.HIDDEN, 5)
    pieces = torch.tensor(neural_ode.pieces_of(neural_ode.trajectories(neural_ode.STARTS, seed)))
    assert float(neural_ode.pieces_loss(torch.tensor(units), pieces)) == pytest.approx(
        float(weights["training_loss"]), rel=1e-6
    )
    assert neural_ode.held_out_loss(units, seed) == pytest.approx(float(weights["held_out_loss"]), rel=1e-6)
    assert neural_ode.trajectory_rms(units) == pytest.approx(float(weights["trajectory_rms"]), rel=1e-6)
    # A field of zeros, for comparison, stays where each piece begins.
    nothing = float(neural_ode.pieces_loss(torch.zeros(1, 5, dtype=torch.float64), pieces))
    assert float(weights["training_loss"]) < 0.01 * nothing


def test_the_kernel_integrates_the_network_that_was_trained() -> None:
    problem = ode_problem("neural_ode")
    for y in np.random.default_rng(0).normal(0.0, 1.5, (5, 2)):
        f = np.empty(2)
        right_side(problem.number, problem.table, y, f)
        assert f == pytest.approx(neural_ode.slope(torch.tensor(problem.table), torch.tensor(y)).numpy(), rel=1e-12)


def test_training_is_reproducible() -> None:
    first, again, longer = (neural_ode.train(iterations=iterations) for iterations in (3, 3, 4))
    assert np.array_equal(first["units"], again["units"])
    assert not np.array_equal(first["units"], longer["units"])


@pytest.mark.slow
def test_training_anew_gives_the_shipped_weights() -> None:
    weights = shipped()
    trained = neural_ode.train(int(weights["seed"]), int(weights["iterations"]))
    # Other versions of torch round otherwise, and thousands of steps magnify it: the losses are what must agree.
    assert trained["held_out_loss"] == pytest.approx(float(weights["held_out_loss"]), rel=0.5)
