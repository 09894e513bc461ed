"""Gaussian paths from noise to data, x = alpha x0 + sigma z, and grids of times on them.

Along any of them the probability-flow ODE is d(x / alpha) / d rho = (x - alpha E[x0 | x]) / sigma with the noise ratio
rho = sigma / alpha (Song et al., ICLR 2021, arXiv:2011.13456; Lu et al., NeurIPS 2022, arXiv:2206.00927).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A path. Sampling goes from time `begin` to `end`; log-SNR is taken between the times `first` and `last` alone.

    number: of the path in compiled code. scale: standard deviation of the noise at the beginning.
    """

    name: str
    number: int
    begin: float
    end: float
    first: float
    last: float
    scale: float

    def log_snr(self, times: Any) -> Floats:
        """Return log(alpha / sigma) at times, (n,), infinite where one of them is 0."""
        from designgym.cost_models.solver_schedule import _steps_kernel as kernel

        return np.array([kernel.log_snr_of(self.number, float(t)) for t in times])

    def times(self, log_snrs: Any) -> Floats:
        """Return the times of log-SNRs, (n,)."""
        from designgym.cost_models.solver_schedule import _steps_kernel as kernel

        return np.array([kernel.time_of(self.number, float(value)) for value in log_snrs])

    def scales(self, times: Any) -> tuple[Floats, Floats]:
        """Return alpha and sigma at times, (n,) each."""
        from designgym.cost_models.solver_schedule import _steps_kernel as kernel

        both = [(kernel.alpha_of(self.number, float(t)), kernel.sigma_of(self.number, float(t))) for t in times]
        alphas, sigmas = np.array(both).T
        return alphas, sigmas

    def exact(self, steps: int) -> tuple[Floats, Floats, Floats, Floats, float, float]:
        """Return the path as `carried` takes it, in equal steps, and what x is multiplied by before and after.

        The flow goes in t, at both of whose ends its velocity is finite; the others go in log-SNR, as x / alpha.
        """
        if self.name == "flow":
            t = np.linspace(self.begin, self.end, 2 * steps + 1)
            kinds = np.column_stack([np.ones_like(t), t, -np.ones_like(t)])
            return t, 1.0 - t, kinds, np.full(steps, (self.end - self.begin) / steps), 1.0, 1.0
        low, high = self.log_snr([self.first, self.last])
        rho = np.exp(-np.linspace(low, high, 2 * steps + 1))
        kinds = np.column_stack([np.zeros_like(rho), np.zeros_like(rho), -rho])
        (before, after), _ = self.scales([self.begin, self.end])
        return np.ones_like(rho), rho, kinds, np.full(steps, (high - low) / steps), self.scale / before, after

    def spread(self, fractions: Floats) -> Floats:
        """Return times whose log-SNR lies at these fractions of its span, (steps - 1,), and both ends: (steps + 1,)."""
        low, high = self.log_snr([self.first, self.last])
        return np.concatenate([[self.begin], self.times(low + (high - low) * fractions), [self.end]])

    def grid(self, name: str, steps: int, parameter: float | None = None) -> Floats:
        """Return steps + 1 times, both ends forced. ValueError names an unknown grid.

        uniform_t, quadratic_t (linear in the root of t), logsnr (linear in log-SNR), karras (linear in
        rho^(1/parameter), 7 by default, which "karras7" says too), power (t_i = (b + (e - b) i / n)^parameter for the
        roots b and e of the ends).
        """
        part = np.arange(steps + 1) / steps
        if name.startswith("karras") and name[6:].isdigit():
            name, parameter = "karras", float(name[6:])
        if parameter is not None and not 0 < parameter < np.inf:
            raise ValueError(f"a grid's parameter must be above 0, got {parameter:g} for {name}. Raise it.")
        if name in ("uniform_t", "quadratic_t", "power"):
            power = 1.0 if name == "uniform_t" else 2.0 if parameter is None else parameter
            begin, end = self.begin ** (1 / power), self.end ** (1 / power)
            times = (begin + (end - begin) * part) ** power
        elif name in ("logsnr", "karras"):
            low, high = self.log_snr([self.first, self.last])
            if name == "logsnr":
                values = low + (high - low) * part
            else:
                root = 7.0 if parameter is None else parameter
                values = -root * np.log(np.exp(-low / root) + (np.exp(-high / root) - np.exp(-low / root)) * part)
            times = self.times(values)
        else:
            raise ValueError(f"grid must be one of {', '.join(GRIDS)}, got {name!r}. Correct it.")
        times[0], times[-1] = self.begin, self.end
        return times


GRIDS = ("uniform_t", "quadratic_t", "logsnr", "karras7", "karras", "power")
PATHS = {
    # beta(t) from .1 to 20 (Song et al., arXiv:2011.13456, appendix C), to t = 1e-3; x begins as noise of deviation 1.
    "vp": Path("vp", 0, 1.0, 1e-3, 1.0, 1e-3, 1.0),
    # sigma = t (Karras et al., arXiv:2206.00364, table 1).
    "ve": Path("ve", 1, 80.0, 0.002, 80.0, 0.002, 80.0),
    # x = t x0 + (1 - t) z (Liu, Gong and Liu, ICLR 2023, arXiv:2209.03003); its log-SNR is infinite at both ends.
    "flow": Path("flow", 2, 0.0, 1.0, 1e-3, 1.0 - 1e-3, 1.0),
}


def path_of(name: str) -> Path:
    """Return a path by name; ValueError names those there are."""
    if name not in PATHS:
        raise ValueError(f"path must be one of {', '.join(PATHS)}, got {name!r}. Choose one of them.")
    return PATHS[name]
