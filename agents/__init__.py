"""Searchers: they see a problem's space and evaluations, never its physics."""

from designgym.agents.base import Agent, ToldBefore, run
from designgym.agents.playing import play_trials
from designgym.agents.registry import (
    agent_class,
    agent_names,
    make_agent,
    make_sequential_agent,
    register_agent,
    register_sequential_agent,
    sequential_agent_class,
    sequential_agent_names,
)
from designgym.agents.search import Trial, Trials, search
from designgym.agents.sequential import SequentialAgent, play

__all__ = [
    "Agent",
    "SequentialAgent",
    "ToldBefore",
    "Trial",
    "Trials",
    "agent_class",
    "agent_names",
    "make_agent",
    "make_sequential_agent",
    "play",
    "play_trials",
    "register_agent",
    "register_sequential_agent",
    "run",
    "search",
    "sequential_agent_class",
    "sequential_agent_names",
]
