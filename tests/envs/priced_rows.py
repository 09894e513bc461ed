"""Datasets for tests: designs of a space with every kind of parameter, priced by a formula."""

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.dataset import Dataset, Origin
from designgym.cost_models.plain import plain
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset

SPACE = DesignSpace(
    Integer("rows", 1, 64, unit="PE", meaning="rows of the array"),
    Ordinal("scale", (0.25, 0.5, 1.0)),
    Categorical("dataflow", ("os", "ws", "is"), meaning="what stays put"),
    Permutation("order", tuple("kmnpq")),
    Subset("links", 9, 3),
    Float("clock_hz", 1e8, 1e9, log=True, unit="Hz"),
)
METRICS = (Metric("latency_s", "s", "lower", "time"), Metric("accuracy", "", "higher", "share that is right"))


def priced(designs: Columns) -> tuple[Columns, np.ndarray]:
    """Metrics and violation; a third of the dataflows cannot be built with many rows, and half of these say nothing."""
    latency = 1e-3 * (designs["rows"] * designs["scale"] + designs["order"] / (1 + designs["links_1"]))
    violation = np.where(designs["dataflow"] == 1, np.maximum(0.0, designs["rows"] / 32 - 1.0), 0.0)
    latency = np.where(violation > 0.5, np.nan, latency)
    return {"latency_s": latency, "accuracy": np.where(violation > 0.5, np.nan, 1.0 / designs["rows"])}, violation


def origin(label: str = "Small-v0", **options) -> Origin:
    parameters = tuple({**plain(one), "columns": list(one.columns)} for one in SPACE.parameters)
    return Origin(
        label, "Small-v0", {"workload": "a", **options}, "Small", "1", parameters, {"minimize": ["latency_s"]}
    )


def dataset(n: int = 200, seed: int = 0, origins: tuple[Origin, ...] = (origin(),)) -> Dataset:
    rng = np.random.default_rng(seed)
    designs = SPACE.sample(n, rng)
    metrics, violation = priced(designs)
    return Dataset(
        SPACE.specs(), METRICS, designs, metrics, violation, rng.integers(len(origins), size=n),
        rng.choice(["faithful", "cheap"], n), rng.choice(["random", "genetic(population=16)"], n),
        rng.choice(["5eed", "f00d"], n), origins, ("sweeps/a", "sweeps/b"), index=rng.integers(1000, size=n),
    )  # fmt: skip
