"""A design space and its cost model in one YAML file, so that a program can be searched without a line of Python."""

from pathlib import Path
from typing import Any

from designgym.cost_models.base import CostModel
from designgym.cost_models.simulators.making import place_of
from designgym.cost_models.simulators.spec import SimulatorError, SimulatorSpec, load_spec
from designgym.envs.command import simulator_of
from designgym.envs.objective import Objective
from designgym.envs.objective_options import objective_of_fields
from designgym.envs.problem import DesignProblem
from designgym.envs.simulated.written_space import space_of

EXAMPLE = Path(__file__).parent / "data" / "tiled_gemm.yaml"  # a file to start from: a roofline in awk


def simulator(file: str, objective: Objective | None = None, cost_model: CostModel | None = None) -> DesignProblem:
    """Search the parameters of somebody's program for what its YAML file wants: `parameters`, `metrics`, `objective`.

    file: its path; `designgym.cost_models.simulators.spec` shows all its keys, `EXAMPLE` is one. Each design is a run
    of the program. Without an objective there the first metric is wanted low, or high if that is better. ValueError,
    in one line, where the file is wrong.
    """
    spec = load_spec(file)
    try:
        if spec.parameters is None:
            raise SimulatorError(
                "parameters is missing: it must be a list of mappings, such as {name: rows, kind: ordinal, values: "
                "[8, 16]}."
            )
        space = space_of(spec)
        wanted = objective or _objective(spec)
        return DesignProblem(space, cost_model or simulator_of(space, file), wanted)
    except ValueError as error:
        raise SimulatorError(f"{file}: {str(error).removeprefix(f'{place_of(file)}: ')}") from None


def _objective(spec: SimulatorSpec) -> Objective:
    if spec.objective is None:
        name, metric = next(iter(spec.metrics.items()))
        return Objective(minimize=(name,)) if metric.better == "lower" else Objective(maximize=(name,))
    given: dict[str, Any] = dict(spec.objective)
    try:
        return objective_of_fields("Simulator-v0", given)
    except (TypeError, ValueError, AttributeError) as error:
        raise SimulatorError(f"objective: {error}") from None
