"""The heat equation's systems and their solver against SciPy's sparse matrices and its conjugate gradients."""

import numpy as np
import pytest
from scipy.sparse import diags, eye, kron, tril
from scipy.sparse.linalg import LinearOperator, cg, spsolve, spsolve_triangular

from designgym.cost_models.solver_schedule.heat_equation import bump, conductivity, heat_systems, source
from designgym.cost_models.solver_schedule.relaxation import Relaxation
from designgym.cost_models.solver_schedule.relaxation_solvers import gradient_steps

N, STEPS = 8, 800  # conductivities from 0 to .1 and to 10


def laplacian(n: int):
    line = diags([np.full(n - 1, 1.0), np.full(n, -2.0), np.full(n - 1, 1.0)], [-1, 0, 1])
    return ((kron(line, eye(n)) + kron(eye(n), line)) * (n + 1) ** 2).tocsr()


@pytest.fixture(scope="module")
def stepped():
    """Of each step, the matrix and right side of Crank and Nicolson's rule, and the state before."""
    a, dt = laplacian(N), 1e-3
    state = bump(N, np.array([0.5]), np.array([0.5]), 0.25).ravel()
    found = []
    for k in range(STEPS):
        middle = (k + 0.5) * dt
        half = 0.5 * dt * float(conductivity(np.array([middle]))[0]) * a
        right = (eye(N * N) + half) @ state + dt * source(N, np.array([middle])).ravel()
        found.append(((eye(N * N) - half).tocsr(), right, state))
        state = spsolve((eye(N * N) - half).tocsc(), right)
    return found


def test_systems_are_those_of_crank_and_nicolson(stepped) -> None:
    systems = heat_systems(N, STEPS)
    for k, (matrix, right, state) in enumerate(stepped):
        over = -matrix[0, 1]
        assert systems.shift[k] == pytest.approx(matrix[0, 0] / over - 4.0, rel=1e-9)
        gap = (right - matrix @ state) / over
        assert systems.residual[k] == pytest.approx(gap, abs=1e-11 * np.abs(right / over).max())
        assert systems.limit[k] == pytest.approx(1e-8 * np.linalg.norm(right / over), rel=1e-9)


@pytest.mark.parametrize("omega", [1.0, 1.5, 1.95])
def test_iterations_are_those_of_scipys_conjugate_gradients(stepped, omega: float) -> None:
    found = gradient_steps(heat_systems(N, STEPS), np.arange(STEPS), np.full(STEPS, omega), 10_000)
    for k, (matrix, right, state) in enumerate(stepped):
        if k % 19:
            continue
        diagonal = matrix.diagonal()
        lower = (tril(matrix, -1) + diags(diagonal / omega)).tocsr()
        upper = lower.T.tocsr()

        def apply(r, lower=lower, upper=upper, diagonal=diagonal):
            return spsolve_triangular(upper, diagonal * spsolve_triangular(lower, r, lower=True), lower=False)

        counted: list[int] = []
        operator = LinearOperator(matrix.shape, apply)
        cg(matrix, right, state, rtol=1e-8, atol=0.0, M=operator, callback=lambda _, seen=counted: seen.append(1))
        assert found[k] == len(counted)
    assert found.min() < 5 < found.max()


def test_the_heat_equation_is_the_papers() -> None:
    assert conductivity(np.array([0.25, 0.75, 1.25])) == pytest.approx([0.1, 10.0, 0.1])
    middle = bump(3, np.array([0.5]), np.array([0.5]), 0.25)[0]
    assert middle[1, 1] == pytest.approx(1.0)
    assert middle.sum() == pytest.approx(1.0)  # others lie on its edge or outside
    # At time 0 the source is around (3/4, 1/2), a quarter of a turn later around (1/2, 3/4).
    assert source(3, np.array([0.0]))[0, 2, 1] == pytest.approx(32.0)
    assert source(3, np.array([1 / 32]))[0, 1, 2] == pytest.approx(32.0)


def test_the_heat_equation_has_one_sequence() -> None:
    model = Relaxation("heat", n=8, instances=50)
    assert model.costs(seed=3).tolist() == model.costs().tolist()
    assert model.systems(5).shift.tolist() == model.systems().shift.tolist()
    assert (model.costs() >= 0).all()


def test_iterations_are_the_same_alone_and_among_others() -> None:
    systems = heat_systems(6, 1200)
    omega = np.random.default_rng(0).uniform(1.0, 1.9, 1200)
    together = gradient_steps(systems, np.arange(1200), omega, 10_000)
    alone = [gradient_steps(systems, np.array([k]), omega[k : k + 1], 10_000)[0] for k in range(0, 1200, 37)]
    assert together[::37].tolist() == alone
    capped = gradient_steps(systems, np.arange(1200), omega, 3)
    assert capped.tolist() == np.where(together <= 3, together, 4).tolist()
