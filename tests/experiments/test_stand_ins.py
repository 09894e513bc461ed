"""What a page says of results that a surrogate or a dataset gave."""

from types import SimpleNamespace
from typing import Any

from designgym.experiments.report.stand_ins import stand_in


def said(cost_model: Any, *in_domain: float, verified: Any = None) -> str:
    told: list[dict[str, float]] = [{"in_domain": inside} for inside in in_domain] or [{}]
    best = tuple(SimpleNamespace(metrics={"latency_s": 1.0, **one}) for one in told)
    given: Any = {"cost_model": cost_model} if cost_model else {}
    study: Any = SimpleNamespace(logged=SimpleNamespace(given=given), best=best, verified=verified)
    return stand_in(study)


def test_best_designs_outside_what_a_surrogate_was_trained_on_are_said() -> None:
    assert "outside" not in said("surrogate:m<1>", 1.0, 1.0)
    assert "outside" not in said("surrogate:m"), "where it does not say"
    assert "<strong>Found on a surrogate</strong>, <code>m&lt;1&gt;</code>" in said("surrogate:m<1>", 1.0)
    assert "<strong>The best design lies outside what it was trained on.</strong>" in said("surrogate:m", 0.0, 0.0, 1.0)
    assert "<strong>2 of the best designs lie outside what it was trained on.</strong>" in said(
        "surrogate:m", 1.0, 0.0, 0.0
    )


def test_a_dataset_has_no_domain_and_a_cost_model_of_the_problems_own_says_nothing() -> None:
    assert "Priced from a dataset" in said("dataset:d", 0.0)
    assert "outside" not in said("dataset:d", 0.0)
    assert said(None, 0.0) == said("ScaleSim", 0.0) == said("command:sim.yaml", 0.0) == ""


def test_best_designs_that_another_cost_model_priced_are_pointed_to() -> None:
    def verified(*options: str) -> Any:
        return SimpleNamespace(comparisons=[SimpleNamespace(options=one) for one in options])

    assert "designgym verify DIR --cost-model own" in said("surrogate:m", 1.0)
    assert "designgym verify DIR --cost-model own" in said("surrogate:m", 1.0, verified=verified("split=test"))
    both = verified("split=test", "cost_model=own")
    assert "are priced by another cost model" in said("surrogate:m", 1.0, verified=both)
    assert "<code>a:b</code>" in said("surrogate:a:b", 1.0)
