"""A learned denoiser: a residual network with weights from a file, its cost in operations, and how it reads a point.

For x = alpha x0 + sigma z and v = alpha^2 s^2 + sigma^2, s the data's root mean square, the data found are
(alpha s^2 / v) x + (sigma s / sqrt(v)) F(x / sqrt(v), log-SNR) (Karras et al., NeurIPS 2022, arXiv:2206.00364, table 1,
in x rather than x / alpha). Blocks are h + W2 gate(W1 gate(h) + level), with the level from tanh(log-SNR / 4).
"""

import json
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

SPREAD = 4.0  # of log-SNR: what the network sees is its hyperbolic tangent
GATE_FLOP = 7  # x * x, + 1, root, divide, + 1, times x, halve

Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a network of width w with so many blocks, on d coordinates, float32; inputs last.

    w_time (e, 2 f), b_time (e,): of sines and cosines of f frequencies. w_level (blocks + 1, w, e), b_level: what each
    block is told of the noise level, the first entry for the input. w_in (w, d), w_first, w_second (blocks, w, w),
    b_second (blocks, w), w_out (d, w), b_out (d,). scale: root mean square of the data.
    """

    w_time: Singles
    b_time: Singles
    w_level: Singles
    b_level: Singles
    w_in: Singles
    w_first: Singles
    w_second: Singles
    b_second: Singles
    w_out: Singles
    b_out: Singles
    scale: float = field(kw_only=True)
    facts: dict[str, Any] = field(kw_only=True)

    @property
    def blocks(self) -> int:
        """Blocks that may be skipped."""
        return len(self.w_first)

    @property
    def arrays(self) -> tuple[Singles, ...]:
        """All weights, in the order in which compiled code takes them."""
        return tuple(getattr(self, own.name) for own in fields(self)[:10])

    def flop(self, skipped: int = 0) -> int:
        """Return the additions, multiplications, divisions and roots of one evaluation of one point.

        skipped: bits of the blocks left out. A product of n inputs and a sum with a bias are 2 n; what all points of an
        evaluation share (noise level, scales) is not counted.
        """
        width, d = self.w_in.shape
        block = 2 * (GATE_FLOP * width + 2 * width * width) + width
        whole = d + 2 * d * width + GATE_FLOP * width + 2 * width * d + 3 * d
        return whole + block * (self.blocks - (skipped & (1 << self.blocks) - 1).bit_count())

    @staticmethod
    def load(file: Path | IO[bytes]) -> "Weights":
        """Read the .npz that `python -m designgym.experiments.weights.score_network` writes."""
        with np.load(file) as stored:
            arrays = [np.ascontiguousarray(stored[own.name], np.float32) for own in fields(Weights)[:10]]
            return Weights(*arrays, scale=float(stored["scale"]), facts=json.loads(str(stored["facts"])))


def digits_weights() -> Weights:
    """Return the network that comes with the package: four blocks of width 96, 103,000 weights, see `mixture`.

    It was trained on 1,500 of the digits' 1,797 images, each blurred by deviates of .1 as in the mixture "digits", in
    6,000 steps of 512 points; the loss is .543 on these images and .550 on the others. Squared Frechet distance to the
    digits of 2,000 samples along its own path: .142; of as many from the mixture itself .068; of a twin that predicts
    noise, trained alike, .242. It is off the mixture's own denoiser, which knows every image by heart, by .02 to .22
    in root mean square (log-SNR -4 to 4; most at 0).
    """
    path = resources.files("designgym.cost_models.solver_schedule").joinpath("data/digits_score.npz")
    with path.open("rb") as file:
        return Weights.load(file)
