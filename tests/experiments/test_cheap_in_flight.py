"""An agent that looks at a cheap model while its designs are under way: what is logged, counted and made again."""

from dataclasses import replace

import pytest
import tiny_problems
from runs_in_process import same_trials
from test_executor import BUDGET, Single, cut, flown, made, ordered


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def glancing(base: type) -> type:
    """Return an agent that looks at each design twice by the cheap model before it asks for it."""

    class Glancing(base):  # type: ignore[misc]
        def ask(self, n):
            designs = super().ask(n)
            for _ in range(2):
                self.problem.evaluate(designs, "cheap")
            return designs

    return Glancing


@pytest.mark.parametrize("agent", [Single, tiny_problems.Climber])
@pytest.mark.parametrize(("k", "more"), [(3, []), (30, [1, 3]), (81, [])])
def test_an_agent_looks_at_a_cheap_model_while_its_designs_are_under_way(agent, k, more) -> None:
    run = made(options={"cheap": True})
    run = replace(run, agent=replace(run.agent, cls=glancing(agent), hyperparameters={}))
    whole, ended = flown(run)
    whole = ordered(whole)
    fidelity = whole.filter(whole.column("fresh")).column("fidelity").to_pylist()
    assert fidelity.count("faithful") == BUDGET
    assert fidelity.count("cheap") == BUDGET, "once each, however often it is looked at"
    assert ended.reason == "budget"
    kept = cut(whole, k, more)
    rest, again = flown(run, logged=kept, workers=2)
    assert same_trials(ordered(kept, rest), whole)
    assert again.reason == ended.reason
