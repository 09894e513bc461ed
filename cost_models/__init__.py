"""Cost models: columns of designs in, columns of metrics out."""

from designgym.cost_models.base import Columns, ColumnSpec, CostModel, Explains, Metric, batch_length
from designgym.cost_models.plugins import PluginProblem, load_plugins
from designgym.cost_models.registry import (
    cost_model_names,
    cost_model_options,
    make_cost_model,
    register_cost_model,
    validate_function,
)

__all__ = [
    "ColumnSpec",
    "Columns",
    "CostModel",
    "Explains",
    "Metric",
    "PluginProblem",
    "batch_length",
    "cost_model_names",
    "cost_model_options",
    "load_plugins",
    "make_cost_model",
    "register_cost_model",
    "validate_function",
]

register_cost_model(
    "SystolicArray",
    "designgym.cost_models.accelerator.systolic_array:SystolicArray",
    validate="designgym.cost_models.accelerator.systolic_validate:validate",
)
register_cost_model("ScaleSim", "designgym.cost_models.accelerator.scale_sim:ScaleSim")
register_cost_model("StallingArray", "designgym.cost_models.accelerator.stalling_array:StallingArray")
register_cost_model("ReplayedArray", "designgym.cost_models.accelerator.replayed_array:ReplayedArray")
register_cost_model("NKLandscape", "designgym.cost_models.landscapes.nk:NKLandscape")
register_cost_model("LABS", "designgym.cost_models.landscapes.labs:LABS")
register_cost_model(
    "DiffusionSampling",
    "designgym.cost_models.solver_schedule.diffusion_sampling:DiffusionSampling",
    validate="designgym.cost_models.solver_schedule.diffusion_validate:validate",
)
register_cost_model("FlowStepSizes", "designgym.cost_models.solver_schedule.flow_step_sizes:FlowStepSizes")
register_cost_model(
    "OdeTolerance",
    "designgym.cost_models.solver_schedule.ode_tolerance:OdeTolerance",
    validate="designgym.cost_models.solver_schedule.ode_validate:validate",
)
register_cost_model(
    "ThreeBody",
    "designgym.cost_models.solver_schedule.three_body:ThreeBody",
    validate="designgym.cost_models.solver_schedule.three_body_validate:validate",
)
register_cost_model(
    "Relaxation",
    "designgym.cost_models.solver_schedule.relaxation:Relaxation",
    validate="designgym.cost_models.solver_schedule.relaxation_validate:validate",
)
register_cost_model("TimestepSubset", "designgym.cost_models.solver_schedule.timestep_subset:TimestepSubset")
register_cost_model(
    "ApproximateMultiplier",
    "designgym.cost_models.quantization.approximate_multiplier:ApproximateMultiplier",
    validate="designgym.cost_models.quantization.lmul_validate:validate",
)
register_cost_model(
    "StructuredSparsity",
    "designgym.cost_models.quantization.structured_sparsity:StructuredSparsity",
    validate="designgym.cost_models.quantization.compression_validate:validate_sparsity",
)
register_cost_model(
    "FormatSearch",
    "designgym.cost_models.quantization.format_search:FormatSearch",
    validate="designgym.cost_models.quantization.formats_validate:validate",
)
register_cost_model(
    "LowRank",
    "designgym.cost_models.quantization.low_rank:LowRank",
    validate="designgym.cost_models.quantization.compression_validate:validate_low_rank",
)
register_cost_model(
    "MixedPrecision",
    "designgym.cost_models.quantization.mixed_precision:MixedPrecision",
    validate="designgym.cost_models.quantization.mixed_precision_validate:validate",
)
register_cost_model(
    "CompressedTransformer",
    "designgym.cost_models.quantization.compressed_transformer:CompressedTransformer",
)
register_cost_model(
    "ExpProgram",
    "designgym.cost_models.quantization.exp_program:ExpProgram",
    validate="designgym.cost_models.quantization.exp_program_validate:validate",
)
register_cost_model("ExpStraightLine", "designgym.cost_models.quantization.exp_straight_line:ExpStraightLine")
