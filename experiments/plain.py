"""Plain JSON values of what defines a run: `designgym.cost_models.plain`, under the name that the log's readers use."""

from designgym.cost_models.plain import digest, plain

__all__ = ["digest", "plain"]
