"""Benchmarks: what a keystroke, a start and a whole check cost, always beside ruff in the same run. See
README.md."""
