"""Policies that were trained, apart from the agents that trained them: they act, many episodes at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from designgym.agents.registry import sequential_agent_class
from designgym.envs import SequentialEnv


class Policy(Protocol):
    """What acts in n episodes at once, without chance. masks: whether it asks which actions are open."""

    masks: bool

    def act(self, observations: NDArray[Any], starts: NDArray[Any], masks: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return an action of each episode, (n, ...), as the environment takes it.

        observations: (n, ...). starts: where an episode begins, bool (n,): what is remembered is forgotten there.
        masks: which actions are open, bool (n, actions).
        """
        ...


def load_policy(agent: str, env: SequentialEnv[Any, Any], files: Mapping[str, bytes]) -> Policy:
    """Return the policy that an agent kept, to act in an environment.

    files: what `policy_files` gave, by name. Those of the extra `rl` can hold code, which loading runs: load none that
    you do not trust. ValueError for an agent that keeps no policy, for files that are missing or damaged, and for an
    environment whose observations or actions are not those that the policy was trained on.
    """
    policy: Policy = sequential_agent_class(agent).load(files, env)
    return policy
