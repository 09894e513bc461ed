"""Pictures of three bodies: orbits, steps along them, error against evaluations."""

import numpy as np

from designgym.cost_models.picture_checks import check_pictures
from designgym.cost_models.solver_schedule.three_body import ThreeBody
from designgym.cost_models.solver_schedule.three_body_pictures import nearest_policy

DESIGNS = {"method": np.array([0, 2]), "eta": np.array([0.02, 0.01]), "dt_yr": np.array([0.01, 0.05])}


def test_pictures_show_the_designs_beside_the_learned_policy() -> None:
    model = ThreeBody(4, bound=1e-6)
    check_pictures("ThreeBody", model, DESIGNS)
    orbits, steps, errors = model.pictures(DESIGNS, ["a", "b"])
    learned = "learned, for a bound of 1e-06"
    assert orbits.panels == ("a", "b", learned)
    assert orbits.equal
    assert [mark.name for mark in steps.marks] == [mark.name for mark in errors.marks] == ["a", "b", learned]
    fixed, leapfrog, _ = steps.marks
    assert 9.9 < fixed.x[-1] < 10.1
    assert leapfrog.y.tolist() == [0.05] * len(leapfrog.y)
    assert len(np.unique(fixed.y)) > 100
    assert all(len(mark.x) == 4 for mark in errors.marks)


def test_the_policy_of_the_nearest_bound_is_shown() -> None:
    assert nearest_policy(3e-4).bound == 1e-4
    assert nearest_policy(2e-6).bound == 1e-6
