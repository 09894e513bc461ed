"""Who beats the best fixed policy, in words: one objective or several, constraints, instances that come to nothing."""

from typing import Any

from designgym.experiments.evaluation_words import heading, interval, rule, verdicts

SAME = [0.0, -0.01, 0.01]


def entry_of(names: dict[str, list[Any]], feasible: list[float], meets: int = 2, **objective: Any) -> dict[str, Any]:
    less = {name: {"pairs": 1.0, "difference": three, "ratio": [0.5, 0.4, 0.6]} for name, three in names.items()}
    arm = {
        "kind": "policy", "label": "ppo", "policies": 2, "meets": meets, "feasible": [0.9, 0.8, 1.0],
        "less_fixed": {"metrics": less, "feasible": feasible, "returns": [3.0, 1.0, 5.0]},
    }  # fmt: skip
    wanted = {"minimize": list(names), "maximize": [], "subject_to": []} | objective
    return {"objective": wanted, "metrics": [{"name": name, "unit": "1"} for name in names], "arms": [arm]}


def told(
    difference: list[Any], feasible: list[float], meets: int = 2, maximize: bool = False, constraint: str = ""
) -> str:
    objective: dict[str, Any] = {"subject_to": [constraint]} if constraint else {}
    if maximize:
        objective |= {"minimize": [], "maximize": ["cost"]}
    (line,) = verdicts(entry_of({"cost": difference}, feasible, meets, **objective))
    return line


def test_a_policy_beats_the_fixed_one_only_where_nothing_is_broken() -> None:
    lower = [-2.0, -3.0, -1.0]
    assert told(lower, SAME).startswith("ppo beats the best fixed policy: its mean cost is lower than that one's, -2 [")
    assert "does not beat" in told([-2.0, -3.0, 1.0], SAME)
    assert "not to be told apart" in told([-2.0, -3.0, 1.0], SAME)
    assert "does not beat" in told(lower, [-0.2, -0.3, -0.1]), "it gives up where the other does not"
    assert "ppo beats" in told(lower, SAME, constraint="kept >= 0.9")
    assert "does not beat" in told(lower, SAME, meets=1, constraint="kept >= 0.9")
    assert "kept >= 0.9 holds in the mean over them with 1 of its 2 policies" in told(
        lower, SAME, meets=1, constraint="kept >= 0.9"
    )
    assert "does not beat" in told(lower, SAME, maximize=True)
    assert "ppo beats" in told([2000.4, 1000.2, 3000.0], SAME, maximize=True)
    assert "+2,000 [+1,000, +3,000]" in told([2000.4, 1000.2, 3000.0], SAME, maximize=True)


def test_where_no_pair_came_to_anything_nothing_is_won() -> None:
    line = told([None, None, None], [-0.9, -0.95, -0.8])
    assert line.startswith("ppo does not beat the best fixed policy: no instance came to something with both; 90.0 %")
    assert interval("–", "–") == ""
    assert interval("1 s", "2 s") == "[1 s, 2 s]"


def test_a_policy_that_may_give_up_on_many_more_instances_does_not_win() -> None:
    lower = [-2.0, -3.0, -1.0]
    assert "ppo beats" in told(lower, [-0.01, -0.02, 0.0])
    line = told(lower, [-0.10, -0.21, 0.01])
    assert "does not beat" in line
    assert "[-21.0, +1.0]: too many fewer may be feasible" in line
    assert "at least -2 points" in rule(entry_of({"cost": lower}, SAME))
    assert "points" not in rule(entry_of({"cost": lower}, SAME, subject_to=["kept >= 0.9"]))


def test_of_several_objectives_none_may_be_worse() -> None:
    lower, higher, neither = [-2.0, -3.0, -1.0], [2.0, 1.0, 3.0], [1.0, -1.0, 3.0]

    def line(error: list[float], work: list[float]) -> str:
        (told,) = verdicts(entry_of({"error": error, "work": work}, SAME))
        return told

    assert line(lower, neither).startswith("ppo beats the best fixed policy: its mean error is lower")
    assert "its mean work is not to be told apart" in line(lower, neither)
    assert "its mean return is higher than that one's, +3 [+1, +5]" in line(lower, neither)
    mixed = "ppo neither beats the best fixed policy nor is beaten, better in error, worse in work: "
    assert line(lower, higher).startswith(mixed)
    assert line(neither, neither).startswith("ppo does not beat")
    assert line(neither, higher).startswith("ppo does not beat")
    assert "worse in none" in rule(entry_of({"error": lower, "work": lower}, SAME))


def test_one_of_a_kind_is_one() -> None:
    given = {"env": "Lanes-v0", "options": {}, "episodes": 1, "count": 40, "instances": "held-out", "trial": "step"}
    assert heading(given) == "Lanes-v0: 40 instances in 1 sequence, held-out instances"
    assert heading({**given, "trial": "episode"}) == "Lanes-v0: 1 episode, held-out instances"
