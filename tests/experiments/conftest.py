"""What tests share: a browser, a sweep with its report made once, and one Ray for all sweeps of a module."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import HOW_TO_GET_ONE, Chromium, find_chromium
from report_pages import PROBLEMS, SMALL, START
from small_sweep import log_sweep

from designgym.experiments.cluster import cluster
from designgym.experiments.report import write_report


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """A Ray that every sweep of a module joins: each would take most of its time to start one of its own."""
    with cluster(None, 2):
        yield


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
