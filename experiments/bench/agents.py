"""Compare agents side by side, ours and other people's, on problems whose true optimum is known.

Every run goes through the sweeps' own engine, so a comparison may be stopped and gone on with. Agents that refuse a
problem, or whose library is missing, are named and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents.registry import agent_class, agent_names
from designgym.cost_models.registry import nearest
from designgym.envs import MeteredProblem
from designgym.envs.registry import full_id, make_problem
from designgym.experiments.bench.agents_study import COLUMNS, Study, figures, read_study
from designgym.experiments.bench.peers import PEERS, make_peers_known, why_missing

Entry = dict[str, Any]
SINGLE: tuple[Entry, ...] = (
    {"id": "SystolicGemms-v0"},
    *({"id": "NKLandscape-v0", "options": {"instance": i}} for i in range(10)),
    {"id": "LABS-v0"},
)
SEVERAL: tuple[Entry, ...] = ({"id": "SystolicGemms-v0", "options": {"objective": "edp_js,area_mm2"}},)
# `exhaustive` is no search; a Gaussian process takes a second a design and more, a policy that is trained asks twenty
# times what it prices, and `compressor_genetic` is one paper's search of one space: name them to have them.
LEFT_OUT = (
    "exhaustive", "optuna_gp", "ppo", "a2c", "dqn", "sac", "maskable_ppo", "recurrent_ppo", "compressor_genetic"
)  # fmt: skip
QUICK_AGENTS = ("random", "local_search", "bayesian", "genetic", "optuna_tpe")
QUICK = {"seeds": 3, "budget": 100}


@dataclass(frozen=True)
class Outcome:
    """A comparison. studies: of one objective, then of several, where there are such problems.

    rows: every figure, see `agents_study.COLUMNS`. left_out: why an agent was not run at all, by name.
    """

    studies: tuple[Study, ...]
    rows: list[dict[str, Any]]
    left_out: dict[str, str]
    seconds: float


def problems_named(names: Sequence[str], quick: bool = False) -> list[Entry]:
    """Return the entries of problems given as "ID" or "ID:option=value,...", or the default ones for none."""
    if not names:
        chosen = [SINGLE[0], SINGLE[1], SINGLE[2], SINGLE[11]] if quick else list(SINGLE)
        return [*chosen, *([] if quick else SEVERAL)]
    from designgym.experiments.cli.console import assignments

    entries: list[Entry] = []
    for text in names:
        name, _, options = text.partition(":")
        given = assignments(filter(None, options.split(";")), "an option of a problem")
        entries.append({"id": full_id(name), "options": given})
    return entries


def agents_named(names: Sequence[str], peers: bool, quick: bool = False) -> tuple[list[str], dict[str, str]]:
    """Return which agents to run, and why others are left out. ValueError names an unknown one and the nearest."""
    make_peers_known()
    ours = [name for name in agent_names() if name not in PEERS]
    known = [*ours, *PEERS]
    for name in names:
        if name not in known:
            raise ValueError(f"unknown agent {name!r}. {nearest(name, known)}")
    default = QUICK_AGENTS if quick else [name for name in ours if name not in LEFT_OUT]
    wanted = list(dict.fromkeys(names or [*default, *(PEERS if peers else ())]))
    left_out = {name: why for name in wanted if name in PEERS and (why := why_missing(name))}
    return [name for name in wanted if name not in left_out], left_out


def compare(
    agents: Sequence[str],
    problems: Sequence[Entry],
    seeds: int,
    budget: int,
    out: Path,
    workers: int | None = None,
    silent: bool = False,
    left_out: dict[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run every agent on every problem with every seed, and work the figures out. out: keeps the logs and the Parquet.

    KeyboardInterrupt where it was stopped: the same call goes on from there.
    """
    import time

    begun = time.perf_counter()
    left_out = dict(left_out or {})
    make_peers_known()
    studies = []
    for name, entries in _by_objectives(problems):
        able = able_agents(agents, entries, left_out if name == "single" else None)
        if not able:
            continue
        studies.append(_study(name, able, entries, seeds, budget, out, workers, silent))
    say("working out the figures")
    rows = [row for study in studies for row in figures(study)]
    write_figures(rows, out / "figures.parquet")
    return Outcome(tuple(studies), rows, left_out, time.perf_counter() - begun)


def _by_objectives(problems: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    groups: dict[str, list[Entry]] = {"single": [], "several": []}
    for entry in problems:
        objectives = make_problem(entry["id"], **entry.get("options", {})).objective.names
        groups["several" if len(objectives) > 1 else "single"].append(entry)
    return [(name, entries) for name, entries in groups.items() if entries]


def able_agents(agents: Sequence[str], entries: Sequence[Entry], left_out: dict[str, str] | None) -> list[str]:
    """Return the agents that can be made for the first of these problems. left_out: takes why others cannot."""
    problem = make_problem(entries[0]["id"], **entries[0].get("options", {}))
    able = []
    for name in agents:
        try:
            agent_class(name)(MeteredProblem(problem, 10), np.random.default_rng(0))
        except (ValueError, ImportError) as error:
            if left_out is not None:
                left_out[name] = " ".join(str(error).split())
        else:
            able.append(name)
    return able


def _study(
    name: str,
    agents: Sequence[str],
    entries: Sequence[Entry],
    seeds: int,
    budget: int,
    out: Path,
    workers: int | None,
    silent: bool,
) -> Study:
    from designgym.experiments.driver import sweep
    from designgym.experiments.spec import make_spec

    spec = make_spec(
        {"name": f"agents-{name}", "problems": list(entries), "agents": list(agents), "seeds": seeds, "budget": budget}
    )
    ended = sweep(spec, out / name, workers=workers, silent=silent)
    if ended.interrupted:
        raise KeyboardInterrupt
    return read_study(out / name, peers=[agent for agent in agents if agent in PEERS])


def write_figures(rows: list[dict[str, Any]], path: Path, columns: Sequence[str] = COLUMNS) -> None:
    """Write the figures, rows of these columns, as one Parquet file, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    scratch = path.with_name(path.name + ".tmp")
    pq.write_table(pa.table({name: [row[name] for row in rows] for name in columns}), scratch)
    scratch.replace(path)
