"""Searchers: they see a problem's space and evaluations, never its physics."""
