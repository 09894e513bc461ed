"""What `gymnasium.make` and `gymnasium.make_vec` call: the faces of registered problems and environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from designgym.cost_models.registry import OptionError
from designgym.envs.registry import make_problem, make_sequential, make_sequential_vectors

if TYPE_CHECKING:
    import gymnasium

    from designgym.envs.design_env import DesignEnv
    from designgym.envs.sequential import SequentialEnv
    from designgym.envs.stepwise_env import StepwiseDesignEnv
    from designgym.envs.stepwise_vector_env import StepwiseDesignVectorEnv
    from designgym.envs.vector_env import DesignVectorEnv


def _refuse_rendering(render_mode: str | None) -> None:
    if render_mode is not None:
        raise OptionError(f"render_mode must be None, got {render_mode!r}: there is nothing to draw.")


def make_design_env(problem_id: str, horizon: int = 1, render_mode: str | None = None, **options: Any) -> DesignEnv:
    """Make a problem's environment; what `gymnasium.make` calls."""
    from designgym.envs.design_env import DesignEnv

    _refuse_rendering(render_mode)
    return DesignEnv(make_problem(problem_id, **options), horizon)


def make_sequential_env(env_id: str, render_mode: str | None = None, **options: Any) -> SequentialEnv[Any, Any]:
    """Make a sequential environment; what `gymnasium.make` calls."""
    _refuse_rendering(render_mode)
    return make_sequential(env_id, **options)


def make_sequential_vector_env(
    env_id: str, num_envs: int = 1, **options: Any
) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Make a sequential environment's own vector environment; what `gymnasium.make_vec` calls."""
    return make_sequential_vectors(env_id, num_envs, **options)


def make_stepwise_env(
    problem_id: str, bins: int | None = None, render_mode: str | None = None, **options: Any
) -> StepwiseDesignEnv:
    """Make a problem's stepwise environment; what `gymnasium.make` calls."""
    from designgym.envs.stepwise_env import StepwiseDesignEnv

    _refuse_rendering(render_mode)
    return StepwiseDesignEnv(make_problem(problem_id, **options), bins)


def make_design_vector_env(problem_id: str, num_envs: int = 1, horizon: int = 1, **options: Any) -> DesignVectorEnv:
    """Make a problem's vector environment; what `gymnasium.make_vec` calls."""
    from designgym.envs.vector_env import DesignVectorEnv

    return DesignVectorEnv(make_problem(problem_id, **options), num_envs, horizon)


def make_stepwise_vector_env(
    problem_id: str, num_envs: int = 1, bins: int | None = None, **options: Any
) -> StepwiseDesignVectorEnv:
    """Make a problem's stepwise vector environment; what `gymnasium.make_vec` calls."""
    from designgym.envs.stepwise_vector_env import StepwiseDesignVectorEnv

    return StepwiseDesignVectorEnv(make_problem(problem_id, **options), num_envs, bins)
