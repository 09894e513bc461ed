"""Searchers: they see a problem's space and evaluations, never its physics."""

from designgym.agents.base import Agent, ToldBefore, run
from designgym.agents.registry import agent_class, agent_names, make_agent, register_agent
from designgym.agents.search import Trial, Trials, search

__all__ = [
    "Agent",
    "ToldBefore",
    "Trial",
    "Trials",
    "agent_class",
    "agent_names",
    "make_agent",
    "register_agent",
    "run",
    "search",
]
