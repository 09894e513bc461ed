"""Design spaces, objectives, problems and their Gymnasium faces."""

from designgym.envs.choice_features import ChoiceFeatures
from designgym.envs.cost_model_files import register_cost_model_file
from designgym.envs.design_env import DesignEnv
from designgym.envs.endings import BudgetSpent, OnlyRepeats, ReplayDiffers, RunOver, SpaceExhausted
from designgym.envs.episodes import MeteredEpisodes
from designgym.envs.metered import Answer, MeteredProblem
from designgym.envs.objective import Evaluations, Objective
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Categorical, Float, Integer, Ordinal, Parameter
from designgym.envs.problem import BrokenCostModel, DesignProblem, Fidelity, Problem
from designgym.envs.reasons import reason_of
from designgym.envs.registry import (
    full_id,
    gymnasium_id,
    is_sequential,
    make_problem,
    make_sequential,
    problem_ids,
    problem_options,
    register_problem,
    register_sequential,
    sequential_ids,
)
from designgym.envs.sequential import SequentialEnv
from designgym.envs.space import DesignSpace
from designgym.envs.stepwise_env import StepwiseDesignEnv
from designgym.envs.stepwise_vector_env import StepwiseDesignVectorEnv
from designgym.envs.vector_env import DesignVectorEnv

__all__ = [
    "Answer",
    "BrokenCostModel",
    "BudgetSpent",
    "Categorical",
    "ChoiceFeatures",
    "DesignEnv",
    "DesignProblem",
    "DesignSpace",
    "DesignVectorEnv",
    "Evaluations",
    "Fidelity",
    "Float",
    "Integer",
    "MeteredEpisodes",
    "MeteredProblem",
    "Objective",
    "OnlyRepeats",
    "Ordinal",
    "Parameter",
    "Permutation",
    "Problem",
    "ReplayDiffers",
    "RunOver",
    "SequentialEnv",
    "SpaceExhausted",
    "StepwiseDesignEnv",
    "StepwiseDesignVectorEnv",
    "Subset",
    "full_id",
    "gymnasium_id",
    "is_sequential",
    "make_problem",
    "make_sequential",
    "problem_ids",
    "problem_options",
    "reason_of",
    "register_cost_model_file",
    "register_problem",
    "register_sequential",
    "sequential_ids",
]

register_problem("SystolicArray-v0", "designgym.envs.accelerator.systolic_array:systolic_array")
register_problem("SystolicGemms-v0", "designgym.envs.accelerator.systolic_gemms:systolic_gemms")
register_problem("NKLandscape-v0", "designgym.envs.landscapes.nk_landscape:nk_landscape")
register_problem("LABS-v0", "designgym.envs.landscapes.labs:labs")
register_problem("DiffusionSampling-v0", "designgym.envs.solver_schedule.diffusion_sampling:diffusion_sampling")
register_problem("SolverPattern-v0", "designgym.envs.solver_schedule.solver_pattern:solver_pattern")
register_problem("FlowStepSizes-v0", "designgym.envs.solver_schedule.flow_step_sizes:flow_step_sizes")
register_problem("OdeTolerance-v0", "designgym.envs.solver_schedule.ode_tolerance:ode_tolerance")
register_problem("TimestepSubset-v0", "designgym.envs.solver_schedule.timestep_subset:timestep_subset")
register_problem("Relaxation-v0", "designgym.envs.solver_schedule.relaxation:relaxation")
register_sequential(
    "RelaxationSequence-v0",
    "designgym.envs.solver_schedule.relaxation_sequence:RelaxationSequence",
    problem="designgym.envs.solver_schedule.relaxation:relaxation",
    vector="designgym.envs.solver_schedule.relaxation_sequence_vector:RelaxationSequenceVector",
)
register_problem("ThreeBody-v0", "designgym.envs.solver_schedule.three_body:three_body")
register_sequential(
    "ThreeBodyStepping-v0",
    "designgym.envs.solver_schedule.three_body_stepping:ThreeBodyStepping",
    problem="designgym.envs.solver_schedule.three_body:three_body",
    vector="designgym.envs.solver_schedule.three_body_vector:ThreeBodySteppingVector",
)
register_sequential(
    "OdeStepping-v0",
    "designgym.envs.solver_schedule.ode_stepping:OdeStepping",
    problem="designgym.envs.solver_schedule.ode_stepping:fixed_policies",
    vector="designgym.envs.solver_schedule.ode_stepping_vector:OdeSteppingVector",
)
register_problem(
    "ApproximateMultiplier-v0", "designgym.envs.quantization.approximate_multiplier:approximate_multiplier"
)
register_problem("StructuredSparsity-v0", "designgym.envs.quantization.structured_sparsity:structured_sparsity")
register_problem("FormatSearch-v0", "designgym.envs.quantization.format_search:format_search")
register_problem("LowRank-v0", "designgym.envs.quantization.low_rank:low_rank")
register_problem("MixedPrecision-v0", "designgym.envs.quantization.mixed_precision:mixed_precision")
register_problem(
    "LayerwiseQuantization-v0",
    "designgym.envs.quantization.layerwise_quantization:layerwise_quantization",
    stepwise=True,
)
register_problem("QuantizedAccelerator-v0", "designgym.envs.quantization.quantized_accelerator:quantized_accelerator")
register_problem(
    "CompressedTransformer-v0", "designgym.envs.quantization.compressed_transformer:compressed_transformer"
)
register_problem("ExpProgram-v0", "designgym.envs.quantization.exp_program:exp_program")
register_problem("ExpStraightLine-v0", "designgym.envs.quantization.exp_straight_line:exp_straight_line")
register_problem("Simulator-v0", "designgym.envs.simulated.simulator:simulator", needs=("file",))

register_cost_model_file("command", "designgym.envs.command:priced_by_command")
register_cost_model_file("dataset", "designgym.envs.offline:priced_by_dataset", told=True)
register_cost_model_file("surrogate", "designgym.envs.surrogate:priced_by_surrogate", told=True)
