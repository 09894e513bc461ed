"""Sweeps, the trial log, statistics, reports and the command line."""
