"""Cost models that are somebody's program: what runs it, what writes its input, what reads its output."""
