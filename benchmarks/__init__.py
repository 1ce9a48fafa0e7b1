"""Measurements side by side with peers and limits: `python -m benchmarks`; README.md tells what each line means."""
