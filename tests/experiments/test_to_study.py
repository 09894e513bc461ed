"""Trials as an Optuna study: what it holds, and that Optuna's own figures and dashboard take it."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow.compute as pc
import pyarrow.feather as feather
import pytest
import tiny_problems
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from report_pages import TWO
from small_sweep import KINDS, PROBLEM, log_sweep

from designgym.envs import DesignSpace, Integer, Ordinal, Subset, make_problem, register_problem
from designgym.envs.registry import problem_ids
from designgym.experiments import LogError, designs_of, load_sweep, load_trials, to_study
from designgym.experiments.optuna_parameters import distributions_of, params_of

SCHEDULE = "OptunaSchedule-v0"
CIRCUIT = "OptunaCircuit-v0"
BUDGET = 30
PROBLEMS = [
    {"id": PROBLEM},
    {"id": PROBLEM, "options": TWO},
    {"id": KINDS},  # conditional, with an order and a subset
    {"id": SCHEDULE},  # conditional on conditional, one metric maximised, NaN and failures
    {"id": CIRCUIT},  # real numbers, one conditional, one logarithmic
]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name, function in ((SCHEDULE, "schedule"), (CIRCUIT, "circuit")):
        if name not in problem_ids():
            register_problem(name, f"sample_problems:{function}")
    given = {"name": "small", "problems": PROBLEMS, "agents": ["random", "genetic"], "seeds": 2, "budget": BUDGET}
    return log_sweep(tmp_path_factory.mktemp("study") / "small", given)


@pytest.fixture(scope="module")
def labels(sweep: Path) -> list[str]:
    return list(load_sweep(sweep).problems)


def rows_of(sweep: Path, label: str) -> list[dict[str, Any]]:
    rows = load_trials(sweep).to_pylist()
    return [row for row in rows if row["problem"] == label and row["fresh"]]


@pytest.mark.parametrize("number", range(len(PROBLEMS)))
def test_the_study_says_what_the_log_says(sweep: Path, labels: list[str], number: int) -> None:
    label = labels[number]
    problem = make_problem(PROBLEMS[number]["id"], **PROBLEMS[number].get("options", {}))
    study, rows = to_study(sweep, label), rows_of(sweep, label)
    objective = problem.objective
    assert study.metric_names == list(objective.names)
    assert [d.name for d in study.directions] == ["MINIMIZE"] * len(objective.minimize) + ["MAXIMIZE"] * len(
        objective.maximize
    )
    assert study.user_attrs["units"] == {metric.name: metric.unit for metric in problem.cost_model.metrics}
    assert study.user_attrs["problem"] == PROBLEMS[number]["id"]
    assert [p["name"] for p in study.user_attrs["parameters"]] == [p.name for p in problem.space.parameters]
    assert study.user_attrs["trials"] == len(study.trials) == len(rows) == 4 * BUDGET
    for trial, row in zip(study.get_trials(deepcopy=False), rows, strict=True):
        values = [row[f"metric.{name}"] for name in objective.names]
        if any(map(math.isnan, values)):
            assert (trial.state, trial.values) == (TrialState.FAIL, None)
        else:
            assert (trial.state, trial.values) == (TrialState.COMPLETE, values)
        if math.isfinite(row["violation"]):
            assert list(trial.constraints.values()) == [row["violation"]]
            assert (row["violation"] > 0) != row["feasible"]
        for metric in problem.cost_model.metrics:
            logged = row[f"metric.{metric.name}"]
            assert (
                metric.name not in trial.user_attrs if math.isnan(logged) else trial.user_attrs[metric.name] == logged
            )
        for name in ("run", "index", "agent", "seed", "status", "feasible", "violation"):
            assert trial.user_attrs[name] == row[name]
        assert trial.datetime_complete - trial.datetime_start <= trial.datetime_complete - began(study)


def began(study: optuna.Study) -> Any:
    return min(trial.datetime_start for trial in study.get_trials(deepcopy=False))


def test_some_of_these_sweeps_designs_are_infeasible_and_some_failed(sweep: Path, labels: list[str]) -> None:
    """What the test before this one compares is there to be compared."""
    states = [trial.state for trial in to_study(sweep, labels[3]).trials]
    assert {TrialState.FAIL, TrialState.COMPLETE} == set(states)
    statuses = {trial.user_attrs["status"] for trial in to_study(sweep, labels[3]).trials}
    assert statuses == {"ok", "infeasible", "failed"}
    feasible = [trial.user_attrs["feasible"] for trial in to_study(sweep, labels[0]).trials]
    assert 0 < sum(feasible) < len(feasible)


def test_parameters_are_shown_as_people_read_them(sweep: Path, labels: list[str]) -> None:
    study, rows = to_study(sweep, labels[2]), rows_of(sweep, labels[2])
    seen = {name: d for trial in study.trials for name, d in trial.distributions.items()}
    places = {f"order.{item}": IntDistribution(0, 3) for item in "kcpq"}
    members = {f"steps_{j}": IntDistribution(j, 4 + j) for j in range(3)}
    method = CategoricalDistribution(("plain", "tuned"))
    assert seen == {"method": method, "effort": IntDistribution(1, 20)} | places | members
    for trial, row in zip(study.trials, rows, strict=True):
        params = dict(trial.params)
        assert params["method"] == row["design.method"]
        assert params.get("effort") == (row["design.effort"] if row["design.method"] == "tuned" else None)
        assert sorted("kcpq", key=lambda item: params[f"order.{item}"]) == row["design.order"].split(",")
        assert trial.user_attrs["design.order"] == row["design.order"]
        assert [params[f"steps_{j}"] for j in range(3)] == [row[f"design.steps_{j}"] for j in range(3)]


def test_what_depends_on_an_idle_parameter_is_idle_too(sweep: Path, labels: list[str]) -> None:
    for trial in to_study(sweep, labels[3]).trials:
        assert ("tile" in trial.params) == (trial.params["loop"] != "flat")
        assert ("depth" in trial.params) == (trial.params.get("tile") in (5, 8))
        assert ("order.m" in trial.params) == (trial.params["loop"] == "tiled")


def test_steps_logarithms_and_ordinals() -> None:
    assert distributions_of(Integer("a", 4, 63, 4)) == {"a": IntDistribution(4, 60, step=4)}
    assert distributions_of(Integer("a", 1, 64, log=True)) == {"a": IntDistribution(1, 64, log=True)}
    assert distributions_of(Integer("a", 1, 64, 3, log=True)) == {"a": IntDistribution(1, 64, step=3)}
    assert distributions_of(Ordinal("a", (1, 2.5, 8))) == {"a": CategoricalDistribution((1.0, 2.5, 8.0))}
    (width,) = distributions_of(make_problem(CIRCUIT).space["width"]).values()
    assert width == FloatDistribution(0.01, 10.0, log=True)


def test_a_value_that_is_none_of_its_parameters_is_left_out() -> None:
    space = DesignSpace(Integer("a", 0, 4), Subset("s", 4, 2))
    designs = {"a": np.array([1, 9]), "s_0": np.array([2, 1]), "s_1": np.array([1, 3])}
    assert params_of(space, designs) == [{"a": 1}, {"s_0": 1, "s_1": 3}]


def test_a_sweep_of_several_problems_must_be_told_which(sweep: Path, labels: list[str]) -> None:
    with pytest.raises(ValueError, match=f"problem must be one of .*'{KINDS}', .*got none. Name one."):
        to_study(sweep)
    with pytest.raises(ValueError, match="got 'Nothing-v0'"):
        to_study(sweep, "Nothing-v0")


def test_agents_and_seeds_are_picked_by_name(sweep: Path, labels: list[str]) -> None:
    study = to_study(sweep, labels[0], agent="genetic", seed=1)
    assert {(trial.user_attrs["agent"], trial.user_attrs["seed"]) for trial in study.trials} == {("genetic", 1)}
    assert [trial.user_attrs["index"] for trial in study.trials] == list(range(BUDGET))
    assert study.study_name == f"small: {labels[0]}, agent genetic, seed 1"
    with pytest.raises(ValueError, match="agent must be one of 'genetic', 'random', got 'tpe'"):
        to_study(sweep, labels[0], agent="tpe")
    with pytest.raises(ValueError, match="seed must be one of 0, 1, got 7"):
        to_study(sweep, labels[0], seed=7)


def test_a_limit_keeps_what_matters_and_says_so(sweep: Path, labels: list[str]) -> None:
    whole = to_study(sweep, labels[0])
    with pytest.warns(UserWarning, match=r"takes 40 of 120 trials. Give limit=None for all"):
        study = to_study(sweep, labels[0], limit=40)
    assert study.best_value == whole.best_value
    assert study.user_attrs["trials"] == 120
    assert {trial.user_attrs["run"] for trial in study.trials} == {trial.user_attrs["run"] for trial in whole.trials}
    with pytest.warns(UserWarning, match="takes 4 of 120 trials"):  # one a run: its best
        assert to_study(sweep, labels[0], limit=1).best_value == whole.best_value
    assert len(to_study(sweep, labels[0], limit=None).trials) == 120


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_is_a_number_of_trials(sweep: Path, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be at least 1, or None for all trials, got {limit}"):
        to_study(sweep, limit=limit)


def test_a_limit_keeps_the_pareto_set(sweep: Path, labels: list[str]) -> None:
    whole = to_study(sweep, labels[1])
    with pytest.warns(UserWarning, match="takes 100 of 120 trials"):
        study = to_study(sweep, labels[1], limit=100)
    front = sorted(trial.values for trial in whole.best_trials)
    assert len(front) > 2
    assert sorted(trial.values for trial in study.best_trials) == front


def test_a_sweep_without_trials_is_named(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "sweep.json").write_bytes((sweep / "sweep.json").read_bytes())
    with pytest.raises(LogError, match="holds no trials yet"):
        to_study(tmp_path, load_sweep(sweep).runs[0].problem)


def figures_of(study: optuna.Study) -> dict[str, Any]:
    show = optuna.visualization
    of_one = (show.plot_contour, show.plot_edf, show.plot_optimization_history, show.plot_parallel_coordinate,
              show.plot_param_importances, show.plot_rank, show.plot_slice)  # fmt: skip
    drawn: dict[str, Any] = {"plot_timeline": show.plot_timeline(study)}
    if len(study.directions) == 1:
        return drawn | {plot.__name__: plot(study) for plot in of_one}
    drawn["plot_pareto_front"] = show.plot_pareto_front(study)
    for j, name in enumerate(study.metric_names or ()):
        pick = {"target": lambda trial, j=j: trial.values[j], "target_name": name}
        drawn |= {f"{plot.__name__} of {name}": plot(study, **pick) for plot in of_one}
    return drawn


@pytest.mark.parametrize("number", range(len(PROBLEMS)))
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optunas_figures_draw_it(sweep: Path, labels: list[str], number: int) -> None:
    drawn = figures_of(to_study(sweep, labels[number], limit=None))
    for name, figure in drawn.items():
        traces = figure.to_plotly_json()["data"]
        assert any(len(trace.get(axis, ())) for trace in traces for axis in ("x", "y", "dimensions")), name


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_studies_of_agents_are_drawn_side_by_side(sweep: Path, labels: list[str]) -> None:
    studies = [to_study(sweep, labels[0], agent=agent) for agent in ("random", "genetic")]
    figure = optuna.visualization.plot_edf(studies)
    assert [trace.name for trace in figure.data] == [study.study_name for study in studies]


def test_a_storage_holds_the_same_study(sweep: Path, labels: list[str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    in_memory = to_study(sweep, labels[3], seed=0, agent="genetic")
    to_study(sweep, labels[3], seed=0, agent="genetic", storage=url, study_name="mine")
    loaded = optuna.load_study(study_name="mine", storage=url)
    assert loaded.user_attrs == in_memory.user_attrs
    assert loaded.metric_names == in_memory.metric_names

    def content(trial: optuna.trial.FrozenTrial) -> list[Any]:
        times = trial.datetime_start, trial.datetime_complete
        return [
            trial.state,
            trial.values,
            trial.params,
            trial.distributions,
            trial.constraints,
            trial.user_attrs,
            times,
        ]

    assert list(map(content, loaded.trials)) == list(map(content, in_memory.trials))
    dashboard = pytest.importorskip("optuna_dashboard")
    (listed,) = ask(dashboard.wsgi(url), "/api/studies")["study_summaries"]
    assert listed["study_name"] == "mine"
    with pytest.raises(ValueError, match=r"study_name must be new in its storage, got 'mine'. Give another one."):
        to_study(sweep, labels[0], storage=url, study_name="mine")


def test_a_study_that_could_not_be_written_whole_is_gone(
    sweep: Path, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = optuna.storages.InMemoryStorage()

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(optuna.Study, "add_trials", stopped)
    with pytest.raises(KeyboardInterrupt):
        to_study(sweep, labels[0], storage=storage)
    assert storage.get_all_studies() == []


def ask(app: Any, path: str) -> Any:
    """Ask a WSGI application for a page, as a server would, and read the JSON it answers."""
    told: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0),
    }  # fmt: skip
    body = b"".join(app(environ, lambda status, headers, *_: told.append(status)))
    assert told == ["200 OK"], body
    return json.loads(body)


@pytest.mark.parametrize("number", range(len(PROBLEMS)))
def test_the_dashboard_shows_it(sweep: Path, labels: list[str], number: int, tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    file = str(tmp_path / "study.log")
    storage = optuna.storages.JournalStorage(JournalFileBackend(file))
    study = to_study(sweep, labels[number], agent="random", seed=0, storage=storage)
    app = dashboard.wsgi(file)
    (listed,) = ask(app, "/api/studies")["study_summaries"]
    assert listed["study_name"] == study.study_name
    detail = ask(app, f"/api/studies/{listed['study_id']}")
    attributes = {attribute["key"]: attribute["value"] for attribute in detail["user_attrs"]}
    assert json.loads(attributes["units"]) == study.user_attrs["units"]
    assert detail["objective_names"] == study.metric_names
    assert len(detail["trials"]) == BUDGET
    states = [trial.state.name.capitalize() for trial in study.trials]
    assert [trial["state"] for trial in detail["trials"]] == states
    for trial, shown in zip(study.trials, detail["trials"], strict=True):
        assert {p["name"] for p in shown["params"]} == set(trial.params)
        assert shown.get("values") == trial.values
        if trial.constraints:
            assert shown["constraints"] == list(trial.constraints.values())


def test_what_a_cheap_model_priced_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_problems.registered(monkeypatch)
    given = {"name": "cheap", "problems": ["TinyCheap-v0"], "agents": ["screener"], "seeds": 1, "budget": 30}
    rows = load_trials(log_sweep(tmp_path / "cheap", given)).to_pylist()
    faithful = [row["index"] for row in rows if row["fidelity"] == "faithful"]
    study = to_study(tmp_path / "cheap")
    assert [trial.user_attrs["index"] for trial in study.trials] == faithful
    assert 0 < len(faithful) < len(rows)


def test_logged_designs_are_features_in_the_unit_cube(sweep: Path, labels: list[str]) -> None:
    for label, entry in zip(labels, PROBLEMS, strict=True):
        space = make_problem(entry["id"], **entry.get("options", {})).space
        trials = load_trials(sweep)
        trials = trials.filter(pc.equal(trials["problem"].cast("string"), label))
        designs = designs_of(trials, space)
        names = space.describe(designs)
        for name in space.columns:
            logged = trials[f"design.{name}"].to_pylist()
            shown = names[name]
            assert [a for a, b in zip(logged, shown, strict=True) if b is not None] == [
                b for b in shown if b is not None
            ]
        features = space.encode(designs)
        assert features.shape == (4 * BUDGET, len(space.cardinalities))
        assert ((features >= 0) & (features < 1)).all()


def test_all_trials_are_one_table_that_arrow_writes(sweep: Path, tmp_path: Path) -> None:
    trials = load_trials(sweep)
    feather.write_feather(trials, tmp_path / "trials.feather")
    assert feather.read_table(tmp_path / "trials.feather").to_pylist()[-1]["run"] == trials["run"][-1].as_py()


def test_that_table_is_a_data_frame(sweep: Path) -> None:
    trials = load_trials(sweep)
    frame = trials.to_pandas()
    assert len(frame) == trials.num_rows == 4 * BUDGET * len(PROBLEMS)
    assert list(frame["design.order"].dropna()) == trials["design.order"].drop_null().to_pylist()
