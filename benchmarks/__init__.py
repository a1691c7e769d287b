"""Measurements of speed and accuracy, each a command: `python -m benchmarks.NAME --help`."""
