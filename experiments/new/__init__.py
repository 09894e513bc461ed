"""What `designgym new` writes: a small distribution with one piece, its test, and the entry point that registers it."""

from designgym.experiments.new.pieces import KINDS, Piece, piece, write_piece

__all__ = ["KINDS", "Piece", "piece", "write_piece"]
