"""`designgym bench`: what this machine does, figures side by side in one run."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, console, print_json, table

bench = typer.Typer(name="bench", help="Measure speeds and agents, side by side in one run.", rich_markup_mode=None)


@bench.command("core")
def core(json: Json = False) -> None:
    """Sample, decode, meter, step and breed designs."""
    from designgym.experiments.bench.core import core as measure

    print_figures(measure(), json)


@bench.command("cost-models")
def cost_models(
    simulator_python: Annotated[
        str | None,
        typer.Option("--scalesim-python", help="Python of an environment with the scalesim package, to compare with."),
    ] = None,
    json: Json = False,
) -> None:
    """Price designs with every cost model, beside NumPy and, where given, beside a simulator."""
    from designgym.cost_models.accelerator.bench import measure

    print_figures(measure(simulator_python), json)


@bench.command("scale-sim")
def scale_sim(
    designs: Annotated[int | None, typer.Option(min=2, help="Designs to simulate; 100 by default.")] = None,
    workload: Annotated[str | None, typer.Option(help="Layers small enough to be simulated in seconds.")] = None,
    json: Json = False,
) -> None:
    """Simulate random designs with SCALE-Sim: seconds each, and how near the closed form comes."""
    from designgym.experiments.bench import scale_sim as study

    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    print_figures(study.scale_sim(designs or study.DESIGNS, workload or study.WORKLOAD, say), json)


@bench.command("sweeps")
def sweeps(
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: shorter sweeps, fewer cases.")] = False,
    out: Annotated[Path | None, typer.Option(help="Keep the longest sweep there; else it is removed.")] = None,
    json: Json = False,
) -> None:
    """Sweep a cheap model: trials a second, memory of the driver, resuming, slow models; ten million trials in all."""
    from designgym.experiments.bench.sweeps import sweeps as measure

    print_figures(measure(quick, out, lambda line: print(line, file=sys.stderr, flush=True)), json)


@bench.command("agents")
def agents(
    agents: Annotated[list[str], typer.Option("--agents", help="An agent, or a peer's name; repeatable.")] = [],  # noqa: B006
    problems: Annotated[
        list[str], typer.Option("--problems", help="ID, or 'ID:option=value;...', with a known optimum; repeatable.")
    ] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="Runs of each agent on each problem; 10 by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="Distinct designs a run may price; 1,000 by default.")] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="Other people's searchers too; needs the extra peers.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Directory of page, figures and trials; goes on there.")] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: few agents, problems and seeds.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Compare agents where the true optimum is known: a page, and all figures as Parquet."""
    from designgym.experiments.bench.agents_run import run

    run(agents, problems, seeds, budget, peers, out, workers, quick, silent, json)


@bench.command("ode")
def ode(
    agents: Annotated[
        list[str], typer.Option("--agents", help="Who searches; repeatable. bayesian and genetic by default.")
    ] = [],  # noqa: B006
    searches: Annotated[int | None, typer.Option(help="Searches of each agent; 2 by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="Distinct designs a search may price; 2,000 by default.")] = None,
    starts: Annotated[int | None, typer.Option(help="Initial states of each test equation; 32 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the page and the figures.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: short searches, few states.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Search integrators, judge them beside scipy's on equations and states that search did not see; speeds."""
    from designgym.experiments.bench.ode import run

    run(agents, searches, budget, starts, out, quick, silent, json)


@bench.command("relaxation")
def relaxation(json: Json = False) -> None:
    """Solve sequences of linear systems under every omega of over-relaxation, all at once and as they arrive."""
    from designgym.experiments.bench.relaxation import relaxation as measure

    print_figures(measure(), json)


@bench.command("threebody")
def threebody(
    states: Annotated[int | None, typer.Option(help="Unseen initial states; 2,000 by default.")] = None,
    hindsight: Annotated[int | None, typer.Option(help="Of these planned in hindsight; 100 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the page and the figures.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: few states.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Judge learned time steps of three bodies beside fixed ones, on initial states that nobody chose on."""
    from designgym.experiments.bench.threebody import run

    run(states, hindsight, out, quick, silent, json)


@bench.command("rl")
def rl(json: Json = False) -> None:
    """Frames a second of the adapter that learners step native vector environments through, beside DummyVecEnv."""
    from designgym.experiments.bench.rl import rl as measure

    print_figures(measure(), json)


@bench.command("quantization")
def quantization(json: Json = False) -> None:
    """Numbers rounded to a format a second, beside ml_dtypes and gfloat."""
    from designgym.experiments.bench.quantization import quantization as measure

    print_figures(measure(), json)


@bench.command("lmul")
def lmul(json: Json = False) -> None:
    """How far products by addition (L-Mul) are off, beside 8-bit floats and the paper's claims."""
    from designgym.experiments.bench.lmul import lmul as measure

    print_figures(measure(), json)


@bench.command("mixed-precision")
def mixed_precision(
    agents: Annotated[list[str], typer.Option("--agents", help="An agent; repeatable.")] = [],  # noqa: B006
    networks: Annotated[list[str], typer.Option("--networks", help="mlp or cnn; repeatable, both by default.")] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="Runs of each agent on each network; 10 by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="Distinct designs a run may price; 300 by default.")] = None,
    front_budget: Annotated[
        int | None, typer.Option(help="The same of searches for fronts; 3,000 by default, 0 for none.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of figures and trials; goes on there.")] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: few agents, seeds and designs.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Search bits layer by layer where every design is known, beside greedy descent and integer programming."""
    from designgym.experiments.bench.mixed_precision_run import run

    run(agents, networks, seeds, budget, front_budget, out, workers, quick, silent, json)


@bench.command("surrogate-search")
def surrogate_search(
    seeds: Annotated[int | None, typer.Option(help="Runs of each agent on each problem; 20 by default.")] = None,
    fits: Annotated[
        int | None, typer.Option(help="Runs that count model fits, on each problem; 10 by default, 0 for none.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of figures and trials; goes on there.")] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: one problem, few designs.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Score surrogate_search on problems that it was not developed on, beside six others; model fits it saves."""
    from designgym.experiments.bench.surrogate_search_run import run

    run(seeds, fits, out, workers, quick, silent, json)


@bench.command("exp")
def exp(
    out: Annotated[Path | None, typer.Option(help="Directory of finished searches; goes on there.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: three searches of 6 operations.")] = False,
    json: Json = False,
) -> None:
    """Search short programs for 2^x from scratch, ten seeds each, beside the best that are known."""
    from designgym.experiments.bench.exp import exp as measure

    print_figures(measure(quick, out, lambda line: print(line, file=sys.stderr, flush=True)), json)


@bench.command("diffusion")
def diffusion(
    agents: Annotated[list[str], typer.Option("--agents", help="An agent; repeatable.")] = [],  # noqa: B006
    evaluations: Annotated[
        list[int], typer.Option("--evaluations", help="Evaluations of the model a sample may take; repeatable.")
    ] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="Runs of each agent in each comparison; 3 by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="Designs that every method prices; 1,000 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of page, figures and trials; goes on there.")] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some minutes' version: two agents, 5 evaluations.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Compare searched diffusion samplers with stock ones and tuned grids, on noise that search did not see."""
    from designgym.experiments.bench.diffusion_run import run

    run(agents, evaluations, seeds, budget, out, workers, quick, silent, json)


@bench.command("surrogate")
def surrogate(
    out: Annotated[Path | None, typer.Option(help="Directory of finished parts; goes on there.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: few designs.")] = False,
    json: Json = False,
) -> None:
    """Learn cost models from priced designs: errors on others, by how many were learned from, and prices a design."""
    from designgym.experiments.bench.surrogate import surrogate as measure

    print_figures(measure(quick, out, lambda line: print(line, file=sys.stderr, flush=True)), json)


@bench.command("two-fidelity")
def two_fidelity(
    out: Annotated[Path | None, typer.Option(help="Directory of simulations and draws; goes on there.")] = None,
    workers: Annotated[int, typer.Option(help="Simulations at a time.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: two draws of 20 designs.")] = False,
    json: Json = False,
) -> None:
    """Learn SCALE-Sim's stalls from a hundred designs and a closed form, beside each alone; ten draws."""
    from designgym.experiments.bench.two_fidelity import two_fidelity as measure

    print_figures(measure(quick, out, workers, lambda line: print(line, file=sys.stderr, flush=True)), json)


def print_figures(result: dict[str, Any], json: bool) -> None:
    """Print a study's rows (what, figure, unit, ratio or None, what the ratio is to) and notes."""
    columns = ("what", "figure", "unit", "ratio", "to")
    if json:
        print_json({**result, "rows": [dict(zip(columns, row, strict=True)) for row in result["rows"]]})
        return
    out = console()
    for note in result.get("notes", ()):
        out.print(note, markup=False)
    rows = [[f"{cell:,.4g}" if isinstance(cell, float) else cell or "" for cell in row] for row in result["rows"]]
    out.print(table("", columns, rows, ("figure", "ratio")))
