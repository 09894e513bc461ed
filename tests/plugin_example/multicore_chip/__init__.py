"""What designgym finds by this package's entry point: importing it registers all three pieces."""

from designgym.agents import register_agent
from designgym.cost_models import register_cost_model
from designgym.envs import register_problem

register_cost_model("MulticoreChip", "multicore_chip.cost_model:MulticoreChip")
register_problem("MulticoreChip-v0", "multicore_chip.environment:multicore_chip")
register_agent("one_plus_one", "multicore_chip.agent:OnePlusOne")
