"""Solvers of the probability-flow ODE by the name of their exact formula, and which may follow what.

euler: in t, of dx / dt = f x + g^2 / (2 sigma) noise (Song et al., arXiv:2011.13456, eq. 13).
ddim: Song, Meng and Ermon, ICLR 2021 (arXiv:2010.02502): first order in rho = sigma / alpha; also DPM-Solver-1, UniP-1
    and DEIS of order 0. After a corrected step it is UniP-1 of what that step was of, data or noise.
heun: the trapezoidal rule in rho (Karras et al., arXiv:2206.00364, algorithm 1), two evaluations; on the flow in t.
dpmpp2m, dpmpp3m: DPM-Solver++ multistep (Lu et al., arXiv:2211.01095, algorithm 2, and the authors' third-order update,
    as in `diffusers`: its second difference is not doubled, so it is of order 2).
dpm2m, dpm3m: the same of noise in place of data (DPM-Solver, arXiv:2206.00927, as in `diffusers`).
deis1 ... deis3: tAB-DEIS (Zhang and Chen, ICLR 2023, arXiv:2204.13902): noise a polynomial in t through 2 ... 4
    evaluations. deis_log1 ... deis_log3: the same in log(rho), exactly integrated, as in `diffusers`; deis_log2 is
    UniP-3 of noise.
unip3: UniP (Zhao et al., NeurIPS 2023, arXiv:2302.04867) of order 3 of data: data a polynomial in log-SNR through three
    evaluations. Of order 2, with B2(h) = e^h - 1, it is dpmpp2m (of noise dpm2m).
unipc1 ... unipc3, unipc1_noise ...: the predictors ddim, dpmpp2m and unip3 (of noise ddim, dpm2m and deis_log2), and
    UniPC's corrector of the same order with B2 once the next evaluation is there.
"""

from collections.abc import Sequence

# In the order of the numbers in `_steps_kernel`.
SOLVERS = (
    "euler", "ddim", "heun", "dpmpp2m", "dpmpp3m", "unip3", "dpm2m", "dpm3m", "deis1", "deis2", "deis3", "deis_log1",
    "deis_log2", "deis_log3", "unipc1", "unipc2", "unipc3", "unipc1_noise", "unipc2_noise", "unipc3_noise",
)  # fmt: skip
# Evaluations at different times that a step goes back on, its own included.
NODES = {
    **dict.fromkeys(("euler", "ddim", "heun", "unipc1", "unipc1_noise"), 1),
    **dict.fromkeys(("dpmpp2m", "dpm2m", "deis1", "deis_log1", "unipc2", "unipc2_noise"), 2),
    **dict.fromkeys(("dpmpp3m", "dpm3m", "unip3", "deis2", "deis_log2", "unipc3", "unipc3_noise"), 3),
    **dict.fromkeys(("deis3", "deis_log3"), 4),
}
# What a solver does on fewer nodes.
LOWER = {
    "dpmpp2m": "ddim", "dpmpp3m": "dpmpp2m", "unip3": "dpmpp2m", "dpm2m": "ddim", "dpm3m": "dpm2m",
    "deis1": "ddim", "deis2": "deis1", "deis3": "deis2",
    "deis_log1": "ddim", "deis_log2": "deis_log1", "deis_log3": "deis_log2",
    "unipc2": "unipc1", "unipc3": "unipc2", "unipc2_noise": "unipc1_noise", "unipc3_noise": "unipc2_noise",
}  # fmt: skip
# What a corrector is without the evaluation that it needs.
PREDICTORS = {
    "unipc1": "ddim", "unipc2": "dpmpp2m", "unipc3": "unip3",
    "unipc1_noise": "ddim", "unipc2_noise": "dpm2m", "unipc3_noise": "deis_log2",
}  # fmt: skip


def evaluations_of(solvers: Sequence[str]) -> int:
    """Return how many evaluations steps of these solvers make."""
    return sum(2 if name == "heun" else 1 for name in solvers)


def pattern(name: str, evaluations: int) -> tuple[str, ...]:
    """Return the solvers of each step of one solver that starts at lower orders, for so many evaluations.

    A name may end in "_lof": its last step is of order 1. Heun's last step is Euler's in rho where the number is odd.
    ValueError names an unknown solver.
    """
    base = name.removesuffix("_lof")
    if base not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, with or without _lof, got {name!r}. Correct it.")
    if base == "heun":
        return ("heun",) * (evaluations // 2) + ("ddim",) * (evaluations % 2)
    steps = [base] * evaluations
    for i in range(evaluations):
        while NODES[steps[i]] > i + 1:
            steps[i] = LOWER[steps[i]]
    steps[-1] = PREDICTORS.get(steps[-1], steps[-1])
    if name != base:
        steps[-1] = "ddim"
    return tuple(steps)
