"""Benchmarks in pairs with other programs: `python -m benchmarks`. README.md explains each table."""
