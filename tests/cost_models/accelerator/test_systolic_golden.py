"""The systolic array's numbers as recorded: who changes one raises MODEL, and records them in a commit of its own.

Record: python tests/cost_models/accelerator/test_systolic_golden.py
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.accelerator.bench import random_designs
from designgym.cost_models.accelerator.systolic_array import MODEL, SystolicArray

GOLDEN = Path(__file__).parent / "golden" / "systolic_array.json"
MODELS = {
    "resnet18": SystolicArray("resnet18"),
    "mobilenetv2, eyeriss65": SystolicArray("mobilenetv2", technology="eyeriss65"),
    "gpt2-decode, scalesim": SystolicArray("gpt2-decode", psum="scalesim"),
    "gemm, counted": SystolicArray("gemm:m=100,k=300,n=50", dram="counted"),
}


def current() -> dict[str, Any]:
    designs = random_designs(12, seed=7)
    prices = {
        name: {metric: column.tolist() for metric, column in model.evaluate(designs).items()}
        for name, model in MODELS.items()
    }
    return {"model": MODEL, "designs": {name: column.tolist() for name, column in designs.items()}, "prices": prices}


def test_numbers_change_only_with_the_model_version() -> None:
    golden, now = json.loads(GOLDEN.read_text()), current()
    assert golden["model"] == MODEL, "MODEL was raised: record the golden numbers again"
    assert golden["designs"] == now["designs"]
    for name, metrics in golden["prices"].items():
        for metric, values in metrics.items():
            message = f"{metric} of {name} changed: raise MODEL in systolic_array.py and record the numbers again"
            np.testing.assert_allclose(now["prices"][name][metric], values, rtol=1e-12, err_msg=message)


def test_the_golden_numbers_hold_each_metric() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["prices"].keys() == MODELS.keys()
    for metrics in golden["prices"].values():
        assert len(metrics) == 10
        assert metrics["violation"] == pytest.approx(np.zeros(12))


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(current(), indent=1) + "\n")
