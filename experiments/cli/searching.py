"""`designgym run`: one search, in this process."""

from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import (
    Json,
    ResultsFile,
    Set,
    assignments,
    console,
    print_json,
    problem_of,
    table,
)
from designgym.experiments.cli.slow import FailureNotes
from designgym.experiments.quantities import duration, quantity, share

ENDED = {
    "budget": "the budget is spent",
    "complete": "every valid design of the space was priced",
    "repeats": "stopped: the agent only repeated itself",
    "done": "the agent had nothing left to ask",
}


def run(
    name: Annotated[str, typer.Argument(metavar="ID", help="A problem.")],
    set_: Set = [],  # noqa: B006
    agent: Annotated[str, typer.Option(help="The agent that searches.")] = "local_search",
    agent_set: Annotated[
        list[str], typer.Option("--agent-set", metavar="KEY=VALUE", help="A hyperparameter of the agent; repeatable.")
    ] = [],  # noqa: B006
    budget: Annotated[int, typer.Option(help="Distinct designs that may be priced.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the agent.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Designs of a slow cost model that are priced at a time; 1 by default.")
    ] = None,
    results: ResultsFile = None,
    json: Json = False,
) -> None:
    """Let one agent search one problem, or play one sequential environment, in this process."""
    import time

    from designgym.agents import search
    from designgym.envs.optimum import known_optimum
    from designgym.envs.registry import full_id
    from designgym.experiments.cli.playing import play_here

    if seed < 0:
        raise ValueError(f"--seed must be an integer of at least 0, got {seed}.")
    options = assignments(set_, "--set")
    if _plays(name, agent, workers):
        play_here(name, options, agent, budget, seed, assignments(agent_set, "--agent-set"), json)
        return
    problem = problem_of(name, options)
    _check_workers(workers, problem)
    start = time.perf_counter()
    with _Progress(problem, budget, silent=json) as progress:
        hyperparameters = assignments(agent_set, "--agent-set")
        if getattr(problem.cost_model, "slow", False):
            from designgym.experiments.results import results_at
            from designgym.experiments.slow_here import search_here

            slow: dict[str, Any] = {"workers": workers or 1, "results": results_at(results), "failed": progress.failed}
            trials = search_here(problem, agent, budget, seed, listener=progress.hear, **slow, **hyperparameters)
        else:
            trials = search(problem, agent, budget, seed, listener=progress.hear, **hyperparameters)
    seconds = time.perf_counter() - start
    optimum = known_optimum(name, options, problem)
    result = _run_result(problem, trials, optimum) | {
        "id": full_id(name), "agent": agent, "seed": seed, "budget": budget, "seconds": seconds,
    }  # fmt: skip
    if json:
        print_json(result)
    else:
        _print_run(problem, trials, result)


def _plays(name: str, agent: str, workers: int | None) -> bool:
    """Whether the agent plays what is asked for: a sequential environment, of which others search fixed policies."""
    from designgym.agents import agent_names, sequential_agent_names
    from designgym.envs.registry import is_sequential

    plays = is_sequential(name) and (agent in sequential_agent_names() or agent not in agent_names())
    if plays and workers is not None:
        raise ValueError(f"--workers is for slow cost models, got {workers} for what is played. Leave it out.")
    return plays


def _check_workers(workers: int | None, problem: Any) -> None:
    if workers is not None and workers < 1:
        raise ValueError(f"--workers must be at least 1, got {workers}.")
    if workers is not None and not getattr(problem.cost_model, "slow", False):
        raise ValueError(f"--workers is for slow cost models, got {workers} for one that is not. Leave it out.")


def _run_result(problem: Any, trials: Any, optimum: Any) -> dict[str, Any]:
    from designgym.envs.optimum import regret

    best = trials.best
    result: dict[str, Any] = {
        "trials": len(trials),
        "cheap": trials.cheap,
        "ended": trials.ended,
        "best": None,
        "optimum": None,
    }
    if best is not None:
        result["best"] = {"index": best.index, "design": best.design, "metrics": best.metrics, "reward": best.reward}
    if len(problem.objective.names) > 1:
        front = trials.front
        result["front"] = [{"design": front[i].design, "metrics": front[i].metrics} for i in range(len(front))]
    elif optimum is not None:
        loss = trials.evaluations.losses[best.index, 0] if best is not None else float("nan")
        result["optimum"] = {"design": optimum.design, "metrics": optimum.metrics}
        result["regret"] = float(regret(loss, optimum))
    return result


def _print_run(problem: Any, trials: Any, result: dict[str, Any]) -> None:
    out = console()
    units = {metric.name: metric.unit for metric in problem.cost_model.metrics}
    seconds = result["seconds"]
    ended = ENDED.get(result["ended"], result["ended"])
    besides = f", and {trials.cheap:,} by the cheap model" if trials.cheap else ""
    out.print(f"{len(trials):,} designs in {duration(seconds)}{besides}; {ended}.", markup=False)
    best = result["best"]
    if best is None:
        out.print("No feasible design was found. Raise --budget, or loosen the objective.", style="yellow")
        return
    wanted = ", ".join(f"{key} {quantity(best['metrics'][key], units[key])}" for key in problem.objective.names)
    where = ", ".join(f"{key}={value}" for key, value in best["design"].items() if value is not None)
    out.print(f"best: {wanted} (design {best['index'] + 1} of {len(trials):,})\n{where}", markup=False)
    rows = [(key, quantity(value, units.get(key, ""))) for key, value in best["metrics"].items()]
    out.print(table("", ("metric", "value"), rows, ("value",)))
    if "front" in result:
        out.print(f"front: {len(result['front']):,} designs no other dominates", markup=False)
    elif result["optimum"] is not None:
        name = problem.objective.names[0]
        truth = result["optimum"]["metrics"][name]
        above = share(abs(best["metrics"][name] / truth - 1))
        regret = f"regret {result['regret']:.3g}"
        out.print(
            f"true optimum: {quantity(truth, units[name])}; this run ended {above} from it ({regret})", markup=False
        )
    else:
        out.print("The true optimum of this setting is not known: see designgym optimum --help.")


class _Progress:
    """A bar with rate, time left and best so far; nothing when piped or silent."""

    def __init__(self, problem: Any, budget: int, silent: bool) -> None:
        self._problem, self._budget, self._silent = problem, budget, silent
        self._bar: Any = None
        self._notes = FailureNotes()
        self._best: tuple[float, float] | None = None

    def __enter__(self) -> "_Progress":
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        out = console(stderr=True)
        if not self._silent and out.is_terminal:
            columns = TextColumn("designs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._bar = Progress(*columns, TextColumn("{task.fields[best]}"), console=out, transient=True)
            self._task = self._bar.add_task("", total=self._budget, best="")
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def failed(self, number: int, failure: Any) -> None:
        """Say why an evaluation failed, and where what it said last lies."""
        self._notes.say(number, failure, self._bar.console if self._bar is not None else console(stderr=True))

    def hear(self, answer: Any) -> None:
        """Follow one answered batch."""
        if self._bar is None or answer.fidelity != "faithful":
            return
        evaluations = answer.evaluations
        if evaluations.feasible.any():
            row = int((evaluations.reward + (~evaluations.feasible) * -1e300).argmax())
            if self._best is None or evaluations.reward[row] > self._best[0]:
                name = self._problem.objective.names[0]
                self._best = float(evaluations.reward[row]), float(evaluations.metrics[name][row])
        name = self._problem.objective.names[0]
        unit = next(metric.unit for metric in self._problem.cost_model.metrics if metric.name == name)
        best = "nothing feasible yet" if self._best is None else f"best {name} {quantity(self._best[1], unit)}"
        self._bar.update(self._task, advance=int(answer.fresh.sum()), best=best)
