"""Which problems of which sweeps come together in one dataset, and why others do not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from designgym.cost_models.base import Metric
from designgym.cost_models.dataset import Origin
from designgym.cost_models.registry import nearest
from designgym.envs.offline import metrics_differ, parameters_differ
from designgym.experiments.labels import labels_of
from designgym.experiments.log import LoggedProblem, LoggedRun, Sweep

NOT_OF_DESIGNS = ("objective", "cheap")  # options that change neither designs nor what the faithful model says of them
PLAYED = "it was played, and a trial of it is an episode, not a design"
OFFLINE = "it was priced by a dataset, which has all that was priced"

Key = tuple[str, str]  # a problem's id, and its options as JSON


@dataclass(frozen=True)
class Gathering:
    """What is to be gathered. origins: the problems, sorted; places: which of them each problem of each sweep is.

    runs: by sweep, those wanted that have trials, by key.
    """

    origins: tuple[Origin, ...]
    metrics: tuple[Metric, ...]
    sweeps: tuple[Sweep, ...]
    places: tuple[dict[str, int], ...]
    runs: tuple[dict[str, LoggedRun], ...]
    left_out: tuple[str, ...]

    @property
    def named(self) -> str:
        """The problems by name."""
        return ", ".join(one.label for one in self.origins)

    def runs_of(self, sweep: Sweep) -> dict[str, LoggedRun]:
        """Return the runs of one of the sweeps that are wanted, by key."""
        return self.runs[self.sweeps.index(sweep)]

    def origin_of(self, sweep: Sweep, label: str) -> int:
        """Return which of the origins a problem of a sweep is."""
        return self.places[self.sweeps.index(sweep)][label]


def problems_of(sweeps: Sequence[Sweep], problem: str = "") -> Gathering:
    """Return which problems of these sweeps come together. problem: the id or label of those wanted, all if empty.

    ValueError, in one line, where there are none, and where their spaces, metrics or cost models differ.
    """
    found: dict[Key, list[tuple[int, LoggedProblem]]] = {}
    left_out = []
    for place, sweep in enumerate(sweeps):
        for logged in sweep.problems.values():
            if logged.played or _offline(logged):
                left_out.append(f"{logged.label} of {sweep.directory}: {PLAYED if logged.played else OFFLINE}")
            else:
                found.setdefault(_key(logged), []).append((place, logged))
    keys = sorted(found)
    labels = dict(zip(keys, _labels(keys), strict=True))
    chosen = [key for key in keys if not problem or _is(problem, key, labels[key], found[key])]
    if not chosen:
        raise _none(problem, left_out, {name for key in keys for name in (key[0], labels[key])})
    _refuse_unlike([(labels[key], found[key][0][1]) for key in chosen])
    runs, places = _runs(sweeps, chosen, found)
    origins = tuple(_origin(labels[key], found[key], sweeps, runs) for key in chosen)
    metrics = found[chosen[0]][0][1].metrics
    return Gathering(origins, metrics, tuple(sweeps), tuple(places), tuple(runs), tuple(left_out))


def _key(logged: LoggedProblem) -> Key:
    return logged.id, json.dumps(_options(logged), sort_keys=True)


def _offline(logged: LoggedProblem) -> bool:
    return str(logged.options.get("cost_model")).startswith("dataset:")


def _options(logged: LoggedProblem) -> dict[str, Any]:
    return {name: value for name, value in logged.options.items() if name not in NOT_OF_DESIGNS}


def _labels(keys: Sequence[Key]) -> list[str]:
    """Name the problems by id and the options that tell them apart, each differently."""
    labels = labels_of([(id, json.loads(options)) for id, options in keys])
    return [label if labels.count(label) == 1 else f"{label} [{i}]" for i, label in enumerate(labels)]


def _is(wanted: str, key: Key, label: str, found: Sequence[tuple[int, LoggedProblem]]) -> bool:
    wanted = wanted.removeprefix("designgym/")
    return wanted in (key[0], key[0].rpartition("-")[0], label, *(logged.label for _, logged in found))


def _none(problem: str, left_out: Sequence[str], known: set[str]) -> ValueError:
    if known:
        return ValueError(f"--problem must be one of the sweeps, got {problem!r}. {nearest(problem, known)}")
    return ValueError(f"there is nothing to gather: {'; '.join(left_out)}. Give a sweep that searches designs.")


def _refuse_unlike(problems: Sequence[tuple[str, LoggedProblem]]) -> None:
    """ValueError where two problems differ in their spaces or metrics."""
    (label, first), *others = problems
    for other_label, other in others:
        differs = parameters_differ(first.parameters, other.parameters)
        names = [[metric.name for metric in one.metrics] for one in (first, other)]
        if not differs and names[0] != names[1]:
            differs = f"there are the metrics {', '.join(names[0])} there and {', '.join(names[1])} here"
        differs = differs or metrics_differ(first.metrics, other.metrics)
        if differs:
            raise ValueError(
                f"problems of one dataset must share their space and metrics, got {label} there and {other_label} "
                f"here: {differs}. Choose with --problem: {'; '.join(name for name, _ in problems)}."
            )


def _runs(
    sweeps: Sequence[Sweep], chosen: Sequence[Key], found: Mapping[Key, Sequence[tuple[int, LoggedProblem]]]
) -> tuple[list[dict[str, LoggedRun]], list[dict[str, int]]]:
    """Return the runs that have trials, by key, and the place of each problem, for each sweep."""
    places: list[dict[str, int]] = [{} for _ in sweeps]
    for number, key in enumerate(chosen):
        for place, logged in found[key]:
            places[place][logged.label] = number
    runs = [
        {run.key: run for run in sweep.runs if run.problem in own and (run.trials or run.state == "damaged")}
        for sweep, own in zip(sweeps, places, strict=True)
    ]
    return runs, places


def _origin(
    label: str,
    found: Sequence[tuple[int, LoggedProblem]],
    sweeps: Sequence[Sweep],
    runs: Sequence[Mapping[str, LoggedRun]],
) -> Origin:
    """Return the problem as the dataset tells it. ValueError where sweeps had it priced by different cost models."""
    versions: dict[tuple[Any, ...], str] = {}
    cheap: dict[tuple[Any, ...], str] = {}
    for place, logged in found:
        for run in (run for run in runs[place].values() if run.problem == logged.label):
            told, where = run.definition, str(sweeps[place].directory)
            versions.setdefault((told["cost_model"], told.get("cost_model_fields")), where)
            if told.get("cheap"):
                model = json.dumps(logged.options.get("cheap"), sort_keys=True)
                cheap.setdefault((*told["cheap"], model), where)
    _refuse_versions(label, "cost model", versions)
    _refuse_versions(label, "cheap cost model", cheap)
    logged = found[0][1]
    model = next((one.cost_model for _, one in found if one.cost_model), "")
    version = next((str(one[0]) for one in versions), "")
    known = Origin(label, logged.id, _options(logged), model, version, tuple(logged.parameters), logged.objective)
    return replace(known, cheap=next((str(one[0]) for one in cheap), ""))


def _refuse_versions(label: str, what: str, versions: Mapping[tuple[Any, ...], str]) -> None:
    if len(versions) < 2:
        return
    (one, there), (other, here) = list(versions.items())[:2]
    if one[0] != other[0]:
        differ = f"version {one[0]} in {there} and {other[0]} in {here}"
    else:
        differ = f"version {one[0]} with one content in {there} and with another in {here}"
    raise ValueError(f"{label} must be priced by one {what}, got {differ}. Gather those directories apart.")
