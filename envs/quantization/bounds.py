"""The objective that compressed networks have in common: the cheapest one that is still about as good as the whole."""

from designgym.envs.objective import Objective

DROP = 0.01  # of accuracy, or of r2, that compression may take


def cheapest(cost: str, drop: float, quality: str = "accuracy") -> Objective:
    """Return the least `cost` at a quality of at most `drop` below the float network's. ValueError beyond [0, 1)."""
    if not 0 <= drop < 1:
        raise ValueError(f"drop must be in [0, 1), got {drop}. Choose .01, say.")
    return Objective(minimize=(cost,), subject_to=(f"{quality}_drop <= {float(drop)!r}",))
