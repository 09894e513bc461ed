"""A dataset made directly: distinct designs of a problem, spread evenly, drawn at random or gone to by agents, priced.

Spread and drawn designs go to the cost model in large batches, unmetered and unlogged: this is no search. The designs
that agents go to are priced as the agents ask for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents import make_agent, search
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, Failure, batch_length
from designgym.cost_models.dataset import Dataset, Origin
from designgym.envs import DesignProblem
from designgym.envs.ranking import rows_of
from designgym.envs.registry import full_id, make_problem, problem_options
from designgym.experiments.index import parameter_fields
from designgym.experiments.plain import plain
from designgym.experiments.pricing import Slowly, is_slow, joined, priced_at_once, priced_slowly

HOW = ("sobol", "random", "from-agents")
ASKED = {"sobol": "quasi_random", "random": "random"}  # whose designs these are; neither learns from what it is told
# Who goes where, and the share of the designs of each: wide, local, and two populations and walks in between.
MIX = {"random": 0.25, "local_search": 0.25, "genetic": 0.25, "simulated_annealing": 0.25}
RUN = 1000  # designs of one run of an agent, as of a sweep
ENOUGH_NEW = 0.1  # share of a run's designs: with less, an agent's further runs would bring little
CHUNK = 100_000  # designs priced at a time
LISTED = 10_000_000  # designs of a space that is walked through for the last of them
BARREN = 4  # batches in a row without a new design, after which chance is taken to find no more


@dataclass(frozen=True)
class Sampled:
    """What `sample` came to. failed: designs whose evaluation failed, left out.

    missing: how many designs fewer there are than were asked for, since the space has no more; those that failed are
    not among them. shares: designs by agent; refused: agents of the mix that the space is not for, and why.
    """

    dataset: Dataset
    failed: int
    missing: int
    shares: dict[str, int]
    refused: dict[str, str]


@dataclass(frozen=True)
class _Part:
    """Distinct designs with what they came to, and who found them in which run at which place."""

    designs: Columns
    metrics: Columns
    violation: NDArray[np.float64]
    agent: str
    run: str
    index: NDArray[np.int64]


def sample(
    id: str,
    n: int,
    how: str = "sobol",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    slowly: Slowly = Slowly(),  # noqa: B008
) -> Sampled:
    """Return n distinct designs of a problem, priced; fewer where its space has no more.

    how: "sobol", evenly over the choices of each parameter (scrambled Sobol' points); "random", uniformly over the
    designs; "from-agents", a quarter each from runs of 1,000 designs of random, local_search, genetic and
    simulated_annealing with the seeds seed, seed + 1, ..., so that designs are dense where searches go. slowly: how
    designs of a slow cost model are priced; its `heard` and `failed` are called for a fast one too.
    """
    for name, value in (("-n", n), ("--workers", slowly.workers)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}. Raise it.")
    if how not in HOW or seed < 0:
        what = ("--seed", "at least 0", seed) if how in HOW else ("--how", f"one of {', '.join(HOW)}", how)
        raise ValueError(f"{what[0]} must be {what[1]}, got {what[2]!r}.")
    given = dict(options or {})
    if str(given.get("cost_model")).startswith("dataset:"):
        raise ValueError(f"designs must be priced anew, got cost_model={given['cost_model']}. Leave it out.")
    problem = make_problem(id, **given)
    seen, parts, failed, refused = Seen(problem.space), list[_Part](), 0, dict[str, str]()
    if how == "from-agents":
        mixing = _Mixing(problem, n, seed, slowly, seen)
        parts, failed, refused = mixing.parts(), mixing.failed, mixing.refused
    found = sum(len(part.violation) for part in parts)
    if found < n:  # agents come late to the last designs of a small space

        def heard(some: int, _: int) -> None:
            slowly.heard(found + some, n)

        late = replace(slowly, heard=heard)
        rest, fell = _spread(problem, n - found, how if how in ASKED else "random", seed, late, seen)
        parts, failed = parts + rest, failed + fell
    dataset = _dataset(problem, _origin(full_id(id), given, problem), parts, f"{how}, n={n}, seed={seed}")
    shares = {name: int((dataset.agent == name).sum()) for name in dict.fromkeys(part.agent for part in parts)}
    return Sampled(dataset, failed, max(0, n - len(dataset) - failed), shares, refused)


def _origin(id: str, given: Mapping[str, Any], problem: DesignProblem) -> Origin:
    told = {name: plain(value) for name, value in given.items() if name not in ("objective", "cheap")}
    texts = [f"{name}={value}" for name, value in told.items()]
    options = {name: value for name, value in {**problem_options(id), **given}.items() if name != "objective"}
    return Origin(
        f"{id}({', '.join(texts)})" if texts else id, id, plain({k: v for k, v in options.items() if k != "cheap"}),
        type(problem.cost_model).__name__, problem.cost_model.version,
        tuple(parameter_fields(one) for one in problem.space.parameters), plain(problem.objective),
    )  # fmt: skip


def _dataset(problem: DesignProblem, origin: Origin, parts: list[_Part], source: str) -> Dataset:
    space, declared = problem.space, problem.cost_model.metrics
    counts = [len(part.violation) for part in parts]
    n = sum(counts)
    if not n:
        raise ValueError(f"{origin.label}: no design of the space could be priced. A dataset needs one that can.")
    return Dataset(
        space.specs(), declared,
        {name: np.concatenate([part.designs[name] for part in parts]) for name in space.columns},
        {one.name: np.concatenate([part.metrics[one.name] for part in parts]) for one in declared},
        np.concatenate([part.violation for part in parts]), np.zeros(n, np.int64), np.full(n, "faithful"),
        np.repeat(np.array([part.agent for part in parts]), counts),
        np.repeat(np.array([part.run for part in parts]), counts),
        (origin,), (source,), index=np.concatenate([part.index for part in parts]),
    )  # fmt: skip


# -- spread evenly, or drawn ------------------------------------------------------------------------------------------


def _spread(problem: DesignProblem, n: int, how: str, seed: int, slowly: Slowly, seen: Seen) -> tuple[list[_Part], int]:
    """Return designs of `sobol` or `random` that were not seen with what they came to, and how many failed."""
    parts, done, failed = list[_Part](), 0, 0
    for designs in _chunks(problem, ASKED[how], n, seed, seen):
        count = batch_length(designs)

        def report(some: int, of: int = n, before: int = done) -> None:
            slowly.heard(before + some, n)

        def say(number: int, why: Failure, before: int = done) -> None:
            slowly.failed(before + number, why)

        if is_slow(problem.cost_model):
            metrics = priced_slowly(problem, designs, replace(slowly, heard=report, failed=say))
        else:
            metrics = priced_at_once(problem, designs, report)
        whole = np.isfinite(metrics["violation"])
        violation = metrics.pop("violation")[whole]
        index = np.arange(done, done + count)[whole]
        kept = rows_of(designs, whole), rows_of(metrics, whole)
        parts.append(_Part(*kept, violation, how, f"seed {seed}", index))
        done, failed = done + count, failed + int((~whole).sum())
    return parts, failed


def _chunks(problem: DesignProblem, agent: str, n: int, seed: int, seen: Seen) -> Iterator[Columns]:
    """Yield distinct valid designs, at most n, chunk by chunk, as an agent that learns nothing asks for them."""
    asking = make_agent(agent, problem, seed)
    left, barren = n, 0
    held: list[Columns] = []
    while left and barren < BARREN:
        designs = asking.ask(min(max(asking.batch, 256), left))
        new = seen.add(designs)
        barren = 0 if new.any() else barren + 1
        held.append(rows_of(designs, new))
        left -= int(new.sum())
        if sum(map(batch_length, held)) >= CHUNK:
            yield joined(held)
            held = []
    # Chance comes late to the last designs of a small space: what is left of it is taken in its order.
    if left and problem.space.size <= LISTED:
        for designs in problem.space.enumerate(CHUNK):
            rest = np.flatnonzero(seen.add(designs))[:left]
            held.append(rows_of(designs, rest))
            left -= len(rest)
    if any(map(batch_length, held)):
        yield joined(held)


# -- gone to by agents ------------------------------------------------------------------------------------------------


class _Mixing:
    """Runs of a mix of agents until each has its share of n distinct designs, or brings nothing new."""

    def __init__(self, problem: DesignProblem, n: int, seed: int, slowly: Slowly, seen: Seen) -> None:
        self._problem, self._n, self._seed, self._slowly, self._seen = problem, n, seed, slowly, seen
        self._parts: list[_Part] = []
        self._done = self.failed = 0
        self.refused: dict[str, str] = {}

    def parts(self) -> list[_Part]:
        """Return what the agents found, run after run."""
        mix = {name: share for name, share in MIX.items() if self._takes(name)}
        taken, wanted, share = 0, 0, sum(mix.values())
        for place, name in enumerate(mix):
            # What others leave of their shares goes to the last, and what that one leaves to who draws at random.
            wanted = self._n - taken if place == len(mix) - 1 else round(self._n * mix[name] / share)
            taken += self._runs(name, wanted, self._seed)
        if taken < self._n:
            self._runs("random", self._n - taken, self._seed + self._n)
        return self._parts

    def _takes(self, agent: str) -> bool:
        try:
            make_agent(agent, self._problem, 0)
        except ValueError as error:
            self.refused[agent] = str(error)
        return agent not in self.refused

    def _runs(self, agent: str, wanted: int, seed: int) -> int:
        """Let an agent run, seed after seed, until `wanted` designs are new; return how many are."""
        have, new = 0, 0
        while have < wanted:
            budget = min(RUN, wanted)
            new = self._run(agent, seed, budget, wanted - have)
            have, seed = have + new, seed + 1
            if new < max(1, ENOUGH_NEW * budget):
                break
        return have

    def _run(self, agent: str, seed: int, budget: int, most: int) -> int:
        problem, start = self._problem, self._done

        def hear(answer: Any) -> None:
            self._done += int(answer.fresh.sum())
            self._slowly.heard(min(self._done, self._n), self._n)

        def say(number: int, why: Failure) -> None:
            self._slowly.failed(start + number, why)

        if is_slow(problem.cost_model):
            from designgym.experiments.slow_here import search_here

            slowly = self._slowly
            trials = search_here(
                problem, agent, budget, seed, slowly.workers, listener=hear, results=slowly.results, failed=say
            )
        else:
            trials = search(problem, agent, budget, seed, listener=hear)
        got = trials.evaluations
        failed = np.isinf(got.violation)
        inside = problem.space.contains(trials.designs)
        fresh = np.zeros(len(trials), bool)
        fresh[inside] = self._seen.new(rows_of(trials.designs, inside))
        rows, fell = np.flatnonzero(fresh & ~failed)[:most], np.flatnonzero(fresh & failed)
        self._seen.add(rows_of(trials.designs, np.concatenate([rows, fell])))
        self.failed += len(fell)
        self._done = start + len(rows)
        metrics = {name: column[rows] for name, column in got.metrics.items() if name != "violation"}
        own = problem.objective.of_model(metrics, got.violation[rows])
        self._parts.append(_Part(rows_of(trials.designs, rows), metrics, own, agent, f"{agent} seed {seed}", rows))
        return len(rows)
