"""Cost models: columns of designs in, columns of metrics out."""

from designgym.cost_models.base import Columns, ColumnSpec, CostModel, Explains, Metric, batch_length

__all__ = ["ColumnSpec", "Columns", "CostModel", "Explains", "Metric", "batch_length"]
