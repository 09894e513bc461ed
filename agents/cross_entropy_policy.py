"""The cross-entropy method over the parameters of a small policy, in sequential environments.

Source: Mannor, Rubinstein and Gat, "The cross entropy method for fast policy search", ICML 2003; noise that keeps the
law from collapsing: Szita and Lorincz, Neural Computation 18(12), 2006, doi:10.1162/neco.2006.18.12.2936.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from designgym.agents.cross_entropy_law import Normals
from designgym.agents.sequential import SequentialAgent
from designgym.envs import Categorical, DesignSpace, Float, Integer, MeteredEpisodes, SequentialEnv

Floats = NDArray[np.float64]
FILE = "policy.npz"


class Policy:
    """Maps what is observed to an action: linear, or with one layer of tanh units.

    Discrete actions that are `ordered` are one output between the ends; others have an output each, the largest counts.
    A Box has an output each, by tanh from low to high. Observations count as standardised numbers.
    """

    def __init__(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], hidden: int, ordered: bool):
        if not isinstance(observations, gymnasium.spaces.Box):
            raise ValueError(f"cross_entropy needs observations of numbers, a Box, got {observations}.")
        bounded = isinstance(actions, gymnasium.spaces.Box) and actions.is_bounded()
        if not bounded and not isinstance(actions, gymnasium.spaces.Discrete):
            raise ValueError(f"cross_entropy takes Discrete actions or a bounded Box, got {actions}.")
        self._actions, self._ordered, self._hidden = actions, ordered, hidden
        self._inputs = int(np.prod(observations.shape)) + 1
        if isinstance(actions, gymnasium.spaces.Discrete):
            self._outputs = 1 if ordered else int(actions.n)
        else:
            self._outputs = int(np.prod(actions.shape or (1,)))

    @property
    def parameters(self) -> int:
        """How many numbers make up a policy."""
        if not self._hidden:
            return self._inputs * self._outputs
        return self._inputs * self._hidden + (self._hidden + 1) * self._outputs

    def act(self, weights: Floats, observed: Floats) -> Any:
        """Return the action of a policy, (parameters,), for a standardised observation, flat."""
        x = np.append(observed, 1.0)
        if self._hidden:
            cut = self._inputs * self._hidden
            x = np.append(np.tanh(weights[:cut].reshape(self._hidden, self._inputs) @ x), 1.0)
            weights = weights[cut:]
        out = weights.reshape(self._outputs, len(x)) @ x
        if isinstance(self._actions, gymnasium.spaces.Box):
            low, high = self._actions.low, self._actions.high
            return (low + (high - low) * 0.5 * (1.0 + np.tanh(out.reshape(low.shape)))).astype(self._actions.dtype)
        assert isinstance(self._actions, gymnasium.spaces.Discrete)
        count, first = int(self._actions.n), int(self._actions.start)
        if not self._ordered:
            return first + int(np.argmax(out))
        return first + min(int(count * 0.5 * (1.0 + np.tanh(out[0]))), count - 1)

    def act_in_each(self, weights: Floats, observed: Floats) -> NDArray[Any]:
        """Return what `act` does for each of standardised observations, (n, numbers), as actions, (n, ...)."""
        bias = np.ones((len(observed), 1))
        x = np.concatenate([observed, bias], axis=1)
        if self._hidden:
            cut = self._inputs * self._hidden
            x = np.concatenate([np.tanh(x @ weights[:cut].reshape(self._hidden, self._inputs).T), bias], axis=1)
            weights = weights[cut:]
        out = x @ weights.reshape(self._outputs, x.shape[1]).T
        if isinstance(self._actions, gymnasium.spaces.Box):
            low, high = self._actions.low, self._actions.high
            shares = 0.5 * (1.0 + np.tanh(out.reshape(-1, *low.shape)))
            return np.asarray((low + (high - low) * shares).astype(self._actions.dtype))
        assert isinstance(self._actions, gymnasium.spaces.Discrete)
        count, first = int(self._actions.n), int(self._actions.start)
        if not self._ordered:
            return first + np.argmax(out, axis=1)
        return first + np.minimum((count * 0.5 * (1.0 + np.tanh(out[:, 0]))).astype(np.int64), count - 1)


def _ends(actions: gymnasium.Space[Any]) -> tuple[Any, Any]:
    """Return the first and the last of the actions that a policy can take."""
    if isinstance(actions, gymnasium.spaces.Discrete):
        return actions.start, actions.start + actions.n - 1
    assert isinstance(actions, gymnasium.spaces.Box)
    return actions.low, actions.high


class CrossEntropyPolicy(SequentialAgent):
    """Draws policies, plays each for some episodes, and moves the law that they are drawn from toward the best.

    The first iteration only shows what is to be observed: policies see it standardised from then on. What is learned is
    the mean policy, `weights`.
    """

    summary = "cross-entropy method over the parameters of a small policy"
    checkpoints = True
    keeps_policy = True
    hyperparameters = DesignSpace(
        Integer("population", 4, 4096, log=True, default=24, meaning="policies of an iteration"),
        Float("elite", 0.02, 1.0, log=True, default=0.25, meaning="share of them that the law moves toward"),
        Float("smoothing", 0.05, 1.0, default=0.7, meaning="how far it moves: 1 forgets what it was"),
        Integer("episodes", 1, 1000, log=True, default=3, meaning="episodes that a policy is judged by"),
        Integer("hidden", 0, 256, default=0, meaning="tanh units of the policy's layer, 0 for a linear policy"),
        Categorical("actions", ("ordered", "unordered"), meaning="whether neighbouring actions are alike"),
        Float("deviation", 0.01, 100.0, log=True, default=1.0, meaning="standard deviation of a parameter at first"),
        Float("noise", 0.0, 10.0, default=0.1, meaning="added to it after the first iteration, less each time"),
        Integer("cooling", 1, 10_000, log=True, default=20, meaning="iterations after which none is added any more"),
    )

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        ordered = self.settings["actions"] == "ordered"
        self.policy = Policy(env.observation_space, env.action_space, int(self.settings["hidden"]), ordered)
        count = self.policy.parameters
        self._law = Normals(np.zeros(count), np.full(count, float(self.settings["deviation"])))
        self._iterations = 0
        self._seen = _Standard(int(np.prod(env.observation_space.shape or ())))
        self._draw()

    def _draw(self) -> None:
        self._drawn = self._law.draw(int(self.settings["population"]), self.rng)
        self._returns: list[float] = []
        self._return, self._played = 0.0, 0

    @property
    def weights(self) -> Floats:
        """The mean policy, (parameters,)."""
        return self._law.means

    def policy_files(self) -> dict[str, bytes]:
        """Return the mean policy as arrays of numbers: it is loaded without running any code."""
        first, last = _ends(self.env.action_space)
        file = io.BytesIO()
        np.savez(
            file, weights=self.weights, middle=self._seen.middle, scale=self._seen.scale,
            hidden=self.settings["hidden"], ordered=self.settings["actions"] == "ordered",
            observed=np.array(self.env.observation_space.shape, np.int64), first=first, last=last,
        )  # fmt: skip
        return {FILE: file.getvalue()}

    @classmethod
    def load(cls, files: Mapping[str, bytes], env: SequentialEnv[Any, Any]) -> "MeanPolicy":
        """Return the policy of these files."""
        return MeanPolicy(files, env)

    def act(self, observation: Any) -> Any:
        """Return the action of the policy that is being judged."""
        flat = np.asarray(observation, np.float64).reshape(-1)
        self._seen.add(flat)
        return self.policy.act(self._drawn[len(self._returns)], self._seen.standard(flat))

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Add the reward to the policy's return; go on to the next policy where its episodes are played."""
        self._return += reward
        if not done:
            return
        self._played += 1
        if self._played < self.settings["episodes"]:
            return
        self._returns.append(self._return)
        self._return, self._played = 0.0, 0
        if len(self._returns) == len(self._drawn):
            self._iterate()

    def _iterate(self) -> None:
        """Move the law toward the elite; after the first iteration settle what observations are measured by."""
        if not self._seen.settled:
            self._seen.settle()
            self._draw()
            return
        settings = self.settings
        count = max(2, round(settings["elite"] * len(self._drawn)))
        elite = self._drawn[np.argsort(-np.array(self._returns), kind="stable")[:count]]
        self._law.learn(elite, np.ones(elite.shape, bool), float(settings["smoothing"]))
        self._iterations += 1
        left = max(0.0, 1.0 - self._iterations / settings["cooling"])
        self._law.deviations = np.sqrt(self._law.deviations**2 + (settings["noise"] * left) ** 2)
        self._draw()


class _Standard:
    """Standardises observations by those of the first iteration: a policy must mean the same from then on.

    settled: whether those are all. middle, scale: what is taken off, and what the rest is divided by.
    """

    def __init__(self, size: int) -> None:
        self._count, self._sums, self._squares = 0, np.zeros(size), np.zeros(size)
        self.middle, self.scale = np.zeros(size), np.ones(size)
        self.settled = False

    def add(self, observed: Floats) -> None:
        """Take one in, until `settle`."""
        if not self.settled:
            self._count += 1
            self._sums += observed
            self._squares += observed**2

    def settle(self) -> None:
        """Take what was observed for the measure of all that will be."""
        self.middle = self._sums / self._count
        variance = np.maximum(self._squares / self._count - self.middle**2, 0.0)
        self.scale = np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 1e-12)), 1.0)
        self.settled = True

    def standard(self, observed: Floats) -> Floats:
        """Return it standardised."""
        return (observed - self.middle) / self.scale


class MeanPolicy:
    """A mean policy that was kept, to act in many episodes at once. ValueError as `load_policy` says."""

    masks = False

    def __init__(self, files: Mapping[str, bytes], env: SequentialEnv[Any, Any]) -> None:
        if FILE not in files:
            raise ValueError(f"cross_entropy keeps its policy in {FILE}, got none. Train again.")
        try:
            with np.load(io.BytesIO(files[FILE]), allow_pickle=False) as found:
                kept = {name: found[name] for name in found.files}
            hidden, ordered = int(kept["hidden"]), bool(kept["ordered"])
            self._weights, self._middle, self._scale = (kept[name] for name in ("weights", "middle", "scale"))
            observed, first, last = tuple(kept["observed"].tolist()), kept["first"], kept["last"]
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"the policy of cross_entropy cannot be read: {error}. Train again.") from None
        self._policy = Policy(env.observation_space, env.action_space, hidden, ordered)
        if observed != env.observation_space.shape:
            raise ValueError(
                f"the policy was trained on observations of shape {observed}, got {env.observation_space}. Choose "
                "another environment."
            )
        actions = env.action_space
        if not all(np.array_equal(one, other) for one, other in zip((first, last), _ends(actions), strict=True)):
            raise ValueError(
                f"the policy was trained on actions from {first} to {last}, got {actions}. Choose another environment."
            )
        sizes = self._policy.parameters, int(np.prod(observed)), int(np.prod(observed))
        if tuple(part.shape for part in (self._weights, self._middle, self._scale)) != tuple((n,) for n in sizes):
            raise ValueError("the policy of cross_entropy cannot be read: its parts do not fit. Train again.")

    def act(self, observations: NDArray[Any], starts: NDArray[Any], masks: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the action of each episode, see `Policy` of `designgym.agents.policies`."""
        flat = np.asarray(observations, np.float64).reshape(len(observations), -1)
        return self._policy.act_in_each(self._weights, (flat - self._middle) / self._scale)
