"""Train the networks of the quantisation family on scikit-learn's data, in plain NumPy, and record their float scores.

Networks: `designgym.cost_models.quantization.architectures`. Those of tables learn from standardised inputs (the
regression from targets less their mean), which is folded into their outer layers after training: they take raw units.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.quantization.datasets import Dataset, dataset
from designgym.cost_models.quantization.networks import Network, forward, parameters, with_parameters
from designgym.cost_models.quantization.operations import Array
from designgym.cost_models.quantization.scores import scores
from designgym.cost_models.quantization.zoo import ARCHITECTURES, DATASETS
from designgym.experiments.weights.gradients import cross_entropy, half_squared_error
from designgym.experiments.weights.training import Recipe, trained

# Of mlp and cnn, breast_cancer and wine the one to begin with; for the other two, found by scores on validation data.
RECIPES = {name: Recipe() for name in ARCHITECTURES}
RECIPES |= {"diabetes": Recipe(epochs=100), "transformer": Recipe(epochs=200, rate=1e-2, decay=5e-3)}
RECORD = "quantized_networks.json"

Told = Callable[[int, float], None]


def train(name: str, recipe: Recipe, told: Told = lambda epoch, loss: None) -> Network:
    """Return the network trained on the training split of its data. told: see `training.trained`."""
    data = dataset(DATASETS[name])
    inputs, targets = data.inputs["train"], data.targets["train"]
    network = ARCHITECTURES[name]()
    if DATASETS[name] == "digits":
        return trained(network, inputs, targets, cross_entropy, recipe, told)
    mean, deviation = _moments(inputs)
    standard = ((inputs - mean) / deviation).astype(np.float32)
    if data.task == "classification":
        return inputs_folded(trained(network, standard, targets, cross_entropy, recipe, told), mean, deviation)
    middle = float(targets.mean(dtype=np.float64))
    centred = (targets - middle).astype(np.float32)
    return raised(
        inputs_folded(trained(network, standard, centred, half_squared_error, recipe, told), mean, deviation), middle
    )


def _moments(x: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation over examples, float64."""
    return x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)


def inputs_folded(network: Network, mean: Array, deviation: Array) -> Network:
    """Return a network that makes of x what this one makes of (x - mean) / deviation. mean, deviation: (inputs,)."""
    first = network.steps[0].name
    weight, bias = (parameters(network)[f"{first}.{part}"].astype(np.float64) for part in ("weight", "bias"))
    folded = {f"{first}.weight": weight / deviation[:, None], f"{first}.bias": bias - (mean / deviation) @ weight}
    return with_parameters(network, {name: array.astype(np.float32) for name, array in folded.items()})


def raised(network: Network, mean: float) -> Network:
    """Return a network whose output is this one's plus mean."""
    bias = f"{network.steps[-1].name}.bias"
    return with_parameters(network, {bias: (parameters(network)[bias] + mean).astype(np.float32)})


def scored(network: Network, data: Dataset, split: str) -> dict[str, float]:
    """Return the network's scores on one split."""
    return scores(data.task, forward(network, data.inputs[split]), data.targets[split])


def facts(name: str, network: Network, recipe: Recipe) -> dict[str, Any]:
    """Return how the network was trained and what it came to."""
    data = dataset(DATASETS[name])
    found: dict[str, Any] = {"data": data.name, **dataclasses.asdict(recipe)}
    return found | {split: scored(network, data, split) for split in ("validation", "test")}


def progress(name: str, recipe: Recipe) -> Told:
    """Return what prints a line each sixth of a network's training."""

    def line(epoch: int, loss: float) -> None:
        if (epoch + 1) % max(1, recipe.epochs // 6) == 0:
            print(f"{name}: epoch {epoch + 1} of {recipe.epochs}, training loss {loss:.4f}", flush=True)

    return line


def write(out: Path, name: str, network: Network, told: dict[str, Any]) -> None:
    """Write a network's arrays as `zoo.network` reads them, and its facts into the record beside those of others."""
    np.savez(out / f"{name}.npz", allow_pickle=False, **parameters(network))
    file = out / RECORD
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    known[name] = told
    ordered = {own: known[own] for own in ARCHITECTURES if own in known}
    file.write_text(json.dumps(ordered, indent=2) + "\n")


def main() -> None:
    """Train all networks or one, print what they came to, write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write NAME.npz and the record to")
    parser.add_argument("--only", choices=tuple(ARCHITECTURES), help="train this one alone")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in [given.only] if given.only else ARCHITECTURES:
        recipe = RECIPES[name]
        network = train(name, recipe, progress(name, recipe))
        told = facts(name, network, recipe)
        write(given.out, name, network, told)
        print(f"{name}: " + json.dumps({split: told[split] for split in ("validation", "test")}), flush=True)


if __name__ == "__main__":
    main()
