"""Surrogates of two fidelities from dataset to priced problem, and the bench that judges them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from designgym.cost_models.dataset_file import read_dataset, write_dataset
from designgym.cost_models.learned.model_file import read_card
from designgym.cost_models.learned.two_fidelity import Choice
from designgym.envs import Objective, make_problem
from designgym.experiments.bench import two_fidelity as bench
from designgym.experiments.cli.app import app
from designgym.experiments.dataset_sample import sample
from designgym.experiments.surrogate import score_file
from designgym.experiments.two_fidelity import fit_two_files

ID, WORKLOAD = "SystolicArray-v0", "gemm:m=8,k=96,n=64"
FEW_CYCLES = Objective(minimize=("cycles",))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cheap/ and faithful/: the faithful model here waits for DRAM as a whole, the cheap one by operand."""
    at = tmp_path_factory.mktemp("two")
    write_dataset(
        sample(ID, 300, "random", {"workload": WORKLOAD, "cost_model": "StallingArray"}).dataset, at / "cheap"
    )
    write_dataset(sample(ID, 90, "random", {"workload": WORKLOAD, "psum": "scalesim"}, 1).dataset, at / "faithful")
    return at


def fitted(data: Path, out: Path, low: str = "cheap") -> Any:
    return fit_two_files(data / low, data / "faithful", out, model="extra_trees", targets=["cycles"], curve=False)


def test_a_model_of_two_fidelities_prices_a_problem_beside_the_cheap_model(data: Path, tmp_path: Path) -> None:
    kept = fitted(data, tmp_path / "model")
    card = read_card(tmp_path / "model")
    assert card["low"]["origin"]["cost_model"] == "StallingArray"
    assert card["low"]["designs"] == 300
    assert card["low"]["form"] in ("beside", "ratio")
    assert set(card["low"]["errors"]) == {f"{form} extra_trees" for form in ("alone", "beside", "ratio")}
    assert not (tmp_path / "model" / "low").exists()
    problem = make_problem(ID, workload=WORKLOAD, objective=FEW_CYCLES, cost_model=f"surrogate:{tmp_path / 'model'}")
    drawn = problem.space.sample(200, np.random.default_rng(5))
    truth = make_problem(ID, workload=WORKLOAD, psum="scalesim").cost_model.evaluate(drawn)["cycles"]
    found = problem.cost_model.evaluate(drawn)["cycles"]
    assert np.sqrt(np.mean(np.log(found / truth) ** 2)) < 0.5
    assert problem.cost_model.version == kept.surrogate.version
    assert score_file(tmp_path / "model", data / "faithful")[1].n > 0


def test_a_cheap_model_that_cannot_be_made_is_learned_from_its_designs(data: Path, tmp_path: Path) -> None:
    low = read_dataset(data / "cheap")
    (origin,) = low.origins
    write_dataset(replace(low, origins=(replace(origin, version="of long ago"),)), data / "old")
    fitted(data, tmp_path / "model", "old")
    card = read_card(tmp_path / "model")
    assert card["low"]["origin"] is None
    kept = read_card(tmp_path / "model" / "low")["data"]["designs"]
    assert 30 < kept < 300  # those thinned out that a model of the faithful designs contradicts
    problem = make_problem(ID, workload=WORKLOAD, objective=FEW_CYCLES, cost_model=f"surrogate:{tmp_path / 'model'}")
    drawn = problem.space.sample(50, np.random.default_rng(5))
    assert np.isfinite(problem.cost_model.evaluate(drawn)["cycles"]).all()


def test_a_cheap_model_that_has_changed_since_is_refused(data: Path, tmp_path: Path) -> None:
    fitted(data, tmp_path / "model")
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    card["low"]["origin"]["version"] = "another"
    (tmp_path / "model" / "model.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"learned beside StallingArray another, and here it is .* fit it again\.$"):
        make_problem(ID, workload=WORKLOAD, objective=FEW_CYCLES, cost_model=f"surrogate:{tmp_path / 'model'}")


@pytest.mark.parametrize("id", ["Simulator-v0", "Simulator", ID])
def test_a_command_that_a_card_names_as_its_cheap_model_is_not_run(data: Path, tmp_path: Path, id: str) -> None:
    fitted(data, tmp_path / "model")
    file, ran = tmp_path / "evil.yaml", tmp_path / "ran"
    own = "" if id == ID else "parameters: [{name: rows, kind: integer, low: 1, high: 4096}]\n"
    file.write_text(
        f"name: evil\n{own}command: [sh, -c, 'touch {ran}; echo cycles 5', '{{rows}}']\n"
        "metrics: {cycles: {unit: cycle, better: lower, meaning: none, regex: 'cycles ([0-9]+)'}}\n"
    )
    options = {"cost_model": f"command:{file}"} if id == ID else {"file": str(file)}
    model = make_problem(id, objective=FEW_CYCLES, **options).cost_model
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    card["low"]["origin"].update(id=id, options=options, version=model.version, cost_model="CommandCostModel")
    (tmp_path / "model" / "model.json").write_text(json.dumps(card))
    for use in (
        lambda: make_problem(ID, workload=WORKLOAD, objective=FEW_CYCLES, cost_model=f"surrogate:{tmp_path / 'model'}"),
        lambda: score_file(tmp_path / "model", data / "faithful"),
    ):
        with pytest.raises(ValueError, match=r"knows of a design, which is not run from there\. Fit without\.$"):
            use()
    assert not ran.exists()
    model.evaluate({"rows": np.array([8])} if id != ID else make_problem(ID).space.sample(1, np.random.default_rng(0)))
    assert ran.exists(), "the file's command would have shown"


def test_what_does_not_go_together_is_one_line_and_exit_code_2(data: Path, tmp_path: Path) -> None:
    def said(*given: str) -> str:
        result = CliRunner().invoke(app, ["surrogate", "fit", "-o", str(tmp_path / "m"), *given])
        assert result.exit_code == 2 or isinstance(result.exception, ValueError)
        return " ".join(f"{result.output} {result.exception}".split())

    low, high = str(data / "cheap"), str(data / "faithful")
    assert "two, --low DIR and --high DIR, got --low" in said("--low", low)
    assert "got DATA, --low, --high" in said(low, "--low", low, "--high", high)
    assert "must both have speed in one unit" in said("--low", low, "--high", high, "--target", "speed")
    write_dataset(sample("LABS-v0", 40).dataset, tmp_path / "labs")
    assert "must be of one space, they differ in" in said("--low", str(tmp_path / "labs"), "--high", high)
    assert not (tmp_path / "m").exists()


def synthetic(drawn: int, further: int, file: Path, workers: int, say: Any) -> bench.Data:
    problem = make_problem(bench.ID, workload=bench.WORKLOAD, cost_model="StallingArray")
    designs = problem.space.sample(drawn + further, np.random.default_rng(0))
    told = {name: bench.Cheap(bench.CHEAP[name]) for name in bench.BESIDE}
    cheap = {name: (model.features(designs), model.bounds(designs)["cycles"]) for name, model in told.items()}
    over = problem.cost_model.features(designs)["filter_over"]  # type: ignore[attr-defined]
    return bench.Data(problem.space.specs(), designs, cheap["SystolicArray, replayed"][1] * over, cheap)


def test_the_bench_goes_on_where_it_ended_and_judges_on_further_designs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "simulated", synthetic)
    monkeypatch.setattr(bench, "QUICK", (2, 40, 60))
    monkeypatch.setattr(bench, "MODELS", ("extra_trees",))
    monkeypatch.setattr(bench, "SINGLE", ("extra_trees", "ridge"))
    first = bench.two_fidelity(True, tmp_path, say=lambda line: None)
    rows = {row[0]: row for row in first["rows"]}
    least = min(row[1] for what, row in rows.items() if what.split(" alone [")[0] in bench.SINGLE)
    for name in bench.BESIDE:
        (over_single,) = (row for what, row in rows.items() if what.startswith(f"two fidelities, beside {name} ["))
        assert 0 < over_single[1] < least
        assert over_single[3] == pytest.approx(over_single[1] / least)
        assert rows[f"two fidelities, beside {name}"][1] == over_single[1]

    def never(*given: Any) -> Any:
        raise AssertionError("a draw that was measured is read")

    monkeypatch.setattr(bench, "draw", never)
    assert bench.two_fidelity(True, tmp_path, say=lambda line: None)["rows"] == first["rows"]
    kept = json.loads((tmp_path / "errors-0-of-40.json").read_text())
    kept["two"][bench.BESIDE[0]]["error"] = 100.0
    (tmp_path / "errors-0-of-40.json").write_text(json.dumps(kept))
    again = bench.two_fidelity(True, tmp_path, say=lambda line: None)["rows"]
    assert again[-2][0].endswith("SystolicArray alone: NO")
    assert again[-2][1] > 1
    assert again[-1] == first["rows"][-1]


def test_a_draw_learns_and_chooses_on_what_was_drawn_alone_and_beside_one_cheap_model_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = synthetic(30, 20, tmp_path, 1, print)
    drawn, held = np.arange(30), np.arange(30, 50)
    fits, told, models = list[Any](), list[Any](), list[str]()

    def fit(specs: Any, designs: Any, values: Any, features: Any, cheap: Any, form: str, model: str, *rest: Any) -> Any:
        assert np.array_equal(rest[-1], drawn)
        fits.append((form, features, cheap))
        models.append(model)
        return len(fits)

    def predict(fitted: Any, designs: Any, features: Any, cheap: Any, form: str, rows: Any) -> Any:
        assert np.array_equal(rows, held)
        assert fits[fitted - 1][1] is features
        return data.cycles[rows] * np.exp(float(fitted))

    def choose(specs: Any, designs: Any, values: Any, features: Any, cheap: Any, **how: Any) -> Any:
        assert np.array_equal(designs["rows"], data.designs["rows"][drawn])
        assert np.array_equal(values, data.cycles[drawn])
        told.append((features, cheap))
        assert how == {"forms": bench.FORMS, "models": bench.MODELS}
        return Choice("ratio", f"chosen {len(told)}", {})

    for name, double in (("fit_one", fit), ("predict_one", predict), ("choose", choose)):
        monkeypatch.setattr(bench, name, double)
    found = bench.draw(data, drawn, held)
    assert [form for form, _, _ in fits] == ["alone"] * len(bench.SINGLE) + ["ratio"] * len(bench.BESIDE)
    assert models == [*bench.SINGLE, "chosen 1", "chosen 2"]
    assert not any(features for form, features, _ in fits if form == "alone")
    for name, (_, features, cheap), (seen, bounds) in zip(bench.BESIDE, fits[-2:], told, strict=True):
        assert features is data.cheap[name][0]
        assert cheap is data.cheap[name][1]
        assert all(np.array_equal(seen[key], column[drawn]) for key, column in features.items())
        assert np.array_equal(bounds, cheap[drawn])
    assert list(found["single"].values()) == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0])
    assert [found["two"][name]["error"] for name in bench.BESIDE] == pytest.approx([6.0, 7.0])


def test_each_cheap_model_is_judged_by_the_best_of_its_kind_alone_and_the_best_single_fidelity() -> None:
    def told(closely: float, alone: dict[str, float]) -> dict[str, Any]:
        two = {name: {"form": "ratio", "model": "ridge", "error": closely} for name in bench.BESIDE}
        errors = [{"single": dict.fromkeys(bench.SINGLE, 1.0) | {"ridge": 0.8}, "two": two}] * 2
        return {row[0]: row for row in bench.rows(errors, dict.fromkeys(bench.CHEAP, 9.0) | alone)}

    alone = {"SystolicArray, counted": 0.7, "StallingArray, replayed": 0.5, "ReplayedArray": 0.0}
    held = told(0.35, alone)
    first = "two fidelities, beside SystolicArray, replayed"
    assert held[f"{first} [0.350, 0.350]"][3] == pytest.approx(0.35 / 0.8)
    assert held[first][3:] == (pytest.approx(0.5), "SystolicArray, counted alone [0.500, 0.500]")
    assert "at most half of ridge and of SystolicArray alone: yes" in held
    assert held["at most half of ridge and of StallingArray alone: NO"][1] == pytest.approx(0.7)
    assert "at most half of ridge and of SystolicArray alone: NO" in told(0.36, alone)
    assert "at most half of ridge and of SystolicArray alone: NO" in told(0.41, {})  # more than half of ridge's
    assert bench.told(np.array([1.0, 1.0])) == "[1.000, 1.000]"


def test_a_cheap_model_alone_is_its_cycles_or_its_latency_whichever_is_closer() -> None:
    class Told:
        def evaluate(self, designs: Any) -> Any:
            return {"cycles": np.array([2.0]), "latency_s": np.array([8.0])}

    two_hz = {"clock_hz": np.array([2.0])}
    assert bench.alone_error(Told(), two_hz, np.array([16.0])) == 0.0
    assert bench.alone_error(Told(), two_hz, np.array([1.0])) == pytest.approx(np.log(2.0))
