"""Fixtures that tests of several layers share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Before torch is imported: its threads spin while they wait, and where something else has a core, a Gaussian process of
# forty trials takes minutes in place of seconds.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import pytest

from designgym.cost_models import registry as cost_models
from designgym.cost_models.simulators.installed import (
    SCALESIM,
    STATE_VARIABLE,
    condition,
    environment_directory,
    state_directory,
)
from designgym.envs import registry as problems

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = ("__pycache__", ".ipynb_checkpoints", "*.egg-info", "build")

OWN_STATE = state_directory()  # of whoever runs the tests

# The files that take longest come first, so that no worker of a parallel run is left alone with one at the end; those
# that share a Ray come one after another.
FIRST = (
    "cost_models/test_contract.py",
    "experiments/test_faults_cluster.py",
    "test_tutorial.py",
    "agents/test_contract.py",
    "experiments/test_resume.py",
    "experiments/test_slow_sweep.py",
    "experiments/test_retry_failed.py",
    "experiments/test_checkpoints_sweeps.py",
    "experiments/test_lottery.py",
    "experiments/test_faults_files.py",
    "experiments/test_training.py",
    "experiments/test_evaluation_command.py",
    "experiments/test_driver.py",
    "experiments/test_bench_agents.py",
    "experiments/test_bench_diffusion.py",
    "experiments/test_bench_mixed_precision.py",
    "experiments/test_ray_workers.py",
    "experiments/test_played.py",
    "experiments/test_interrupts.py",
    "experiments/test_faults_killed.py",
    "experiments/test_report_look.py",
    "experiments/test_new.py",
    "test_plugin.py",
)

collect_ignore = ["plugin_example"]  # a distribution of its own: test_plugin.py runs its tests where it is installed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {ROOT / "tests" / name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(FIRST)))


@pytest.fixture(scope="session", autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and the processes that they start, sign with a key of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def scalesim(_own_key: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the real SCALE-Sim is installed: the user's own, else one that all workers of this run share.

    Without a package index that pip reaches there is none, and what needs it fails with pip's words.
    """
    from designgym.experiments.simulators import install

    here = environment_directory(SCALESIM)
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "simulators-of-all-workers"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(OWN_STATE))
        if condition(SCALESIM) != "ready":
            patch.setenv(STATE_VARIABLE, str(shared))
        made = install(SCALESIM)  # the first worker installs, the others wait for it
    here.parent.mkdir(parents=True, exist_ok=True)
    here.symlink_to(made)
    return here


@pytest.fixture(scope="session")
def build_wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return what builds the wheel of a distribution's folder."""
    try:
        here = int(version("setuptools").split(".")[0]) >= 77  # what our build-system asks for
    except PackageNotFoundError:
        here = False

    def build(source: Path) -> Path:
        out = tmp_path_factory.mktemp("wheel")
        # The environment that runs the tests builds too, if it has setuptools: then nothing is downloaded.
        options = ["--no-isolation"] if here else []
        command = [sys.executable, "-m", "build", "--wheel", *options, "--outdir", str(out), str(source)]
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
        (wheel,) = out.glob("*.whl")
        return wheel

    return build


@pytest.fixture(scope="session")
def project_wheel(build_wheel: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build this project's wheel from a copy, so that nothing of an earlier build gets in."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for layer in ("cost_models", "envs", "agents", "experiments"):
        shutil.copytree(ROOT / layer, source / layer, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    return build_wheel(source)


@pytest.fixture
def registrations_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is gone after it: other tests list all problems and cost models there are."""
    for known in (problems._PROBLEMS, cost_models._COST_MODELS):
        monkeypatch.setattr(known, "_entry_points", dict(known._entry_points))
    before = dict(gymnasium.registry)
    yield
    gymnasium.registry.clear()
    gymnasium.registry.update(before)
