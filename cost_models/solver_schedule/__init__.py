"""Schedules of numerical solvers: where and how they spend their evaluations."""
