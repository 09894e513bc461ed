"""Choose a systolic array for four matrix multiplies of a transformer, from few enough designs to try all."""

from designgym.cost_models.accelerator.layers import Layer, gemm_layer
from designgym.cost_models.accelerator.networks_transformer import HIDDEN_WIDTH, WIDTH
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_kernel import DATAFLOWS
from designgym.cost_models.base import CostModel
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Integer, Ordinal
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

SRAM_KB = (8, 32, 128, 512, 2048)
DRAM_WORDS_PER_CYCLE = (8, 16, 32, 64)  # slower, EDP is a matter of bandwidth alone
CLOCKS_HZ = (100_000_000, 175_000_000, 250_000_000)
LEAST_EDP = Objective(minimize=("edp_js",))


def gemms(tokens: int) -> tuple[Layer, ...]:
    """Return the four multiplies by weights in one block of GPT-2 small on `tokens` tokens.

    Source: Radford et al., "Language models are unsupervised multitask learners", 2019, Table 2 (width 768), with the
    names of the published code. The two multiplies within attention have no weights and are left out.
    """
    return (
        gemm_layer("attn.c_attn", tokens, WIDTH, 3 * WIDTH),
        gemm_layer("attn.c_proj", tokens, WIDTH, WIDTH),
        gemm_layer("mlp.c_fc", tokens, WIDTH, HIDDEN_WIDTH),
        gemm_layer("mlp.c_proj", tokens, HIDDEN_WIDTH, WIDTH),
    )


def systolic_gemms(
    tokens: int = 128, objective: Objective = LEAST_EDP, cost_model: CostModel | None = None
) -> DesignProblem:
    """Build an accelerator for the four weight multiplies of a GPT-2 small block, for the least `edp_js`.

    1,152,000 designs, all of which can be built: the eight knobs of SystolicArray-v0 at fewer levels, priced by the
    same cost model with its defaults. tokens: rows of each multiply. ValueError for a number of tokens below 1.
    """
    return DesignProblem(design_space(), cost_model or SystolicArray(gemms(tokens)), objective)


def design_space() -> DesignSpace:
    """Return the parameters of `systolic_gemms`."""

    def sram(name: str, holds: str) -> Ordinal:
        return Ordinal(name, SRAM_KB, unit="kB", meaning=f"SRAM of {holds}, half of it in use at a time")

    return DesignSpace(
        Integer("rows", 16, 256, step=16, unit="PE", meaning="processing elements along a column"),
        Integer("cols", 16, 256, step=16, unit="PE", meaning="processing elements along a row"),
        Categorical("dataflow", DATAFLOWS, meaning="which operand stays put: output, weight or input"),
        sram("ifmap_sram_kb", "the multiply's input"),
        sram("filter_sram_kb", "the weights"),
        sram("ofmap_sram_kb", "outputs and partial sums"),
        Ordinal("dram_words_per_cycle", DRAM_WORDS_PER_CYCLE, unit="word/cycle", meaning="rate of the DRAM interface"),
        Ordinal("clock_hz", CLOCKS_HZ, unit="Hz", meaning="clock; a faster one needs a higher supply voltage"),
    )
