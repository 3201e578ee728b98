"""Ratios of two things measured in one run; see docs/benchmarks.md."""
