"""Train the score network of the digits: a residual network that finds the data in a noisy point, for all noise levels.

Source: Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", NeurIPS 2022,
arXiv:2206.00364: how input and output are scaled (table 1), so that what is learned is the data where noise is large,
and no error is left where there is none. The twin that learns the noise (Ho, Jain and Abbeel, arXiv:2006.11239) is
trained alike, for the record: its error in the data grows with the noise.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.distances import frechet2
from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture
from designgym.cost_models.solver_schedule.networks import SPREAD, Weights
from designgym.cost_models.solver_schedule.paths import path_of
from designgym.cost_models.solver_schedule.sampler import noises

DIMENSIONS, WIDTH, BLOCKS, FREQUENCIES, EMBEDDING = 64, 96, 4, 8, 32
HELD_OUT = 297  # of the 1,797 images
STEPS, BATCH, RATE = 6000, 512, 2e-3
MOST_LEVEL = 0.999  # tanh(log-SNR / SPREAD) is uniform below it in size
FRECHET_POINTS, FRECHET_SEED, FRECHET_STEPS = 2000, 3, 60  # samples by RK4 on the path vp, from a noise of their own
FEW = 200  # points of a figure that takes a second to work out again
LOSS_POINTS = 50_000

Tensors = dict[str, Any]


def beginning(seed: int) -> Tensors:
    """Return weights to begin with: uniform within 1 / sqrt(inputs), blocks that do nothing."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Any:
        return (2.0 * torch.rand(shape, generator=generator) - 1.0) / math.sqrt(shape[-1])

    levels = BLOCKS + 1
    return {
        "w_time": drawn(EMBEDDING, 2 * FREQUENCIES), "b_time": torch.zeros(EMBEDDING),
        "w_level": drawn(levels, WIDTH, EMBEDDING), "b_level": torch.zeros(levels, WIDTH),
        "w_in": drawn(WIDTH, DIMENSIONS), "w_first": drawn(BLOCKS, WIDTH, WIDTH),
        "w_second": torch.zeros(BLOCKS, WIDTH, WIDTH), "b_second": torch.zeros(BLOCKS, WIDTH),
        "w_out": drawn(DIMENSIONS, WIDTH), "b_out": torch.zeros(DIMENSIONS),
    }  # fmt: skip


def gate(x: Any) -> Any:
    """Return x for large x, 0 for small, smooth between: a root and a division, which all machines round alike."""
    return 0.5 * x * (1.0 + x / (1.0 + x * x).sqrt())


def forward(weights: Tensors, x: Any, log_snr: Any, skipped: int = 0) -> Any:
    """Return what the network makes of scaled points, (n, d), at log-SNRs, (n,): (n, d). skipped: bits of blocks."""
    import torch

    angles = torch.tanh(log_snr / SPREAD)[:, None] * (0.5 * math.pi) * torch.arange(1, FREQUENCIES + 1)
    time = gate(torch.cat([angles.sin(), angles.cos()], 1) @ weights["w_time"].T + weights["b_time"])
    level = [time @ w.T + b for w, b in zip(weights["w_level"], weights["b_level"], strict=True)]
    hidden = x @ weights["w_in"].T + level[0]
    for k in range(len(weights["w_first"])):
        if not skipped >> k & 1:
            inner = gate(gate(hidden) @ weights["w_first"][k].T + level[1 + k])
            hidden = hidden + inner @ weights["w_second"][k].T + weights["b_second"][k]
    return gate(hidden) @ weights["w_out"].T + weights["b_out"]


def denoised(weights: Tensors, y: Any, log_snr: Any, scale: float, noise: bool = False, skipped: int = 0) -> Any:
    """Return the data found in points y = x0 + rho z, (n, d). scale: root mean square of the data. noise: the twin."""
    rho = (-log_snr).exp()[:, None]
    whole = (rho**2 + scale**2).sqrt()
    found = forward(weights, y / whole, log_snr, skipped)
    if noise:
        return y - rho * found
    return (scale / whole) ** 2 * y + rho * scale / whole * found


def loss(weights: Tensors, images: Any, scale: float, noise: bool, generator: Any, count: int) -> Any:
    """Return the mean square of the network's own error over images, noises and noise levels, drawn anew.

    The data are the mixture of `mixture("digits")`: images blurred by its small normal deviates.
    """
    import torch

    rows = torch.randint(len(images), (count,), generator=generator)
    shape = count, DIMENSIONS
    data = images[rows] + float(DIGITS.stds[0]) * torch.randn(shape, generator=generator)
    log_snr = SPREAD * torch.atanh(MOST_LEVEL * (2.0 * torch.rand(count, generator=generator) - 1.0))
    rho = (-log_snr).exp()[:, None]
    away = denoised(weights, data + rho * torch.randn(shape, generator=generator), log_snr, scale, noise) - data
    return ((1.0 / rho**2 if noise else 1.0 / rho**2 + 1.0 / scale**2) * away**2).mean()


DIGITS: Mixture = mixture("digits")


def split(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the images to train on, and those held out."""
    order = np.random.default_rng(seed).permutation(len(DIGITS.means))
    return order[HELD_OUT:], order[:HELD_OUT]


def train(seed: int, steps: int, noise: bool = False) -> tuple[Tensors, dict[str, float]]:
    """Return the average weights of the last steps, and the losses of the images trained on and held out. One thread.

    Adam; the rate rises over a twentieth of the steps and falls by a cosine.
    """
    import torch

    torch.set_num_threads(1)
    images = torch.tensor(DIGITS.means, dtype=torch.float32)
    kept, held_out = (images[torch.tensor(rows)] for rows in split(seed))
    scale = data_scale()
    weights = {name: value.requires_grad_() for name, value in beginning(seed).items()}
    average = {name: value.detach().clone() for name, value in weights.items()}
    optimizer = torch.optim.Adam(weights.values(), lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.05)
    generator = torch.Generator().manual_seed(seed + 1)
    for step in range(steps):
        optimizer.zero_grad()
        loss(weights, kept, scale, noise, generator, BATCH).backward()
        optimizer.step()
        schedule.step()
        share = 1.0 - min(0.999, (step + 1) / (step + 10))
        for name, value in weights.items():
            average[name].lerp_(value.detach(), share)
    losses = {}
    with torch.no_grad():
        for name, own in (("training_loss", kept), ("held_out_loss", held_out)):
            generator = torch.Generator().manual_seed(seed + 2)
            losses[name] = float(loss(average, own, scale, noise, generator, LOSS_POINTS))
    return average, losses


def data_scale() -> float:
    """Return the root mean square of the digits' coordinates."""
    return math.sqrt(float(np.mean(DIGITS.means**2)) + float(DIGITS.stds[0]) ** 2)


def finder(weights: Tensors, scale: float, noise: bool = False) -> Callable[[Any, Any], Any]:
    """Return what finds the data in points x / alpha at log-SNRs."""
    return lambda y, log_snr: denoised(weights, y, log_snr, scale, noise)


def frechet(find: Callable[[Any, Any], Any], points: int = FRECHET_POINTS) -> float:
    """Return the squared Frechet distance of samples by RK4 to the digits. find: see `finder`."""
    import torch

    path = path_of("vp")
    low, high = path.log_snr([path.first, path.last])
    h = float(high - low) / FRECHET_STEPS
    noise = noises(DIMENSIONS, points, FRECHET_SEED).T
    (alpha, _), _ = path.scales([path.begin, path.end])
    y = torch.tensor(noise / alpha, dtype=torch.float32)

    def slope(y: Any, log_snr: float) -> Any:  # d(x / alpha) / d log-SNR
        return find(y, torch.full((len(y),), log_snr)) - y

    with torch.no_grad():
        for step in range(FRECHET_STEPS):
            at = float(low) + step * h
            k1 = slope(y, at)
            k2 = slope(y + 0.5 * h * k1, at + 0.5 * h)
            k3 = slope(y + 0.5 * h * k2, at + 0.5 * h)
            k4 = slope(y + h * k3, at + h)
            y = y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    _, alpha_end = path.scales([path.begin, path.end])[0]
    return frechet2(float(alpha_end) * y.T.double().numpy(), DIGITS)


def exact_frechet(seed: int) -> float:
    """Return the same distance of as many samples of the mixture itself: what is left of it for a perfect network."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(DIGITS.weights), FRECHET_POINTS, p=DIGITS.weights)
    drawn = DIGITS.means[rows] + DIGITS.stds[rows, None] * rng.standard_normal((FRECHET_POINTS, DIMENSIONS))
    return frechet2(np.ascontiguousarray(drawn.T), DIGITS)


def main() -> None:
    """Train the network and its twin, print what they came to, write the network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    scale, facts = data_scale(), {}
    kept: Tensors = {}
    for name, noise in (("data", False), ("noise", True)):
        weights, own = train(given.seed, given.steps, noise)
        own["frechet2"] = frechet(finder(weights, scale, noise))
        if not noise:
            own[f"frechet2_of_{FEW}"] = frechet(finder(weights, scale), FEW)
        print(f"predicts {name}: " + ", ".join(f"{key} {value:.4f}" for key, value in own.items()), flush=True)
        facts[name], kept = own, kept or weights
    facts["exact"] = {"frechet2": exact_frechet(FRECHET_SEED)}
    print(f"samples of the digits' mixture itself: frechet2 {facts['exact']['frechet2']:.4f}")
    settings = {"seed": given.seed, "steps": given.steps, "batch": BATCH, "held_out": HELD_OUT}
    arrays = {name: value.numpy() for name, value in kept.items()}
    np.savez(given.out, **arrays, scale=scale, facts=json.dumps(settings | facts))
    Weights.load(given.out)  # what can not be read is noticed here


if __name__ == "__main__":
    main()
