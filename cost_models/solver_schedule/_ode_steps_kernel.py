"""Compiled: one step of an explicit Runge-Kutta pair or of a Rosenbrock method, its error estimate, its interpolant.

Bogacki and Shampine 3(2), Appl. Math. Lett. 2(4), 1989, doi:10.1016/0893-9659(89)90079-7; Dormand and Prince 5(4),
J. Comput. Appl. Math. 6(1), 1980, doi:10.1016/0771-050X(80)90013-3, with Shampine's interpolant, Math. Comp. 46, 1986,
doi:10.2307/2008219; Tsitouras 5(4) with his own, Comput. Math. Appl. 62(2), 2011, doi:10.1016/j.camwa.2011.06.002; the
Rosenbrock method RODAS 4(3), Hairer and Wanner, Solving Ordinary Differential Equations II, 1996, section IV.7.
The last stage of each pair is at the step's end and serves the next step as its first.
"""

import numpy as np

from designgym.cost_models.solver_schedule._ode_right_sides_kernel import right_side

BS32, DP54, TSIT54, RODAS43 = range(4)
STAGES = (4, 7, 7, 6)
ESTIMATE_ORDER = (2, 4, 4, 3)  # of the embedded method: its local error is of one order more


def _filled(rows, shape):
    table = np.zeros(shape)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


# Row s: what stage s takes of the slopes before it; the last row is the step's own weights.
STAGE_WEIGHTS = np.stack([
    _filled([[], [1 / 2], [0, 3 / 4], [2 / 9, 1 / 3, 4 / 9]], (7, 7)),
    _filled([
        [], [1 / 5], [3 / 40, 9 / 40], [44 / 45, -56 / 15, 32 / 9],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ], (7, 7)),
    _filled([
        [], [0.161], [-0.008480655492356989, 0.335480655492357],
        [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
        [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
        [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
        [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774],
    ], (7, 7)),
])  # fmt: skip
ERROR_WEIGHTS = _filled([
    [5 / 72, -1 / 12, -1 / 9, 1 / 8],
    [-71 / 57600, 0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40],
    [-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629, 0.5823571654525552,
     -0.45808210592918697, 1 / 66],
], (3, 7))  # fmt: skip
# Row s: the slope's weight at a part x of the step, as a polynomial: its coefficients of x, x^2, x^3, x^4.
DENSE_WEIGHTS = np.stack([
    _filled([[1, -4 / 3, 5 / 9], [0, 1, -2 / 3], [0, 4 / 3, -8 / 9], [0, -1, 1]], (7, 4)),
    _filled([
        [1, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432],
        [],
        [0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799],
        [0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072],
        [0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632],
        [0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
        [0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
    ], (7, 4)),
    _filled([
        [1, -2.763706197274826, 2.9132554618219126, -1.0530884977290216],
        [0, 0.1317, -0.2234, 0.1017],
        [0, 3.9302962368947516, -5.941033872131505, 2.490627285651253],
        [0, -12.411077166933676, 30.33818863028232, -16.548102889244902],
        [0, 37.50931341651104, -88.1789048947664, 47.37952196281928],
        [0, -27.896526289197286, 65.09189467479366, -34.87065786149661],
        [0, 1.5, -4, 2.5],
    ], (7, 4)),
])  # fmt: skip

# RODAS, in the form that needs no product with the Jacobian.
GAMMA = 0.25
ROSENBROCK_WEIGHTS = _filled([
    [], [1.544], [0.9466785280815826, 0.2557011698983284],
    [3.314825187068521, 2.896124015972201, 0.9986419139977817],
    [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950],
    [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0],
], (6, 6))  # fmt: skip
ROSENBROCK_COUPLING = _filled([
    [], [-5.6688], [-2.430093356833875, -0.2063599157091915],
    [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
    [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160],
    [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
], (6, 6))  # fmt: skip
ROSENBROCK_DENSE = np.array([
    [10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662],
    [-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872],
])  # fmt: skip


def explicit_step(method, number, parameters, y, h, k, states, error):
    """Take a step of a pair. k: slopes by stage, (7, n), of which the first is there.

    states: that of the stage before last, and of the last, the new one, (2, n). error: what the estimate came to, (n,).
    """
    stages, n = STAGES[method], len(y)
    for s in range(1, stages):
        at = 1 if s == stages - 1 else 0
        for d in range(n):
            total = 0.0
            for j in range(s):
                total += STAGE_WEIGHTS[method, s, j] * k[j, d]
            states[at, d] = y[d] + total * h
        right_side(number, parameters, states[at], k[s])
    for d in range(n):
        total = 0.0
        for j in range(stages):
            total += ERROR_WEIGHTS[method, j] * k[j, d]
        error[d] = total * h


def factored(matrix, pivots):
    """Factor a matrix in place, rows exchanged so that each pivot is its column's largest; False where it is singular.

    Gaussian elimination as in Golub and Van Loan, Matrix Computations, algorithm 3.4.1.
    """
    n = len(pivots)
    for c in range(n):
        best = c
        for r in range(c + 1, n):
            if abs(matrix[r, c]) > abs(matrix[best, c]):
                best = r
        pivots[c] = best
        if matrix[best, c] == 0.0:
            return False
        if best != c:
            for j in range(n):
                matrix[c, j], matrix[best, j] = matrix[best, j], matrix[c, j]
        for r in range(c + 1, n):
            matrix[r, c] /= matrix[c, c]
            for j in range(c + 1, n):
                matrix[r, j] -= matrix[r, c] * matrix[c, j]
    return True


def solve(matrix, pivots, x):
    """Solve with what `factored` left, in place."""
    n = len(pivots)
    for c in range(n):
        x[c], x[pivots[c]] = x[pivots[c]], x[c]
    for r in range(n):
        for j in range(r):
            x[r] -= matrix[r, j] * x[j]
    for r in range(n - 1, -1, -1):
        for j in range(r + 1, n):
            x[r] -= matrix[r, j] * x[j]
        x[r] /= matrix[r, r]


def rosenbrock_step(number, parameters, y, slope, jacobi, h, u, states, slopes, error, matrix, pivots):
    """Take a step of RODAS; False where it has none, since its matrix is singular.

    slope, jacobi: the right side and its Jacobian at y. u: increments by stage, (6, n). states, slopes: of the last two
    states at which the right side is evaluated, (2, n). The error's estimate is the last increment.
    """
    n = len(y)
    for r in range(n):
        for c in range(n):
            matrix[r, c] = -jacobi[r, c]
        matrix[r, r] += 1.0 / (h * GAMMA)
    if not factored(matrix, pivots):
        return False
    for s in range(6):
        at = 1 if s == 5 else 0
        if s > 0:
            for d in range(n):
                states[at, d] = y[d]
                for j in range(s):
                    states[at, d] += ROSENBROCK_WEIGHTS[s, j] * u[j, d]
            right_side(number, parameters, states[at], slopes[at])
        for d in range(n):
            coupled = 0.0
            for j in range(s):
                coupled += ROSENBROCK_COUPLING[s, j] * u[j, d]
            u[s, d] = (slopes[at, d] if s > 0 else slope[d]) + coupled / h
        solve(matrix, pivots, u[s])
    for d in range(n):
        error[d] = u[5, d]
    return True


def interpolate(method, part, y, after, h, k, out):
    """Write the solution at a part of the step from y to `after`. k: slopes of a pair, or increments of RODAS."""
    n = len(y)
    if method == RODAS43:
        for d in range(n):
            low, high = 0.0, 0.0
            for j in range(5):
                low += ROSENBROCK_DENSE[0, j] * k[j, d]
                high += ROSENBROCK_DENSE[1, j] * k[j, d]
            left = 1.0 - part
            out[d] = y[d] * left + part * (after[d] + left * (low + part * high))
        return
    for d in range(n):
        out[d] = 0.0
    for j in range(STAGES[method]):
        weight = 0.0
        for power in range(3, -1, -1):
            weight = (weight + DENSE_WEIGHTS[method, j, power]) * part
        for d in range(n):
            out[d] += weight * k[j, d]
    for d in range(n):
        out[d] = y[d] + h * out[d]
