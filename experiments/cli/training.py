"""`designgym train`: an agent learns in a sequential environment, a run a seed, and its policies are kept."""

from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, Set, assignments, console
from designgym.experiments.cli.sweeping import swept

FLAGS = {  # what messages call the keys of the sweep that this makes
    "problems[0].id": "ENV",
    "problems[0].options": "--set",
    "agents[0].name": "--agent",
    "agents[0].hyperparameters": "--agent-set",
    "seeds": "--seeds",
    "budget": "--budget",
}


def train(
    env: Annotated[str, typer.Argument(metavar="ENV", help="A sequential environment.")],
    set_: Set = [],  # noqa: B006
    agent: Annotated[str, typer.Option(help="The agent that learns.")] = "ppo",
    agent_set: Annotated[
        list[str], typer.Option("--agent-set", metavar="KEY=VALUE", help="A hyperparameter of the agent; repeatable.")
    ] = [],  # noqa: B006
    budget: Annotated[int, typer.Option(help="Trials of a run: episodes, or instances of a sequence.")] = 1000,
    seeds: Annotated[int, typer.Option(help="Runs, one a seed from 0 on.")] = 5,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where policies, log and report go; runs/train-ENV by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Train an agent in a sequential environment and keep its policies; the same command again goes on."""
    spec = spec_of(env, assignments(set_, "--set"), agent, assignments(agent_set, "--agent-set"), budget, seeds)
    directory = out if out is not None else Path("runs") / spec.name
    swept(spec, directory, workers=workers, json=json, after=lambda told: _say(directory, told, json))


def spec_of(
    env: str, options: dict[str, Any], agent: str, hyperparameters: dict[str, Any], budget: int, seeds: int
) -> Any:
    """Return the training as a sweep. SpecError names the flag that is wrong."""
    from designgym.envs.registry import full_id
    from designgym.experiments.spec import SpecError, make_spec

    given = {
        "name": f"train-{full_id(env)}",
        "kind": "training",
        "problems": [{"id": full_id(env), "options": options}],
        "agents": [{"name": agent, "hyperparameters": hyperparameters}],
        "seeds": seeds,
        "budget": budget,
    }
    try:
        return make_spec(given)
    except SpecError as error:
        text = str(error)
        for key, flag in FLAGS.items():
            if text.startswith(key):
                text = flag + text.removeprefix(key)
        text = text.replace("(distinct designs a run may price)", "(trials of a run)")
        raise SpecError(text) from error.__cause__


def _say(directory: Path, told: dict[str, Any], json: bool) -> None:
    """Tell where the policies are, and what to do next."""
    from designgym.experiments.kept_policies import PolicyError, policy_folders

    try:
        folders = policy_folders(directory)
    except PolicyError:  # no run has come to its end yet
        folders = []
    told["policies"] = folders
    if folders and not json:
        count = "1 policy" if len(folders) == 1 else f"{len(folders)} policies"
        out = console()
        out.print(f"{count} in {directory / 'policies'}", markup=False, soft_wrap=True)
        out.print(f"score them on instances that no training saw: designgym evaluate {directory}", markup=False)
