"""Artificial landscapes: spaces to try agents on, with ruggedness that can be set and optima that are known."""
