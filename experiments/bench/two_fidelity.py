"""SCALE-Sim's cycles with stalls from a hundred simulated designs and a closed form, beside either of them alone.

Error: the root mean square of ln(predicted / simulated) on designs that nothing was learned from or chosen on. Ten
draws of a hundred designs, which share none; intervals are of the mean over draws, by the bootstrap. Two cheap models,
each judged beside itself alone. `SystolicArray`, replayed: its closed form, whose latency knows no stalls, and what its
features say of the DRAM words that the tool's buffers fetch, exactly. `StallingArray`, replayed: a roofline over the
same words, which is far closer by itself. Its rule was found on the designs that are drawn, so further ones are of
another seed. Simulations are kept by `designgym.experiments.results`, draws in files, so that the bench goes on where
it ended.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.replayed_array import ReplayedArray
from designgym.cost_models.accelerator.stalling_array import StallingArray
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.base import Columns, ColumnSpec, CostModel
from designgym.cost_models.learned.two_fidelity import Cheap, choose, fit_one, predict_one
from designgym.envs import DesignProblem, make_problem
from designgym.envs.ranking import rows_of
from designgym.experiments.executor import Id, Threads
from designgym.experiments.files import written_safely
from designgym.experiments.results import Remembering, Results

# Eight tokens through one head's query projection of GPT-2 small: both operands overflow some of the SRAM sizes.
ID, WORKLOAD, METRIC = "SystolicArray-v0", "gemm:m=8,k=768,n=64", "cycles"
DRAWS, EACH, FURTHER = 10, 100, 240
SEED = 20230723  # further designs are of the seed two after it: models were looked at on those of the next
POOL = 1240  # sampled at once, of which the first are drawn: another number would give other designs
QUICK = (2, 20, 20)  # draws, designs each, further ones
SINGLE = ("gaussian_process", "extra_trees", "random_forest", "boosting", "ridge")
FORMS, MODELS = ("beside", "ratio"), ("gaussian_process", "extra_trees", "boosting")
CHEAP: dict[str, CostModel] = {
    "SystolicArray, closed": SystolicArray(WORKLOAD, "scalesim"),
    "SystolicArray, counted": SystolicArray(WORKLOAD, "scalesim", "counted"),
    "SystolicArray, replayed": SystolicArray(WORKLOAD, "scalesim", "replayed"),
    "StallingArray, closed": StallingArray(WORKLOAD),
    "StallingArray, replayed": StallingArray(WORKLOAD, dram="replayed"),
    "ReplayedArray": ReplayedArray(WORKLOAD),
}
BESIDE = ("SystolicArray, replayed", "StallingArray, replayed")  # which are learned beside, each by itself
REQUIRED, RESAMPLES = 0.5, 10_000

Floats = NDArray[np.float64]
Say = Callable[[str], None]
Row = tuple[str, float, str, float | None, str]


@dataclass(frozen=True)
class Data:
    """Designs, (n,), their simulated cycles, and what each model of BESIDE says: all it knows, and the cycles."""

    specs: tuple[ColumnSpec, ...]
    designs: Columns
    cycles: Floats
    cheap: dict[str, tuple[Columns, Floats]]


def two_fidelity(quick: bool = False, out: Path | None = None, workers: int = 2, say: Say = print) -> dict[str, Any]:
    """Return {"notes", "rows"}; rows are (what, figure, unit, ratio, to). out: keeps simulations and draws.

    ValueError where scalesim is not installed, or a simulation failed.
    """
    draws, each, further = QUICK if quick else (DRAWS, EACH, FURTHER)
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-two-fidelity-"))
    data = simulated(draws * each, further, out / "results.sqlite", workers, say)
    held = np.arange(draws * each, draws * each + further)
    errors = [kept(data, np.arange(k * each, (k + 1) * each), held, out / f"errors-{k}-of-{each}.json", say)
              for k in range(draws)]  # fmt: skip
    further_designs = rows_of(data.designs, held)
    alone = {name: alone_error(model, further_designs, data.cycles[held]) for name, model in CHEAP.items()}
    return {"notes": notes(draws, each, further, data), "rows": rows(errors, alone)}


def simulated(drawn: int, further: int, file: Path, workers: int, say: Say) -> Data:
    """Return designs to draw from and further ones, all uniform, simulated; those in the file of results recalled."""
    problem = make_problem(ID, workload=WORKLOAD, cost_model="ScaleSim")
    model: Any = problem.cost_model
    model.check_ready()
    parts = [rows_of(problem.space.sample(most, np.random.default_rng(seed)), slice(0, n))
             for most, seed, n in ((POOL, SEED, drawn), (FURTHER, SEED + 2, further))]  # fmt: skip
    designs = {name: np.concatenate([part[name] for part in parts]) for name in problem.space.columns}
    n = drawn + further
    cycles = _simulated(problem, designs, n, file, workers, say)
    models = {name: Cheap(CHEAP[name]) for name in BESIDE}
    cheap = {name: (model.features(designs), model.bounds(designs)[METRIC]) for name, model in models.items()}
    return Data(problem.space.specs(), designs, cycles, cheap)


def _simulated(problem: DesignProblem, designs: Columns, n: int, file: Path, workers: int, say: Say) -> Floats:
    something, cycles, done = threading.Event(), np.empty(n), 0
    results = Results(file)
    threads = Threads({"": problem.cost_model}, workers, something.set)
    executor = Remembering(threads, {"": problem}, results, something.set)
    try:
        for row in range(n):
            executor.submit(Id("", "", row), rows_of(designs, slice(row, row + 1)))
        while done < n:
            something.wait(0.5)
            something.clear()
            for id, found in executor.finished():
                if id in executor.errors:
                    raise ValueError(f"every design must be simulated, one failed: {executor.errors[id].reason}.")
                cycles[id.number], done = found[METRIC][0], done + 1
                if done % 50 == 0:
                    say(f"{done} of {n} designs simulated or recalled")
    finally:
        threads.close()
        results.close()
    return cycles


def kept(data: Data, drawn: NDArray[np.int64], held: NDArray[np.int64], file: Path, say: Say) -> dict[str, Any]:
    """Return one draw's errors: those of its file where there is one, else measured and written."""
    if file.is_file():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    found = draw(data, drawn, held)
    with written_safely(file) as opened:
        opened.write(json.dumps(found, indent=1).encode())
    least = min(found["single"].values())
    told = (f"{one['error']:.3f} beside {name} ({one['form']}, {one['model']})" for name, one in found["two"].items())
    say(f"{file.name}: {', '.join(told)}; alone {least:.3f}")
    return found


def draw(data: Data, drawn: NDArray[np.int64], held: NDArray[np.int64]) -> dict[str, Any]:
    """Return errors on the designs held out of models learned from those drawn. Both index the data's rows."""

    def error(form: str, model: str, features: Columns, cheap: Floats) -> float:
        fitted = fit_one(data.specs, data.designs, data.cycles, features, cheap, form, model, 0, drawn)
        return rms_log(predict_one(fitted, data.designs, features, cheap, form, held), data.cycles[held])

    single = {model: error("alone", model, {}, data.cycles) for model in SINGLE}
    two = {}
    for name, (features, cheap) in data.cheap.items():
        choice = choose(
            data.specs, rows_of(data.designs, drawn), data.cycles[drawn], rows_of(features, drawn), cheap[drawn],
            forms=FORMS, models=MODELS,
        )  # fmt: skip
        found = error(choice.form, choice.model, features, cheap)
        two[name] = {"form": choice.form, "model": choice.model, "error": found}
    return {"single": single, "two": two}


def alone_error(model: Any, designs: Columns, cycles: Floats) -> float:
    """Return how far a cheap model is by itself: its cycles, or its latency times the clock, whichever is closer."""
    priced = model.evaluate(designs)
    return min(rms_log(priced[METRIC], cycles), rms_log(priced["latency_s"] * designs["clock_hz"], cycles))


def rms_log(predicted: Floats, truth: Floats) -> float:
    """Return the root mean square of ln(predicted / truth)."""
    return float(np.sqrt(np.mean(np.log(predicted / truth) ** 2)))


def rows(errors: list[dict[str, Any]], alone: dict[str, float]) -> list[Row]:
    """Return the table. errors: a draw's each; alone: of each cheap model by itself, the same for all draws."""
    singles = {model: np.array([one["single"][model] for one in errors]) for model in SINGLE}
    best = min(singles, key=lambda model: singles[model].mean())
    unit, found, verdicts = "RMS log ratio", list[Row](), list[Row]()
    for name in BESIDE:
        two = np.array([one["two"][name]["error"] for one in errors])
        kind = name.split(",")[0]
        itself = min((key for key in alone if key.startswith(kind)), key=lambda key: alone[key])
        ratios = two.mean() / singles[best].mean(), two.mean() / alone[itself]
        what, error = f"two fidelities, beside {name}", float(two.mean())
        over_single, over_itself = told(two, singles[best]), told(two, np.full(len(two), alone[itself]))
        found.append((f"{what} {told(two)}", error, unit, float(ratios[0]), f"{best} alone {over_single}"))
        found.append((what, error, unit, float(ratios[1]), f"{itself} alone {over_itself}"))
        holds = "yes" if max(ratios) <= REQUIRED else "NO"
        verdicts.append((f"at most half of {best} and of {kind} alone: {holds}", float(max(ratios)), "1", None, ""))
    found += [(f"{model} alone {told(column)}", float(column.mean()), unit, None, "")
              for model, column in singles.items()]  # fmt: skip
    found += [(f"{name} alone", value, unit, None, "") for name, value in alone.items()]
    return found + verdicts


def told(column: Floats, over: Floats | None = None) -> str:
    """Return the 95 % bootstrap interval of a mean over draws, or of the ratio of two, in words."""
    picks = np.random.default_rng(0).integers(0, len(column), (RESAMPLES, len(column)))
    means = column[picks].mean(axis=1) / (1.0 if over is None else over[picks].mean(axis=1))
    low, high = np.quantile(means, (0.025, 0.975))
    return f"[{low:.3f}, {high:.3f}]"


def notes(draws: int, each: int, further: int, data: Data) -> list[str]:
    """Return what the figures are of."""
    stalls = data.cycles > 1.05 * CHEAP["SystolicArray, closed"].evaluate(data.designs)["cycles"]
    return [
        f"{ID}, {WORKLOAD}: cycles with stalls by SCALE-Sim, USER mode; {100 * stalls.mean():.0f} % of designs stall",
        f"{draws} draws of {each} designs, none in two of them; errors on {further} further ones; 95 % intervals",
        f"form ({', '.join(FORMS)}) and model ({', '.join(MODELS)}) chosen by cross-validation within each draw",
        "the best single-fidelity model is picked on the further designs, which favours it",
        "ReplayedArray is this tool replayed: exact, at the price of its words; of a tool of yours there is none",
    ]
