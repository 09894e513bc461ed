"""What agents have in common that may be stopped and go on: they rest, and they pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class Resting:
    """An agent that may be taken up again from a pickle of itself.

    checkpoints: whether it may. Then it calls `rest` wherever its pickle holds all that it takes to go on: its meter
    with what is spent and running, and the state of every generator that it draws from. `at_rest`, where one is set, is
    called with it there, and stays behind in a pickle, as what listens to a meter does: set them again on what is
    loaded, and let it search. Its trials are then those of a run that was never stopped.

    keeps_policy: whether what it has learned outlives the run, as `policy_files`.
    """

    checkpoints: ClassVar[bool] = False
    keeps_policy: ClassVar[bool] = False
    at_rest: Callable[[Any], None] | None = None

    def rest(self) -> None:
        """Let whoever keeps checkpoints make one."""
        if self.at_rest is not None:
            self.at_rest(self)

    def policy_files(self) -> dict[str, bytes]:
        """Return the files of the policy as it stands, by name. ValueError for an agent that keeps none."""
        raise ValueError(f"{type(self).__name__} keeps no policy: what it learns is of use to its run alone.")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "at_rest"}
