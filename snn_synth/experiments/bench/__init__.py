"""Comparison with other libraries: speed, memory, precision and growth, measured on the user's own machine."""
