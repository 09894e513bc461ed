"""`designgym list` and `designgym show`: what there is, and one thing whole."""

import inspect
import math
import shlex
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, Set, assignments, console, print_json, problem_of, table
from designgym.experiments.cli.rows import metric_rows, parameter_rows, print_metrics, print_parameters
from designgym.experiments.quantities import quantity


def list_(json: Json = False) -> None:
    """List the problems, sequential environments, agents and cost models, plug-ins included."""
    from designgym.agents import agent_names, sequential_agent_names
    from designgym.cost_models.plugins import load_plugins
    from designgym.cost_models.registry import cost_model_names
    from designgym.envs.registry import needy_ids, problem_ids, sequential_ids
    from designgym.experiments.cli.playing import environment_row

    failures = [str(failure) for failure in load_plugins()]
    problems = _rows((*problem_ids(), *needy_ids()), _problem_row, failures)
    environments = _rows(sequential_ids(), environment_row, failures)
    agents = _rows(agent_names(), _agent_row, failures)
    players = _rows(sequential_agent_names(), _player_row, failures)
    listing = {
        "problems": problems,
        "sequential_environments": environments,
        "agents": agents,
        "sequential_agents": players,
        "cost_models": list(cost_model_names()),
    }
    if json:
        print_json(listing | {"plugin_failures": failures})
        return
    out = console()
    rows = [(p["id"], _size(p["designs"]), p["minimize"] or "", p["summary"]) for p in problems]
    out.print(table("Problems", ("id", "designs", "default objective", "what"), rows, ("designs",)))
    shown = [(e["id"], e["trial"], e["actions"], e["summary"]) for e in environments]
    out.print(table("Sequential environments", ("id", "trial", "actions", "what"), shown))
    out.print(table("Agents", ("name", "what"), [(a["name"], a["summary"]) for a in agents]))
    out.print(table("Agents that play", ("name", "what"), [(a["name"], a["summary"]) for a in players]))
    out.print(table("Cost models", ("name",), [(name,) for name in cost_model_names()]))
    for failure in failures:
        out.print(f"left out: {failure}", style="yellow", markup=False, soft_wrap=True)


def _rows(names: Iterable[str], row: Callable[[str], dict[str, Any]], failures: list[str]) -> list[dict[str, Any]]:
    """Return a row for each name; one whose code cannot be loaded becomes a failure, and the rest goes on."""
    found = []
    for name in names:
        try:
            found.append(row(name))
        except Exception as error:  # a plug-in's code may raise anything
            failures.append(" ".join(f"{name}: {error or type(error).__name__}".split()))
    return found


def _agent_row(name: str) -> dict[str, Any]:
    from designgym.agents import agent_class

    return {"name": name, "summary": agent_class(name).summary}


def _player_row(name: str) -> dict[str, Any]:
    from designgym.agents import sequential_agent_class

    return {"name": name, "summary": sequential_agent_class(name).summary}


def _problem_row(name: str) -> dict[str, Any]:
    """designs and minimize are None for a problem that cannot be made without options."""
    from designgym.envs.registry import problem_function, problem_options

    needed = [option for option, default in problem_options(name).items() if default is inspect.Parameter.empty]
    problem = None if needed else problem_of(name, {})
    summary = (inspect.getdoc(problem_function(name)) or "").split("\n")[0]
    return {
        "id": name,
        "designs": None if problem is None else problem.space.size,
        "minimize": None if problem is None else _objective(problem.objective),
        "summary": summary + (f" (needs the option {', '.join(needed)})" if needed else ""),
    }


def _size(size: float | None) -> str:
    if size is None:
        return ""
    if math.isinf(size):
        return "continuous"
    return f"{size:,}" if size < 10**7 else f"{size:.3g}"


def _objective(objective: Any) -> str:
    wanted = [f"min {name}" for name in objective.minimize] + [f"max {name}" for name in objective.maximize]
    return ", ".join(wanted) + "".join(f", {text}" for text in objective.subject_to)


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="A problem, an agent or a cost model.")],
    set_: Set = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Show one problem (parameters, metrics, options, known optimum), environment, agent (its knobs) or cost model."""
    from designgym.agents import agent_names, sequential_agent_names
    from designgym.agents.registry import agent_class, sequential_agent_class
    from designgym.cost_models.plugins import load_plugins
    from designgym.cost_models.registry import cost_model_names, nearest
    from designgym.envs.registry import needy_ids, problem_ids, sequential_ids
    from designgym.experiments.cli.playing import show_environment

    load_plugins()
    both = name in agent_names(), name in sequential_agent_names()
    if any(both):
        kinds = [find(name) for find, known in zip((agent_class, sequential_agent_class), both, strict=True) if known]
        _show_agent(name, kinds, json)
        return
    made = (*problem_ids(), *needy_ids())
    for ids, shown in ((made, _show_problem), (sequential_ids(), show_environment)):
        if meant := [known for known in ids if name.removeprefix("designgym/") in (known, known.rpartition("-v")[0])]:
            shown(meant[-1], assignments(set_, "--set"), json)
            return
    if name in cost_model_names():
        _show_cost_model(name, json)
        return
    known = (
        *made, *sequential_ids(), *agent_names(), *sequential_agent_names(), *cost_model_names(),
    )  # fmt: skip
    raise ValueError(f"no problem, agent or cost model {name!r}. {nearest(name, known)}")


def _show_agent(name: str, kinds: list[Any], json: bool) -> None:
    """kinds: its class, or two where it searches designs and plays sequential environments."""
    if json:
        agent, *player = kinds
        told = {"name": name, "summary": agent.summary, "hyperparameters": parameter_rows(agent.hyperparameters)}
        playing = {"hyperparameters_playing": parameter_rows(player[0].hyperparameters)} if player else {}
        print_json(told | playing)
        return
    out = console()
    for agent in kinds:
        out.print(f"[bold]{name}[/bold]  {agent.summary}\n")
        out.print(inspect.getdoc(inspect.getmodule(agent)) or "", markup=False)
        out.print()
        print_parameters("Hyperparameters", parameter_rows(agent.hyperparameters))


def _show_cost_model(name: str, json: bool) -> None:
    from designgym.cost_models.registry import cost_model_options, make_cost_model

    model = make_cost_model(name)
    options = {key: repr(value) for key, value in cost_model_options(name).items()}
    if json:
        print_json({"name": name, "doc": inspect.getdoc(model), "options": options, "metrics": metric_rows(model)})
        return
    out = console()
    out.print(f"[bold]{name}[/bold]\n")
    out.print(inspect.getdoc(model) or "", markup=False)
    out.print(table("\nOptions", ("option", "default"), options.items()))
    print_metrics(model)


def _show_needy(name: str, missing: list[str], json: bool) -> None:
    """Show what is known of a problem before the options are given that it cannot be made without."""
    from designgym.envs.registry import problem_function, problem_options

    doc = inspect.getdoc(problem_function(name)) or ""
    if json:
        print_json({"id": name, "doc": doc, "needs": missing})
        return
    out = console()
    out.print(f"[bold]{name}[/bold]  needs the option {', '.join(missing)}\n")
    out.print(doc + "\n", markup=False)
    rows = [(key, "needed" if key in missing else _text(value)) for key, value in problem_options(name).items()]
    out.print(table("Options (--set)", ("option", "value"), rows))


def _show_problem(name: str, options: dict[str, Any], json: bool) -> None:
    from designgym.envs.optimum import known_optimum
    from designgym.envs.registry import needed_options, problem_options

    if missing := [option for option in needed_options(name) if option not in options]:
        _show_needy(name, missing, json)
        return
    problem = problem_of(name, options)
    optimum = known_optimum(name, options, problem)
    told = _told(name, problem, {key: options.get(key, value) for key, value in problem_options(name).items()})
    if json:
        print_json(told | {"optimum": None if optimum is None else optimum.to_json()})
        return
    _print_problem(problem, told)
    if optimum is not None:
        _print_optimum(problem, optimum)
    elif problem.space.has_floats:
        console().print("Real numbers cannot be enumerated: the true optimum of this problem is not known.")
    else:
        command = ["designgym optimum", name, *(f"--set {shlex.quote(f'{k}={v}')}" for k, v in options.items())]
        text = f"The true optimum of this setting is not stored. Find it: {' '.join(command)}"
        console().print(text, markup=False)


def _told(name: str, problem: Any, options: dict[str, Any]) -> dict[str, Any]:
    from designgym.envs.registry import problem_function

    model = type(problem.cost_model)
    features = [] if problem.choice_features is None else list(problem.choice_features.names)
    return {
        "id": name,
        "doc": inspect.getdoc(problem_function(name)) or "",
        "cost_model": {"name": model.__name__, "doc": inspect.getdoc(model) or ""},
        "designs": problem.space.size,
        "parameters": parameter_rows(problem.space),
        "constraints": [str(text) for text in problem.space.constraints],
        "metrics": metric_rows(problem.cost_model),
        "objective": _objective(problem.objective),
        "choice_features": features,
        "options": {key: _text(value) for key, value in options.items()},
    }


def _print_problem(problem: Any, told: dict[str, Any]) -> None:
    from designgym.envs.registry import gymnasium_id

    out, name, model = console(), told["id"], told["cost_model"]
    out.print(f"[bold]{name}[/bold]  {_size(told['designs'])} designs; {told['objective']}\n")
    out.print(told["doc"] + "\n", markup=False)
    out.print(f"Cost model: {model['name']}\n{model['doc']}\n", markup=False)
    print_parameters("Parameters", told["parameters"])
    for text in told["constraints"]:
        out.print(f"constraint: {text}", markup=False)
    if features := told["choice_features"]:
        stepwise = gymnasium_id(name, stepwise=True)
        out.print(f"Choice by choice, in {stepwise}, each is told: {', '.join(features)}.", markup=False)
    print_metrics(problem.cost_model)
    out.print(table("Options (--set)", ("option", "value"), told["options"].items()))


def _print_optimum(problem: Any, optimum: Any) -> None:
    units = {metric.name: metric.unit for metric in problem.cost_model.metrics}
    design = ", ".join(f"{key}={value}" for key, value in optimum.design.items())
    wanted = ", ".join(f"{key} {quantity(optimum.metrics[key], units[key])}" for key in problem.objective.names)
    console().print(f"True optimum: {wanted} at {design}", markup=False)


def _text(value: Any) -> str:
    return "default" if value is None else str(value)
