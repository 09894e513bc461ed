"""Samplers against the schedulers of `diffusers`, on its own noise levels: as shipped, and in double precision."""

import numpy as np
import pytest

from designgym.cost_models.solver_schedule import _denoising_kernel as denoising
from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture
from designgym.cost_models.solver_schedule.paths import path_of
from designgym.cost_models.solver_schedule.sampler import Schedule, noises, sampled
from designgym.cost_models.solver_schedule.solvers import pattern

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # their own

STEPS = 12
VP, SHAPES = path_of("vp"), mixture("gmm8d")
# Wide components: no basins between which the single precision of some of their steps could decide.
MODEL = Mixture("wide", SHAPES.weights, np.ones_like(SHAPES.stds), SHAPES.means)
NOISE = noises(8, 256, 5)
TO_LEAST = {"final_sigmas_type": "sigma_min"}
DPM, UNIPC, DEIS = "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler"
CASES = {
    "dpmpp2m": (DPM, TO_LEAST | {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpmpp3m": (DPM, TO_LEAST | {"algorithm_type": "dpmsolver++", "solver_order": 3}),
    "dpm2m": (DPM, TO_LEAST | {"algorithm_type": "dpmsolver", "solver_order": 2}),
    "dpm3m": (DPM, TO_LEAST | {"algorithm_type": "dpmsolver", "solver_order": 3}),
    "unipc1": (UNIPC, TO_LEAST | {"solver_order": 1}),
    "unipc2": (UNIPC, TO_LEAST | {"solver_order": 2}),
    "unipc3": (UNIPC, TO_LEAST | {"solver_order": 3}),
    "unipc1_noise": (UNIPC, TO_LEAST | {"solver_order": 1, "predict_x0": False}),
    "unipc2_noise": (UNIPC, TO_LEAST | {"solver_order": 2, "predict_x0": False}),
    "unipc3_noise": (UNIPC, TO_LEAST | {"solver_order": 3, "predict_x0": False}),
    "unip3": (UNIPC, TO_LEAST | {"solver_order": 3, "disable_corrector": list(range(STEPS))}),
    "deis_log1": (DEIS, {"solver_order": 2}),
    "deis_log2": (DEIS, {"solver_order": 3}),
}


def predicted_noise(x, alpha: float, sigma: float):
    """The mixture's own noise at points of a tensor, (points, d)."""
    at = np.ascontiguousarray(x.double().numpy().T)
    out, logits = np.empty_like(at), np.empty((len(MODEL.weights), at.shape[1]))
    kind = (0.0, 0.0, 1.0)
    denoising.average(at, alpha, sigma, kind, MODEL.weights, MODEL.stds, MODEL.means, logits, out)
    return torch.from_numpy(out.T.copy()).to(x.dtype)


def theirs(scheduler, ratios: np.ndarray, dtype) -> np.ndarray:
    """What their scheduler makes of the noise. ratios: sigma / alpha at each of its evaluations."""
    x = torch.from_numpy(NOISE.T.copy()).to(dtype)
    for t, ratio in zip(scheduler.timesteps, ratios, strict=False):
        alpha = 1.0 / np.sqrt(1.0 + ratio**2)
        x = scheduler.step(predicted_noise(x, alpha, ratio * alpha), t, x).prev_sample
    return x.double().numpy().T


def ours(name: str, ratios: np.ndarray) -> np.ndarray:
    """What our sampler makes of it, at the same noise levels."""
    steps = len(ratios) - 1
    return sampled(VP, MODEL, [Schedule(VP.times(-np.log(ratios)), pattern(name, steps))], NOISE)[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-4), (True, 1e-6)])
def test_multistep_solvers_equal_theirs(name: str, double: bool, tolerance: float) -> None:
    kind, options = CASES[name]
    scheduler = getattr(diffusers, kind)(num_train_timesteps=1000, lower_order_final=False, **options)
    scheduler.set_timesteps(STEPS)
    if double:
        scheduler.sigmas = scheduler.sigmas.double()
    ratios = scheduler.sigmas.double().numpy()
    got = ours(name, ratios)
    assert np.abs(got - theirs(scheduler, ratios, torch.float64)).max() < tolerance * np.abs(got).max()


@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-4), (True, 1e-6)])
def test_ddim_equals_theirs(double: bool, tolerance: float) -> None:
    scheduler = diffusers.DDIMScheduler(num_train_timesteps=1000, set_alpha_to_one=False, clip_sample=False)
    scheduler.set_timesteps(STEPS)
    if double:
        scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
        scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    left = scheduler.alphas_cumprod.double().numpy()[scheduler.timesteps.numpy()]
    ratios = np.sqrt((1.0 - left) / left)
    got = ours("ddim", ratios)  # their last step, from the last level to itself, does nothing
    assert np.abs(got - theirs(scheduler, ratios, torch.float64)).max() < tolerance * np.abs(got).max()
