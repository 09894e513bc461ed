"""What tests share: a browser, a sweep with its report made once, and one Ray for all sweeps."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from chromium import HOW_TO_GET_ONE, Chromium, find_chromium
from report_pages import PROBLEMS, SMALL, START
from small_sweep import log_sweep

from designgym.experiments.cluster import cluster
from designgym.experiments.report import write_report

SHARED_RAY = ExitStack()  # ends with the last of neighbouring modules whose tests use it


@pytest.fixture(scope="module")
def ray() -> None:
    """A Ray for two runs at a time that every sweep joins: one of its own would take ten seconds of a core to start."""
    import ray

    if not ray.is_initialized():
        SHARED_RAY.enter_context(cluster(None, 2))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """End Ray where the next module does without: idle, it takes a twentieth of a core."""
    yield
    if nextitem is not None and nextitem.path == item.path:
        return
    following = [one for one in item.session.items if nextitem is not None and one.path == nextitem.path]
    if not any("ray" in getattr(one, "fixturenames", ()) for one in following):
        SHARED_RAY.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    executable = find_chromium()
    if executable is None:
        if os.environ.get("DESIGNGYM_REQUIRE_CHROMIUM") == "1":
            pytest.fail(HOW_TO_GET_ONE)
        pytest.skip(HOW_TO_GET_ONE)
    with Chromium(executable) as browser:
        yield browser


@pytest.fixture(scope="session")
def report_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two problems, one and two objectives, a present design, three agents and four seeds."""
    agents = ["random", "genetic", "local_search"]
    given = SMALL | {"problems": PROBLEMS, "agents": agents, "seeds": 4, "budget": 120, "start": [START]}
    return log_sweep(tmp_path_factory.mktemp("sweep") / "small", given)


@pytest.fixture(scope="session")
def report_page(report_sweep: Path) -> Path:
    return write_report(report_sweep)
