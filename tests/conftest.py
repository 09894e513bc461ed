"""Fixtures that tests of several layers share."""

from collections.abc import Iterator

import gymnasium
import pytest

from designgym.cost_models import registry as cost_models
from designgym.envs import registry as problems


@pytest.fixture
def registrations_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is gone after it: other tests list all problems and cost models there are."""
    for known in (problems._PROBLEMS, cost_models._COST_MODELS):
        monkeypatch.setattr(known, "_entry_points", dict(known._entry_points))
    before = dict(gymnasium.registry)
    yield
    gymnasium.registry.clear()
    gymnasium.registry.update(before)
