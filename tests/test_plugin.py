"""A plug-in from another distribution, as its user has it: both wheels in a clean environment, listed, swept."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from user_environment import Environment, write_plugin

EXAMPLE = Path(__file__).parent / "plugin_example"
PIECES = ("cost_model.py", "environment.py", "agent.py")
SWEEP = """
name: chips
problems: [{id: MulticoreChip-v0, options: {parallel_fraction: 0.9}}]
agents: [one_plus_one, random]
seeds: 2
budget: 60
"""


@pytest.fixture(scope="module")
def environment(
    project_wheel: Path, build_wheel: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    source = tmp_path_factory.mktemp("example") / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    return Environment(tmp_path_factory.mktemp("user"), project_wheel, build_wheel(source))


def test_each_piece_is_under_sixty_lines() -> None:
    lines = {name: len((EXAMPLE / "multicore_chip" / name).read_text().splitlines()) for name in PIECES}
    assert max(lines.values()) < 60, lines


def test_designgym_comes_from_its_wheel(environment: Environment) -> None:
    found = environment.run(
        environment.python,
        "-c",
        "import designgym.envs, multicore_chip as m; print(designgym.envs.__file__, m.__file__)",
    )
    assert all(path.startswith(str(environment.site)) for path in found.split()), found


def test_its_pieces_are_listed_and_shown(environment: Environment) -> None:
    listed = json.loads(environment.designgym("list", "--json"))
    assert "MulticoreChip-v0" in [problem["id"] for problem in listed["problems"]]
    assert "one_plus_one" in [agent["name"] for agent in listed["agents"]]
    assert "MulticoreChip" in listed["cost_models"]
    assert listed["plugin_failures"] == []
    assert "over one base core" in environment.designgym("show", "MulticoreChip-v0")


def test_a_sweep_over_it_runs(environment: Environment) -> None:
    (environment.folder / "chips.yaml").write_text(SWEEP)
    environment.designgym("sweep", "chips.yaml", "--workers", 2)
    states = environment.run(
        environment.python,
        "-c",
        "from designgym.experiments import load_sweep\n"
        "print(*(f'{r.agent} {r.state} {r.trials}' for r in load_sweep('runs/chips').runs), sep='\\n')",
    )
    assert sorted(states.splitlines()) == ["one_plus_one finished 60"] * 2 + ["random finished 60"] * 2
    assert "MulticoreChip" in (environment.folder / "runs" / "chips" / "report.html").read_text()


def test_it_passes_the_contract_suites_there(environment: Environment) -> None:
    shutil.copytree(EXAMPLE / "tests", environment.folder / "tests")
    told = environment.run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert "6 passed" in told


TAKEN = """
from designgym.agents import register_agent
from designgym.cost_models import register_cost_model
from designgym.envs import register_problem
register_agent("bandit", "{0}:Bandit")
register_cost_model("Bandits", "{0}:Bandits", validate="{0}:validate")
register_problem("Bandits-v0", "{0}:bandits")
register_{1}("{2}", "{0}:Other")
"""


def test_plugins_that_collide_or_need_another_version_are_named_and_left_out(environment: Environment) -> None:
    write_plugin(environment.site, "takes-ours", "takes_ours", TAKEN.format("takes_ours", "problem", "LABS-v0"))
    write_plugin(environment.site, "takes-stepwise", "takes_stepwise",
                 TAKEN.format("takes_stepwise", "problem", "LABSStepwise-v0"))  # fmt: skip
    write_plugin(environment.site, "takes-theirs", "zz_takes_theirs",
                 TAKEN.format("zz_takes_theirs", "agent", "one_plus_one"))  # fmt: skip
    write_plugin(environment.site, "from-tomorrow", "from_tomorrow", "raise SystemExit('never imported')",
                 "designgym>=99.1,<100")  # fmt: skip
    write_plugin(environment.site, "of-an-extra", "of_an_extra", "", "designgym>=99; extra == 'new'")
    listed = json.loads(environment.designgym("list", "--json"))
    assert {"MulticoreChip-v0", "LABS-v0"} <= {problem["id"] for problem in listed["problems"]}
    assert "one_plus_one" in [agent["name"] for agent in listed["agents"]]
    # What they registered before they failed is gone too.
    assert "bandit" not in json.dumps([listed["problems"], listed["agents"], listed["cost_models"]]).lower()
    version = environment.run(
        environment.python, "-c", "from importlib.metadata import version as v; print(v('designgym'))"
    )
    assert listed["plugin_failures"] == [
        "plug-in 'from_tomorrow' (from_tomorrow, from from-tomorrow) could not be loaded: it needs "
        f"designgym<100,>=99.1, got {version.strip()}. Install such a designgym, or uninstall from-tomorrow.",
        "plug-in 'takes_ours' (takes_ours, from takes-ours) could not be loaded: ValueError: problem 'LABS-v0' must be "
        "registered once, got takes_ours:Other while it is designgym.envs.landscapes.labs:labs already. Choose another "
        "name. Mend it, or uninstall takes-ours.",
        "plug-in 'takes_stepwise' (takes_stepwise, from takes-stepwise) could not be loaded: ValueError: problem "
        "'LABSStepwise-v0': Gymnasium must not know its environments yet, got designgym/LABSStepwise-v0 already. "
        "Choose another id. Mend it, or uninstall takes-stepwise.",
        "plug-in 'zz_takes_theirs' (zz_takes_theirs, from takes-theirs) could not be loaded: ValueError: agent "
        "'one_plus_one' must be registered once, got zz_takes_theirs:Other while it is multicore_chip.agent:OnePlusOne "
        "already. Choose another name. Mend it, or uninstall takes-theirs.",
    ]
    left = environment.run(
        environment.python,
        "-c",
        "import gymnasium\nfrom designgym.cost_models import load_plugins, registry\nload_plugins()\n"
        "import designgym.envs\nprint([i for i in gymnasium.registry if 'Bandit' in i], registry._VALIDATORS.keys())",
    )
    assert "Bandits" not in left
