"""The report of a sweep: one self-contained HTML page."""

from designgym.experiments.report.page import write_report

__all__ = ["write_report"]
