"""What compressed networks are compared with: the float network's own score, and the metrics that tell of both."""

from functools import lru_cache

from designgym.cost_models.base import Metric
from designgym.cost_models.quantization.datasets import Dataset
from designgym.cost_models.quantization.networks import Network, forward
from designgym.cost_models.quantization.scores import scores

DROP = Metric("accuracy_drop", "1", "lower", "accuracy of the float network less this one's")
NLL = Metric("nll", "1", "lower", "mean negative log-likelihood, in nats")


def accuracy_metrics(split: str) -> tuple[Metric, Metric, Metric]:
    """Return accuracy on a split, how much of the float network's is lost, and the negative log-likelihood."""
    return Metric("accuracy", "1", "higher", f"share of {split} examples that are right"), DROP, NLL


def quality_metrics(task: str, split: str) -> tuple[Metric, ...]:
    """Return `accuracy_metrics`, or of a regression r2 and its drop; the first is what compression takes from."""
    if task == "classification":
        return accuracy_metrics(split)
    return (
        Metric("r2", "1", "higher", f"coefficient of determination on {split} examples"),
        Metric("r2_drop", "1", "lower", "r2 of the float network less this one's"),
    )


@lru_cache(32)
def float_score(network: Network, data: Dataset, split: str) -> float:
    """Return the accuracy, or r2 of a regression, of the float network on a split."""
    told = scores(data.task, forward(network, data.inputs[split]), data.targets[split])
    return told["accuracy" if data.task == "classification" else "r2"]
