"""The three Gymnasium faces: what they observe, what they tell, and that they agree."""

from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import pytest
import sample_problems
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from designgym.cost_models.base import Columns, Metric
from designgym.envs import (
    BudgetSpent,
    Categorical,
    DesignEnv,
    DesignProblem,
    DesignSpace,
    DesignVectorEnv,
    Float,
    Integer,
    MeteredProblem,
    Objective,
    Ordinal,
    Permutation,
    StepwiseDesignEnv,
    Subset,
)
from designgym.envs.choices import Choices, PartialDesign


@dataclass(frozen=True)
class Given:
    """Returns what it is told to, and counts its calls."""

    metrics: tuple[Metric, ...]
    answer: dict[str, float]
    calls: list[int] = field(default_factory=list)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        n = len(next(iter(designs.values())))
        self.calls.append(n)
        return {name: np.full(n, float(value)) for name, value in self.answer.items()}


def given(**answer: float) -> Given:
    metrics = tuple(Metric(name, "1", "lower", name) for name in answer)
    return Given(metrics, {"violation": 0.0, **answer})


def small(answer: dict[str, float], objective: Objective, **space: Any) -> DesignProblem:
    parameters = Integer("x", 0, 3), Categorical("c", ("a", "b"))
    return DesignProblem(DesignSpace(*parameters, **space), given(**answer), objective)


class TestDesignEnv:
    def test_observes_the_last_design_and_its_losses(self) -> None:
        env = DesignEnv(small({"p": 3.0, "q": 4.0}, Objective("p", "q")), horizon=2)
        assert env.action_space == gymnasium.spaces.MultiDiscrete([4, 2])
        assert env.reset()[0].tolist() == [0.0] * 4
        observation, reward, terminated, truncated, info = env.step(np.array([1, 1]))
        assert observation.tolist() == [1.5 / 4, 1.5 / 2, 3.0 / 4, -4.0 / 5]
        assert reward == np.log(4.0) - np.log(3.0)
        assert (terminated, truncated) == (False, False)
        assert info["design"] == {"x": 1, "c": 1}
        assert info["metrics"] == {"p": 3.0, "q": 4.0}
        assert info["losses"].tolist() == [3.0, -4.0]
        assert (info["violation"], info["feasible"]) == (0.0, True)
        assert "reason" not in info
        assert env.step(np.array([0, 0]))[2]
        assert env.reset()[0].tolist() == [0.0] * 4

    @pytest.mark.parametrize(("loss", "seen"), [(np.nan, 1.0), (np.inf, 1.0), (-np.inf, -1.0), (1e300, 1.0)])
    def test_losses_without_end_are_observed_at_the_ends(self, loss: float, seen: float) -> None:
        problem = small({"p": loss, "violation": 2.0}, Objective("p"))
        assert DesignEnv(problem).step(np.array([0, 0]))[0][-1] == seen

    def test_a_metric_without_value_is_left_out(self) -> None:
        problem = small({"p": np.nan, "q": 1.0, "violation": 2.0}, Objective("p"))
        info = DesignEnv(problem).step(np.array([0, 0]))[4]
        assert info["metrics"] == {"q": 1.0}
        assert info["losses"].tolist() == [np.inf]

    def test_what_an_idle_parameter_gets_is_ignored(self) -> None:
        env = DesignEnv(sample_problems.schedule())
        flat = np.array([0, 0, 0, 0, 0, 1, 2])  # loop is flat: tile, depth and order do not matter
        other = flat + np.array([0, 2, 1, 2, 1, 0, 0])
        first, second = env.step(flat), env.step(other)
        assert data_equivalence(first, second, exact=True)
        assert first[4]["design"]["tile"] == 5

    @pytest.mark.parametrize("action", [[4, 0], [-1, 0], [0, 2]])
    def test_refuses_an_index_outside_its_range(self, action: list[int]) -> None:
        with pytest.raises(ValueError, match=r"action\[[01]\] must be in \[0, [13]\], got"):
            DesignEnv(small({"p": 1.0}, Objective("p"))).step(np.array(action))

    def test_refuses_an_action_of_another_shape_or_kind(self) -> None:
        env = DesignEnv(small({"p": 1.0}, Objective("p")))
        with pytest.raises(ValueError, match=r"must hold 2 numbers, got shape \(3,\)"):
            env.step(np.array([0, 0, 0]))
        with pytest.raises(ValueError, match="of integers, each an index, got float64"):
            env.step(np.array([0.0, 1.0]))

    def test_with_a_float_takes_the_whole_closed_cube(self) -> None:
        env = DesignEnv(sample_problems.circuit())
        assert env.action_space == gymnasium.spaces.Box(0.0, 1.0, (4,), np.float64)
        info = env.step(np.array([1.0, 1.0, 0.0, 0.0], np.float32))[4]
        assert info["design"]["stages"] == 3
        assert info["design"]["volts"] == pytest.approx(1.2, rel=1e-15)
        for wrong in (1.5, np.nan, -0.1):
            with pytest.raises(ValueError, match=r"actions must lie in \[0, 1\]"):
                env.step(np.array([wrong, 0.5, 0.5, 0.5]))

    def test_a_horizon_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="horizon must be at least 1 design, got 0"):
            DesignEnv(small({"p": 1.0}, Objective("p")), horizon=0)

    def test_spends_the_budget_of_a_metered_problem(self) -> None:
        metered = MeteredProblem(small({"p": 1.0}, Objective("p")), budget=2)
        env = DesignEnv(metered)
        for action in ([0, 0], [0, 1], [0, 0]):
            env.step(np.array(action))
        with pytest.raises(BudgetSpent):
            env.step(np.array([1, 1]))


def reason(problem: DesignProblem, *action: int) -> str:
    info = DesignEnv(problem).step(np.array(action))[4]
    assert not info["feasible"]
    return str(info["reason"])


def no_ones(designs: Columns) -> Any:
    return designs["x"] != 1


class TestReason:
    def test_names_a_broken_constraint_of_the_objective_with_its_value(self) -> None:
        problem = small({"p": 3.0, "area_mm2": 12.5}, Objective("p", subject_to=("area_mm2 <= 10", "p <= 5")))
        assert reason(problem, 0, 0) == "area_mm2 <= 10 does not hold for area_mm2 = 12.5"

    def test_names_broken_constraints_of_the_space(self) -> None:
        problem = small({"p": 3.0}, Objective("p"), constraints=("x + 2 * x <= 2", no_ones))
        assert reason(problem, 1, 0) == "x + 2 * x <= 2 does not hold for x = 1; no_ones does not hold"

    def test_asks_a_cost_model_that_explains(self) -> None:
        problem = sample_problems.array()
        assert reason(problem, 63, 0, 0, 0, 0, 3) == "256 rows must be clocked below 7.8125e+08 Hz"
        both = reason(problem, 63, 63, 0, 0, 0, 3)
        assert both.startswith("256 rows must be clocked below")
        assert both.endswith("; area_mm2 <= 20 does not hold for area_mm2 = 65.668")

    def test_says_that_a_model_which_does_not_explain_reports_a_violation(self) -> None:
        problem = small({"p": 30.0, "violation": 0.25}, Objective("p", subject_to=("p <= 10",)))
        assert reason(problem, 0, 0) == ("the cost model reports a violation of 0.25; p <= 10 does not hold for p = 30")

    def test_says_that_an_evaluation_failed(self) -> None:
        problem = small({"p": np.nan, "violation": np.inf}, Objective("p", subject_to=("p <= 10",)))
        assert reason(problem, 0, 0) == "the evaluation failed"


def without_reasons(infos: dict[str, Any]) -> dict[str, Any]:
    infos = {key: value for key, value in infos.items() if key not in ("reason", "_reason")}
    if "final_info" in infos:
        infos["final_info"] = without_reasons(infos["final_info"])
    return infos


class TestDesignVectorEnv:
    @pytest.mark.parametrize("horizon", [1, 3])
    def test_equals_gymnasiums_own_vector_environment(self, horizon: int) -> None:
        problem = sample_problems.array()
        ours = DesignVectorEnv(problem, 16, horizon)
        theirs = SyncVectorEnv([lambda: DesignEnv(problem, horizon)] * 16, autoreset_mode=AutoresetMode.SAME_STEP)
        assert ours.action_space == theirs.action_space
        assert ours.observation_space == theirs.observation_space
        assert data_equivalence(ours.reset(seed=3), theirs.reset(seed=3), exact=True)
        ours.action_space.seed(5)
        for _ in range(7):
            actions = ours.action_space.sample()
            first, second = ours.step(actions), theirs.step(actions)
            assert data_equivalence(first, (*second[:4], without_reasons(second[4])), exact=True)

    def test_prices_all_copies_in_one_call(self) -> None:
        problem = small({"p": 1.0}, Objective("p"))
        env = DesignVectorEnv(problem, 50)
        env.reset()
        for _ in range(3):
            env.step(env.action_space.sample())
        assert problem.cost_model.calls == [50, 50, 50]

    def test_what_it_tells_is_not_the_action_itself(self) -> None:
        env = DesignVectorEnv(small({"p": 1.0}, Objective("p")), 2)
        actions = np.array([[1, 0], [2, 1]])
        infos = env.step(actions)[4]["final_info"]
        actions[:] = 0
        assert infos["design"]["c"].tolist() == [0, 1]

    def test_a_metric_without_value_is_masked(self) -> None:
        problem = small({"p": 1.0}, Objective("p"), constraints=("x >= 2",))
        told = DesignVectorEnv(problem, 2).step(np.array([[1, 0], [2, 0]]))[4]["final_info"]
        assert told["metrics"]["_p"].tolist() == [False, True]
        assert told["losses"].tolist() == [[np.inf], [1.0]]

    def test_refuses_a_wrong_number_of_actions(self) -> None:
        with pytest.raises(ValueError, match=r"one for each of 3 copies, got shape \(2, 2\)"):
            DesignVectorEnv(small({"p": 1.0}, Objective("p")), 3).step(np.zeros((2, 2), int))


def mixed() -> DesignProblem:
    space = DesignSpace(
        Categorical("kind", ("plain", "ordered")),
        Permutation("order", ("m", "n", "k"), when=("kind", {"ordered"})),
        Subset("banks", 4, 2),
        Ordinal("size", (1, 2)),
    )
    return DesignProblem(space, given(p=2.0), Objective("p"))


def open_choices(env: StepwiseDesignEnv) -> list[int]:
    return np.flatnonzero(env.action_masks()).tolist()


class TestStepwiseDesignEnv:
    def test_chooses_one_thing_after_another(self) -> None:
        env = StepwiseDesignEnv(mixed())
        assert env.action_space == gymnasium.spaces.Discrete(4)
        assert env.reset()[1]["action_mask"].tolist() == [1, 1, 0, 0]
        seen = []
        for action in (1, 2, 0, 1, 3, 0):  # ordered; k, m (then n); members 1 and 3; size 1
            seen.append(open_choices(env))
            observation, reward, terminated, _, info = env.step(action)
        assert seen == [[0, 1], [0, 1, 2], [0, 1], [0, 1, 2], [2, 3], [0, 1]]
        assert terminated
        assert reward == -np.log(2.0)
        assert env.problem.space.describe({k: np.array([v]) for k, v in info["design"].items()}) == {
            "kind": ["ordered"], "order": ["k,m,n"], "banks_0": [1], "banks_1": [3], "size": [1],
        }  # fmt: skip
        assert observation.tolist() == [0.75, 2.5 / 3, 0.25, 1.5 / 4, 2.5 / 3, 0.25, *[0.0] * 6, 2.0 / 3]

    def test_skips_idle_parameters(self) -> None:
        env = StepwiseDesignEnv(mixed())
        env.reset()
        observation, reward, terminated, _, _ = env.step(0)
        assert open_choices(env) == [0, 1, 2]  # the subset's first member: the order is idle
        # The digits settled are kind's and the idle order's default; the next choice is the fourth.
        assert observation.tolist() == [0.25, 0.5 / 3, 0.25, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
        assert (reward, terminated) == (0.0, False)
        steps = [env.step(action)[2] for action in (0, 3, 1)]
        assert steps == [False, False, True]

    def test_a_masked_choice_ends_in_a_violation(self) -> None:
        env = StepwiseDesignEnv(mixed())
        env.reset()
        env.step(0)
        observation, reward, terminated, _, info = env.step(3)
        assert terminated
        assert (info["violation"], info["feasible"]) == (1.0, False)
        assert info["reason"] == "banks cannot be 3 here, but 0, 1, 2"
        assert reward == -150.0
        assert observation[-1] == 1.0
        assert env.problem.cost_model.calls == []
        with pytest.raises(gymnasium.error.ResetNeeded, match="Call reset"):
            env.step(0)

    def test_a_path_that_breaks_a_constraint_ends_in_that_violation(self) -> None:
        problem = sample_problems.schedule()
        env = StepwiseDesignEnv(problem)
        for action in (0, 3, 4):  # flat, banks 3 and 4: tile is idle at 5, and 5 + 3 is even
            env.reset() if action == 0 else None
            result = env.step(action)
        assert result[4]["feasible"]
        env.reset()
        for action in (0, 2, 4):
            result = env.step(action)
        assert result[2]
        assert result[4]["violation"] == 1.0
        assert result[4]["reason"] == "even_sum does not hold"
        assert result[1] == problem.objective.floor * 1.5

    def test_needs_bins_for_a_float(self) -> None:
        with pytest.raises(ValueError, match=r"volts, width, bias must be cut into bins, got bins=None. Give bins=16"):
            StepwiseDesignEnv(sample_problems.circuit())

    def test_a_bin_stands_for_its_middle(self) -> None:
        problem = DesignProblem(
            DesignSpace(Float("x", 0.0, 8.0), Float("y", 1.0, 16.0, log=True)), given(p=1.0), Objective("p")
        )
        env = StepwiseDesignEnv(problem, bins=4)
        env.reset()
        env.step(1)
        design = env.step(3)[4]["design"]
        assert design["x"] == pytest.approx(3.0)
        assert design["y"] == pytest.approx(2**3.5)
        assert env.actions_of({name: np.array([value]) for name, value in design.items()}) == [1, 3]

    def test_refuses_an_action_that_does_not_exist(self) -> None:
        env = StepwiseDesignEnv(mixed())
        env.reset()
        with pytest.raises(ValueError, match=r"must be in \[0, 3\], got 4"):
            env.step(4)


class TestPartialDesign:
    def test_is_completed_as_another_design_where_that_is_open(self) -> None:
        choices, rng = Choices(mixed().space), np.random.default_rng(0)
        other = mixed().space.parse({"kind": "ordered", "order": "k,m,n", "banks": (1, 3), "size": 2})
        chosen = choices.of(other)
        assert chosen == [1, 2, 0, 1, 3, 1]
        partial = PartialDesign(choices)
        for value in (1, 0):  # ordered; m first, so that k and n are left, in the other's order
            partial.settle(value)
        whole = partial.copy()
        whole.complete(chosen, rng)
        assert (whole.next, whole.mask().tolist(), whole.chosen) == (None, [], [1, 0, 2, 1, 3, 1])
        design = choices.designs([whole])
        assert mixed().space.describe(design)["order"] == ["m,k,n"]
        assert partial.chosen == [1, 0]

    def test_an_item_changes_places_with_the_one_that_stood_there(self) -> None:
        space = DesignSpace(Permutation("order", tuple("abcde")))
        partial = PartialDesign(choices := Choices(space))
        partial.settle(3)
        partial.complete([0, 1, 2, 3], np.random.default_rng(0))
        assert space.describe(choices.designs([partial]))["order"] == ["d,b,c,a,e"]

    def test_skips_idle_parameters_at_their_defaults(self) -> None:
        choices = Choices(mixed().space)
        partial = PartialDesign(choices)
        partial.settle(0)
        assert partial.next is not None
        assert (partial.next.parameter.name, partial.chosen) == ("banks", [0, 0, 1])

    def test_is_completed_at_random_where_nothing_is_wished(self) -> None:
        problem, rng = mixed(), np.random.default_rng(0)
        choices = Choices(problem.space)
        drawn = []
        for _ in range(2000):
            drawn.append(PartialDesign(choices))
            drawn[-1].complete([None] * 6, rng)
        designs = choices.designs(drawn)
        assert problem.space.contains(designs).all()
        assert len(set(problem.space.rank(designs).tolist())) == problem.space.size
        for row in range(20):
            one = {name: column[row : row + 1] for name, column in designs.items()}
            assert choices.of(one) == drawn[row].chosen
