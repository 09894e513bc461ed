"""Compare networks rounded to one number format with a table of somebody else's accuracies, see `accuracy_table`."""

from pathlib import Path
from typing import Any

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.accuracy_table import Scores, Told, compared, told_rows
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.fake_quantised import Setting, rounded_forward
from designgym.cost_models.quantization.networks import layers
from designgym.cost_models.quantization.scales import Scaling
from designgym.cost_models.quantization.scores import scores


def validate(table: str | Path) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", ..., "worst_error", "worst_difference"}}}.

    Quantities: accuracy and nll by network, and by integers, minifloats with a fraction, and those without one, which
    are powers of two. Formats are rounded as the table says: weights by channel, activations by tensor, or one of both.
    Errors are |model - table| / table, worst_difference is in the score's own unit. ValueError in one line names the
    file, the row (the header is row 1) and what is wrong.
    """
    path = Path(table)
    rows, told = told_rows(path, lambda one: True)
    if not told:
        raise ValueError(f"{path}: the table must have a row of a number format, got none. Add one.")
    found = [_scores(one) for one in told]
    return {"rows": rows, "quantities": compared(told, found, [_kind(one) for one in told])}


def _kind(told: Told) -> str:
    if told.form.is_integer:
        return "integers"
    return "minifloats" if told.form.mantissa_bits else "powers of two"


def _scores(told: Told) -> Scores:
    network, data = zoo.network(told.network), dataset(zoo.DATASETS[told.network])
    weight, activation = (told.form if side in told.quantised else None for side in "wa")
    setting = Setting(weight, activation, Scaling(told.rule))  # type: ignore[arg-type]
    outputs = rounded_forward(
        network, data, {layer.name: setting for layer in layers(network)}, data.inputs[told.split]
    )
    return scores(data.task, outputs, data.targets[told.split])
