"""Cost models of artificial landscapes, whose difficulty is set rather than found."""
