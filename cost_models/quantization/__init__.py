"""Number formats, networks and what they cost: accuracy that is measured, bits, LUTs and picojoules."""
