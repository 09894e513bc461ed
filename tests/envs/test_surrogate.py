"""A problem priced by a surrogate: agents search it, and a model of another space or other units is refused."""

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from small_problem import NAME, SmallModel, registered, small_dataset

from designgym.agents import make_agent
from designgym.cost_models.base import Columns
from designgym.cost_models.learned import surrogate as module
from designgym.cost_models.learned.fitting import fit_surrogate
from designgym.cost_models.learned.model_file import write_surrogate
from designgym.cost_models.learned.surrogate import Surrogate
from designgym.envs import MeteredProblem, make_problem
from designgym.envs.endings import BudgetSpent
from designgym.experiments.dataset_sample import sample

TARGETS = ["latency_s", "area_mm2"]


@dataclass(frozen=True)
class KnowingModel(SmallModel):
    """Offers features, as the model that a surrogate was learned beside."""

    def features(self, designs: Columns) -> Columns:
        return {"per_row": 1.0 / designs["rows"]}


@pytest.fixture(scope="module", autouse=True)
def _known() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        registered(patch)
        yield


@pytest.fixture(autouse=True)
def _nothing_warned_yet(monkeypatch) -> None:
    monkeypatch.setattr(module, "_WARNED", set())


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    fitted = fit_surrogate(small_dataset(600), model="ridge", classifier="logistic", curve=False)
    directory = tmp_path_factory.mktemp("models") / "model"
    write_surrogate(fitted, directory)
    return str(directory)


@pytest.fixture
def copied(model, tmp_path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


def edited(directory: Path, change) -> str:
    card = json.loads((directory / "model.json").read_text())
    change(card)
    (directory / "model.json").write_text(json.dumps(card))
    return f"surrogate:{directory}"


def test_a_real_problem_is_searched_on_its_surrogate(tmp_path) -> None:
    data = sample("SystolicArray-v0", 1500, "random", seed=0).dataset
    write_surrogate(fit_surrogate(data, model="ridge", targets=TARGETS, curve=False), tmp_path / "model")
    problem = make_problem("SystolicArray-v0", cost_model=f"surrogate:{tmp_path / 'model'}")
    assert isinstance(problem.cost_model, Surrogate)
    metered = MeteredProblem(problem, 200)
    agent = make_agent("genetic", metered, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BudgetSpent):
            agent.search()
    true = make_problem("SystolicArray-v0")
    found = problem.space.sample(400, np.random.default_rng(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = problem.evaluate(found)
    truth = true.evaluate(found)
    assert metered.spent() == 200
    assert np.corrcoef(np.log(told.losses[:, 0]), np.log(truth.losses[:, 0]))[0, 1] > 0.9
    assert told.metrics.keys() >= {"latency_s_lo90", "area_mm2_hi90", "in_domain"}


def test_objectives_may_name_what_the_surrogate_has_besides(model) -> None:
    problem = make_problem(NAME, cost_model=f"surrogate:{model}", objective="latency_s_hi90")
    assert problem.objective.minimize == ("latency_s_hi90",)
    assert problem.objective.subject_to == ("area_mm2 <= 1.2",)
    trusted = {"minimize": ["latency_s"], "subject_to": ["in_domain >= 1"]}
    problem = make_problem(NAME, cost_model=f"surrogate:{model}", objective=trusted)
    assert not problem.evaluate(problem.space.sample(50, np.random.default_rng(0))).feasible.all()


def test_a_surrogate_without_what_the_objective_needs_is_refused(tmp_path) -> None:
    made = fit_surrogate(small_dataset(400), model="ridge", classifier="logistic", targets=["latency_s"], curve=False)
    write_surrogate(made, tmp_path / "model")
    with pytest.raises(ValueError, match="area_mm2"):
        make_problem(NAME, cost_model=f"surrogate:{tmp_path / 'model'}")


def test_the_cheap_fidelity_may_be_a_surrogate(model) -> None:
    problem = make_problem(NAME, cheap=f"surrogate:{model}")
    designs = problem.space.sample(50, np.random.default_rng(0))
    assert isinstance(problem.cheap, Surrogate)
    assert not np.array_equal(problem.evaluate(designs, "cheap").losses, problem.evaluate(designs).losses)


def test_another_space_is_refused_saying_what_differs(model, copied) -> None:
    with pytest.raises(ValueError, match="rows has high 32 there and 16 in this problem"):
        make_problem(NAME, most_rows=16, cost_model=f"surrogate:{model}")
    with pytest.raises(ValueError, match="was learned in another space: of columns rows, sram_kb"):
        make_problem("SystolicArray-v0", cost_model=f"surrogate:{model}")

    def renamed(card) -> None:
        next(one for one in card["space"]["parameters"] if one["name"] == "dataflow")["choices"] = ["ws", "os", "is"]

    with pytest.raises(ValueError, match=r"the choices of dataflow are \['ws', 'os', 'is'\] there and \['os'"):
        make_problem(NAME, cost_model=edited(copied, renamed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"when": ["dataflow", ["os", "ws"]]}, r"the when of stages are .*'os'.* there and .*'ws'.* in this problem"),
        ({"when": None}, r"the when of stages are None there and"),
        ({"default": 3}, r"the default of stages are 3 there and None in this problem"),
    ],
)
def test_a_space_where_a_parameter_matters_at_other_times_is_refused(copied, changed, said: str) -> None:
    def change(card) -> None:
        next(one for one in card["space"]["parameters"] if one["name"] == "stages").update(changed)

    with pytest.raises(ValueError, match=said):
        make_problem(NAME, cost_model=edited(copied, change))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("unit", "ms", "predicts latency_s with unit 'ms', and this problem has it with 's'"),
        ("better", "higher", "predicts latency_s with better 'higher'"),
    ],
)
def test_other_metrics_are_refused_saying_what_differs(copied, key: str, value: str, said: str) -> None:
    given = edited(copied, lambda card: card["metrics"][0].update({key: value}))
    with pytest.raises(ValueError, match=said):
        make_problem(NAME, cost_model=given)


def test_metrics_that_the_problem_has_not_are_taken_beside_one_that_it_has(copied, tmp_path) -> None:
    # As where somebody's program, cost_model="command:sim.yaml", tells more than the problem's own cost model.
    data = small_dataset(400)
    more = {**data.metrics, "stalls": 1.0 + data.designs["stages"]}
    declared = (*data.declared, replace(data.declared[0], name="stalls", unit="cycle"))
    made = fit_surrogate(
        replace(data, declared=declared, metrics=more), model="ridge", classifier="logistic", curve=False
    )
    write_surrogate(made, tmp_path / "model")
    problem = make_problem(NAME, cost_model=f"surrogate:{tmp_path / 'model'}", objective="stalls")
    assert problem.evaluate(problem.space.sample(20, np.random.default_rng(0))).losses.min() > 0.9

    def renamed(card) -> None:
        for metric in card["metrics"]:
            metric["name"] += "_of_another"

    with pytest.raises(ValueError, match="predicts latency_s_of_another, area_mm2_of_another, which this problem does "
                       r"not have: it has latency_s, area_mm2\."):  # fmt: skip
        make_problem(NAME, cost_model=edited(copied, renamed))


def test_a_cost_model_of_another_version_is_said(model) -> None:
    with pytest.warns(UserWarning, match="learned from SmallModel 1, and this problem's cost model is SmallModel 2"):
        make_problem(NAME, version="2", cost_model=f"surrogate:{model}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_problem(NAME, cost_model=f"surrogate:{model}")


def test_a_problem_of_another_workload_is_said(model, copied) -> None:
    with pytest.warns(
        UserWarning, match=r"OfflineSmall-v0 \(workload 'a' there and 'b' here\), not from designs of this"
    ):
        make_problem(NAME, workload="b", cost_model=f"surrogate:{model}")

    def renamed(card) -> None:
        card["origins"][0]["options"].update(most_rows=31)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_problem(NAME, workload="a", cost_model=f"surrogate:{model}")
        # An option of which the cost model knows nothing does not make it another.
        make_problem(NAME, cost_model=edited(copied, renamed))


def test_features_come_from_the_problem_it_was_learned_in(tmp_path, monkeypatch) -> None:
    data = small_dataset(500)
    origin = replace(data.origins[0], cost_model="KnowingModel")
    made = fit_surrogate(
        replace(data, origins=(origin,)), model="ridge", classifier="logistic", beside=[KnowingModel()], curve=False
    )
    assert made.surrogate.uses == ("features",)
    write_surrogate(made, tmp_path / "model")
    given = f"surrogate:{tmp_path / 'model'}"
    # Learned beside another class, which its problem does not make here: what it needs is not there.
    with pytest.warns(UserWarning, match="learned from KnowingModel 1"):
        problem = make_problem(NAME, cost_model=given)
    designs = problem.space.sample(5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="learned with the features of KnowingModel"):
        problem.evaluate(designs)
    monkeypatch.setattr("small_problem.SmallModel", KnowingModel)
    assert np.isfinite(make_problem(NAME, cost_model=given).evaluate(designs).losses).all()


def test_a_problem_that_cannot_be_made_here_is_said_in_a_line(tmp_path) -> None:
    data = small_dataset(500)
    gone = replace(data.origins[0], id="Gone-v0", cost_model="Gone")
    made = fit_surrogate(
        replace(data, origins=(gone,)), model="ridge", classifier="logistic", beside=[KnowingModel()], curve=False
    )
    write_surrogate(made, tmp_path / "model")
    with (
        pytest.warns(UserWarning, match="learned from Gone 1"),
        pytest.raises(ValueError, match=r"needs what Gone of Gone-v0 knows of a design, .* unknown problem") as told,
    ):
        make_problem(NAME, cost_model=f"surrogate:{tmp_path / 'model'}")
    assert "\n" not in str(told.value)


def test_a_command_that_a_card_names_is_not_run(tmp_path) -> None:
    data = small_dataset(500)
    options = {**data.origins[0].options, "cost_model": "command:evil.yaml"}
    origin = replace(data.origins[0], options=options, cost_model="CommandCostModel")
    made = fit_surrogate(
        replace(data, origins=(origin,)), model="ridge", classifier="logistic", beside=[KnowingModel()], curve=False
    )
    write_surrogate(made, tmp_path / "model")
    with (
        pytest.warns(UserWarning, match="learned from CommandCostModel"),
        pytest.raises(ValueError, match=r"command:evil\.yaml knows of a design, which is not run from there"),
    ):
        make_problem(NAME, cost_model=f"surrogate:{tmp_path / 'model'}")
