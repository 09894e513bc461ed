"""Train the neural ODE of `OdeTolerance-v0`: a network as right side of an equation whose trajectories are spirals.

The task is the first of Chen et al., "Neural Ordinary Differential Equations", NeurIPS 2018, arXiv:1806.07366, in the
form of their published demonstration: dy/dt = y^3 A, learned from short pieces of its trajectories. Here the network
sees y itself, 32 hidden units with tanh, and is trained through the classical Runge-Kutta method.
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TRUE_A = np.array([[-0.1, 2.0], [-2.0, -0.1]])
END, POINTS = 25.0, 2001  # times of a trajectory
PIECE = 8  # points after the first that a training piece goes on for
STARTS, HELD_OUT = 24, 8
HIDDEN, ITERATIONS, BATCH, RATE = 32, 6000, 256, 1e-2


@lru_cache(8)
def trajectories(count: int, seed: int) -> Floats:
    """Return true trajectories at POINTS uniform times, (count, POINTS, 2): the first from (2, 0), others around it."""
    from scipy.integrate import solve_ivp

    rng = np.random.default_rng(seed)
    angles, radii = 2.0 * np.pi * rng.random(count), 2.25 * np.sqrt(rng.uniform(0.25, 1.0, count))
    starts = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    starts[0] = 2.0, 0.0
    times = np.linspace(0.0, END, POINTS)
    found = [
        solve_ivp(lambda t, y: y**3 @ TRUE_A, (0.0, END), y, "DOP853", times, rtol=1e-10, atol=1e-12).y.T
        for y in starts
    ]
    truth = np.array(found)
    truth.flags.writeable = False
    return truth


def slope(units: Any, y: Any) -> Any:
    """Return the network's dy/dt, (..., 2). units: a row a hidden unit, see `ode_problems.network_weights`."""
    heat = (y @ units[:, :2].T + units[:, 2]).tanh()
    return heat @ units[:, 3:]


def pieces_loss(units: Any, pieces: Any) -> Any:
    """Return the mean square of how far the network's pieces, from their first points, are from true ones.

    pieces: (n, 1 + steps, 2). One step of the classical Runge-Kutta method a point.
    """
    h, y, total = END / (POINTS - 1), pieces[:, 0], 0.0
    for k in range(1, pieces.shape[1]):
        k1 = slope(units, y)
        k2 = slope(units, y + 0.5 * h * k1)
        k3 = slope(units, y + 0.5 * h * k2)
        k4 = slope(units, y + h * k3)
        y = y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        total = total + ((y - pieces[:, k]) ** 2).mean()
    return total / (pieces.shape[1] - 1)


def pieces_of(truth: Floats) -> Floats:
    """Return all pieces of trajectories, one after the other, (n, 1 + PIECE, 2)."""
    parts = [truth[:, i : i + PIECE + 1] for i in range(0, POINTS - PIECE, PIECE)]
    return np.concatenate(parts)


def held_out_loss(units: Floats, seed: int) -> float:
    """Return the loss on pieces of trajectories that were not trained on."""
    import torch

    held_out = torch.tensor(pieces_of(trajectories(HELD_OUT + 1, seed + 1)[1:]))
    return float(pieces_loss(torch.tensor(units), held_out))


def trajectory_rms(units: Floats) -> float:
    """Return the root mean square, over times and components, of how far the network's spiral from (2, 0) is off."""
    import torch

    truth = torch.tensor(trajectories(1, 0))
    return float(pieces_loss(torch.tensor(units), truth)) ** 0.5


def train(seed: int = 0, iterations: int = ITERATIONS) -> dict[str, Any]:
    """Return units, (HIDDEN, 5), and the losses of training and of held-out trajectories. One thread, float64."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    truth = trajectories(STARTS, seed)
    units = torch.tensor(rng.normal(0.0, 0.5, (HIDDEN, 5)), requires_grad=True)
    optimizer = torch.optim.Adam([units], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        rows, first = rng.integers(0, STARTS, BATCH), rng.integers(0, POINTS - PIECE, BATCH)
        batch = torch.tensor(truth[rows[:, None], first[:, None] + np.arange(PIECE + 1)])
        optimizer.zero_grad()
        loss = pieces_loss(units, batch)
        loss.backward()
        optimizer.step()
        schedule.step()
    trained = units.detach().numpy().copy()
    with torch.no_grad():
        training = float(pieces_loss(torch.tensor(trained), torch.tensor(pieces_of(truth))))
    return {
        "units": trained, "seed": seed, "iterations": iterations, "training_loss": training,
        "held_out_loss": held_out_loss(trained, seed), "trajectory_rms": trajectory_rms(trained),
    }  # fmt: skip


def main() -> None:
    """Train and write the weights with the seed and the losses that they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    result = train(given.seed)
    np.savez(given.out, **result)
    print(", ".join(f"{name} {value:.4g}" for name, value in result.items() if name != "units"))


if __name__ == "__main__":
    main()
