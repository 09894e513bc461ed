"""The agents there are, by name."""

from typing import Any

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.sequential import SequentialAgent, player_rng
from designgym.cost_models.registry import Registry
from designgym.envs import MeteredEpisodes, Problem, sequential_ids

_AGENTS = Registry("agent")
_SEQUENTIAL = Registry("sequential agent")  # one name may stand in both, for an agent that plays and searches


def register_agent(name: str, entry_point: str) -> None:
    """Make an `Agent` known. entry_point: "module:Class". ValueError when the name is taken."""
    _AGENTS.register(name, entry_point)


def agent_names() -> tuple[str, ...]:
    """Return the names of all registered agents."""
    return _AGENTS.names()


def agent_class(name: str) -> type[Agent]:
    """Import an agent's class; ValueError names the nearest known name."""
    found = _AGENTS.load(name)
    if not (isinstance(found, type) and issubclass(found, Agent)):
        raise ValueError(f"agent {name!r} must be a subclass of designgym.agents.Agent, got {found!r}.")
    return found


def register_sequential_agent(name: str, entry_point: str) -> None:
    """Make a `SequentialAgent` known. entry_point: "module:Class". ValueError when the name is taken."""
    _SEQUENTIAL.register(name, entry_point)


def sequential_agent_names() -> tuple[str, ...]:
    """Return the names of all registered agents of sequential environments."""
    return _SEQUENTIAL.names()


def sequential_agent_class(name: str) -> type[SequentialAgent]:
    """Import the class of an agent of sequential environments; ValueError names the nearest known name."""
    found = _SEQUENTIAL.load(name)
    if not (isinstance(found, type) and issubclass(found, SequentialAgent)):
        raise ValueError(f"sequential agent {name!r} must be a subclass of SequentialAgent, got {found!r}.")
    return found


def class_for(name: str, sequential: bool) -> type[Agent] | type[SequentialAgent]:
    """Return the class that runs under this name: what plays, where the problem is a sequential environment's.

    An agent that only searches designs then searches the fixed policies. ValueError names who can not do what.
    """
    if sequential and name in sequential_agent_names():
        return sequential_agent_class(name)
    if not sequential and name in sequential_agent_names() and name not in agent_names():
        raise ValueError(
            f"agent {name!r} plays sequential environments, such as {', '.join(sequential_ids()) or 'none yet'}, and "
            "searches no designs. Choose another agent, or such an environment."
        )
    return agent_class(name)


def _check_seed(seed: Any) -> None:
    """ValueError unless this is a seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, got {seed!r}. Give a number, without quotes.")


def make_agent(name: str, problem: Problem, seed: int, **hyperparameters: Any) -> Agent:
    """Make an agent whose randomness all comes from this seed. ValueError where that is none."""
    _check_seed(seed)
    cls = class_for(name, sequential=False)
    assert issubclass(cls, Agent)
    return cls(problem, np.random.default_rng(seed), **hyperparameters)


def make_sequential_agent(name: str, env: MeteredEpisodes, seed: int, **hyperparameters: Any) -> SequentialAgent:
    """Make an agent of a sequential environment whose randomness all comes from this seed."""
    _check_seed(seed)
    return sequential_agent_class(name)(env, player_rng(seed), **hyperparameters)


register_agent("random", "designgym.agents.random:Random")
register_agent("exhaustive", "designgym.agents.exhaustive:Exhaustive")
register_agent("quasi_random", "designgym.agents.quasi_random:QuasiRandom")
register_agent("local_search", "designgym.agents.local_search:LocalSearch")
register_agent("genetic", "designgym.agents.genetic:Genetic")
register_agent("compressor_genetic", "designgym.agents.compressor_genetic:CompressorGenetic")
register_agent("ant_colony", "designgym.agents.ant_colony:AntColony")
register_agent("evolution", "designgym.agents.evolution:Evolution")
register_agent("simulated_annealing", "designgym.agents.simulated_annealing:SimulatedAnnealing")
register_agent("beam", "designgym.agents.beam:Beam")
register_agent("dynamic_programming", "designgym.agents.dynamic_programming:DynamicProgramming")
register_agent("bayesian", "designgym.agents.bayesian:Bayesian")
register_agent("surrogate_search", "designgym.agents.surrogate_search:SurrogateSearch")
register_agent("predictor_search", "designgym.agents.predictor_search:PredictorSearch")
register_agent("policy_gradient", "designgym.agents.policy_gradient:PolicyGradient")
register_agent("target_surrogate", "designgym.agents.target_surrogate:TargetSurrogate")
register_agent("q_learning", "designgym.agents.q_learning:QLearning")
register_agent("cross_entropy", "designgym.agents.cross_entropy:CrossEntropy")
register_agent("optuna_tpe", "designgym.agents.optuna_tpe:OptunaTPE")
register_agent("optuna_gp", "designgym.agents.optuna_gp:OptunaGP")
register_agent("optuna_cmaes", "designgym.agents.optuna_cmaes:OptunaCmaEs")
register_agent("optuna_nsga2", "designgym.agents.optuna_nsga2:OptunaNSGA2")
register_agent("optuna_qmc", "designgym.agents.optuna_qmc:OptunaQMC")
register_agent("ppo", "designgym.agents.rl:Ppo")
register_agent("a2c", "designgym.agents.rl:A2c")
register_agent("dqn", "designgym.agents.rl:Dqn")
register_agent("sac", "designgym.agents.rl:Sac")
register_agent("maskable_ppo", "designgym.agents.rl:MaskablePpo")
register_agent("recurrent_ppo", "designgym.agents.rl:RecurrentPpo")

register_sequential_agent("tsallis_inf", "designgym.agents.tsallis_inf:TsallisInf")
register_sequential_agent("tsallis_inf_binned", "designgym.agents.tsallis_inf:TsallisInfBinned")
register_sequential_agent("chebyshev_bandit", "designgym.agents.chebyshev_bandit:ChebyshevBandit")
register_sequential_agent("epsilon_greedy", "designgym.agents.bandits:EpsilonGreedy")
register_sequential_agent("ucb", "designgym.agents.bandits:Ucb")
register_sequential_agent("cross_entropy", "designgym.agents.cross_entropy_policy:CrossEntropyPolicy")
register_sequential_agent("fixed_action", "designgym.agents.bandits:FixedAction")
register_sequential_agent("ppo", "designgym.agents.rl_players:PpoPlayer")
register_sequential_agent("a2c", "designgym.agents.rl_players:A2cPlayer")
register_sequential_agent("dqn", "designgym.agents.rl_players:DqnPlayer")
register_sequential_agent("sac", "designgym.agents.rl_players:SacPlayer")
register_sequential_agent("maskable_ppo", "designgym.agents.rl_players:MaskablePpoPlayer")
register_sequential_agent("recurrent_ppo", "designgym.agents.rl_players:RecurrentPpoPlayer")
