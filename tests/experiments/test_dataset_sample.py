"""A dataset made directly: distinct designs, spread or drawn or gone to by agents, priced by the model itself."""

from dataclasses import replace

import numpy as np
import pytest
from small_problem import CALLS, NAME, SPACE, SmallModel, registered, small

from designgym.cost_models.dataset_file import write_dataset
from designgym.experiments.dataset_sample import MIX, sample
from designgym.experiments.pricing import Slowly


@pytest.fixture(autouse=True)
def _known(monkeypatch) -> None:
    registered(monkeypatch)


def ranks(data) -> list[int]:
    return SPACE.rank(data.designs).tolist()


def assert_true(data, model=SmallModel()) -> None:  # noqa: B008
    truth = model.evaluate(data.designs)
    own = truth.pop("violation")
    assert np.array_equal(data.feasible, own == 0)
    assert np.allclose(data.violation, own, rtol=1e-12, atol=0)
    for name, column in truth.items():
        assert np.array_equal(data.metrics[name], column, equal_nan=True)


@pytest.mark.parametrize("how", ["sobol", "random", "from-agents"])
def test_distinct_designs_priced_by_the_model(how, tmp_path) -> None:
    found = sample(NAME, 240, how, seed=3)
    data = found.dataset
    assert len(data) == len(set(ranks(data))) == 240
    assert (found.failed, found.missing) == (0, 0)
    assert SPACE.contains(data.designs).all()
    assert_true(data)
    assert sum(found.shares.values()) == 240
    one = write_dataset(data, tmp_path / "data")
    assert one.sha256 == write_dataset(sample(NAME, 240, how, seed=3).dataset, tmp_path / "again").sha256
    assert one.sha256 != write_dataset(sample(NAME, 240, how, seed=4).dataset, tmp_path / "other").sha256


def test_pricing_takes_few_large_batches_and_no_meter() -> None:
    sample(NAME, 1500, "sobol")
    assert CALLS == [1024, 476]


def test_sobol_spreads_over_choices_and_random_over_designs() -> None:
    # Designs with dataflow ws are four of six; as choices of the parameter each is a third.
    shares = [np.mean(sample(NAME, 600, how).dataset.designs["dataflow"] == 1) for how in ("sobol", "random")]
    assert shares[0] == pytest.approx(1 / 3, abs=0.05)
    assert shares[1] == pytest.approx(4 / 6, abs=0.06)


def test_a_space_with_fewer_designs_is_taken_whole_and_said() -> None:
    valid = SPACE.count_valid()
    for how in ("sobol", "random"):
        found = sample(NAME, valid + 7, how)
        assert len(set(ranks(found.dataset))) == len(found.dataset) == valid
        assert found.missing == 7


def test_agents_leave_no_design_of_a_small_space_out() -> None:
    options = {"most_rows": 2, "fails": 1}
    valid = small(most_rows=2).space.count_valid()
    found = sample(NAME, valid, "from-agents", options)
    assert (found.dataset.designs["rows"] == 2).all()
    assert len(found.dataset) == found.failed == valid // 2, "each failed design is counted once"
    assert found.missing == 0, "the space is all there: what is not in the dataset failed"
    assert len(set(small(most_rows=2).space.rank(found.dataset.designs).tolist())) == valid // 2
    for n in (valid - 30, valid):
        found = sample(NAME, n, "from-agents", {"most_rows": 2})
        assert (len(found.dataset), found.missing, found.failed) == (n, 0, 0)


def test_a_mix_of_agents_goes_where_searches_go_and_says_who_found_what() -> None:
    found = sample(NAME, 400, "from-agents", seed=5)
    data = found.dataset
    assert dict(found.shares) == dict.fromkeys(MIX, 100)
    assert set(data.run) >= {f"{agent} seed 5" for agent in MIX}
    assert all(str(run).startswith(str(agent)) for run, agent in zip(data.run, data.agent, strict=True))
    assert data.sources == ("from-agents, n=400, seed=5",)
    found = sample("SystolicArray", 800, "from-agents").dataset
    typical = {agent: np.median(found.metrics["latency_s"][found.agent == agent]) for agent in MIX}
    assert typical["genetic"] < 0.8 * typical["random"]
    assert typical["local_search"] < 0.8 * typical["random"]


def test_agents_that_the_space_is_not_for_leave_their_share_to_the_others(monkeypatch) -> None:
    from designgym.agents.genetic import Genetic

    def refuse(self, problem, rng, **hyperparameters) -> None:
        raise ValueError("genetic needs another space, got this one. Use random.")

    monkeypatch.setattr(Genetic, "__init__", refuse)
    found = sample(NAME, 300, "from-agents")
    assert found.refused == {"genetic": "genetic needs another space, got this one. Use random."}
    assert dict(found.shares) == {"random": 100, "local_search": 100, "simulated_annealing": 100}


def test_failed_designs_are_left_out_and_the_slow_model_runs_in_threads() -> None:
    found = sample(NAME, 200, "sobol", {"slow": True, "fails": 5}, slowly=Slowly(3))
    assert found.failed > 0
    assert len(found.dataset) + found.failed == 200
    assert not (found.dataset.designs["rows"] == 5).any()
    assert CALLS == [1] * 200
    CALLS.clear()
    assert_true(found.dataset)
    quick = sample(NAME, 200, "sobol", {"fails": 5}).dataset
    assert ranks(quick) == ranks(found.dataset), "workers and threads change no row and no order"
    again = sample(NAME, 60, "from-agents", {"slow": True, "fails": 5}, slowly=Slowly(2))
    assert len(again.dataset) == 60
    assert_true(again.dataset)


def test_a_slow_model_that_raises_says_why(monkeypatch) -> None:
    from small_problem import SlowSmallModel

    real = SmallModel.evaluate

    def falls(self, designs):
        if designs["rows"][0] % 2:
            raise ArithmeticError("odd rows cannot be simulated")
        return real(self, designs)

    monkeypatch.setattr(SlowSmallModel, "evaluate", falls)
    said: list[str] = []
    slowly = Slowly(failed=lambda number, why: said.append(why.reason))
    found = sample(NAME, 50, "random", {"slow": True}, slowly=slowly)
    assert len(said) == found.failed > 0
    assert set(said) == {"ArithmeticError: odd rows cannot be simulated"}
    assert (found.dataset.designs["rows"] % 2 == 0).all()


def test_progress_counts_to_the_end() -> None:
    for how in ("sobol", "from-agents"):
        heard: list[tuple[int, int]] = []
        n = 1500 if how == "sobol" else 200
        sample(NAME, n, how, slowly=Slowly(heard=lambda done, total, heard=heard: heard.append((done, total))))
        assert heard[-1] == (n, n)
        assert len(heard) > 1


def test_options_are_recorded_and_bad_ones_refused() -> None:
    data = sample(NAME, 20, "random", {"workload": "b", "objective": "area_mm2"}).dataset
    origin = data.origins[0]
    assert (origin.label, origin.options["workload"]) == (f"{NAME}(workload=b)", "b")
    assert "objective" not in origin.options
    assert origin.objective["minimize"] == ["area_mm2"]
    assert_true(data, replace(SmallModel(), workload="b"))
    for keys, said in (
        ({"how": "grid"}, "--how must be one of sobol, random, from-agents, got 'grid'"),
        ({"n": 0}, "-n must be at least 1, got 0"),
        ({"seed": -1}, "--seed must be at least 0, got -1"),
        ({"slowly": Slowly(0)}, "--workers must be at least 1, got 0"),
        ({"options": {"cost_model": "dataset:data/"}}, "designs must be priced anew"),
    ):
        with pytest.raises(ValueError, match=said):
            sample(NAME, **{"n": 10, **keys})
